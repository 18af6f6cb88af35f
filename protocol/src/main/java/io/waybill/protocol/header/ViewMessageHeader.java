/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 33: the message at a position of the log.
 *
 * @param topic may be null
 */
public record ViewMessageHeader(String topic, long offset) implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static ViewMessageHeader read(Fields fields) {
        return new ViewMessageHeader(fields.get("topic"), fields.requireLong("offset"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("topic", topic);
        sink.put("offset", offset);
    }
}
