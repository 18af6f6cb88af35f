/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import io.waybill.client.ConsumeResult;
import io.waybill.client.MessageHandler;
import io.waybill.client.MessageQueue;
import io.waybill.client.PushConsumer;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillException;
import io.waybill.protocol.Names;
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
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The push consumer by pop: for each topic and broker one held pop, whose messages go to {@link Workers} and are acknowledged one by one. What it holds is
 * renewed until it is settled, so a message in a slow handler does not come a second time while this process lives.
 */
final class PopPushCore implements PushConsumer, Member {
    private static final Logger LOG = LoggerFactory.getLogger(PopPushCore.class);
    private static final long[] BACKOFF_SECONDS = {
        10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1_200, 1_800, 3_600, 7_200
    };
    private static final long EMPTY_ANSWER_PAUSE_MILLIS = 100;
    private static final int RENEWALS_PER_TIME = 3;

    /** The settings of such a consumer. */
    record Order(
            String group,
            Map<String, WireFilter> subscriptions,
            StartFrom start,
            int threads,
            int maxAttempts,
            int maxCachedMessages,
            long invisibleMillis) {}

    /** One topic at one broker. */
    private static final class Source {
        final String topic;
        final String broker;
        final AtomicInteger held = new AtomicInteger(); // messages not settled
        final AtomicBoolean popping = new AtomicBoolean();
        volatile long lastPopMillis;

        Source(String topic, String broker) {
            this.topic = topic;
            this.broker = broker;
        }
    }

    private final ClientCore client;
    private final Order order;
    private final PopCalls pops;
    private final Map<String, WireFilter> wanted; // what is subscribed to, and the retry topic
    private final Membership.Consumer membership;
    private final Workers workers;
    private final Handling handling;
    private final Map<String, Source> sources = new ConcurrentHashMap<>();
    private final Set<PoppedMessage> held = ConcurrentHashMap.newKeySet();
    private final List<Timers.Timer> rhythm = new ArrayList<>();
    private final AtomicBoolean closing = new AtomicBoolean();
    private final java.util.function.Consumer<Route> routeListener = this::routeChanged;
    private final InFlight returns;
    private final long startedMillis;
    private volatile boolean paused;

    PopPushCore(ClientCore client, Order order, MessageHandler handler) {
        this.client = client;
        this.order = order;
        this.pops = new PopCalls(client.calls(), client.clock(), order.group());
        this.startedMillis = client.clock().wallMillis();
        this.wanted = withRetries(order.group(), order.subscriptions());
        this.membership = new Membership.Consumer(
                order.group(), ConsumerData.CONSUME_POP, false, order.start(), wanted, startedMillis);
        this.workers = new Workers(client.threads().listeners, order.threads(), client.threads().timers);
        this.handling = new Handling(order.group(), handler, client.clock());
        this.returns = new InFlight("the consumer of group " + order.group());
    }

    void start() {
        join(client, membership, pops);
        client.routes().onChange(routeListener);
        rhythm.add(client.threads().timers.every(client.timings().rebalance(), this::look));
        rhythm.add(
                client.threads().timers.every(Math.max(1, order.invisibleMillis() / RENEWALS_PER_TIME), this::renew));
        look();
    }

    /** With the retry topic: what was given back to the group while it pulled lies there, and what is sent to it alone. */
    static Map<String, WireFilter> withRetries(String group, Map<String, WireFilter> subscriptions) {
        Map<String, WireFilter> all = new LinkedHashMap<>(subscriptions);
        all.put(Names.retryTopic(group), WireFilter.ALL);
        return Map.copyOf(all);
    }

    /** Tells the brokers of the topics of this member, and places a new group; leaves again if that fails. Waits. */
    static void join(ClientCore client, Membership.Consumer membership, PopCalls pops) {
        client.membership().addConsumer(membership);
        try {
            Set<String> masters = new TreeSet<>();
            for (Map.Entry<String, WireFilter> topic :
                    membership.subscriptions().entrySet()) {
                if (Names.isRetry(topic.getKey())) {
                    continue; // it comes into being with the group
                }
                Route route =
                        Failures.await(client.routes().find(topic.getKey()), "finding topic " + topic.getKey(), false);
                masters.addAll(client.routes().masters(route));
                if (topic.getValue().isSql()) {
                    client.calls()
                            .checkFilters(
                                    client.routes().masters(route), client.clientId(), membership, topic.getKey());
                }
            }
            Failures.await(client.membership().announce(masters), "joining group " + membership.group(), false);
            for (String topic : membership.subscriptions().keySet()) {
                if (!Names.isRetry(topic)) {
                    pops.beginAt(client.routes(), topic, membership.start());
                }
            }
        } catch (RuntimeException e) {
            client.membership().removeConsumer(membership.group());
            throw e;
        }
    }

    @Override
    public String group() {
        return order.group();
    }

    /** All queues of all topics: any member may get anything. */
    @Override
    public Set<MessageQueue> assignment() {
        Set<MessageQueue> queues = new TreeSet<>();
        for (String topic : order.subscriptions().keySet()) {
            queues.addAll(Failures.await(client.routes().find(topic), "finding topic " + topic, false)
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

    @Override
    public void pause() {
        paused = true;
        workers.pause();
    }

    @Override
    public void resume() {
        paused = false;
        workers.resume();
        look();
    }

    // ---- fetching

    private void routeChanged(Route route) {
        if (wanted.containsKey(route.topic())) {
            look();
        }
    }

    /** Begins with brokers that are new. */
    private void look() {
        for (String topic : wanted.keySet()) {
            client.routes().find(topic).thenAccept(route -> {
                for (MessageQueue queue : route.readable()) {
                    fetch(sources.computeIfAbsent(
                            topic + " " + queue.broker(), name -> new Source(topic, queue.broker())));
                }
            });
        }
    }

    private void fetch(Source source) {
        int room = order.maxCachedMessages() - source.held.get();
        if (paused || closing.get() || room <= 0 || !source.popping.compareAndSet(false, true)) {
            return;
        }
        String address = client.routes().master(source.broker);
        if (address == null) {
            failed(source, new IllegalStateException("the address of broker " + source.broker + " is gone"));
            return;
        }
        long begin = client.clock().nanoTime();
        source.lastPopMillis = client.clock().wallMillis();
        PopCalls.Order pop = new PopCalls.Order(
                source.topic,
                source.broker,
                wanted.get(source.topic),
                Math.min(PopCalls.MAX_MESSAGES, room),
                order.invisibleMillis(),
                client.timings().pullHold());
        client.membership()
                .announce(address)
                .thenCompose(known -> pops.pop(address, pop))
                .whenComplete((messages, failure) -> {
                    try {
                        if (failure != null) {
                            failed(source, Failures.unwrap(failure));
                        } else {
                            popped(source, messages, client.clock().nanoTime() - begin);
                        }
                    } catch (RuntimeException e) {
                        failed(source, e);
                    }
                });
    }

    private void failed(Source source, Throwable failure) {
        source.popping.set(false);
        if (!closing.get()) {
            LOG.info("taking from {} at {} failed: {}", source.topic, source.broker, failure.getMessage());
            client.routes().refresh(source.topic);
            client.threads().timers.after(client.timings().retryDelay(), () -> fetch(source));
        }
    }

    private void popped(Source source, List<PoppedMessage> messages, long tookNanos) {
        source.popping.set(false);
        handling.figures.pulled(source.topic, messages.size(), tookNanos);
        for (PoppedMessage message : messages) {
            if (closing.get()) {
                again(message, 0);
                continue;
            }
            source.held.incrementAndGet();
            held.add(message);
            workers.submit(() -> handle(source, message));
        }
        if (messages.isEmpty() && tookNanos < EMPTY_ANSWER_PAUSE_MILLIS * 1_000_000) {
            client.threads().timers.after(EMPTY_ANSWER_PAUSE_MILLIS, () -> fetch(source));
        } else {
            fetch(source);
        }
    }

    /** Keeps what is held from coming again. */
    private void renew() {
        for (PoppedMessage message : held) {
            String address = client.routes().master(message.queue().broker());
            if (address != null && !message.isSettled()) {
                pops.changeInvisible(address, message, order.invisibleMillis()).exceptionally(failure -> {
                    LOG.debug("message {} is not renewed: {}", message.messageId(), failure.getMessage());
                    return null;
                });
            }
        }
    }

    // ---- handling

    private void handle(Source source, PoppedMessage message) {
        ConsumeResult result = handling.invoke(message);
        message.settle();
        held.remove(message);
        switch (result.kind()) {
            case DONE -> {
                Questions.reply(client, order.group(), message, result);
                returned(message, "acknowledged", address -> pops.ack(address, message));
            }
            case RETRY -> {
                if (message.attempt() >= order.maxAttempts()) {
                    reject(message);
                } else {
                    again(
                            message,
                            result.delay() == null
                                    ? backoffMillis(message.attempt())
                                    : result.delay().toMillis());
                }
            }
            case REJECTED -> reject(message);
        }
        source.held.decrementAndGet();
        fetch(source);
    }

    private static long backoffMillis(int attempt) {
        return 1_000 * BACKOFF_SECONDS[Math.min(attempt, BACKOFF_SECONDS.length) - 1];
    }

    private void again(PoppedMessage message, long millis) {
        returned(message, "given back", address -> pops.changeInvisible(address, message, millis));
    }

    private void reject(PoppedMessage message) {
        returned(
                message,
                "put aside",
                address -> client.calls()
                        .sendBack(address, order.group(), message, -1, -1)
                        .thenCompose(done -> pops.ack(address, message)));
    }

    private void returned(
            PoppedMessage message, String what, java.util.function.Function<String, CompletableFuture<?>> call) {
        String address = client.routes().master(message.queue().broker());
        if (address == null) {
            LOG.warn("message {} is not {}: its broker is gone", message.messageId(), what);
            return;
        }
        try {
            returns.begin();
        } catch (WaybillException e) {
            return; // closed: its time runs out
        }
        call.apply(address).whenComplete((done, failure) -> {
            returns.end();
            if (failure != null) {
                LOG.warn(
                        "message {} is not {}, so it comes again: {}",
                        message.messageId(),
                        what,
                        Failures.unwrap(failure).getMessage());
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
                        new io.waybill.protocol.body.MessageQueue(source.topic, source.broker, -1),
                        new ConsumerRunningInfo.PopInfo(source.held.get(), false, source.lastPopMillis)));
        return new ConsumerRunningInfo(
                client.properties(membership, false, order.threads(), startedMillis),
                membership.wireSubscriptions(),
                Map.of(),
                table,
                handling.figures.snapshot(),
                Map.of(),
                stacks);
    }

    @Override
    public ConsumeDirectlyResult consumeOnce(InboundMessage message) {
        return handling.once(message, false);
    }

    @Override
    public void close() {
        if (!closing.compareAndSet(false, true)) {
            return;
        }
        client.routes().removeListener(routeListener);
        rhythm.forEach(Timers.Timer::cancel);
        if (!workers.close(client.timings().closeWait(), client.clock())) {
            LOG.warn("a handler of group {} still runs; its message will come again", order.group());
        }
        for (PoppedMessage message : held) {
            if (message.settle()) {
                again(message, 0);
            }
        }
        returns.close(client.timings().callTimeout(), client.clock());
        Failures.await(client.membership().removeConsumer(order.group()), "leaving group " + order.group(), false);
        client.forgetConsumer(this);
    }
}
