/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 100, 101, 102, 219: the name server's small table.
 *
 * @param key null in 219
 * @param value only in 100
 */
public record KvHeader(String namespace, String key, String value) implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static KvHeader read(Fields fields) {
        return new KvHeader(fields.require("namespace"), fields.get("key"), fields.get("value"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("namespace", namespace);
        sink.put("key", key);
        sink.put("value", value);
    }
}
