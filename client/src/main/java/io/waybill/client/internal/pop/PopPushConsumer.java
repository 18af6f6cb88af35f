/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.pop;

import io.waybill.client.ConsumeResult;
import io.waybill.client.MessageQueue;
import io.waybill.client.PushConsumer;
import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.consume.ConsumeApi;
import io.waybill.client.internal.consume.ConsumeExecutor;
import io.waybill.client.internal.consume.HandlerInvoker;
import io.waybill.client.internal.consume.PushSettings;
import io.waybill.client.internal.consume.ReplySender;
import io.waybill.client.internal.group.ConsumerGroup;
import io.waybill.client.internal.group.GroupMember;
import io.waybill.client.internal.group.GroupMembership;
import io.waybill.client.internal.group.MemberRegistry;
import io.waybill.client.internal.group.RunningInfo;
import io.waybill.client.internal.message.InboundMessage;
import io.waybill.client.internal.message.SubscriptionFilter;
import io.waybill.client.internal.message.WireQueues;
import io.waybill.client.internal.route.Route;
import io.waybill.client.internal.route.RouteCache;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.client.internal.runtime.ClientRuntime;
import io.waybill.client.internal.runtime.PendingCalls;
import io.waybill.client.internal.runtime.Timers;
import io.waybill.protocol.body.ConsumeDirectlyResult;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.ConsumerRunningInfo;
import java.time.Duration;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.function.Consumer;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The push consumer by pop: for each topic and broker one held pop, whose messages go to {@link ConsumeExecutor} and are acknowledged one by one. What it holds is
 * renewed until it is settled, so a message in a slow handler does not come a second time while this process lives.
 */
public final class PopPushConsumer implements PushConsumer, GroupMember {
    private static final Logger LOG = LoggerFactory.getLogger(PopPushConsumer.class);
    private static final long[] BACKOFF_SECONDS = {
        10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1_200, 1_800, 3_600, 7_200
    };
    private static final int RENEWALS_PER_TIME = 3;

    private final ClientRuntime runtime;
    private final BrokerConnections connections;
    private final RouteCache routes;
    private final GroupMembership membership;
    private final MemberRegistry registry;
    private final PushSettings settings;
    private final long invisibleMillis;
    private final PopApi pops;
    private final ConsumeApi api;
    private final ReplySender replies;
    private final Map<String, SubscriptionFilter> wanted; // what is subscribed to, and the retry topic
    private final ConsumerGroup consumerGroup;
    private final ConsumeExecutor executor;
    private final HandlerInvoker invoker;
    private final PopFetcher fetcher;
    private final Map<String, PopSource> sources = new ConcurrentHashMap<>();
    private final Set<PoppedMessage> held = ConcurrentHashMap.newKeySet();
    private final List<Timers.Timer> rhythm = new ArrayList<>();
    private final AtomicBoolean closing = new AtomicBoolean();
    private final Consumer<Route> routeListener = this::routeChanged;
    private final PendingCalls returns;
    private final RunningInfo info;
    private volatile boolean paused;

    /** @param invisibleMillis how long a handler may have a message before another member gets it; renewed while it runs */
    public PopPushConsumer(
            ClientRuntime runtime,
            BrokerConnections connections,
            RouteCache routes,
            GroupMembership membership,
            MemberRegistry registry,
            PushSettings settings,
            long invisibleMillis) {
        this.runtime = runtime;
        this.connections = connections;
        this.routes = routes;
        this.membership = membership;
        this.registry = registry;
        this.settings = settings;
        this.invisibleMillis = invisibleMillis;
        String group = settings.group();
        this.pops = new PopApi(connections, runtime.clock(), group);
        this.api = new ConsumeApi(connections);
        this.replies = new ReplySender(group, runtime.clock(), routes, api);
        this.wanted = PopJoin.withRetries(group, settings.subscriptions());
        long startedMillis = runtime.clock().wallMillis();
        this.consumerGroup =
                new ConsumerGroup(group, ConsumerData.CONSUME_POP, false, settings.start(), wanted, startedMillis);
        this.info = new RunningInfo(connections.nameServers(), consumerGroup, false, settings.threads(), startedMillis);
        this.executor = new ConsumeExecutor(runtime.listeners(), settings.threads(), runtime.timers());
        this.invoker = new HandlerInvoker(group, settings.handler(), runtime.clock());
        this.returns = new PendingCalls("the consumer of group " + group);
        this.fetcher = new PopFetcher(
                runtime, routes, membership, pops, invoker.metrics(), closing::get, this::request, this::deliver);
    }

    /** Joins the group and begins. Waits for the brokers. */
    public void start() {
        PopJoin.join(runtime.clientId(), connections, routes, membership, consumerGroup, pops);
        routes.onChange(routeListener);
        Timers timers = runtime.timers();
        rhythm.add(timers.every(runtime.timeouts().rebalance(), this::findSources));
        rhythm.add(timers.every(Math.max(1, invisibleMillis / RENEWALS_PER_TIME), this::renew));
        findSources();
    }

    @Override
    public String group() {
        return settings.group();
    }

    /** All queues of all topics: any member may get anything. */
    @Override
    public Set<MessageQueue> assignment() {
        Set<MessageQueue> queues = new TreeSet<>();
        for (String topic : settings.subscriptions().keySet()) {
            queues.addAll(ClientExceptions.await(routes.find(topic), "finding topic " + topic, false)
                    .readable());
        }
        return queues;
    }

    @Override
    public int cachedMessages() {
        return held.size();
    }

    @Override
    public boolean awaitAssignment(Duration timeout) {
        return true; // there is nothing to wait for: start has joined
    }

    /** What was taken stays held: it is renewed meanwhile, and its handlers begin at {@link #resume}. */
    @Override
    public void pause() {
        paused = true;
        executor.pause();
    }

    @Override
    public void resume() {
        paused = false;
        executor.resume();
        findSources();
    }

    // ---- fetching

    private void routeChanged(Route route) {
        if (wanted.containsKey(route.topic())) {
            findSources();
        }
    }

    /** Begins with brokers that are new. The others are asked already, and their claim keeps a second request away. */
    private void findSources() {
        for (String topic : wanted.keySet()) {
            routes.find(topic).thenAccept(route -> {
                for (MessageQueue queue : route.readable()) {
                    fetcher.fetch(sources.computeIfAbsent(
                            topic + " " + queue.broker(), name -> new PopSource(topic, queue.broker())));
                }
            });
        }
    }

    /** Claims a source that may be asked now; null if it must not. */
    private PopRequest request(PopSource source) {
        // Looked at before the claim: a source without room is asked again when a handler has ended.
        int room = settings.maxCachedMessages() - source.held.get();
        if (paused || closing.get() || room <= 0 || !source.popping.compareAndSet(false, true)) {
            return null;
        }
        return new PopRequest(
                source.topic,
                source.broker,
                wanted.get(source.topic),
                Math.min(PopApi.MAX_MESSAGES, room),
                invisibleMillis,
                runtime.timeouts().pullHold());
    }

    private void deliver(PopSource source, List<PoppedMessage> messages) {
        for (PoppedMessage message : messages) {
            if (closing.get()) {
                // Another member can have it at once; held until its time is over it would only wait.
                release(message, 0);
                continue;
            }
            source.held.incrementAndGet();
            held.add(message);
            executor.submit(() -> handle(source, message));
        }
    }

    /** Keeps what is held from coming again. */
    private void renew() {
        for (PoppedMessage message : held) {
            String address = routes.master(message.queue().broker());
            if (address != null && !message.isSettled()) {
                pops.changeInvisible(address, message, invisibleMillis).exceptionally(failure -> {
                    LOG.debug("message {} is not renewed: {}", message.messageId(), failure.getMessage());
                    return null;
                });
            }
        }
    }

    // ---- handling

    private void handle(PopSource source, PoppedMessage message) {
        ConsumeResult result = invoker.invoke(message);
        // First of all, so that no renewal follows what is now said about the message.
        message.settle();
        held.remove(message);
        switch (result.kind()) {
            case DONE -> {
                replies.reply(message, result);
                returned(message, "acknowledged", address -> pops.ack(address, message));
            }
            case RETRY -> {
                if (message.attempt() >= settings.maxAttempts()) {
                    reject(message);
                } else {
                    release(
                            message,
                            result.delay() == null
                                    ? backoffMillis(message.attempt())
                                    : result.delay().toMillis());
                }
            }
            case REJECTED -> reject(message);
        }
        source.held.decrementAndGet();
        fetcher.fetch(source);
    }

    private static long backoffMillis(int attempt) {
        return 1_000 * BACKOFF_SECONDS[Math.min(attempt, BACKOFF_SECONDS.length) - 1];
    }

    private void release(PoppedMessage message, long millis) {
        returned(message, "released", address -> pops.changeInvisible(address, message, millis));
    }

    private void reject(PoppedMessage message) {
        returned(
                message,
                "sent to the dead letters",
                address -> api.sendBack(address, settings.group(), message, -1, -1)
                        .thenCompose(done -> pops.ack(address, message)));
    }

    private void returned(PoppedMessage message, String what, Function<String, CompletableFuture<?>> call) {
        String address = routes.master(message.queue().broker());
        if (address == null) {
            LOG.warn("message {} is not {}: its broker is gone", message.messageId(), what);
            return;
        }
        if (!returns.tryBegin()) {
            return; // closed: its time runs out
        }
        call.apply(address).whenComplete((done, failure) -> {
            returns.end();
            if (failure != null) {
                LOG.warn(
                        "message {} is not {}, so it comes again: {}",
                        message.messageId(),
                        what,
                        ClientExceptions.unwrap(failure).getMessage());
            }
        });
    }

    // ---- what a broker asks

    @Override
    public Map<MessageQueue, Long> positions(String topic) {
        return Map.of(); // the broker keeps them
    }

    @Override
    public ConsumerRunningInfo runningInfo(String stacks) {
        Map<io.waybill.protocol.body.MessageQueue, ConsumerRunningInfo.PopInfo> table = new LinkedHashMap<>();
        new TreeMap<>(sources)
                .forEach((name, source) -> table.put(
                        WireQueues.toWire(new MessageQueue(source.topic, source.broker, -1)),
                        new ConsumerRunningInfo.PopInfo(source.held.get(), false, source.lastPopMillis)));
        return info.with(Map.of(), table, invoker.metrics().snapshot(), stacks);
    }

    @Override
    public ConsumeDirectlyResult consumeOnce(InboundMessage message) {
        return invoker.once(message, false);
    }

    @Override
    public void close() {
        if (!closing.compareAndSet(false, true)) {
            return;
        }
        routes.removeListener(routeListener);
        rhythm.forEach(Timers.Timer::cancel);
        if (!executor.close(runtime.timeouts().closeWait(), runtime.clock())) {
            LOG.warn("a handler of group {} still runs; its message will come again", settings.group());
        }
        for (PoppedMessage message : held) {
            // Whoever settles a message says what becomes of it: this, or a handler that still runs.
            if (message.settle()) {
                release(message, 0);
            }
        }
        returns.close(runtime.timeouts().callTimeout(), runtime.clock());
        ClientExceptions.await(membership.removeConsumer(settings.group()), "leaving group " + settings.group(), false);
        registry.forgetConsumer(this);
    }
}
