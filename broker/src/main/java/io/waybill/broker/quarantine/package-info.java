/* SPDX-License-Identifier: Apache-2.0 */
/** Keys whose messages an ordered group cannot handle: they are quarantined in order while the other keys of the queue go on, and given back in order. */
package io.waybill.broker.quarantine;
