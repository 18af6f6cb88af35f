/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 309: let one consumer consume one message now.
 *
 * @param msgId an offset message id
 */
public record ConsumeDirectlyHeader(
        String consumerGroup,
        String clientId,
        String msgId,
        String brokerName,
        String topic,
        int topicSysFlag,
        int groupSysFlag)
        implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static ConsumeDirectlyHeader read(Fields fields) {
        return new ConsumeDirectlyHeader(
                fields.require("consumerGroup"),
                fields.get("clientId"),
                fields.get("msgId"),
                fields.get("brokerName"),
                fields.get("topic"),
                fields.getInt("topicSysFlag", 0),
                fields.getInt("groupSysFlag", 0));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("consumerGroup", consumerGroup);
        sink.put("clientId", clientId);
        sink.put("msgId", msgId);
        sink.put("brokerName", brokerName);
        sink.put("topic", topic);
        sink.put("topicSysFlag", topicSysFlag);
        sink.put("groupSysFlag", groupSysFlag);
    }
}
