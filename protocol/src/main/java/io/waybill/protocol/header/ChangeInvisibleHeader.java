/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 200053: a popped message stays invisible for another time, from now on.
 *
 * @param extraInfo the {@link PopHandle} as text; void when this is answered
 * @param invisibleTime milliseconds
 * @param suspend the message was not tried: its next delivery does not count as a further one
 */
public record ChangeInvisibleHeader(
        String consumerGroup,
        String topic,
        int queueId,
        String extraInfo,
        long offset,
        long invisibleTime,
        boolean suspend,
        String brokerName)
        implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static ChangeInvisibleHeader read(Fields fields) {
        return new ChangeInvisibleHeader(
                fields.require("consumerGroup"),
                fields.require("topic"),
                fields.requireInt("queueId"),
                fields.require("extraInfo"),
                fields.requireLong("offset"),
                fields.requireLong("invisibleTime"),
                fields.getBoolean("suspend", false),
                fields.get("bname"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("consumerGroup", consumerGroup);
        sink.put("topic", topic);
        sink.put("queueId", queueId);
        sink.put("extraInfo", extraInfo);
        sink.put("offset", offset);
        sink.put("invisibleTime", invisibleTime);
        sink.put("suspend", suspend);
        sink.put("bname", brokerName);
    }
}
