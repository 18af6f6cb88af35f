/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;

/**
 * Body of 400: which queues of a topic are a client's share.
 *
 * @param strategyName AVG or AVG_BY_CIRCLE
 * @param messageModel CLUSTERING or BROADCASTING
 */
public record AssignmentQuery(
        String topic, String consumerGroup, String clientId, String strategyName, String messageModel) {

    /** @throws io.waybill.protocol.frame.BadField when it is none */
    public static AssignmentQuery parse(ByteBuffer body) {
        JsonObject json = Json.parse(body);
        return new AssignmentQuery(
                json.requireString("topic"),
                json.requireString("consumerGroup"),
                json.requireString("clientId"),
                json.getString("strategyName"),
                json.getString("messageModel", ConsumerData.CLUSTERING));
    }

    public byte[] toJson() {
        return new JsonWriter()
                .beginObject()
                .field("clientId", clientId)
                .field("consumerGroup", consumerGroup)
                .field("messageModel", messageModel)
                .field("strategyName", strategyName)
                .field("topic", topic)
                .endObject()
                .toByteArray();
    }
}
