/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/** Reply body of 321: entries of one consume queue. */
public record ConsumeQueueEntries(long minQueueIndex, long maxQueueIndex, List<Entry> queueData) {

    /**
     * One entry.
     *
     * @param eval whether the group's filter lets it through; false without a group
     */
    public record Entry(long physicOffset, int physicSize, long tagsCode, boolean eval) {}

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static ConsumeQueueEntries parse(ByteBuffer body) {
        JsonObject json = Json.parseAnswer(body);
        List<Entry> entries = new ArrayList<>();
        for (JsonObject one : json.getArray("queueData").objects("queueData")) {
            entries.add(new Entry(
                    one.getLong("physicOffset", 0),
                    one.getInt("physicSize", 0),
                    one.getLong("tagsCode", 0),
                    one.getBoolean("eval", false)));
        }
        return new ConsumeQueueEntries(json.getLong("minQueueIndex", 0), json.getLong("maxQueueIndex", 0), entries);
    }

    public byte[] toJson() {
        JsonWriter json = new JsonWriter();
        json.beginObject()
                .field("maxQueueIndex", maxQueueIndex)
                .field("minQueueIndex", minQueueIndex)
                .name("queueData")
                .beginArray();
        for (Entry entry : queueData) {
            json.beginObject()
                    .field("eval", entry.eval())
                    .field("physicOffset", entry.physicOffset())
                    .field("physicSize", entry.physicSize())
                    .field("tagsCode", entry.tagsCode())
                    .endObject();
        }
        return json.endArray().endObject().toByteArray();
    }
}
