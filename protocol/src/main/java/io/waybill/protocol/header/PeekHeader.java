/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 200052: what a pop would get, without taking it. 200055 has the same fields but the number.
 *
 * @param queueId -1 for any queue of the broker
 */
public record PeekHeader(String consumerGroup, String topic, int queueId, int maxMsgNums, String brokerName)
        implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static PeekHeader read(Fields fields) {
        return new PeekHeader(
                fields.require("consumerGroup"),
                fields.require("topic"),
                fields.requireInt("queueId"),
                fields.getInt("maxMsgNums", 1),
                fields.get("bname"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("consumerGroup", consumerGroup);
        sink.put("topic", topic);
        sink.put("queueId", queueId);
        sink.put("maxMsgNums", maxMsgNums);
        sink.put("bname", brokerName);
    }
}
