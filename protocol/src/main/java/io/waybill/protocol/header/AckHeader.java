/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 200051: a popped message is done.
 *
 * @param extraInfo the {@link PopHandle} as text
 * @param offset of the message in its queue
 */
public record AckHeader(
        String consumerGroup, String topic, int queueId, String extraInfo, long offset, String brokerName)
        implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static AckHeader read(Fields fields) {
        return new AckHeader(
                fields.require("consumerGroup"),
                fields.require("topic"),
                fields.requireInt("queueId"),
                fields.require("extraInfo"),
                fields.requireLong("offset"),
                fields.get("bname"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("consumerGroup", consumerGroup);
        sink.put("topic", topic);
        sink.put("queueId", queueId);
        sink.put("extraInfo", extraInfo);
        sink.put("offset", offset);
        sink.put("bname", brokerName);
    }
}
