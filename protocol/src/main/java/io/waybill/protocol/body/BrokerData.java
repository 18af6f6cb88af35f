/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.util.Collections;
import java.util.Map;
import java.util.TreeMap;

/**
 * The brokers of one name.
 *
 * @param brokerAddrs id to {@code ip:port}; id 0 is the master
 * @param zoneName may be null
 */
public record BrokerData(
        String cluster, String brokerName, Map<Long, String> brokerAddrs, String zoneName, boolean enableActingMaster) {
    public static final long MASTER_ID = 0;

    /** A broker with addresses only. */
    public BrokerData(String cluster, String brokerName, Map<Long, String> brokerAddrs) {
        this(cluster, brokerName, brokerAddrs, null, false);
    }

    static BrokerData read(JsonObject json) {
        return new BrokerData(
                json.getString("cluster"),
                json.requireString("brokerName"),
                readAddresses(json.getObject("brokerAddrs")),
                json.getString("zoneName"),
                json.getBoolean("enableActingMaster", false));
    }

    /** The master's address, or null. */
    public String masterAddress() {
        return brokerAddrs.get(MASTER_ID);
    }

    void write(JsonWriter json, boolean quotedIds) {
        json.beginObject();
        writeAddresses(json, brokerAddrs, quotedIds);
        json.field("brokerName", brokerName)
                .field("cluster", cluster)
                .field("enableActingMaster", enableActingMaster)
                .field("zoneName", zoneName)
                .endObject();
    }

    static Map<Long, String> readAddresses(JsonObject json) {
        if (json == null) {
            return Collections.emptyMap();
        }
        Map<Long, String> addresses = new TreeMap<>();
        for (String id : json.members().keySet()) {
            try {
                addresses.put(Long.valueOf(id), json.requireString(id));
            } catch (NumberFormatException e) {
                throw new BadField("brokerAddrs", "keyed by broker ids", id);
            }
        }
        return addresses;
    }

    static void writeAddresses(JsonWriter json, Map<Long, String> addresses, boolean quotedIds) {
        json.name("brokerAddrs").beginObject();
        addresses.forEach((id, address) -> {
            if (quotedIds) {
                json.name(Long.toString(id));
            } else {
                json.bareName(id);
            }
            json.value(address);
        });
        json.endObject();
    }
}
