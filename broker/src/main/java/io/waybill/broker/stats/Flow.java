/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.stats;

/**
 * What went through in some window.
 *
 * @param sum messages, or bytes
 * @param perSecond of the same
 * @param perMessage 1 for messages, the mean size for bytes, 0 when nothing went through
 */
public record Flow(long sum, double perSecond, double perMessage) {}
