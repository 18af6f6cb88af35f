/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.Map;

/** Reply body of 28 and 219: texts by name. */
public record KvTable(Map<String, String> table) {

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static KvTable parse(ByteBuffer body) {
        return new KvTable(Json.parseAnswer(body).getStringMap("table"));
    }

    public byte[] toJson() {
        return new JsonWriter().beginObject().field("table", table).endObject().toByteArray();
    }
}
