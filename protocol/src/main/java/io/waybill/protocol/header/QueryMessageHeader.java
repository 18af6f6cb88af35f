/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 12: messages by key.
 *
 * @param indexType K key, U unique key, T tag, or null
 * @param uniqueKeyQuery the key is a unique key; then maxNum is not meant
 */
public record QueryMessageHeader(
        String topic,
        String key,
        int maxNum,
        long beginTimestamp,
        long endTimestamp,
        String indexType,
        boolean uniqueKeyQuery)
        implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static QueryMessageHeader read(Fields fields) {
        return new QueryMessageHeader(
                fields.require("topic"),
                fields.require("key"),
                fields.requireInt("maxNum"),
                fields.requireLong("beginTimestamp"),
                fields.requireLong("endTimestamp"),
                fields.get("indexType"),
                fields.getBoolean("_UNIQUE_KEY_QUERY", false));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("topic", topic);
        sink.put("key", key);
        sink.put("maxNum", maxNum);
        sink.put("beginTimestamp", beginTimestamp);
        sink.put("endTimestamp", endTimestamp);
        sink.put("indexType", indexType);
        sink.put("_UNIQUE_KEY_QUERY", uniqueKeyQuery);
    }
}
