/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;

/**
 * Reply body of 309: what a consumer did with one message.
 *
 * @param consumeResult CR_SUCCESS, CR_LATER, CR_ROLLBACK, CR_COMMIT, CR_THROW_EXCEPTION or CR_RETURN_NULL
 * @param remark may be null
 * @param spentTimeMills milliseconds
 */
public record ConsumeDirectlyResult(
        boolean order, boolean autoCommit, String consumeResult, String remark, long spentTimeMills) {

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static ConsumeDirectlyResult parse(ByteBuffer body) {
        JsonObject json = Json.parseAnswer(body);
        return new ConsumeDirectlyResult(
                json.getBoolean("order", false),
                json.getBoolean("autoCommit", true),
                json.getString("consumeResult"),
                json.getString("remark"),
                json.getLong("spentTimeMills", 0));
    }

    public byte[] toJson() {
        return new JsonWriter()
                .beginObject()
                .field("autoCommit", autoCommit)
                .field("consumeResult", consumeResult)
                .field("order", order)
                .field("remark", remark)
                .field("spentTimeMills", spentTimeMills)
                .endObject()
                .toByteArray();
    }
}
