/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Reply body of 202: how long the queues of a topic are.
 *
 * @param topicPutTps messages per second
 */
public record TopicStats(Map<MessageQueue, QueueRange> offsetTable, double topicPutTps) {

    /**
     * One queue.
     *
     * @param maxOffset the next offset to be given
     * @param lastUpdateTimestamp store time of the last message in milliseconds, 0 when empty
     */
    public record QueueRange(long minOffset, long maxOffset, long lastUpdateTimestamp) {}

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static TopicStats parse(ByteBuffer body) {
        JsonObject json = Json.parseAnswer(body);
        Map<MessageQueue, QueueRange> queues = new LinkedHashMap<>();
        QueueMaps.forEach(json, "offsetTable", (queue, value) -> {
            JsonObject range = QueueMaps.object("offsetTable", value);
            queues.put(
                    queue,
                    new QueueRange(
                            range.requireLong("minOffset"),
                            range.requireLong("maxOffset"),
                            range.getLong("lastUpdateTimestamp", 0)));
        });
        return new TopicStats(queues, json.getDouble("topicPutTps", 0));
    }

    public byte[] toJson() {
        JsonWriter json = new JsonWriter();
        json.beginObject().name("offsetTable").beginObject();
        offsetTable.forEach((queue, range) -> {
            queue.write(json);
            json.beginObject()
                    .field("lastUpdateTimestamp", range.lastUpdateTimestamp())
                    .field("maxOffset", range.maxOffset())
                    .field("minOffset", range.minOffset())
                    .endObject();
        });
        return json.endObject().field("topicPutTps", topicPutTps).endObject().toByteArray();
    }
}
