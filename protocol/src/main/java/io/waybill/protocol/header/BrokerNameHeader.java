/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/** 205, 327: all brokers of a name. */
public record BrokerNameHeader(String brokerName) implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static BrokerNameHeader read(Fields fields) {
        return new BrokerNameHeader(fields.require("brokerName"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("brokerName", brokerName);
    }
}
