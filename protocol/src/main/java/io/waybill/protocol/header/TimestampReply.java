/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/** Reply of 32: a store time in milliseconds, -1 for an empty queue. */
public record TimestampReply(long timestamp) implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static TimestampReply read(Fields fields) {
        return new TimestampReply(fields.requireLong("timestamp"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("timestamp", timestamp);
    }
}
