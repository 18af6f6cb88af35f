/* SPDX-License-Identifier: Apache-2.0 */
/**
 * What people ask when something is not as they expect: how much a group still has to do, why a message is not consumed, what became of a
 * message. Reads only, within bounds.
 */
package io.waybill.broker.insight;
