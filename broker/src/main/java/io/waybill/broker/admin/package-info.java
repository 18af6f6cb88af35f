/* SPDX-License-Identifier: Apache-2.0 */
/** What operators and their tools ask: progress and its reset, topic figures, connections, a summary of the running broker. */
package io.waybill.broker.admin;
