/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 39, broker to producer, one-way: how did the transaction of the message in the body end? Both offsets come back in the answer (37).
 *
 * @param msgId the unique key
 */
public record CheckTransactionHeader(
        String topic,
        long tranStateTableOffset,
        long commitLogOffset,
        String msgId,
        String transactionId,
        String offsetMsgId,
        String brokerName)
        implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static CheckTransactionHeader read(Fields fields) {
        return new CheckTransactionHeader(
                fields.get("topic"),
                fields.requireLong("tranStateTableOffset"),
                fields.requireLong("commitLogOffset"),
                fields.get("msgId"),
                fields.get("transactionId"),
                fields.get("offsetMsgId"),
                fields.get("bname"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("topic", topic);
        sink.put("tranStateTableOffset", tranStateTableOffset);
        sink.put("commitLogOffset", commitLogOffset);
        sink.put("msgId", msgId);
        sink.put("transactionId", transactionId);
        sink.put("offsetMsgId", offsetMsgId);
        sink.put("bname", brokerName);
    }
}
