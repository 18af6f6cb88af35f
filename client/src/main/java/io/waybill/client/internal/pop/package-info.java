/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Consumers by pop: the broker shares single messages among the members of a group, and each is acknowledged.
 *
 * <p>Start with {@link io.waybill.client.internal.pop.PopPushConsumer} and {@link io.waybill.client.internal.pop.PopSimpleConsumer}; their requests are in
 * {@link io.waybill.client.internal.pop.PopApi}. May import {@code consume} and what that imports.
 */
package io.waybill.client.internal.pop;
