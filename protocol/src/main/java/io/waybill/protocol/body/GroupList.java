/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.List;

/** Reply body of 300: the groups that consume a topic. */
public record GroupList(List<String> groupList) {

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static GroupList parse(ByteBuffer body) {
        return new GroupList(Json.parseAnswer(body).getArray("groupList").strings("groupList"));
    }

    public byte[] toJson() {
        return new JsonWriter()
                .beginObject()
                .field("groupList", groupList)
                .endObject()
                .toByteArray();
    }
}
