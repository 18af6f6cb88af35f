/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.admin;

import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.message.Message;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/** The requests that find stored messages. Keeps no state. */
final class MessageQueryApi {
    private final BrokerConnections connections;

    MessageQueryApi(BrokerConnections connections) {
        this.connections = connections;
    }

    /** Messages with a key; empty if there are none. */
    CompletableFuture<List<Message>> byKey(
            String address, String topic, String key, int max, long fromMillis, long toMillis, boolean unique) {
        Command.Builder request = Command.request(RequestCode.QUERY_MESSAGE)
                .field("topic", topic)
                .field("key", key)
                .field("maxNum", max)
                .field("beginTimestamp", fromMillis)
                .field("endTimestamp", toMillis);
        if (unique) {
            request.field("_UNIQUE_KEY_QUERY", true);
        }
        return connections.call(address, request.build()).thenApply(reply -> {
            if (reply.code() == ResponseCode.QUERY_NOT_FOUND) {
                return List.<Message>of();
            }
            return Message.decodeAll(BrokerConnections.successful(reply).body());
        });
    }

    /** The record at a position of a broker's log; fails with a {@code BrokerRefusal} if there is none. */
    CompletableFuture<Message> at(String address, long position) {
        return connections
                .ask(address, Command.request(RequestCode.VIEW_MESSAGE_BY_ID).field("offset", position))
                .thenApply(reply -> Message.decode(reply.body(), reply.body().position()));
    }
}
