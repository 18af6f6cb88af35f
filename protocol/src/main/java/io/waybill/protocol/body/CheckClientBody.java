/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;

/**
 * Body of 46: may this client subscribe like this?
 *
 * @param namespace may be null
 */
public record CheckClientBody(String clientId, String group, SubscriptionData subscription, String namespace) {

    /** @throws BadField when it is none */
    public static CheckClientBody parse(ByteBuffer body) {
        JsonObject json = Json.parse(body);
        JsonObject subscription = json.getObject("subscriptionData");
        if (subscription == null) {
            throw new BadField("subscriptionData", "present", null);
        }
        return new CheckClientBody(
                json.getString("clientId"),
                json.getString("group"),
                SubscriptionData.read(subscription),
                json.getString("namespace"));
    }

    public byte[] toJson() {
        JsonWriter json = new JsonWriter();
        json.beginObject().field("clientId", clientId).field("group", group).field("namespace", namespace);
        subscription.write(json.name("subscriptionData"));
        return json.endObject().toByteArray();
    }
}
