/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/** 207: forget a group, and its offsets if wished. */
public record DeleteGroupHeader(String groupName, boolean cleanOffset) implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static DeleteGroupHeader read(Fields fields) {
        return new DeleteGroupHeader(fields.require("groupName"), fields.getBoolean("cleanOffset", false));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("groupName", groupName);
        sink.put("cleanOffset", cleanOffset);
    }
}
