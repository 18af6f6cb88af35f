/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The transactional producer: half messages, decisions, and the checks of brokers.
 *
 * <p>Start with {@link io.waybill.client.internal.transaction.HalfMessageProducer}; what a check may be told without the listener is in
 * {@code RunningTransactions}. May import {@code send} and what that imports.
 */
package io.waybill.client.internal.transaction;
