/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/** Body of 220 and reply body of 222: an offset for each queue. */
public record OffsetTable(Map<MessageQueue, Long> offsetTable) {

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static OffsetTable parse(ByteBuffer body) {
        return new OffsetTable(read(Json.parseAnswer(body), "offsetTable"));
    }

    public byte[] toJson() {
        JsonWriter json = new JsonWriter();
        write(json.beginObject(), "offsetTable", offsetTable);
        return json.endObject().toByteArray();
    }

    static Map<MessageQueue, Long> read(JsonObject json, String name) {
        Map<MessageQueue, Long> offsets = new LinkedHashMap<>();
        QueueMaps.forEach(json, name, (queue, value) -> offsets.put(queue, QueueMaps.number(name, value)));
        return offsets;
    }

    static void write(JsonWriter json, String name, Map<MessageQueue, Long> offsets) {
        json.name(name).beginObject();
        offsets.forEach((queue, offset) -> {
            queue.write(json);
            json.value((long) offset);
        });
        json.endObject();
    }
}
