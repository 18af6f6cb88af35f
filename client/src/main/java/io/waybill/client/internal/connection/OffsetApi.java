/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.connection;

import io.waybill.client.MessageQueue;
import io.waybill.client.StartFrom;
import io.waybill.client.internal.message.WireQueues;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import java.util.OptionalLong;
import java.util.concurrent.CompletableFuture;

/**
 * The requests about offsets: what a queue has, and how far a group is in it. Keeps no state. Futures fail with a {@code BrokerRefusal} or a
 * {@code RemotingException}; they complete on an I/O thread.
 */
public final class OffsetApi {
    private final BrokerConnections connections;

    public OffsetApi(BrokerConnections connections) {
        this.connections = connections;
    }

    /** The offset a group goes on with; empty if the broker keeps none. */
    public CompletableFuture<OptionalLong> committed(String address, String group, MessageQueue queue) {
        Command question = WireQueues.request(RequestCode.QUERY_CONSUMER_OFFSET, queue)
                .field("consumerGroup", group)
                .field("setZeroIfNotFound", false)
                .build();
        return connections.call(address, question).thenApply(reply -> {
            if (reply.code() == ResponseCode.QUERY_NOT_FOUND) {
                return OptionalLong.empty();
            }
            long offset = BrokerConnections.successful(reply).fields().requireLong("offset");
            return offset < 0 ? OptionalLong.empty() : OptionalLong.of(offset);
        });
    }

    public CompletableFuture<Void> commit(String address, String group, MessageQueue queue, long offset) {
        return connections
                .ask(
                        address,
                        WireQueues.request(RequestCode.UPDATE_CONSUMER_OFFSET, queue)
                                .field("consumerGroup", group)
                                .field("commitOffset", offset))
                .thenAccept(reply -> {});
    }

    public CompletableFuture<Long> maxOffset(String address, MessageQueue queue) {
        return offset(
                address, WireQueues.request(RequestCode.GET_MAX_OFFSET, queue).field("committed", true));
    }

    public CompletableFuture<Long> minOffset(String address, MessageQueue queue) {
        return offset(address, WireQueues.request(RequestCode.GET_MIN_OFFSET, queue));
    }

    /** The first offset stored at this time or later, else the end. */
    public CompletableFuture<Long> offsetAt(String address, MessageQueue queue, long timeMillis) {
        return offset(
                address,
                WireQueues.request(RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, queue)
                        .field("timestamp", timeMillis)
                        .field("boundaryType", "LOWER"));
    }

    /** Where a beginning lies in a queue. */
    public CompletableFuture<Long> offsetOf(String address, MessageQueue queue, StartFrom start) {
        return switch (start.policy()) {
            case FIRST -> minOffset(address, queue);
            case LAST -> maxOffset(address, queue);
            case TIME -> offsetAt(address, queue, start.time().toEpochMilli());
        };
    }

    private CompletableFuture<Long> offset(String address, Command.Builder request) {
        return connections
                .ask(address, request)
                .thenApply(reply -> reply.fields().requireLong("offset"));
    }
}
