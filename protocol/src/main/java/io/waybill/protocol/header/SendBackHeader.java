/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 36: a consumer hands a message back for a later try.
 *
 * @param offset position of the message in the log
 * @param delayLevel 0 the broker decides, negative straight to the dead letters, else the level
 * @param maxReconsumeTimes -1 when the client did not say
 */
public record SendBackHeader(
        long offset,
        String group,
        int delayLevel,
        String originMsgId,
        String originTopic,
        boolean unitMode,
        int maxReconsumeTimes,
        String brokerName)
        implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static SendBackHeader read(Fields fields) {
        return new SendBackHeader(
                fields.requireLong("offset"),
                fields.require("group"),
                fields.getInt("delayLevel", 0),
                fields.get("originMsgId"),
                fields.get("originTopic"),
                fields.getBoolean("unitMode", false),
                fields.getInt("maxReconsumeTimes", -1),
                fields.get("bname"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("offset", offset);
        sink.put("group", group);
        sink.put("delayLevel", delayLevel);
        sink.put("originMsgId", originMsgId);
        sink.put("originTopic", originTopic);
        sink.put("unitMode", unitMode);
        sink.put("maxReconsumeTimes", maxReconsumeTimes);
        sink.put("bname", brokerName);
    }
}
