/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Keys whose messages an ordered group cannot handle: their messages are set aside in order while the other keys of the queue go on, and given back in
 * order (ADR 0016). Start reading at {@link io.waybill.broker.quarantine.Quarantine}. Imports {@code setaside}, {@code retry} and {@code pull} of its
 * wing, and packages of the core wing.
 */
package io.waybill.broker.quarantine;
