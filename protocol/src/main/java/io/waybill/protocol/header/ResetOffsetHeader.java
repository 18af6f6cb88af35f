/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 222 and 220: set a group's offsets of a topic to a time.
 *
 * @param queueId -1 for all queues
 * @param offset the wanted offset, -1 to go by time
 * @param timestamp milliseconds; -1 means the end
 */
public record ResetOffsetHeader(String topic, String group, long timestamp, boolean isForce, int queueId, long offset)
        implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static ResetOffsetHeader read(Fields fields) {
        return new ResetOffsetHeader(
                fields.require("topic"),
                fields.require("group"),
                fields.requireLong("timestamp"),
                fields.getBoolean("isForce", false),
                fields.getInt("queueId", -1),
                fields.getLong("offset", -1));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("topic", topic);
        sink.put("group", group);
        sink.put("timestamp", timestamp);
        sink.put("isForce", isForce);
        sink.put("queueId", queueId);
        sink.put("offset", offset);
    }
}
