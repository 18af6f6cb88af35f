/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.send;

import io.waybill.client.MessageQueue;
import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.message.EncodedMessage;
import io.waybill.client.internal.runtime.BrokerRefusal;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import java.util.Set;
import java.util.concurrent.CompletableFuture;

/**
 * The requests of producers. Keeps no state. Futures fail with a {@link BrokerRefusal} or a {@code RemotingException}; they complete on an I/O thread.
 */
final class SendApi {
    private final BrokerConnections connections;

    SendApi(BrokerConnections connections) {
        this.connections = connections;
    }

    /**
     * What the broker says to a send.
     *
     * @param code 0, or 10 to 12 for stored with a doubt
     * @param uniqueKey of the stored message; of a duplicate that of the first
     * @param duplicates the indexes of messages that were not stored because the topic had them already
     */
    record Stored(
            int code,
            String storedId,
            int queueId,
            long queueOffset,
            String uniqueKey,
            String recallHandle,
            Set<String> duplicates) {
        boolean isDuplicate(int index) {
            return !duplicates.isEmpty()
                    && (duplicates.contains("true") || duplicates.contains(Integer.toString(index)));
        }
    }

    CompletableFuture<Stored> send(
            String address, String group, EncodedMessage message, MessageQueue queue, long timeoutMillis) {
        return connections
                .call(address, message.sendRequest(group, queue).build(), timeoutMillis)
                .thenApply(reply -> {
                    int code = reply.code();
                    boolean stored = code == ResponseCode.SUCCESS || code >= 10 && code <= 12;
                    if (!stored) {
                        throw new BrokerRefusal(code, reply.remark());
                    }
                    return new Stored(
                            code,
                            reply.fields().require("msgId"),
                            reply.fields().requireInt("queueId"),
                            reply.fields().requireLong("queueOffset"),
                            reply.fields().get("transactionId"),
                            reply.fields().get("recallHandle"),
                            duplicates(reply.fields().get("WAYBILL_DUPLICATE")));
                });
    }

    private static Set<String> duplicates(String indexes) {
        return indexes == null || indexes.isBlank() ? Set.of() : Set.of(indexes.split(","));
    }

    void sendOneway(String address, String group, EncodedMessage message, MessageQueue queue) {
        connections.oneway(address, message.sendRequest(group, queue).oneway().build());
    }

    CompletableFuture<Void> recall(String address, String group, String topic, String broker, String handle) {
        return connections
                .ask(
                        address,
                        Command.request(RequestCode.RECALL_MESSAGE)
                                .field("producerGroup", group)
                                .field("topic", topic)
                                .field("recallHandle", handle)
                                .field("bname", broker))
                .thenAccept(reply -> {});
    }
}
