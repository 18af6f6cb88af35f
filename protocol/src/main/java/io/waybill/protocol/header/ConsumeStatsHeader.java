/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 208: how far a group is.
 *
 * @param topic null or empty: every topic of the group
 */
public record ConsumeStatsHeader(String consumerGroup, String topic) implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static ConsumeStatsHeader read(Fields fields) {
        return new ConsumeStatsHeader(fields.require("consumerGroup"), fields.get("topic"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("consumerGroup", consumerGroup);
        sink.put("topic", topic);
    }
}
