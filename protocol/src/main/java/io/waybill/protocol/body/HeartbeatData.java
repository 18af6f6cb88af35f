/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Body of 34: who a client is and what it does.
 *
 * @param producers names of its producer groups
 * @param heartbeatFingerprint hash of the data for the second version of heartbeats, else 0
 * @param withoutSub the subscriptions were left out because they did not change
 */
public record HeartbeatData(
        String clientId,
        List<ConsumerData> consumers,
        List<String> producers,
        int heartbeatFingerprint,
        boolean withoutSub) {

    /** A proxy brings thousands of groups on one connection. */
    private static final int MAX_VALUES = 50_000;

    /** A full heartbeat of the first version. */
    public HeartbeatData(String clientId, List<ConsumerData> consumers, List<String> producers) {
        this(clientId, consumers, producers, 0, false);
    }

    /** @throws io.waybill.protocol.frame.BadField when it is no heartbeat */
    public static HeartbeatData parse(ByteBuffer body) {
        JsonObject json = Json.parse(body, MAX_VALUES);
        List<ConsumerData> consumers = new ArrayList<>();
        for (JsonObject one : json.getArray("consumerDataSet").objects("consumerDataSet")) {
            consumers.add(ConsumerData.read(one));
        }
        List<String> producers = new ArrayList<>();
        for (JsonObject one : json.getArray("producerDataSet").objects("producerDataSet")) {
            producers.add(one.requireString("groupName"));
        }
        return new HeartbeatData(
                json.requireString("clientID"),
                consumers,
                producers,
                json.getInt("heartbeatFingerprint", 0),
                json.getBoolean("withoutSub", false));
    }

    public byte[] toJson() {
        JsonWriter json = new JsonWriter();
        json.beginObject().field("clientID", clientId).name("consumerDataSet").beginArray();
        consumers.forEach(consumer -> consumer.write(json));
        json.endArray()
                .field("heartbeatFingerprint", heartbeatFingerprint)
                .name("producerDataSet")
                .beginArray();
        producers.forEach(group -> json.beginObject().field("groupName", group).endObject());
        return json.endArray().field("withoutSub", withoutSub).endObject().toByteArray();
    }
}
