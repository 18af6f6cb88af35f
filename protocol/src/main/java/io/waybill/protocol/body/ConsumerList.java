/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.List;

/** Reply body of 38: the client ids of a group's members. */
public record ConsumerList(List<String> consumerIdList) {

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static ConsumerList parse(ByteBuffer body) {
        return new ConsumerList(
                Json.parseAnswer(body).getArray("consumerIdList").strings("consumerIdList"));
    }

    public byte[] toJson() {
        return new JsonWriter()
                .beginObject()
                .field("consumerIdList", consumerIdList)
                .endObject()
                .toByteArray();
    }
}
