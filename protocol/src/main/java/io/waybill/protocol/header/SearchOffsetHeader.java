/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 29: the queue offset that belongs to a store time.
 *
 * @param timestamp milliseconds
 * @param boundaryType LOWER: the first message stored at or after it; UPPER: the last stored at or before it
 */
public record SearchOffsetHeader(String topic, int queueId, long timestamp, String boundaryType, String brokerName)
        implements HeaderWriter {
    public static final String LOWER = "LOWER";
    public static final String UPPER = "UPPER";

    /** Reads the fields; without a boundary it is LOWER.
     *
     * @throws BadField when a required field is missing or a value is of the wrong kind
     */
    public static SearchOffsetHeader read(Fields fields) {
        String boundary = fields.get("boundaryType");
        if (boundary == null || boundary.isEmpty() || boundary.equalsIgnoreCase(LOWER)) {
            boundary = LOWER;
        } else if (boundary.equalsIgnoreCase(UPPER)) {
            boundary = UPPER;
        } else {
            throw new BadField("boundaryType", "LOWER or UPPER", boundary);
        }
        return new SearchOffsetHeader(
                fields.require("topic"),
                fields.requireInt("queueId"),
                fields.requireLong("timestamp"),
                boundary,
                fields.get("bname"));
    }

    public boolean isUpper() {
        return UPPER.equals(boundaryType);
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("topic", topic);
        sink.put("queueId", queueId);
        sink.put("timestamp", timestamp);
        sink.put("boundaryType", boundaryType);
        sink.put("bname", brokerName);
    }
}
