/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.group;

import io.waybill.client.StartFrom;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.runtime.BrokerRefusal;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.CheckClientBody;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.ConsumerList;
import io.waybill.protocol.body.HeartbeatData;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.frame.Command;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;

/**
 * The requests about groups and their members. Keeps no state. Futures fail with a {@link BrokerRefusal} or a {@code RemotingException} unless a method
 * says otherwise; they complete on an I/O thread.
 */
public final class GroupApi {
    private final BrokerConnections connections;

    public GroupApi(BrokerConnections connections) {
        this.connections = connections;
    }

    CompletableFuture<Void> heartbeat(String address, byte[] body) {
        return connections
                .ask(address, Command.request(RequestCode.HEART_BEAT).body(body))
                .thenAccept(reply -> {});
    }

    static byte[] heartbeatBody(
            String clientId, Collection<ConsumerGroup> consumers, Collection<String> producerGroups) {
        List<ConsumerData> groups = new ArrayList<>();
        for (ConsumerGroup consumer : consumers) {
            groups.add(new ConsumerData(
                    consumer.group(),
                    consumer.type(),
                    consumer.broadcast() ? ConsumerData.BROADCASTING : ConsumerData.CLUSTERING,
                    from(consumer.start()),
                    consumer.wireSubscriptions(),
                    false));
        }
        return new HeartbeatData(clientId, groups, List.copyOf(producerGroups)).toJson();
    }

    private static String from(StartFrom start) {
        return switch (start.policy()) {
            case FIRST -> ConsumerData.FROM_FIRST_OFFSET;
            case LAST -> ConsumerData.FROM_LAST_OFFSET;
            case TIME -> ConsumerData.FROM_TIMESTAMP;
        };
    }

    /** @param consumer true for a consumer group, false for a producer group */
    CompletableFuture<Void> unregister(String address, String clientId, String group, boolean consumer) {
        return connections
                .ask(
                        address,
                        Command.request(RequestCode.UNREGISTER_CLIENT)
                                .field("clientID", clientId)
                                .field(consumer ? "consumerGroup" : "producerGroup", group))
                .thenAccept(reply -> {});
    }

    /** Lets one of the brokers of a topic look at the filter a group has for it, and waits. */
    public void checkFilter(Set<String> addresses, String clientId, ConsumerGroup group, String topic) {
        for (String address : addresses) {
            SubscriptionData filter = group.subscriptions().get(topic).subscription(topic, group.version());
            ClientExceptions.await(
                    checkFilter(address, clientId, group.group(), filter),
                    "checking the filter of topic " + topic,
                    false);
            return;
        }
    }

    /** Whether a broker takes a filter; fails with a {@link WaybillException} that says what is wrong with it. */
    private CompletableFuture<Void> checkFilter(
            String address, String clientId, String group, SubscriptionData filter) {
        return connections
                .ask(
                        address,
                        Command.request(RequestCode.CHECK_CLIENT_CONFIG)
                                .body(new CheckClientBody(clientId, group, filter, null).toJson()))
                .handle((reply, failure) -> {
                    if (failure == null) {
                        return null;
                    }
                    if (ClientExceptions.unwrap(failure) instanceof BrokerRefusal refusal) {
                        throw new WaybillException(
                                WaybillException.Kind.INVALID,
                                refusal.code(),
                                false,
                                "the broker does not take the filter of topic " + filter.topic() + ": "
                                        + refusal.getMessage(),
                                "correct the condition",
                                refusal);
                    }
                    throw ClientExceptions.explained(failure, "checking the filter of topic " + filter.topic());
                });
    }

    /** The client ids of the living members. */
    public CompletableFuture<List<String>> members(String address, String group) {
        return connections
                .ask(
                        address,
                        Command.request(RequestCode.GET_CONSUMER_LIST_BY_GROUP).field("consumerGroup", group))
                .thenApply(reply -> reply.body().hasRemaining()
                        ? ConsumerList.parse(reply.body()).consumerIdList()
                        : List.of());
    }
}
