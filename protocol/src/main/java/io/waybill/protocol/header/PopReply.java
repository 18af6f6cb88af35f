/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * Reply of 200050 and 200052. The first four fields are needed with the codes 19, 209 and 210 too: clients unbox them without asking. The three
 * texts are lists joined by semicolons; each entry begins with a mark of the topic's kind (0 for a plain one) and the queue's number.
 *
 * @param restNum messages of the topic that nobody holds yet
 * @param startOffsetInfo {@code mark queueId firstOffset}
 * @param msgOffsetInfo {@code mark queueId offset,offset,...} as the messages stand in the body
 * @param orderCountInfo {@code mark qoQUEUE%OFFSET deliveries}, or null
 */
public record PopReply(
        long popTime,
        long invisibleTime,
        int reviveQid,
        long restNum,
        String startOffsetInfo,
        String msgOffsetInfo,
        String orderCountInfo)
        implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static PopReply read(Fields fields) {
        return new PopReply(
                fields.requireLong("popTime"),
                fields.requireLong("invisibleTime"),
                fields.requireInt("reviveQid"),
                fields.requireLong("restNum"),
                fields.get("startOffsetInfo"),
                fields.get("msgOffsetInfo"),
                fields.get("orderCountInfo"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("popTime", popTime);
        sink.put("invisibleTime", invisibleTime);
        sink.put("reviveQid", reviveQid);
        sink.put("restNum", restNum);
        sink.put("startOffsetInfo", startOffsetInfo);
        sink.put("msgOffsetInfo", msgOffsetInfo);
        sink.put("orderCountInfo", orderCountInfo);
    }
}
