/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.header;

import io.waybill.protocol.frame.FieldSink;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.frame.HeaderWriter;

/**
 * 103: a broker says that it lives and what it serves.
 *
 * @param heartbeatTimeoutMillis 0 when not given
 * @param bodyCrc32 CRC-32 of the body without its sign bit, 0 unchecked
 */
public record RegisterBrokerHeader(
        String brokerName,
        String brokerAddr,
        String clusterName,
        String haServerAddr,
        long brokerId,
        long heartbeatTimeoutMillis,
        boolean enableActingMaster,
        boolean compressed,
        int bodyCrc32,
        String zoneName)
        implements HeaderWriter {

    /** Reads the fields.
     *
     * @throws io.waybill.protocol.frame.BadField when a required field is missing or a value is of the wrong kind
     */
    public static RegisterBrokerHeader read(Fields fields) {
        return new RegisterBrokerHeader(
                fields.require("brokerName"),
                fields.require("brokerAddr"),
                fields.require("clusterName"),
                fields.get("haServerAddr"),
                fields.requireLong("brokerId"),
                fields.getLong("heartbeatTimeoutMillis", 0),
                fields.getBoolean("enableActingMaster", false),
                fields.getBoolean("compressed", false),
                fields.getInt("bodyCrc32", 0),
                fields.get("zoneName"));
    }

    @Override
    public void write(FieldSink sink) {
        sink.put("brokerName", brokerName);
        sink.put("brokerAddr", brokerAddr);
        sink.put("clusterName", clusterName);
        sink.put("haServerAddr", haServerAddr);
        sink.put("brokerId", brokerId);
        sink.put("heartbeatTimeoutMillis", heartbeatTimeoutMillis);
        sink.put("enableActingMaster", enableActingMaster);
        sink.put("compressed", compressed);
        sink.put("bodyCrc32", bodyCrc32);
        sink.put("zoneName", zoneName);
    }
}
