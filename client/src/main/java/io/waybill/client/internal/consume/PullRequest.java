/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.MessageQueue;
import io.waybill.client.internal.message.SubscriptionFilter;

/**
 * One pull.
 *
 * @param holdMillis how long the broker may hold it when it finds nothing; 0 = not at all
 * @param commitOffset all below is done, for the broker to keep as the group's offset; -1 = nothing to keep
 * @param isReplay whether this reads again what was consumed before; the broker's delivery log tells it apart
 */
public record PullRequest(
        String group,
        MessageQueue queue,
        long offset,
        int maxMessages,
        long holdMillis,
        SubscriptionFilter filter,
        long subscriptionVersion,
        long commitOffset,
        boolean isReplay) {}
