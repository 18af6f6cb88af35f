/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.admin;

import io.waybill.client.WaybillException;
import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.route.Route;
import io.waybill.client.internal.route.RouteCache;
import io.waybill.client.internal.runtime.ArgumentChecks;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.client.internal.runtime.ClientRuntime;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.ClusterInfo;
import io.waybill.protocol.body.SubscriptionGroupTable;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.Map;
import java.util.Optional;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;

/** The servers as tools ask them: every call waits and fails with a {@link WaybillException}. Nothing is cached. */
final class AdminConnections {
    final ClientRuntime runtime;
    final RouteCache routes;
    final BrokerConnections connections;

    AdminConnections(ClientRuntime runtime, BrokerConnections connections, RouteCache routes) {
        this.runtime = runtime;
        this.connections = connections;
        this.routes = routes;
    }

    static <T> T await(CompletableFuture<T> future, String doing) {
        return ClientExceptions.await(future, doing, false);
    }

    ByteBuffer nameServer(Command.Builder request, String doing) {
        return await(connections.askNameServer(request), doing).body();
    }

    ByteBuffer broker(String address, Command.Builder request, String doing) {
        return await(connections.ask(address, request), doing).body();
    }

    /** Like {@link #broker}, with more time. */
    ByteBuffer broker(String address, Command.Builder request, String doing, long timeoutMillis) {
        return await(connections.ask(address, request.build(), timeoutMillis), doing)
                .body();
    }

    /** A private request: JSON there, JSON back. */
    JsonObject json(String address, int code, JsonWriter question, String doing) {
        return Json.parseAnswer(broker(address, Command.request(code).body(question.toByteArray()), doing));
    }

    /** Like {@link #json}; empty if the broker does not know what was asked for. */
    Optional<JsonObject> find(String address, int code, JsonWriter question, String doing) {
        try {
            return Optional.of(json(address, code, question, doing));
        } catch (WaybillException e) {
            if (isUnknown(e)) {
                return Optional.empty();
            }
            throw e;
        }
    }

    /** True if a broker said that it does not have such a thing. */
    static boolean isUnknown(WaybillException e) {
        return e.code() == ResponseCode.SYSTEM_ERROR || e.kind() == WaybillException.Kind.NOT_FOUND;
    }

    ClusterInfo info() {
        return ClusterInfo.parse(nameServer(
                Command.request(RequestCode.GET_BROKER_CLUSTER_INFO), "asking the name server for the brokers"));
    }

    /** The masters of all brokers: name to address. */
    Map<String, String> brokers() {
        Map<String, String> masters = new TreeMap<>();
        info().brokerAddrTable().forEach((name, broker) -> {
            if (broker.masterAddress() != null) {
                masters.put(name, broker.masterAddress());
            }
        });
        return masters;
    }

    /**
     * The masters of all brokers: name to address.
     *
     * @throws WaybillException of kind UNREACHABLE if there is none: that nobody could be asked is no answer
     */
    Map<String, String> living() {
        Map<String, String> brokers = brokers();
        if (brokers.isEmpty()) {
            throw ClientExceptions.noBroker();
        }
        return brokers;
    }

    /** @throws WaybillException of kind NOT_FOUND if no broker knows the consumer group */
    void requireGroup(String group) {
        for (Map.Entry<String, String> broker : living().entrySet()) {
            // Not by its own name: a broker that creates groups by use would create this one.
            if (SubscriptionGroupTable.parse(broker(
                            broker.getValue(),
                            Command.request(RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG),
                            "asking " + broker.getKey() + " for its groups"))
                    .subscriptionGroupTable()
                    .containsKey(group)) {
                return;
            }
        }
        throw new WaybillException(
                WaybillException.Kind.NOT_FOUND,
                ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
                false,
                "no broker knows group " + group,
                "look at the list of groups (waybill group list) and correct the name",
                null);
    }

    /** The masters of a topic: name to address. */
    Map<String, String> mastersOf(String topic) {
        ArgumentChecks.topic(topic);
        Route route = await(routes.refresh(topic), "finding topic " + topic);
        Map<String, String> masters = new TreeMap<>();
        route.brokers().forEach((name, addresses) -> {
            String master = addresses.get(Route.MASTER);
            if (master != null) {
                masters.put(name, master);
            }
        });
        return masters;
    }

    /** Of these brokers the one named, or all if none is named. */
    static Map<String, String> only(Map<String, String> brokers, String name) {
        if (name == null) {
            return brokers;
        }
        String address = brokers.get(name);
        if (address == null) {
            throw ClientExceptions.invalid("there is no broker " + name, "choose one of " + brokers.keySet());
        }
        return Map.of(name, address);
    }
}
