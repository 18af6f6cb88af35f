/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The push consumer that owns queues, and what all consumers share: the fetch loop, the pull, the executor of handlers.
 *
 * <p>Start with {@link io.waybill.client.internal.consume.QueuePushConsumer}, which puts the parts together: the {@code Rebalancer} takes queues and gives them
 * up, the {@code QueueFetcher} fetches from them, a {@code DeliveryOrder} (concurrent or ordered) calls the handler, the {@code OffsetCommitter} keeps how far
 * it is. May import {@code group}, {@code route}, {@code connection}, {@code message}, {@code runtime} and {@code id}.
 */
package io.waybill.client.internal.consume;
