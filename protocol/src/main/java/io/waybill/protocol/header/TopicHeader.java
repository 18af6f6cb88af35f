/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/** 202, 215, 300, 351 and others: something about one topic. */
public record TopicHeader(String topic) implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static TopicHeader read(Fields fields) {
        return new TopicHeader(fields.require("topic"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("topic", topic);
    }
}
