/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 200054: is there something to pop? May wait for it like a pop, but takes nothing.
 *
 * @param queueId -1 for any queue of the broker
 */
public record NotificationHeader(
        String consumerGroup,
        String topic,
        int queueId,
        long pollTime,
        long bornTime,
        boolean order,
        String attemptId,
        String expType,
        String exp,
        String brokerName)
        implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static NotificationHeader read(Fields fields) {
        return new NotificationHeader(
                fields.require("consumerGroup"),
                fields.require("topic"),
                fields.requireInt("queueId"),
                fields.requireLong("pollTime"),
                fields.requireLong("bornTime"),
                fields.getBoolean("order", false),
                fields.get("attemptId"),
                fields.get("expType"),
                fields.get("exp"),
                fields.get("bname"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("consumerGroup", consumerGroup);
        sink.put("topic", topic);
        sink.put("queueId", queueId);
        sink.put("pollTime", pollTime);
        sink.put("bornTime", bornTime);
        sink.put("order", order);
        sink.put("attemptId", attemptId);
        sink.put("expType", expType);
        sink.put("exp", exp);
        sink.put("bname", brokerName);
    }
}
