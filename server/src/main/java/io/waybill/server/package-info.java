/* SPDX-License-Identifier: Apache-2.0 */
/** Name server and broker in one process, and the embedded broker for tests. Composition only. */
package io.waybill.server;
