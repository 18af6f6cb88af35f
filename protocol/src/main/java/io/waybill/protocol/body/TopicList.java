/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * Reply body of 206, 224, 304, 305 and 343: names of topics.
 *
 * @param brokerAddr may be null
 */
public record TopicList(List<String> topicList, String brokerAddr) {

    public TopicList(List<String> topicList) {
        this(topicList, null);
    }

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static TopicList parse(ByteBuffer body) {
        JsonObject json = Json.parseAnswer(body);
        return new TopicList(json.getArray("topicList").strings("topicList"), json.getString("brokerAddr"));
    }

    public byte[] toJson() {
        return new JsonWriter()
                .beginObject()
                .field("brokerAddr", brokerAddr)
                .field("topicList", topicList)
                .endObject()
                .toByteArray();
    }
}
