/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import io.waybill.client.Admin;
import io.waybill.client.Producer;
import io.waybill.client.PullConsumer;
import io.waybill.client.PushConsumer;
import io.waybill.client.Replay;
import io.waybill.client.TransactionProducer;
import io.waybill.client.WaybillClient;
import io.waybill.platform.Clock;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.remoting.ClientSettings;
import io.waybill.remoting.Connection;
import io.waybill.remoting.ConnectionListener;
import io.waybill.remoting.RemotingClient;
import io.waybill.remoting.Request;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Composition of one client: its connections, routes and groups, and what was built from it. */
public final class ClientCore implements WaybillClient {
    private static final Logger LOG = LoggerFactory.getLogger(ClientCore.class);
    private static final int MAX_PORT = 65_535;

    private final String clientId = UniqueIds.nextClient();
    private final SharedThreads threads;
    private final Timings timings;
    private final Links links;
    private final Calls calls;
    private final Routes routes;
    private final Membership membership;
    private final List<Timers.Timer> rhythm = new ArrayList<>();
    private final Map<String, PushConsumerCore> consumers = new ConcurrentHashMap<>();
    private final Map<String, TransactionCore> transactions = new ConcurrentHashMap<>();
    private final List<AutoCloseable> built = new ArrayList<>(); // guarded by itself
    private boolean closed; // guarded by built

    private ClientCore(List<String> nameServers, Timings timings) {
        this.timings = timings;
        this.threads = SharedThreads.acquire();
        RemotingClient remoting =
                new RemotingClient(threads.loops, ClientSettings.defaults(), this::requested, new ConnectionListener() {
                    @Override
                    public void closed(Connection connection) {
                        disconnected(connection);
                    }
                });
        this.links = new Links(remoting, nameServers);
        this.calls = new Calls(links, timings);
        this.routes = new Routes(calls);
        this.membership = new Membership(clientId, calls, routes, threads.timers);
        rhythm.add(threads.timers.every(timings.routeRefresh(), routes::refreshAll));
        rhythm.add(threads.timers.every(timings.heartbeat(), membership::heartbeatAll));
    }

    /** See {@link WaybillClient#connect}. */
    public static WaybillClient connect(String nameServers) {
        return connect(nameServers, Timings.standard());
    }

    static ClientCore connect(String nameServers, Timings timings) {
        return new ClientCore(addresses(nameServers), timings);
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
                throw Failures.invalid(
                        "name server address must be host:port, but is \"" + address + "\"",
                        "write it like 127.0.0.1:9876, several separated by ;");
            }
            addresses.add(address);
        }
        if (addresses.isEmpty()) {
            throw Failures.invalid("no name server address is given", "write it like 127.0.0.1:9876");
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

    // ---- what the parts share

    SharedThreads threads() {
        return threads;
    }

    Timings timings() {
        return timings;
    }

    Clock clock() {
        return threads.platform.clock();
    }

    Calls calls() {
        return calls;
    }

    Routes routes() {
        return routes;
    }

    Membership membership() {
        return membership;
    }

    SendCall.Context sendContext(String group, long timeoutMillis, SendPolicy policy, AtomicInteger turn) {
        turn.set(threads.platform.chance().nextInt(1 << 16));
        return new SendCall.Context(
                group, calls, routes, membership, threads.timers, clock(), timeoutMillis, policy, turn);
    }

    // ---- what was built

    <T extends AutoCloseable> T keep(T part) {
        synchronized (built) {
            if (!closed) {
                built.add(part);
                return part;
            }
        }
        closeQuietly(part);
        throw Failures.closed("the client");
    }

    PushConsumerCore keepConsumer(PushConsumerCore consumer) {
        checkOpen();
        if (consumers.putIfAbsent(consumer.group(), consumer) != null) {
            throw Failures.invalid(
                    "this client has a consumer of group " + consumer.group() + " already",
                    "close it first, or open another WaybillClient for a second member");
        }
        try {
            consumer.start();
        } catch (RuntimeException e) {
            consumers.remove(consumer.group(), consumer);
            throw e;
        }
        return keep(consumer);
    }

    void forgetConsumer(PushConsumerCore consumer) {
        consumers.remove(consumer.group(), consumer);
        forget(consumer);
    }

    TransactionCore keepTransactions(String group, Supplier<TransactionCore> maker) {
        checkOpen();
        synchronized (transactions) {
            if (transactions.containsKey(group)) {
                throw Failures.invalid(
                        "this client has a transactional producer of group " + group + " already",
                        "use that one; it is safe for use from any thread");
            }
            TransactionCore core = maker.get();
            transactions.put(group, core);
            return keep(core);
        }
    }

    void forgetTransactions(String group) {
        transactions.remove(group);
    }

    void forget(AutoCloseable part) {
        synchronized (built) {
            built.remove(part);
        }
    }

    private void checkOpen() {
        synchronized (built) {
            if (closed) {
                throw Failures.closed("the client");
            }
        }
    }

    // ---- requests from brokers, on I/O threads

    private void requested(Request request) {
        switch (request.code()) {
            case RequestCode.CHECK_TRANSACTION_STATE -> check(request);
            case RequestCode.NOTIFY_CONSUMER_IDS_CHANGED -> {
                String group = request.command().fields().get("consumerGroup");
                PushConsumerCore consumer = group == null ? null : consumers.get(group);
                if (consumer != null) {
                    consumer.requestRebalance();
                }
                request.reply(Command.response(ResponseCode.SUCCESS, null).build());
            }
            default ->
                request.refuse(
                        ResponseCode.REQUEST_CODE_NOT_SUPPORTED, "this client does not know request " + request.code());
        }
    }

    private void check(Request request) {
        Command command = request.command();
        Message stored = Message.decode(command.body(), command.body().position());
        String group = stored.property(MessageProperties.PGROUP);
        TransactionCore core = group == null ? null : transactions.get(group);
        if (core == null) {
            LOG.warn("a check for group {} came, but this client has no transactional producer of it", group);
            return;
        }
        String broker = command.fields().get("bname");
        String messageId = stored.uniqueKey() == null ? command.fields().get("msgId") : stored.uniqueKey();
        Calls.HalfId half = new Calls.HalfId(
                stored.topic(),
                broker,
                command.fields().requireLong("tranStateTableOffset"),
                command.fields().requireLong("commitLogOffset"),
                messageId,
                command.fields().get("transactionId"));
        core.check(request.connection(), half, InboundMessage.of(stored, broker == null ? "" : broker));
    }

    private void disconnected(Connection connection) {
        java.net.InetSocketAddress remote = connection.remoteAddress();
        if (remote != null) {
            membership.lost(remote.getAddress().getHostAddress() + ":" + remote.getPort());
        }
    }

    // ---- the public face

    @Override
    public String clientId() {
        return clientId;
    }

    @Override
    public Producer.Builder producer(String group) {
        return new ProducerCore.Settings(this, group);
    }

    @Override
    public TransactionProducer.Builder transactionProducer(String group) {
        return new TransactionCore.Settings(this, group);
    }

    @Override
    public PushConsumer.Builder pushConsumer(String group) {
        return new PushConsumerCore.Settings(this, group);
    }

    @Override
    public PullConsumer.Builder pullConsumer(String group) {
        return new PullConsumerCore.Settings(this, group);
    }

    @Override
    public Replay replay(String topic) {
        return new ReplayCore(this, topic);
    }

    @Override
    public Admin admin() {
        return new AdminCore(this);
    }

    @Override
    public void close() {
        List<AutoCloseable> parts;
        synchronized (built) {
            if (closed) {
                return;
            }
            closed = true;
            parts = new ArrayList<>(built);
        }
        parts.stream().filter(ClientCore::isConsumer).forEach(ClientCore::closeQuietly);
        parts.stream().filter(part -> !isConsumer(part)).forEach(ClientCore::closeQuietly);
        rhythm.forEach(Timers.Timer::cancel);
        membership.close();
        links.close();
        threads.close();
    }

    private static boolean isConsumer(AutoCloseable part) {
        return part instanceof PushConsumer || part instanceof PullConsumer;
    }

    private static void closeQuietly(AutoCloseable part) {
        try {
            part.close();
        } catch (Exception e) {
            LOG.warn("closing a part of the client failed: {}", e.getMessage());
        }
    }
}
