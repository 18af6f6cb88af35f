/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.MembershipEnds;
import io.waybill.broker.request.BackgroundDuties;
import io.waybill.broker.request.Lanes;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.platform.Files;
import io.waybill.platform.Platform;
import io.waybill.protocol.ResponseCode;
import io.waybill.remoting.BindAddressCheck;
import io.waybill.remoting.ClientSettings;
import io.waybill.remoting.Connection;
import io.waybill.remoting.ConnectionListener;
import io.waybill.remoting.EventLoops;
import io.waybill.remoting.RemotingClient;
import io.waybill.remoting.RemotingServer;
import io.waybill.remoting.RequestHandler;
import io.waybill.remoting.ServerSettings;
import io.waybill.store.Store;
import io.waybill.store.log.StoreException;
import io.waybill.store.log.StoreState;
import io.waybill.store.record.ViewsDamaged;
import io.waybill.store.view.ViewsBackend;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionStage;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import java.util.concurrent.atomic.AtomicReference;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A running broker: a store, a server and the features between them. Composition only.
 *
 * <p>Store, server, lanes and members live as long as the node; the features are one tenure on them.
 *
 * <p>Steps of the start, each undone when a later one fails: open the store; listen (requests are refused with 14 for the
 * moment); put the features together, which needs the port; let requests in; register with the name servers. Steps of the
 * end: refuse requests, leave the name servers, answer what waits, close the server, record the last offsets, close the
 * store. Nothing acknowledged depends on the end being reached.
 */
public final class Broker implements AutoCloseable {
    private static final Logger log = LoggerFactory.getLogger(Broker.class);

    private static final int VIP_DISTANCE = 2;

    private final BrokerSettings settings;
    private final Store store;
    private final RemotingServer server;
    private final RemotingClient nameServers;
    private final Features features;
    private final InetSocketAddress address;
    private final Gate gate;
    private final BackgroundDuties duties;
    private boolean closed;

    private Broker(
            BrokerSettings settings,
            Store store,
            RemotingServer server,
            RemotingClient nameServers,
            Features features,
            InetSocketAddress address,
            Gate gate,
            BackgroundDuties duties) {
        this.duties = duties;
        this.settings = settings;
        this.store = store;
        this.server = server;
        this.nameServers = nameServers;
        this.features = features;
        this.address = address;
        this.gate = gate;
    }

    /** What the server talks to: nobody, then the features, then nobody again. Who is connected is known as long as it listens. */
    private static final class Gate implements ConnectionListener {
        final MembershipEnds memberships;
        final AtomicReference<RequestHandler> handler = new AtomicReference<>(refusing("this broker is starting"));
        final AtomicReference<Features> features = new AtomicReference<>();
        /** Guarded by this. */
        private boolean ended;

        Gate(MembershipEnds memberships) {
            this.memberships = memberships;
        }

        static RequestHandler refusing(String why) {
            return request -> request.refuse(ResponseCode.SERVICE_NOT_AVAILABLE, why);
        }

        /**
         * A broker whose name is another's does not serve: clients that know it from before would send to it what no consumer finds. It goes on asking the
         * name servers, and serves again when they take it.
         */
        synchronized void nameConflict(String sentence) {
            if (ended || features.get() == null) {
                return;
            }
            if (sentence == null) {
                log.info("No other broker has this one's name any more: it serves again");
                handler.set(features.get().handler());
            } else {
                log.error("This broker does not serve: {}. Give one of the two another brokerName", sentence);
                handler.set(refusing("this broker does not serve: " + sentence));
            }
        }

        synchronized void open(Features current) {
            features.set(current);
            handler.set(current.handler());
        }

        synchronized void end() {
            ended = true;
            handler.set(refusing("this broker is closing"));
        }

        @Override
        public void closed(Connection connection) {
            Features current = features.get();
            try {
                if (current != null) {
                    current.connectionClosed(connection);
                }
            } finally {
                memberships.closed(connection);
            }
        }
    }

    /**
     * Starts a broker. The platform and the event loops stay the caller's, who closes them after the broker.
     *
     * @throws StoreException when the store cannot be opened
     * @throws NameTaken when another living broker has the name, or the store belongs to another name
     * @throws IOException when the address cannot be listened on or is not known
     * @throws IllegalArgumentException when other machines reach the address and that was not asked for
     */
    public static Broker start(BrokerSettings settings, Files files, Platform platform, EventLoops loops)
            throws StoreException, IOException {
        try {
            return startOnce(settings, files, platform, loops);
        } catch (ViewsDamaged e) {
            // What topics and groups there are cannot be read. Opened again, the store rebuilds it before anything is
            // served.
            log.warn("The store is opened again, to rebuild what could not be read: {}", e.getMessage());
            return startOnce(settings, files, platform, loops);
        }
    }

    private static Broker startOnce(BrokerSettings settings, Files files, Platform platform, EventLoops loops)
            throws StoreException, IOException {
        BindAddressCheck.check(settings.listen().host(), settings.listen().insecure());
        InetAddress advertised = advertised(settings);
        Store store = Store.open(files, platform, settings.store(), ViewsBackend.rocks(files));
        try {
            StoreOwner.check(store.catalog(), settings.brokerName());
        } catch (NameTaken | RuntimeException e) {
            closeQuietly(store);
            throw e;
        }
        ClientRegistry members = new ClientRegistry(settings, platform.clock());
        Gate gate = new Gate(new MembershipEnds(members));
        BackgroundDuties duties = new BackgroundDuties();
        duties.add(gate.memberships);
        RemotingServer server = null;
        RemotingClient nameServers = null;
        Features features = null;
        try {
            server = RemotingServer.start(
                    serverSettings(settings),
                    loops,
                    request -> gate.handler.get().handle(request),
                    gate);
            nameServers = new RemotingClient(
                    loops, ClientSettings.defaults(), Gate.refusing("a broker takes no requests from name servers"));
            InetSocketAddress address =
                    new InetSocketAddress(advertised, server.address().getPort());
            Lanes lanes = Lanes.of(platform.duties(), settings.reads().coldReadThreads(), platform.clock());
            features = new Features(
                    store, settings, platform, lanes, members, address, nameServers::call, gate::nameConflict);
            gate.open(features);
            features.start();
            duties.start(platform.duties());
            serveVipChannel(settings, server);
            await(features.registered(), settings.registration().timeoutMillis());
            if (features.nameConflict() != null) {
                throw new NameTaken(
                        features.nameConflict(),
                        "give this broker a name of its own (--set brokerName=...), or stop the other one first;"
                                + " one that died without a word is forgotten after two minutes");
            }
            log.info("Broker {} serves at {}", settings.brokerName(), address);
            return new Broker(settings, store, server, nameServers, features, address, gate, duties);
        } catch (IOException | RuntimeException | Error e) { // an Error when there is no thread for a duty
            gate.end();
            Features begun = features;
            if (begun != null) {
                closeQuietly(() -> await(begun.leave(), settings.registration().timeoutMillis()));
            }
            closeQuietly(server);
            closeQuietly(duties);
            if (begun != null) {
                closeQuietly(begun::stop); // before the store, which its duties use
            }
            closeQuietly(nameServers);
            closeQuietly(store);
            throw e;
        }
    }

    /** Where clients reach this broker. */
    public InetSocketAddress address() {
        return address;
    }

    /**
     * Completes, with the reason, once the store froze after a failed write and this broker has left the name servers. Whoever runs it
     * should then close it and start it again, best in a new process.
     */
    public CompletionStage<String> gone() {
        return features.gone();
    }

    /** Whether the store takes no more changes until it is opened again. */
    public boolean isFrozen() {
        return store.status().state().kind() == StoreState.StoreMode.FROZEN;
    }

    @Override
    public void close() throws StoreException {
        if (closed) {
            return;
        }
        closed = true;
        gate.end();
        await(features.leave(), settings.registration().timeoutMillis());
        server.close();
        duties.close();
        features.stop();
        nameServers.close();
        store.close();
    }

    /**
     * Clients with the VIP channel on (4.2 to 4.4 by default, the stock dashboard too) dial the broker's port less two, where RocketMQ serves the same
     * requests. A port that was chosen for this broker has such a neighbour; one that the system chose belongs to nobody's plan.
     */
    private static void serveVipChannel(BrokerSettings settings, RemotingServer server) {
        int port = settings.listen().port() - VIP_DISTANCE;
        if (port <= 0) {
            return;
        }
        try {
            server.listenAlsoOn(port);
            log.info("Port {} is served as well, for clients with the VIP channel on", port);
        } catch (IOException e) {
            log.warn(
                    "Clients with the VIP channel on (the default of 4.2 to 4.4 and of the stock dashboard) dial port {} and do not"
                            + " find this broker: {}. Free that port, choose another one for the broker, or switch it off in"
                            + " those clients (com.rocketmq.sendMessageWithVIPChannel=false)",
                    port,
                    e.getMessage());
        }
    }

    private static ServerSettings serverSettings(BrokerSettings settings) {
        return ServerSettings.defaults(
                        settings.listen().host(), settings.listen().port())
                .withMaxConnections(settings.listen().maxConnections());
    }

    private static InetAddress advertised(BrokerSettings settings) throws UnknownHostException {
        InetAddress advertised = InetAddress.getByName(settings.listen().advertisedHost());
        if (advertised.isAnyLocalAddress()) {
            throw new IllegalArgumentException("host " + settings.listen().host()
                    + " listens on every address; set advertisedHost to the one that clients use");
        }
        return advertised;
    }

    private static void await(CompletableFuture<Void> done, long timeoutMillis) {
        try {
            done.get(timeoutMillis, TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            log.warn("Not every name server answered within {} ms", timeoutMillis);
        } catch (ExecutionException e) {
            log.warn("The name servers could not be told", e);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    private static void closeQuietly(AutoCloseable opened) {
        if (opened == null) {
            return;
        }
        try {
            opened.close();
        } catch (Exception e) {
            log.warn("A part of the broker that did not start could not be closed", e);
        }
    }
}
