/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * Reply of 10, 310, 320, 324 and 325. Message id, queue and offset are needed with the codes 0, 10, 11 and 12: clients unbox them without
 * asking.
 *
 * @param msgId offset message id, of a batch all of them joined by commas
 * @param queueOffset of a batch the first one
 * @param transactionId the unique key, or null
 * @param batchUniqId null unless the batch was stored as one record
 * @param recallHandle null unless the message is timed and can be cancelled
 * @param msgRegion null writes nothing
 * @param traceOn whether the client may trace the message
 */
public record SendReply(
        String msgId,
        int queueId,
        long queueOffset,
        String transactionId,
        String batchUniqId,
        String recallHandle,
        String msgRegion,
        boolean traceOn)
        implements HeaderWriter {
    public static final String DEFAULT_REGION = "DefaultRegion";

    /** A reply with the default region, tracing allowed, without batch id and handle. */
    public SendReply(String msgId, int queueId, long queueOffset, String transactionId) {
        this(msgId, queueId, queueOffset, transactionId, null, null, DEFAULT_REGION, true);
    }

    /** Reads the fields; tracing is on unless the field says false.
     *
     * @throws io.waybill.protocol.frame.BadField when id, queue or offset are missing or of the wrong kind
     */
    public static SendReply read(Fields fields) {
        return new SendReply(
                fields.require("msgId"),
                fields.requireInt("queueId"),
                fields.requireLong("queueOffset"),
                fields.get("transactionId"),
                fields.get("batchUniqId"),
                fields.get("recallHandle"),
                fields.get("MSG_REGION"),
                fields.getBoolean("TRACE_ON", true));
    }

    public SendReply withRecallHandle(String handle) {
        return new SendReply(msgId, queueId, queueOffset, transactionId, batchUniqId, handle, msgRegion, traceOn);
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("msgId", msgId);
        sink.put("queueId", queueId);
        sink.put("queueOffset", queueOffset);
        sink.put("transactionId", transactionId);
        sink.put("batchUniqId", batchUniqId);
        sink.put("recallHandle", recallHandle);
        sink.put("MSG_REGION", msgRegion);
        sink.put("TRACE_ON", traceOn);
    }
}
