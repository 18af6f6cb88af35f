/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Reply body of 203: the clients of a consumer group and what it subscribes to. */
public record ConsumerConnections(
        List<ClientConnection> connectionSet,
        Map<String, SubscriptionData> subscriptionTable,
        String consumeType,
        String messageModel,
        String consumeFromWhere) {

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static ConsumerConnections parse(ByteBuffer body) {
        JsonObject json = Json.parseAnswer(body);
        Map<String, SubscriptionData> subscriptions = new LinkedHashMap<>();
        JsonObject table = json.getObject("subscriptionTable");
        if (table != null) {
            for (String topic : table.members().keySet()) {
                if (table.get(topic) != null) {
                    subscriptions.put(topic, SubscriptionData.read(table.getObject(topic)));
                }
            }
        }
        return new ConsumerConnections(
                ClientConnection.readSet(json),
                subscriptions,
                json.getString("consumeType"),
                json.getString("messageModel"),
                json.getString("consumeFromWhere"));
    }

    public byte[] toJson() {
        JsonWriter json = new JsonWriter();
        ClientConnection.writeSet(json.beginObject(), connectionSet);
        json.field("consumeFromWhere", consumeFromWhere)
                .field("consumeType", consumeType)
                .field("messageModel", messageModel)
                .name("subscriptionTable")
                .beginObject();
        subscriptionTable.forEach((topic, subscription) -> subscription.write(json.name(topic)));
        return json.endObject().endObject().toByteArray();
    }
}
