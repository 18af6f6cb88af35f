/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/** Reply of 12. */
public record QueryMessageReply(long indexLastUpdateTimestamp, long indexLastUpdatePhyoffset) implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static QueryMessageReply read(Fields fields) {
        return new QueryMessageReply(
                fields.requireLong("indexLastUpdateTimestamp"), fields.requireLong("indexLastUpdatePhyoffset"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("indexLastUpdateTimestamp", indexLastUpdateTimestamp);
        sink.put("indexLastUpdatePhyoffset", indexLastUpdatePhyoffset);
    }
}
