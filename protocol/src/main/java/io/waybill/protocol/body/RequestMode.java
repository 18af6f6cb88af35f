/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;

/**
 * Body of 401: how a group gets the messages of a topic when its clients let the broker share out the queues.
 *
 * @param mode {@link #POP} or {@link #PULL}
 * @param popShareQueueNum how many further clients' queues a client pops too; 0 or less, or as many as there are others: all queues
 */
public record RequestMode(String topic, String consumerGroup, String mode, int popShareQueueNum) {
    public static final String PULL = "PULL";
    public static final String POP = "POP";

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static RequestMode parse(ByteBuffer body) {
        return read(Json.parse(body));
    }

    static RequestMode read(JsonObject json) {
        return new RequestMode(
                json.requireString("topic"),
                json.requireString("consumerGroup"),
                json.getString("mode", PULL),
                json.getInt("popShareQueueNum", 0));
    }

    public boolean isPop() {
        return POP.equals(mode);
    }

    public byte[] toJson() {
        JsonWriter json = new JsonWriter();
        write(json);
        return json.toByteArray();
    }

    void write(JsonWriter json) {
        json.beginObject()
                .field("consumerGroup", consumerGroup)
                .field("mode", mode)
                .field("popShareQueueNum", popShareQueueNum)
                .field("topic", topic)
                .endObject();
    }
}
