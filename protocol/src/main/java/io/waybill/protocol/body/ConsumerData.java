/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.util.ArrayList;
import java.util.List;

/**
 * One consumer group of a client's heartbeat.
 *
 * @param consumeType one of the {@code CONSUME_} constants
 * @param messageModel CLUSTERING or BROADCASTING
 * @param consumeFromWhere where a group without offsets begins
 */
public record ConsumerData(
        String groupName,
        String consumeType,
        String messageModel,
        String consumeFromWhere,
        List<SubscriptionData> subscriptions,
        boolean unitMode) {
    public static final String CONSUME_ACTIVELY = "CONSUME_ACTIVELY";
    public static final String CONSUME_PASSIVELY = "CONSUME_PASSIVELY";
    public static final String CONSUME_POP = "CONSUME_POP";
    public static final String CLUSTERING = "CLUSTERING";
    public static final String BROADCASTING = "BROADCASTING";
    public static final String FROM_LAST_OFFSET = "CONSUME_FROM_LAST_OFFSET";
    public static final String FROM_FIRST_OFFSET = "CONSUME_FROM_FIRST_OFFSET";
    public static final String FROM_TIMESTAMP = "CONSUME_FROM_TIMESTAMP";

    static ConsumerData read(JsonObject json) {
        List<SubscriptionData> subscriptions = new ArrayList<>();
        for (JsonObject one : json.getArray("subscriptionDataSet").objects("subscriptionDataSet")) {
            subscriptions.add(SubscriptionData.read(one));
        }
        return new ConsumerData(
                json.requireString("groupName"),
                json.getString("consumeType", CONSUME_PASSIVELY),
                json.getString("messageModel", CLUSTERING),
                json.getString("consumeFromWhere", FROM_LAST_OFFSET),
                subscriptions,
                json.getBoolean("unitMode", false));
    }

    void write(JsonWriter json) {
        json.beginObject()
                .field("consumeFromWhere", consumeFromWhere)
                .field("consumeType", consumeType)
                .field("groupName", groupName)
                .field("messageModel", messageModel)
                .name("subscriptionDataSet")
                .beginArray();
        subscriptions.forEach(subscription -> subscription.write(json));
        json.endArray().field("unitMode", unitMode).endObject();
    }
}
