/* SPDX-License-Identifier: Apache-2.0 */
/**
 * Consumers that read queues the application chooses: the pull consumer and replay.
 *
 * <p>Start with {@link io.waybill.client.internal.pull.AssignedPullConsumer} and {@link io.waybill.client.internal.pull.QueueReplay}. May import
 * {@code consume} and what that imports.
 */
package io.waybill.client.internal.pull;
