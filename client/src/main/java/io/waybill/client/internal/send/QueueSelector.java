/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.send;

import io.waybill.client.MessageQueue;
import java.util.List;

/** Which queue a message goes to. Pure. */
final class QueueSelector {
    private QueueSelector() {}

    /**
     * The queue of an ordering key: equal keys give equal queues while the topic has the same queues. The same queue as the stock client's selector by
     * hash gives on one broker.
     */
    static MessageQueue byKey(List<MessageQueue> queues, String orderingKey) {
        return queues.get(Math.abs(orderingKey.hashCode() % queues.size()));
    }

    /**
     * The next queue in turn, one of another broker than {@code avoid} if there is one.
     *
     * @param turn grows by one with each call; may overflow
     * @param avoid the broker that just failed, or null
     */
    static MessageQueue inTurn(List<MessageQueue> queues, int turn, String avoid) {
        int start = Math.floorMod(turn, queues.size());
        if (avoid != null) {
            for (int i = 0; i < queues.size(); i++) {
                MessageQueue queue = queues.get((start + i) % queues.size());
                if (!queue.broker().equals(avoid)) {
                    return queue;
                }
            }
        }
        return queues.get(start);
    }
}
