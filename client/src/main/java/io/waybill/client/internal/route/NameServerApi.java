/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.route;

import io.waybill.client.MessageQueue;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.BrokerData;
import io.waybill.protocol.body.ClusterInfo;
import io.waybill.protocol.body.Perm;
import io.waybill.protocol.body.QueueData;
import io.waybill.protocol.body.TopicRoute;
import io.waybill.protocol.frame.Command;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;

/** The question of a client to the name server: where a topic lives. Keeps no state. */
final class NameServerApi {
    private final BrokerConnections connections;

    NameServerApi(BrokerConnections connections) {
        this.connections = connections;
    }

    /** Fails with a {@link WaybillException}, of kind NOT_FOUND if the topic is unknown. */
    CompletableFuture<Route> route(String topic) {
        Command.Builder question = Command.request(RequestCode.GET_ROUTEINFO_BY_TOPIC)
                .field("topic", topic)
                .field("acceptStandardJsonOnly", true)
                // What will be is not what is: this library finds a new topic by itself.
                .field("exact", true);
        String doing = "asking the name server for topic " + topic;
        return connections
                .askNameServer(question)
                .handle((reply, failure) -> {
                    if (failure == null) {
                        return CompletableFuture.completedFuture(read(topic, reply.body()));
                    }
                    WaybillException explained = ClientExceptions.explained(failure, doing);
                    return explained.kind() == WaybillException.Kind.NOT_FOUND
                            ? unlessNoBroker(explained)
                            : CompletableFuture.<Route>failedFuture(explained);
                })
                .thenCompose(step -> step);
    }

    /** A topic that no broker could keep is not unknown: nobody was there to be asked. */
    private CompletableFuture<Route> unlessNoBroker(WaybillException notFound) {
        return connections
                .askNameServer(Command.request(RequestCode.GET_BROKER_CLUSTER_INFO))
                .handle((reply, failure) -> {
                    boolean none = failure == null
                            && ClusterInfo.parse(reply.body()).brokerAddrTable().isEmpty();
                    throw none ? ClientExceptions.noBroker() : notFound;
                });
    }

    static Route read(String topic, ByteBuffer body) {
        TopicRoute wire = TopicRoute.parse(body);
        Map<String, Map<Long, String>> brokers = new TreeMap<>();
        for (BrokerData broker : wire.brokerDatas()) {
            brokers.put(broker.brokerName(), Map.copyOf(broker.brokerAddrs()));
        }
        List<MessageQueue> writable = new ArrayList<>();
        List<MessageQueue> readable = new ArrayList<>();
        for (QueueData queues : wire.queueDatas()) {
            Map<Long, String> addresses = brokers.get(queues.brokerName());
            if (addresses == null) {
                continue;
            }
            if (Perm.isWriteable(queues.perm()) && addresses.containsKey(BrokerData.MASTER_ID)) {
                add(writable, topic, queues.brokerName(), queues.writeQueueNums());
            }
            if (Perm.isReadable(queues.perm())) {
                add(readable, topic, queues.brokerName(), queues.readQueueNums());
            }
        }
        writable.sort(null);
        readable.sort(null);
        return new Route(topic, List.copyOf(writable), List.copyOf(readable), Map.copyOf(brokers), false);
    }

    private static void add(List<MessageQueue> target, String topic, String broker, int count) {
        for (int id = 0; id < count; id++) {
            target.add(new MessageQueue(topic, broker, id));
        }
    }
}
