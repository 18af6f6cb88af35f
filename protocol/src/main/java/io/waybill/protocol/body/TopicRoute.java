/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonArray;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * Reply body of 105: who serves a topic.
 *
 * @param orderTopicConf {@code broker:queues;...} for topics with a global order, or null
 * @param filterServerTable always there, nowadays empty
 */
public record TopicRoute(
        String orderTopicConf,
        List<QueueData> queueDatas,
        List<BrokerData> brokerDatas,
        Map<String, List<String>> filterServerTable) {

    public TopicRoute(String orderTopicConf, List<QueueData> queueDatas, List<BrokerData> brokerDatas) {
        this(orderTopicConf, queueDatas, brokerDatas, Map.of());
    }

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static TopicRoute parse(ByteBuffer body) {
        JsonObject json = Json.parseAnswer(body);
        List<QueueData> queues = new ArrayList<>();
        for (JsonObject one : json.getArray("queueDatas").objects("queueDatas")) {
            queues.add(QueueData.read(one));
        }
        List<BrokerData> brokers = new ArrayList<>();
        for (JsonObject one : json.getArray("brokerDatas").objects("brokerDatas")) {
            brokers.add(BrokerData.read(one));
        }
        Map<String, List<String>> filters = new LinkedHashMap<>();
        JsonObject table = json.getObject("filterServerTable");
        if (table != null) {
            for (String address : table.members().keySet()) {
                JsonArray servers = table.getArray(address);
                filters.put(address, servers.strings("filterServerTable"));
            }
        }
        return new TopicRoute(json.getString("orderTopicConf"), queues, brokers, filters);
    }

    /** With quoted broker ids, which clients of any age of the Java client since 4.9.4 read. */
    public byte[] toJson() {
        return toJson(true);
    }

    /** @param quotedIds false for clients before 4.9.4, which were sent {@code {0:"ip:port"}} */
    public byte[] toJson(boolean quotedIds) {
        JsonWriter json = new JsonWriter();
        json.beginObject().name("brokerDatas").beginArray();
        brokerDatas.forEach(broker -> broker.write(json, quotedIds));
        json.endArray().name("filterServerTable").beginObject();
        filterServerTable.forEach(json::field);
        json.endObject()
                .field("orderTopicConf", orderTopicConf)
                .name("queueDatas")
                .beginArray();
        queueDatas.forEach(queue -> queue.write(json));
        return json.endArray().endObject().toByteArray();
    }
}
