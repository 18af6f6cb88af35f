/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import io.waybill.client.Filter;
import io.waybill.client.MessageQueue;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.SimpleConsumer;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillException;
import io.waybill.protocol.Names;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.ConsumerRunningInfo;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collection;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;

/** The consumer that takes single messages. It asks its brokers in turn: first all of them for what is there, then one after the other to wait. */
final class SimpleConsumerCore implements SimpleConsumer, Member {
    /** With several brokers or topics the wait goes round among them in such steps. */
    private static final long TURN_MILLIS = 1_000;

    private static final long EMPTY_ANSWER_PAUSE_NANOS = 100_000_000;

    private record Source(String topic, String broker) {}

    private final ClientCore client;
    private final String group;
    private final PopCalls pops;
    private final Membership.Consumer membership;
    private final AtomicInteger turn = new AtomicInteger();
    private final InFlight inFlight;
    private final Figures figures;
    private volatile List<Source> retries = List.of();
    private volatile long retriesAskedNanos;

    SimpleConsumerCore(ClientCore client, String group, Map<String, WireFilter> subscriptions, StartFrom start) {
        this.client = client;
        this.group = group;
        this.pops = new PopCalls(client.calls(), client.clock(), group);
        this.membership = new Membership.Consumer(
                group,
                ConsumerData.CONSUME_POP,
                false,
                start,
                PopPushCore.withRetries(group, subscriptions),
                client.clock().wallMillis());
        this.inFlight = new InFlight("the consumer of group " + group);
        this.figures = new Figures(client.clock());
        this.retriesAskedNanos = client.clock().nanoTime() - 2 * TURN_MILLIS * 1_000_000;
    }

    void start() {
        PopPushCore.join(client, membership, pops);
    }

    @Override
    public String group() {
        return group;
    }

    @Override
    public List<ReceivedMessage> receive(int max, Duration invisibleFor, Duration wait) {
        if (max < 1 || max > PopCalls.MAX_MESSAGES) {
            throw Failures.invalid(
                    "max must be 1 to " + PopCalls.MAX_MESSAGES + ", but is " + max, "choose one of them");
        }
        long invisibleMillis = PopCalls.invisibleMillis(invisibleFor);
        inFlight.begin();
        try {
            long endNanos = client.clock().nanoTime() + wait.toNanos();
            List<Source> sources = sources();
            while (true) {
                List<Source> all = withRetries(sources);
                for (int i = 0; i < all.size() && all.size() > 1; i++) {
                    List<ReceivedMessage> found = pop(next(all), max, invisibleMillis, 0);
                    if (!found.isEmpty()) {
                        return found;
                    }
                }
                if (all.size() > 1 && client.clock().nanoTime() - endNanos >= 0) {
                    return List.of();
                }
                long left = Math.max(0, (endNanos - client.clock().nanoTime()) / 1_000_000);
                long hold =
                        Math.min(left, sources.size() == 1 ? client.timings().pullHold() : TURN_MILLIS);
                long begin = client.clock().nanoTime();
                List<ReceivedMessage> found = pop(next(sources), max, invisibleMillis, hold);
                if (!found.isEmpty() || left == 0) {
                    return found;
                }
                // A broker that does not hold a pop, as when its clock is ahead of ours, must not be asked again and
                // again.
                long rest = begin + EMPTY_ANSWER_PAUSE_NANOS - client.clock().nanoTime();
                if (rest > 0) {
                    Failures.await(client.threads().timers.delay(Math.min(rest, left * 1_000_000)), "waiting", false);
                }
            }
        } finally {
            inFlight.end();
        }
    }

    private List<Source> sources() {
        List<Source> sources = new ArrayList<>();
        for (String topic : new TreeSet<>(membership.subscriptions().keySet())) {
            if (!Names.isRetry(topic)) {
                sources.addAll(sources(topic));
            }
        }
        if (sources.isEmpty()) {
            throw Failures.refused("receiving", 17, "no broker gives messages of the topics", false);
        }
        return sources;
    }

    private List<Source> sources(String topic) {
        Route route = Failures.await(client.routes().find(topic), "finding topic " + topic, false);
        return route.readable().stream()
                .map(MessageQueue::broker)
                .distinct()
                .map(broker -> new Source(topic, broker))
                .toList();
    }

    /** The retry topic too, which is never waited on; whether there is one is asked once a turn. */
    private List<Source> withRetries(List<Source> sources) {
        long now = client.clock().nanoTime();
        if (now - retriesAskedNanos > TURN_MILLIS * 1_000_000) {
            retriesAskedNanos = now;
            try {
                retries = sources(Names.retryTopic(group));
            } catch (WaybillException e) {
                if (e.kind() != WaybillException.Kind.NOT_FOUND) {
                    throw e;
                }
                retries = List.of();
            }
        }
        List<Source> all = new ArrayList<>(sources);
        all.addAll(retries);
        return all;
    }

    private Source next(List<Source> sources) {
        return sources.get(Math.floorMod(turn.getAndIncrement(), sources.size()));
    }

    private List<ReceivedMessage> pop(Source source, int max, long invisibleMillis, long holdMillis) {
        String address = address(source.broker());
        String doing = "taking messages of " + source.topic();
        long begin = client.clock().nanoTime();
        List<PoppedMessage> messages = Failures.await(
                client.membership()
                        .announce(address)
                        .thenCompose(known -> pops.pop(
                                address,
                                new PopCalls.Order(
                                        source.topic(),
                                        source.broker(),
                                        membership.subscriptions().get(source.topic()),
                                        max,
                                        invisibleMillis,
                                        holdMillis))),
                doing,
                false);
        figures.pulled(source.topic(), messages.size(), client.clock().nanoTime() - begin);
        return List.copyOf(messages);
    }

    private String address(String broker) {
        String address = client.routes().master(broker);
        if (address == null) {
            throw Failures.refused("finding broker " + broker, 17, "its address is not known", false);
        }
        return address;
    }

    private static PoppedMessage popped(ReceivedMessage message) {
        if (message instanceof PoppedMessage popped) {
            return popped;
        }
        throw PopCalls.notOurs();
    }

    @Override
    public void ack(ReceivedMessage message) {
        PoppedMessage popped = popped(message);
        settle(pops.ack(address(message.queue().broker()), popped), "acknowledging message " + message.messageId());
    }

    @Override
    public void ack(Collection<ReceivedMessage> messages) {
        Map<String, List<PoppedMessage>> byBroker = new TreeMap<>();
        for (ReceivedMessage message : messages) {
            byBroker.computeIfAbsent(message.queue().broker(), name -> new ArrayList<>())
                    .add(popped(message));
        }
        List<CompletableFuture<Void>> sent = new ArrayList<>();
        byBroker.forEach((broker, list) -> sent.add(pops.ackAll(address(broker), broker, list)));
        settle(
                CompletableFuture.allOf(sent.toArray(CompletableFuture[]::new)),
                "acknowledging " + messages.size() + " messages");
    }

    @Override
    public void changeInvisible(ReceivedMessage message, Duration fromNow) {
        long millis = fromNow == null || fromNow.isNegative() ? -1 : fromNow.toMillis();
        if (millis < 0) {
            throw Failures.invalid("the time must not be negative, but is " + fromNow, "use zero to give it back");
        }
        PoppedMessage popped = popped(message);
        settle(
                pops.changeInvisible(address(message.queue().broker()), popped, millis),
                "keeping message " + message.messageId());
    }

    @Override
    public void reject(ReceivedMessage message) {
        PoppedMessage popped = popped(message);
        String address = address(message.queue().broker());
        settle(
                client.calls().sendBack(address, group, popped, -1, 0).thenCompose(done -> pops.ack(address, popped)),
                "rejecting message " + message.messageId());
    }

    private void settle(CompletableFuture<?> call, String doing) {
        inFlight.begin();
        try {
            Failures.await(call, doing, false);
        } finally {
            inFlight.end();
        }
    }

    @Override
    public Map<MessageQueue, Long> positions(String topic) {
        return Map.of(); // the broker keeps them
    }

    @Override
    public ConsumerRunningInfo runningInfo(String stacks) {
        return new ConsumerRunningInfo(
                client.properties(membership, false, 0, membership.version()),
                membership.wireSubscriptions(),
                Map.of(),
                Map.of(),
                figures.snapshot(),
                Map.of(),
                stacks);
    }

    @Override
    public void close() {
        if (inFlight.close(client.timings().callTimeout(), client.clock())) {
            Failures.await(client.membership().removeConsumer(group), "leaving group " + group, false);
            client.forgetConsumer(this);
        }
    }

    /** Settings until {@link #build()}. */
    static final class Settings implements Builder {
        private final ClientCore client;
        private final String group;
        private final Map<String, WireFilter> subscriptions = new LinkedHashMap<>();
        private StartFrom start = StartFrom.FIRST;

        Settings(ClientCore client, String group) {
            MessageChecks.group(group);
            this.client = client;
            this.group = group;
        }

        @Override
        public Builder subscribe(String topic, Filter filter) {
            MessageChecks.topic(topic);
            subscriptions.put(topic, WireFilter.of(Checks.given("filter", filter)));
            return this;
        }

        @Override
        public Builder from(StartFrom place) {
            start = Checks.given("from", place);
            return this;
        }

        @Override
        public SimpleConsumer build() {
            if (subscriptions.isEmpty()) {
                throw Failures.invalid("the consumer subscribes to nothing", "call subscribe(topic) before build");
            }
            SimpleConsumerCore consumer = new SimpleConsumerCore(client, group, subscriptions, start);
            return client.keepConsumer(consumer, consumer::start);
        }
    }
}
