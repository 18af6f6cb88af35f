/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Subscription expressions, compiled: lists of tags, and SQL92 over the properties of messages.
 *
 * <p>Start at {@link io.waybill.broker.filter.Filter}.
 *
 * <p>May import the store and the protocol; no other package of the broker.
 */
package io.waybill.broker.filter;
