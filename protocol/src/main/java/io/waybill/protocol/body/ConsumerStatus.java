/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * Reply body of 221 (the offsets one client holds) and 223 (those of all clients).
 *
 * @param messageQueueTable of one client
 * @param consumerTable by client id
 */
public record ConsumerStatus(
        Map<MessageQueue, Long> messageQueueTable, Map<String, Map<MessageQueue, Long>> consumerTable) {

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static ConsumerStatus parse(ByteBuffer body) {
        return read(Json.parseAnswer(body));
    }

    /** Like {@link #parse}, as one client says it. */
    public static ConsumerStatus parseOfClient(ByteBuffer body) {
        return read(Json.parse(body));
    }

    private static ConsumerStatus read(JsonObject json) {
        Map<String, Map<MessageQueue, Long>> clients = new LinkedHashMap<>();
        JsonObject table = json.getObject("consumerTable");
        if (table != null) {
            for (String client : table.members().keySet()) {
                clients.put(client, OffsetTable.read(table, client));
            }
        }
        return new ConsumerStatus(OffsetTable.read(json, "messageQueueTable"), clients);
    }

    public byte[] toJson() {
        JsonWriter json = new JsonWriter();
        json.beginObject().name("consumerTable").beginObject();
        consumerTable.forEach((client, offsets) -> OffsetTable.write(json, client, offsets));
        OffsetTable.write(json.endObject(), "messageQueueTable", messageQueueTable);
        return json.endObject().toByteArray();
    }
}
