/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.Set;

/** Reply body of 41: the queues the client now owns. */
public record LockBatchReply(Set<MessageQueue> lockOKMQSet) {

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static LockBatchReply parse(ByteBuffer body) {
        return new LockBatchReply(LockBatchBody.readQueues(Json.parseAnswer(body), "lockOKMQSet"));
    }

    public byte[] toJson() {
        JsonWriter json = new JsonWriter();
        LockBatchBody.writeQueues(json.beginObject(), "lockOKMQSet", lockOKMQSet);
        return json.endObject().toByteArray();
    }
}
