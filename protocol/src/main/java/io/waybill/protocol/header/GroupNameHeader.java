/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/** 343, 345, 352: something about one group, and perhaps one topic. */
public record GroupNameHeader(String group, String topic) implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static GroupNameHeader read(Fields fields) {
        return new GroupNameHeader(fields.require("group"), fields.get("topic"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("group", group);
        sink.put("topic", topic);
    }
}
