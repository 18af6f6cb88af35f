/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/** Reply of 14, 29, 30, 31: a queue offset. */
public record OffsetReply(long offset) implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static OffsetReply read(Fields fields) {
        return new OffsetReply(fields.requireLong("offset"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("offset", offset);
    }
}
