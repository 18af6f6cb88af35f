/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 17: create or change a topic.
 *
 * @param attributes {@code +key=value,-key}, may be empty or null
 */
public record CreateTopicHeader(
        String topic,
        String defaultTopic,
        int readQueueNums,
        int writeQueueNums,
        int perm,
        String topicFilterType,
        int topicSysFlag,
        boolean order,
        String attributes,
        boolean force)
        implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static CreateTopicHeader read(Fields fields) {
        return new CreateTopicHeader(
                fields.require("topic"),
                fields.get("defaultTopic"),
                fields.requireInt("readQueueNums"),
                fields.requireInt("writeQueueNums"),
                fields.requireInt("perm"),
                fields.get("topicFilterType"),
                fields.getInt("topicSysFlag", 0),
                fields.getBoolean("order", false),
                fields.get("attributes"),
                fields.getBoolean("force", false));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("topic", topic);
        sink.put("defaultTopic", defaultTopic);
        sink.put("readQueueNums", readQueueNums);
        sink.put("writeQueueNums", writeQueueNums);
        sink.put("perm", perm);
        sink.put("topicFilterType", topicFilterType);
        sink.put("topicSysFlag", topicSysFlag);
        sink.put("order", order);
        sink.put("attributes", attributes);
        sink.put("force", force);
    }
}
