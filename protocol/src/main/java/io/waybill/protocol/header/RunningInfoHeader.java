/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/** 307: ask one consumer how it is doing. */
public record RunningInfoHeader(String consumerGroup, String clientId, boolean jstackEnable) implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static RunningInfoHeader read(Fields fields) {
        return new RunningInfoHeader(
                fields.require("consumerGroup"), fields.require("clientId"), fields.getBoolean("jstackEnable", false));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("consumerGroup", consumerGroup);
        sink.put("clientId", clientId);
        sink.put("jstackEnable", jstackEnable);
    }
}
