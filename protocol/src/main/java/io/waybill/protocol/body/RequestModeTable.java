/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;

/** Reply body of 402: the mode of every group and topic that has one. */
public record RequestModeTable(Collection<RequestMode> modes) {

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static RequestModeTable parse(ByteBuffer body) {
        List<RequestMode> modes = new ArrayList<>();
        JsonObject topics = Json.parseAnswer(body).getObject("messageRequestModeMap");
        if (topics != null) {
            for (String topic : topics.members().keySet()) {
                JsonObject groups = topics.getObject(topic);
                for (String group : groups.members().keySet()) {
                    modes.add(RequestMode.read(groups.getObject(group)));
                }
            }
        }
        return new RequestModeTable(modes);
    }

    public byte[] toJson() {
        Map<String, Map<String, RequestMode>> topics = new TreeMap<>();
        for (RequestMode mode : modes) {
            topics.computeIfAbsent(mode.topic(), topic -> new TreeMap<>()).put(mode.consumerGroup(), mode);
        }
        JsonWriter json = new JsonWriter();
        json.beginObject().name("messageRequestModeMap").beginObject();
        topics.forEach((topic, groups) -> {
            json.name(topic).beginObject();
            groups.forEach((group, mode) -> mode.write(json.name(group)));
            json.endObject();
        });
        return json.endObject().endObject().toByteArray();
    }
}
