/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

/**
 * One queue of a topic: the unit of order and of progress. Ordered by topic, broker and number.
 *
 * @param topic the topic
 * @param broker the name of the broker that keeps the queue
 * @param id the number of the queue on that broker, from 0
 */
public record MessageQueue(String topic, String broker, int id) implements Comparable<MessageQueue> {
    @Override
    public int compareTo(MessageQueue other) {
        int byTopic = topic.compareTo(other.topic);
        if (byTopic != 0) {
            return byTopic;
        }
        int byBroker = broker.compareTo(other.broker);
        return byBroker != 0 ? byBroker : Integer.compare(id, other.id);
    }

    @Override
    public String toString() {
        return topic + "/" + broker + "/" + id;
    }
}
