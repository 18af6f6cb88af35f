/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;

/** One queue of a topic on one broker. Sorted as every client sorts it, since allocation depends on it: by topic, broker, number. */
public record MessageQueue(String topic, String brokerName, int queueId) implements Comparable<MessageQueue> {

    public static MessageQueue read(JsonObject json) {
        return new MessageQueue(
                json.requireString("topic"), json.requireString("brokerName"), json.requireInt("queueId"));
    }

    /** Writes itself where a value or a key is due. */
    public void write(JsonWriter json) {
        json.beginObject()
                .field("brokerName", brokerName)
                .field("queueId", queueId)
                .field("topic", topic)
                .endObject();
    }

    @Override
    public int compareTo(MessageQueue other) {
        int order = topic.compareTo(other.topic);
        if (order == 0) {
            order = brokerName.compareTo(other.brokerName);
        }
        return order == 0 ? Integer.compare(queueId, other.queueId) : order;
    }
}
