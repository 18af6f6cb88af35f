/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.topic;

import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;

/**
 * A topic that was deleted, as the catalog keeps it.
 *
 * @param config its settings then
 * @param by who deleted it, for people
 */
record DeletedTopic(TopicConfig config, long deletedMillis, String by) {
    byte[] toJson() {
        JsonWriter json = new JsonWriter()
                .beginObject()
                .field("deletedMillis", deletedMillis)
                .field("by", by)
                .name("config");
        config.write(json);
        return json.endObject().toByteArray();
    }

    static DeletedTopic parse(byte[] json) {
        JsonObject read = Json.parse(ByteBuffer.wrap(json));
        return new DeletedTopic(
                TopicConfig.read(read.getObject("config")),
                read.requireLong("deletedMillis"),
                read.getString("by", "unknown"));
    }
}
