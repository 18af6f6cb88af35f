/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 314: give one group the offsets of another.
 *
 * @param topic null or empty: all topics
 */
public record CloneOffsetHeader(String srcGroup, String destGroup, String topic, boolean offline)
        implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static CloneOffsetHeader read(Fields fields) {
        return new CloneOffsetHeader(
                fields.require("srcGroup"),
                fields.require("destGroup"),
                fields.get("topic"),
                fields.getBoolean("offline", false));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("srcGroup", srcGroup);
        sink.put("destGroup", destGroup);
        sink.put("topic", topic);
        sink.put("offline", offline);
    }
}
