/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/** 30, 31, 32: something about one queue. */
public record QueueHeader(String topic, int queueId, String brokerName) implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static QueueHeader read(Fields fields) {
        return new QueueHeader(fields.require("topic"), fields.requireInt("queueId"), fields.get("bname"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("topic", topic);
        sink.put("queueId", queueId);
        sink.put("bname", brokerName);
    }
}
