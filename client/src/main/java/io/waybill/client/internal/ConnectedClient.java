/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import io.waybill.client.Admin;
import io.waybill.client.Producer;
import io.waybill.client.PullConsumer;
import io.waybill.client.PushConsumer;
import io.waybill.client.Replay;
import io.waybill.client.SimpleConsumer;
import io.waybill.client.TransactionProducer;
import io.waybill.client.WaybillClient;
import io.waybill.client.internal.admin.ClusterAdmin;
import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.consume.QueuePushConsumer;
import io.waybill.client.internal.group.GroupMembership;
import io.waybill.client.internal.group.MemberRegistry;
import io.waybill.client.internal.id.UniqueIds;
import io.waybill.client.internal.pop.PopPushConsumer;
import io.waybill.client.internal.pop.PopSimpleConsumer;
import io.waybill.client.internal.pull.AssignedPullConsumer;
import io.waybill.client.internal.pull.QueueReplay;
import io.waybill.client.internal.route.RouteCache;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.client.internal.runtime.ClientRuntime;
import io.waybill.client.internal.runtime.ClientTimeouts;
import io.waybill.client.internal.runtime.SharedThreads;
import io.waybill.client.internal.runtime.Timers;
import io.waybill.client.internal.send.PlainProducer;
import io.waybill.client.internal.send.RequestReplyFutures;
import io.waybill.client.internal.transaction.HalfMessageProducer;
import io.waybill.remoting.ClientSettings;
import io.waybill.remoting.Connection;
import io.waybill.remoting.ConnectionListener;
import io.waybill.remoting.RemotingClient;
import java.net.InetSocketAddress;
import java.util.ArrayList;
import java.util.List;

/** Composition of one client: its connections, routes and groups, and the builders of what users build from it. Nothing reaches through it. */
final class ConnectedClient implements WaybillClient {
    private static final int MAX_PORT = 65_535;

    private final SharedThreads threads;
    private final ClientRuntime runtime;
    private final BrokerConnections connections;
    private final RouteCache routes;
    private final GroupMembership membership;
    private final MemberRegistry registry = new MemberRegistry();
    private final RequestReplyFutures replies = new RequestReplyFutures();
    private final List<Timers.Timer> rhythm = new ArrayList<>();

    private ConnectedClient(List<String> nameServers, ClientTimeouts timeouts) {
        this.threads = SharedThreads.acquire();
        this.runtime = new ClientRuntime(UniqueIds.nextClient(), threads, timeouts);
        BrokerRequests requests = new BrokerRequests(runtime, registry, replies);
        RemotingClient remoting = new RemotingClient(
                threads.loops(), ClientSettings.defaults(), requests::handle, new ConnectionListener() {
                    @Override
                    public void closed(Connection connection) {
                        disconnected(connection);
                    }
                });
        this.connections = new BrokerConnections(remoting, nameServers, timeouts.callTimeout());
        this.routes = new RouteCache(connections);
        this.membership = new GroupMembership(runtime, connections, routes);
        Timers timers = runtime.timers();
        rhythm.add(timers.every(timeouts.routeRefresh(), routes::refreshAll));
        rhythm.add(timers.every(timeouts.heartbeat(), membership::heartbeatAll));
    }

    /** Makes a client; see {@link WaybillClient#connect}. */
    static ConnectedClient connect(String nameServers, ClientTimeouts timeouts) {
        return new ConnectedClient(addresses(nameServers), timeouts);
    }

    static List<String> addresses(String nameServers) {
        List<String> addresses = new ArrayList<>();
        for (String part : nameServers == null ? new String[0] : nameServers.split("[;,]")) {
            String address = part.strip();
            if (address.isEmpty()) {
                continue;
            }
            int colon = address.lastIndexOf(':');
            if (colon < 1 || !isPort(address.substring(colon + 1))) {
                throw ClientExceptions.invalid(
                        "name server address must be host:port, but is \"" + address + "\"",
                        "write it like 127.0.0.1:9876, several separated by ;");
            }
            addresses.add(address);
        }
        if (addresses.isEmpty()) {
            throw ClientExceptions.invalid("no name server address is given", "write it like 127.0.0.1:9876");
        }
        return addresses;
    }

    private static boolean isPort(String text) {
        try {
            int port = Integer.parseInt(text);
            return port > 0 && port <= MAX_PORT;
        } catch (NumberFormatException e) {
            return false;
        }
    }

    private void disconnected(Connection connection) {
        InetSocketAddress remote = connection.remoteAddress();
        if (remote != null) {
            membership.lost(remote.getAddress().getHostAddress() + ":" + remote.getPort());
        }
    }

    @Override
    public String clientId() {
        return runtime.clientId();
    }

    @Override
    public Producer.Builder producer(String group) {
        return new PlainProducer.Builder(
                group,
                settings -> registry.keep(
                        new PlainProducer(runtime, connections, routes, membership, registry, replies, settings)));
    }

    @Override
    public TransactionProducer.Builder transactionProducer(String group) {
        return new HalfMessageProducer.Builder(
                group,
                settings -> registry.keepChecked(
                        group,
                        () -> new HalfMessageProducer(runtime, connections, routes, membership, registry, settings)));
    }

    @Override
    public PushConsumer.Builder pushConsumer(String group) {
        return new PushConsumerBuilder(
                group,
                settings -> {
                    QueuePushConsumer consumer =
                            new QueuePushConsumer(runtime, connections, routes, membership, registry, settings);
                    return registry.keepConsumer(consumer, consumer::start);
                },
                (settings, invisibleMillis) -> {
                    PopPushConsumer consumer = new PopPushConsumer(
                            runtime, connections, routes, membership, registry, settings, invisibleMillis);
                    return registry.keepConsumer(consumer, consumer::start);
                });
    }

    @Override
    public PullConsumer.Builder pullConsumer(String group) {
        return new AssignedPullConsumer.Builder(
                group,
                settings -> registry.keepConsumer(
                        new AssignedPullConsumer(runtime, connections, routes, membership, registry, settings),
                        () -> {}));
    }

    @Override
    public SimpleConsumer.Builder simpleConsumer(String group) {
        return new PopSimpleConsumer.Builder(group, settings -> {
            PopSimpleConsumer consumer =
                    new PopSimpleConsumer(runtime, connections, routes, membership, registry, settings);
            return registry.keepConsumer(consumer, consumer::start);
        });
    }

    @Override
    public Replay replay(String topic) {
        return new QueueReplay(runtime, connections, routes, membership, topic);
    }

    @Override
    public Admin admin() {
        return new ClusterAdmin(runtime, connections, routes);
    }

    @Override
    public void close() {
        if (!registry.close(ConnectedClient::isConsumer)) {
            return;
        }
        rhythm.forEach(Timers.Timer::cancel);
        replies.close();
        membership.close();
        connections.close();
        threads.close();
    }

    private static boolean isConsumer(AutoCloseable part) {
        return part instanceof PushConsumer || part instanceof PullConsumer || part instanceof SimpleConsumer;
    }
}
