/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 21 and 201: all topics, or all groups, from an index on.
 *
 * @param ofTopics true for 21; decides the field names
 * @param seq index of the first wanted entry
 * @param dataVersion JSON of the version of the previous page, may be empty or null
 * @param maxNum 0 when the client did not say
 */
public record MetadataPageHeader(boolean ofTopics, int seq, String dataVersion, int maxNum) implements HeaderWriter {

    /** Reads the fields of a request for topics (21) or for groups (201).
     *
     * @throws io.waybill.protocol.frame.BadField when a value is of the wrong kind
     */
    public static MetadataPageHeader read(Fields fields, boolean ofTopics) {
        return new MetadataPageHeader(
                ofTopics,
                fields.getInt(ofTopics ? "topicSeq" : "groupSeq", 0),
                fields.get("dataVersion"),
                fields.getInt(ofTopics ? "maxTopicNum" : "maxGroupNum", 0));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put(ofTopics ? "topicSeq" : "groupSeq", seq);
        sink.put("dataVersion", dataVersion);
        sink.put(ofTopics ? "maxTopicNum" : "maxGroupNum", maxNum);
    }
}
