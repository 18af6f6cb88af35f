/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 104, 322, 901, 904: one broker.
 *
 * @param brokerAddr null in 901
 * @param brokerId 0 when not given
 */
public record BrokerHeader(String brokerName, String brokerAddr, String clusterName, long brokerId)
        implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static BrokerHeader read(Fields fields) {
        return new BrokerHeader(
                fields.require("brokerName"),
                fields.get("brokerAddr"),
                fields.require("clusterName"),
                fields.getLong("brokerId", 0));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("brokerName", brokerName);
        sink.put("brokerAddr", brokerAddr);
        sink.put("clusterName", clusterName);
        sink.put("brokerId", brokerId);
    }
}
