/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/** 35: a client leaves a producer or a consumer group. */
public record UnregisterClientHeader(String clientID, String producerGroup, String consumerGroup)
        implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static UnregisterClientHeader read(Fields fields) {
        return new UnregisterClientHeader(
                fields.require("clientID"), fields.get("producerGroup"), fields.get("consumerGroup"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("clientID", clientID);
        sink.put("producerGroup", producerGroup);
        sink.put("consumerGroup", consumerGroup);
    }
}
