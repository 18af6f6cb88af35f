/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/** Reply body of 21, and the inner part of a registration: all topics of a broker. */
public record TopicConfigTable(DataVersion dataVersion, Map<String, TopicConfig> topicConfigTable) {

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static TopicConfigTable parse(ByteBuffer body) {
        return read(Json.parseAnswer(body));
    }

    static TopicConfigTable read(JsonObject json) {
        Map<String, TopicConfig> topics = new LinkedHashMap<>();
        JsonObject table = json.getObject("topicConfigTable");
        if (table != null) {
            for (String name : table.members().keySet()) {
                if (table.get(name) != null) {
                    topics.put(name, TopicConfig.read(table.getObject(name)));
                }
            }
        }
        return new TopicConfigTable(DataVersion.read(json.getObject("dataVersion")), topics);
    }

    void write(JsonWriter json) {
        dataVersion.write(json.beginObject().name("dataVersion"));
        dataVersion.write(json.name("mappingDataVersion"));
        json.name("topicConfigTable").beginObject();
        topicConfigTable.forEach((name, topic) -> topic.write(json.name(name)));
        json.endObject()
                .field("topicQueueMappingDetailMap", Map.of())
                .field("topicQueueMappingInfoMap", Map.of())
                .endObject();
    }

    public byte[] toJson() {
        JsonWriter json = new JsonWriter();
        write(json);
        return json.toByteArray();
    }
}
