/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Reply body of 208: how far a group is.
 *
 * @param consumeTps messages per second
 */
public record ConsumeStats(Map<MessageQueue, QueueProgress> offsetTable, double consumeTps) {

    /**
     * One queue.
     *
     * @param brokerOffset the next offset to be given
     * @param consumerOffset what the group has committed
     * @param pullOffset how far it has pulled
     * @param lastTimestamp store time of the last consumed message in milliseconds, 0 when there is none
     */
    public record QueueProgress(long brokerOffset, long consumerOffset, long pullOffset, long lastTimestamp) {}

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static ConsumeStats parse(ByteBuffer body) {
        JsonObject json = Json.parseAnswer(body);
        Map<MessageQueue, QueueProgress> queues = new LinkedHashMap<>();
        QueueMaps.forEach(json, "offsetTable", (queue, value) -> {
            JsonObject progress = QueueMaps.object("offsetTable", value);
            queues.put(
                    queue,
                    new QueueProgress(
                            progress.getLong("brokerOffset", 0),
                            progress.getLong("consumerOffset", 0),
                            progress.getLong("pullOffset", 0),
                            progress.getLong("lastTimestamp", 0)));
        });
        return new ConsumeStats(queues, json.getDouble("consumeTps", 0));
    }

    public void write(JsonWriter json) {
        json.beginObject().field("consumeTps", consumeTps).name("offsetTable").beginObject();
        offsetTable.forEach((queue, progress) -> {
            queue.write(json);
            json.beginObject()
                    .field("brokerOffset", progress.brokerOffset())
                    .field("consumerOffset", progress.consumerOffset())
                    .field("lastTimestamp", progress.lastTimestamp())
                    .field("pullOffset", progress.pullOffset())
                    .endObject();
        });
        json.endObject().endObject();
    }

    public byte[] toJson() {
        JsonWriter json = new JsonWriter();
        write(json);
        return json.toByteArray();
    }
}
