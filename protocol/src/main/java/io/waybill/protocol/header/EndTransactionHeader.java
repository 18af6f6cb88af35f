/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 37, one-way: how a local transaction ended.
 *
 * @param tranStateTableOffset queue offset of the half message, as its send reply gave it
 * @param commitLogOffset position of the half message
 * @param commitOrRollback 8 commit, 12 rollback, 0 undecided
 * @param msgId the unique key
 */
public record EndTransactionHeader(
        String topic,
        String producerGroup,
        long tranStateTableOffset,
        long commitLogOffset,
        int commitOrRollback,
        boolean fromTransactionCheck,
        String msgId,
        String transactionId,
        String brokerName)
        implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static EndTransactionHeader read(Fields fields) {
        return new EndTransactionHeader(
                fields.get("topic"),
                fields.require("producerGroup"),
                fields.requireLong("tranStateTableOffset"),
                fields.requireLong("commitLogOffset"),
                fields.requireInt("commitOrRollback"),
                fields.getBoolean("fromTransactionCheck", false),
                fields.get("msgId"),
                fields.get("transactionId"),
                fields.get("bname"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("topic", topic);
        sink.put("producerGroup", producerGroup);
        sink.put("tranStateTableOffset", tranStateTableOffset);
        sink.put("commitLogOffset", commitLogOffset);
        sink.put("commitOrRollback", commitOrRollback);
        sink.put("fromTransactionCheck", fromTransactionCheck);
        sink.put("msgId", msgId);
        sink.put("transactionId", transactionId);
        sink.put("bname", brokerName);
    }
}
