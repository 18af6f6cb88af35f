/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.LinkedHashSet;
import java.util.Set;

/**
 * Reply body of 400: a client's share of a topic. Queue -1 stands for all queues of a broker.
 *
 * @param queues null says nothing: the client keeps what it has
 * @param mode {@link RequestMode#POP} or {@link RequestMode#PULL}, of all of them
 */
public record Assignment(Set<MessageQueue> queues, String mode) {

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static Assignment parse(ByteBuffer body) {
        JsonObject json = Json.parseAnswer(body);
        if (json.get("messageQueueAssignments") == null) {
            return new Assignment(null, null);
        }
        Set<MessageQueue> queues = new LinkedHashSet<>();
        String mode = null;
        for (JsonObject one : json.getArray("messageQueueAssignments").objects("messageQueueAssignments")) {
            queues.add(MessageQueue.read(one.getObject("messageQueue")));
            mode = one.getString("mode");
        }
        return new Assignment(queues, mode);
    }

    public byte[] toJson() {
        JsonWriter json = new JsonWriter().beginObject();
        if (queues != null) {
            json.name("messageQueueAssignments").beginArray();
            for (MessageQueue queue : queues) {
                queue.write(json.beginObject().name("messageQueue"));
                json.field("mode", mode).endObject();
            }
            json.endArray();
        }
        return json.endObject().toByteArray();
    }
}
