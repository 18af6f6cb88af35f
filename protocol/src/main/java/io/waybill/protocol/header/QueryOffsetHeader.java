/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/** 14: the offset a group has committed for a queue. */
public record QueryOffsetHeader(
        String consumerGroup, String topic, int queueId, boolean setZeroIfNotFound, String brokerName)
        implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static QueryOffsetHeader read(Fields fields) {
        return new QueryOffsetHeader(
                fields.require("consumerGroup"),
                fields.require("topic"),
                fields.requireInt("queueId"),
                fields.getBoolean("setZeroIfNotFound", true),
                fields.get("bname"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("consumerGroup", consumerGroup);
        sink.put("topic", topic);
        sink.put("queueId", queueId);
        sink.put("setZeroIfNotFound", setZeroIfNotFound);
        sink.put("bname", brokerName);
    }
}
