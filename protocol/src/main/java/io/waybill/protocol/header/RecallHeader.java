/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/** 370: cancel a timed message by the handle its send reply gave. */
public record RecallHeader(String producerGroup, String topic, String recallHandle, String brokerName)
        implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static RecallHeader read(Fields fields) {
        return new RecallHeader(
                fields.get("producerGroup"),
                fields.require("topic"),
                fields.require("recallHandle"),
                fields.get("bname"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("producerGroup", producerGroup);
        sink.put("topic", topic);
        sink.put("recallHandle", recallHandle);
        sink.put("bname", brokerName);
    }
}
