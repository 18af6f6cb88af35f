/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 216: forget a topic.
 *
 * @param clusterName null: in all clusters
 */
public record DeleteTopicInNamesrvHeader(String topic, String clusterName) implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static DeleteTopicInNamesrvHeader read(Fields fields) {
        return new DeleteTopicInNamesrvHeader(fields.require("topic"), fields.get("clusterName"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("topic", topic);
        sink.put("clusterName", clusterName);
    }
}
