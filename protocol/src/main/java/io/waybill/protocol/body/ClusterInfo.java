/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.Map;
import java.util.Set;

/** Reply body of 106: brokers by name, and names by cluster. */
public record ClusterInfo(Map<String, BrokerData> brokerAddrTable, Map<String, Set<String>> clusterAddrTable) {

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static ClusterInfo parse(ByteBuffer body) {
        JsonObject json = Json.parseAnswer(body);
        Map<String, BrokerData> brokers = new LinkedHashMap<>();
        JsonObject table = json.getObject("brokerAddrTable");
        if (table != null) {
            for (String name : table.members().keySet()) {
                if (table.get(name) != null) {
                    brokers.put(name, BrokerData.read(table.getObject(name)));
                }
            }
        }
        Map<String, Set<String>> clusters = new LinkedHashMap<>();
        table = json.getObject("clusterAddrTable");
        if (table != null) {
            for (String name : table.members().keySet()) {
                clusters.put(name, new LinkedHashSet<>(table.getArray(name).strings("clusterAddrTable")));
            }
        }
        return new ClusterInfo(brokers, clusters);
    }

    public byte[] toJson() {
        JsonWriter json = new JsonWriter();
        json.beginObject().name("brokerAddrTable").beginObject();
        brokerAddrTable.forEach((name, broker) -> broker.write(json.name(name), true));
        json.endObject().name("clusterAddrTable").beginObject();
        clusterAddrTable.forEach(json::field);
        return json.endObject().endObject().toByteArray();
    }
}
