/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import io.waybill.client.Admin;
import io.waybill.client.MessageQueue;
import io.waybill.client.Producer;
import io.waybill.client.PullConsumer;
import io.waybill.client.PushConsumer;
import io.waybill.client.Replay;
import io.waybill.client.SimpleConsumer;
import io.waybill.client.TransactionProducer;
import io.waybill.client.WaybillClient;
import io.waybill.platform.Clock;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.ConsumeDirectlyResult;
import io.waybill.protocol.body.ConsumerRunningInfo;
import io.waybill.protocol.body.ConsumerStatus;
import io.waybill.protocol.body.OffsetTable;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.RunningInfoHeader;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.remoting.ClientSettings;
import io.waybill.remoting.Connection;
import io.waybill.remoting.ConnectionListener;
import io.waybill.remoting.RemotingClient;
import io.waybill.remoting.Request;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BiFunction;
import java.util.function.Supplier;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Composition of one client: its connections, routes and groups, and what was built from it. */
public final class ClientCore implements WaybillClient {
    private static final Logger LOG = LoggerFactory.getLogger(ClientCore.class);
    private static final int MAX_PORT = 65_535;

    private static final byte[] NOTHING = {};

    private final List<String> nameServers;
    private final String clientId = UniqueIds.nextClient();
    private final SharedThreads threads;
    private final Timings timings;
    private final Links links;
    private final Calls calls;
    private final Routes routes;
    private final Membership membership;
    private final Questions questions = new Questions();
    private final List<Timers.Timer> rhythm = new ArrayList<>();
    private final Map<String, Member> members = new ConcurrentHashMap<>();
    private final Map<String, TransactionCore> transactions = new ConcurrentHashMap<>();
    private final List<AutoCloseable> built = new ArrayList<>(); // guarded by itself
    private boolean closed; // guarded by built

    private ClientCore(List<String> nameServers, Timings timings) {
        this.nameServers = List.copyOf(nameServers);
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

    Questions questions() {
        return questions;
    }

    Membership membership() {
        return membership;
    }

    SendCall.Context sendContext(String group, long timeoutMillis, SendPolicy policy, AtomicInteger turn) {
        turn.set(threads.platform.random().nextInt(1 << 16));
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

    /** Keeps a member of a group and starts it; at most one of each group. */
    <M extends Member & AutoCloseable> M keepConsumer(M member, Runnable start) {
        addMember(member);
        try {
            start.run();
        } catch (RuntimeException e) {
            members.remove(member.group(), member);
            throw e;
        }
        return keep(member);
    }

    private void addMember(Member member) {
        checkOpen();
        if (members.putIfAbsent(member.group(), member) != null) {
            throw Failures.invalid(
                    "this client has a consumer of group " + member.group() + " already",
                    "close it first, or open another WaybillClient for a second member");
        }
    }

    <M extends Member & AutoCloseable> void forgetConsumer(M member) {
        members.remove(member.group(), member);
        forget(member);
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
                Member member = member(request, "consumerGroup");
                if (member != null) {
                    member.membersChanged();
                }
                request.reply(Command.response(ResponseCode.SUCCESS, null).build());
            }
            case RequestCode.RESET_CONSUMER_CLIENT_OFFSET ->
                asked(request, "group", (member, command) -> {
                    Map<MessageQueue, Long> offsets = new TreeMap<>();
                    OffsetTable.parse(command.body())
                            .offsetTable()
                            .forEach((queue, offset) -> offsets.put(WireBodies.queue(queue), offset));
                    member.reset(offsets);
                    return NOTHING;
                });
            case RequestCode.GET_CONSUMER_STATUS_FROM_CLIENT ->
                asked(request, "group", (member, command) -> {
                    Map<io.waybill.protocol.body.MessageQueue, Long> offsets = new LinkedHashMap<>();
                    member.positions(command.fields().require("topic"))
                            .forEach((queue, offset) -> offsets.put(
                                    new io.waybill.protocol.body.MessageQueue(
                                            queue.topic(), queue.broker(), queue.id()),
                                    offset));
                    return new ConsumerStatus(offsets, Map.of()).toJson();
                });
            case RequestCode.GET_CONSUMER_RUNNING_INFO ->
                asked(request, "consumerGroup", (member, command) -> {
                    boolean stacks = RunningInfoHeader.read(command.fields()).jstackEnable();
                    return member.runningInfo(stacks ? stacks() : null).toJson();
                });
            case RequestCode.CONSUME_MESSAGE_DIRECTLY -> asked(request, "consumerGroup", ClientCore::consumeOnce);
            case RequestCode.PUSH_REPLY_MESSAGE_TO_CLIENT -> {
                if (!questions.answered(request)) {
                    LOG.debug("an answer came for which nobody waits any more");
                }
                request.reply(Command.response(ResponseCode.SUCCESS, null).build());
            }
            default ->
                request.refuse(
                        ResponseCode.REQUEST_CODE_NOT_SUPPORTED, "this client does not know request " + request.code());
        }
    }

    private Member member(Request request, String field) {
        String group = request.command().fields().get(field);
        return group == null ? null : members.get(group);
    }

    /** Answers what a member says; on a listener thread, because it may run a handler. */
    private void asked(Request request, String field, BiFunction<Member, Command, byte[]> question) {
        Member member = member(request, field);
        if (member == null) {
            request.refuse(
                    ResponseCode.SYSTEM_ERROR,
                    "this client has no consumer of group "
                            + request.command().fields().get(field));
            return;
        }
        Command command = request.command().detached(); // this outlives the call
        try {
            threads.listeners.execute(() -> Workers.asHandler(() -> {
                try {
                    request.reply(Command.response(ResponseCode.SUCCESS, null)
                            .body(question.apply(member, command))
                            .build());
                } catch (RuntimeException e) {
                    LOG.warn("request {} of a broker failed", request.code(), e);
                    request.refuse(ResponseCode.SYSTEM_ERROR, String.valueOf(e.getMessage()));
                }
            }));
        } catch (RejectedExecutionException e) {
            request.refuse(ResponseCode.SYSTEM_BUSY, "this client has no free thread");
        }
    }

    private static byte[] consumeOnce(Member member, Command command) {
        Message stored = Message.decode(command.body(), command.body().position());
        String broker = command.fields().get("brokerName");
        ConsumeDirectlyResult result = member.consumeOnce(InboundMessage.of(stored, broker == null ? "" : broker));
        if (result == null) {
            throw new IllegalStateException("the consumer of group " + member.group() + " has no handler");
        }
        return result.toJson();
    }

    private static String stacks() {
        StringBuilder text = new StringBuilder();
        Thread.getAllStackTraces().forEach((thread, frames) -> {
            text.append('"')
                    .append(thread.getName())
                    .append("\" ")
                    .append(thread.getState())
                    .append('\n');
            for (StackTraceElement frame : frames) {
                text.append("    at ").append(frame).append('\n');
            }
            text.append('\n');
        });
        return text.toString();
    }

    /** What a consumer tells of itself under the names of stock clients. */
    Map<String, String> properties(Membership.Consumer consumer, boolean ordered, int threadCount, long startedMillis) {
        Map<String, String> properties = new TreeMap<>();
        properties.put(ConsumerRunningInfo.NAMESERVER, String.join(";", nameServers));
        properties.put(ConsumerRunningInfo.CONSUME_TYPE, consumer.type());
        properties.put(ConsumerRunningInfo.ORDERED, Boolean.toString(ordered));
        properties.put(ConsumerRunningInfo.THREADS, Integer.toString(threadCount));
        properties.put(ConsumerRunningInfo.STARTED, Long.toString(startedMillis));
        properties.put(ConsumerRunningInfo.CLIENT_VERSION, "WAYBILL");
        return properties;
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
    public SimpleConsumer.Builder simpleConsumer(String group) {
        return new SimpleConsumerCore.Settings(this, group);
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
        questions.close();
        membership.close();
        links.close();
        threads.close();
    }

    private static boolean isConsumer(AutoCloseable part) {
        return part instanceof PushConsumer || part instanceof PullConsumer || part instanceof SimpleConsumer;
    }

    private static void closeQuietly(AutoCloseable part) {
        try {
            part.close();
        } catch (Exception e) {
            LOG.warn("closing a part of the client failed: {}", e.getMessage());
        }
    }
}
