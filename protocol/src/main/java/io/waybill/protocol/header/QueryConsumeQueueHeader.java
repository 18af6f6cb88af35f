/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 321: entries of one consume queue.
 *
 * @param index first queue offset
 */
public record QueryConsumeQueueHeader(String topic, int queueId, long index, int count, String consumerGroup)
        implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static QueryConsumeQueueHeader read(Fields fields) {
        return new QueryConsumeQueueHeader(
                fields.require("topic"),
                fields.requireInt("queueId"),
                fields.requireLong("index"),
                fields.requireInt("count"),
                fields.get("consumerGroup"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("topic", topic);
        sink.put("queueId", queueId);
        sink.put("index", index);
        sink.put("count", count);
        sink.put("consumerGroup", consumerGroup);
    }
}
