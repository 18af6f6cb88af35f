/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;

/**
 * When a table changed last; equal when all three are.
 *
 * @param timestamp milliseconds
 */
public record DataVersion(long stateVersion, long timestamp, long counter) {
    public static final DataVersion NONE = new DataVersion(0, 0, 0);

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static DataVersion parse(ByteBuffer body) {
        return read(Json.parse(body));
    }

    /** Null reads as {@link #NONE}. */
    static DataVersion read(JsonObject json) {
        return json == null
                ? NONE
                : new DataVersion(
                        json.getLong("stateVersion", 0), json.getLong("timestamp", 0), json.getLong("counter", 0));
    }

    public DataVersion next(long nowMillis) {
        return new DataVersion(stateVersion, nowMillis, counter + 1);
    }

    void write(JsonWriter json) {
        json.beginObject()
                .field("counter", counter)
                .field("stateVersion", stateVersion)
                .field("timestamp", timestamp)
                .endObject();
    }

    public byte[] toJson() {
        JsonWriter json = new JsonWriter();
        write(json);
        return json.toByteArray();
    }
}
