/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.Collection;
import java.util.LinkedHashSet;
import java.util.Set;

/** Body of 41 and 42: the queues a client wants to own, or to give up, for ordered consumption. */
public record LockBatchBody(String consumerGroup, String clientId, Set<MessageQueue> mqSet, boolean onlyThisBroker) {
    /** A client asks for all queues of a group on a broker at once; each is four values. */
    private static final int MAX_VALUES = 50_000;

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static LockBatchBody parse(ByteBuffer body) {
        JsonObject json = Json.parse(body, MAX_VALUES);
        return new LockBatchBody(
                json.requireString("consumerGroup"),
                json.requireString("clientId"),
                readQueues(json, "mqSet"),
                json.getBoolean("onlyThisBroker", false));
    }

    public byte[] toJson() {
        JsonWriter json = new JsonWriter();
        json.beginObject().field("clientId", clientId).field("consumerGroup", consumerGroup);
        writeQueues(json, "mqSet", mqSet);
        return json.field("onlyThisBroker", onlyThisBroker).endObject().toByteArray();
    }

    static Set<MessageQueue> readQueues(JsonObject json, String name) {
        Set<MessageQueue> queues = new LinkedHashSet<>();
        for (JsonObject one : json.getArray(name).objects(name)) {
            queues.add(MessageQueue.read(one));
        }
        return queues;
    }

    static void writeQueues(JsonWriter json, String name, Collection<MessageQueue> queues) {
        json.name(name).beginArray();
        queues.forEach(queue -> queue.write(json));
        json.endArray();
    }
}
