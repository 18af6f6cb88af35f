/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import io.waybill.broker.topic.TopicAttributes;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.message.MessageProperties;

/**
 * What the priority of a message does. In a topic of message.type PRIORITY it chooses the queue, whatever else the message asks for. In any
 * other topic it does so for plain messages only; on one that is ordered, delayed or transactional it is taken out, as RocketMQ does.
 */
final class Priority {
    /** It is no priority: nothing is done. */
    static final int NONE = -1;

    /** It does not count here and is not stored. */
    static final int TAKE_OUT = -2;

    private Priority() {}

    /**
     * The queue, {@link #NONE} or {@link #TAKE_OUT}.
     *
     * @param special whether the message is delayed or a half message
     */
    static int queueOf(TopicConfig topic, byte[] properties, boolean special) {
        int priority;
        try {
            priority = Integer.parseInt(MessageProperties.get(properties, MessageProperties.PRIORITY));
        } catch (NumberFormatException e) {
            return NONE;
        }
        if (priority < 0) {
            return NONE;
        }
        boolean plain = !special && !MessageProperties.has(properties, MessageProperties.SHARDING_KEY);
        if (plain || TopicAttributes.isPriority(topic)) {
            return Math.min(priority, Math.max(1, topic.writeQueueNums()) - 1);
        }
        return TAKE_OUT;
    }
}
