/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.pop;

import io.waybill.client.Filter;
import io.waybill.client.MessageQueue;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.SimpleConsumer;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.consume.ConsumeApi;
import io.waybill.client.internal.consume.ConsumerMetrics;
import io.waybill.client.internal.group.ConsumerGroup;
import io.waybill.client.internal.group.GroupMember;
import io.waybill.client.internal.group.GroupMembership;
import io.waybill.client.internal.group.MemberRegistry;
import io.waybill.client.internal.group.RunningInfo;
import io.waybill.client.internal.message.SubscriptionFilter;
import io.waybill.client.internal.route.Route;
import io.waybill.client.internal.route.RouteCache;
import io.waybill.client.internal.runtime.ArgumentChecks;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.client.internal.runtime.ClientRuntime;
import io.waybill.client.internal.runtime.PendingCalls;
import io.waybill.platform.Clock;
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
import java.util.function.Function;

/** The consumer that takes single messages. It asks its brokers in turn: first all of them for what is there, then one after the other to wait. */
public final class PopSimpleConsumer implements SimpleConsumer, GroupMember {
    /** With several brokers or topics the wait goes round among them in such steps. */
    private static final long TURN_MILLIS = 1_000;

    private static final long EMPTY_ANSWER_PAUSE_NANOS = 100_000_000;

    private record TopicBroker(String topic, String broker) {}

    private final ClientRuntime runtime;
    private final Clock clock;
    private final BrokerConnections connections;
    private final RouteCache routes;
    private final GroupMembership membership;
    private final MemberRegistry registry;
    private final String group;
    private final PopApi pops;
    private final ConsumeApi api;
    private final ConsumerGroup consumerGroup;
    private final AtomicInteger turn = new AtomicInteger();
    private final PendingCalls pending;
    private final ConsumerMetrics metrics;
    private volatile List<TopicBroker> retries = List.of();
    private volatile long retriesAskedNanos;

    public PopSimpleConsumer(
            ClientRuntime runtime,
            BrokerConnections connections,
            RouteCache routes,
            GroupMembership membership,
            MemberRegistry registry,
            Builder settings) {
        this.runtime = runtime;
        this.clock = runtime.clock();
        this.connections = connections;
        this.routes = routes;
        this.membership = membership;
        this.registry = registry;
        this.group = settings.group;
        this.pops = new PopApi(connections, clock, group);
        this.api = new ConsumeApi(connections);
        this.consumerGroup = new ConsumerGroup(
                group,
                ConsumerData.CONSUME_POP,
                false,
                settings.start,
                PopJoin.withRetries(group, settings.subscriptions),
                clock.wallMillis());
        this.pending = new PendingCalls("the consumer of group " + group);
        this.metrics = new ConsumerMetrics(clock);
        this.retriesAskedNanos = clock.nanoTime() - 2 * TURN_MILLIS * 1_000_000;
    }

    public void start() {
        PopJoin.join(runtime.clientId(), connections, routes, membership, consumerGroup, pops);
    }

    @Override
    public String group() {
        return group;
    }

    @Override
    public List<ReceivedMessage> receive(int max, Duration invisibleFor, Duration wait) {
        if (max < 1 || max > PopApi.MAX_MESSAGES) {
            throw ClientExceptions.invalid(
                    "max must be 1 to " + PopApi.MAX_MESSAGES + ", but is " + max, "choose one of them");
        }
        long invisibleMillis = PopApi.invisibleMillis(invisibleFor);
        pending.begin();
        try {
            long endNanos = clock.nanoTime() + wait.toNanos();
            List<TopicBroker> sources = sources();
            while (true) {
                List<TopicBroker> all = withRetries(sources);
                for (int i = 0; i < all.size() && all.size() > 1; i++) {
                    List<ReceivedMessage> found = pop(next(all), max, invisibleMillis, 0);
                    if (!found.isEmpty()) {
                        return found;
                    }
                }
                if (all.size() > 1 && clock.nanoTime() - endNanos >= 0) {
                    return List.of();
                }
                long left = Math.max(0, (endNanos - clock.nanoTime()) / 1_000_000);
                long hold =
                        Math.min(left, sources.size() == 1 ? runtime.timeouts().pullHold() : TURN_MILLIS);
                long begin = clock.nanoTime();
                List<ReceivedMessage> found = pop(next(sources), max, invisibleMillis, hold);
                if (!found.isEmpty() || left == 0) {
                    return found;
                }
                // A broker that does not hold a pop, as when its clock is ahead of ours, must not be asked again and
                // again.
                long rest = begin + EMPTY_ANSWER_PAUSE_NANOS - clock.nanoTime();
                if (rest > 0) {
                    ClientExceptions.await(runtime.timers().delay(Math.min(rest, left * 1_000_000)), "waiting", false);
                }
            }
        } finally {
            pending.end();
        }
    }

    private List<TopicBroker> sources() {
        List<TopicBroker> sources = new ArrayList<>();
        for (String topic : new TreeSet<>(consumerGroup.subscriptions().keySet())) {
            if (!Names.isRetry(topic)) {
                sources.addAll(sources(topic));
            }
        }
        if (sources.isEmpty()) {
            throw ClientExceptions.refused("receiving", 17, "no broker gives messages of the topics", false);
        }
        return sources;
    }

    private List<TopicBroker> sources(String topic) {
        Route route = ClientExceptions.await(routes.find(topic), "finding topic " + topic, false);
        return route.readable().stream()
                .map(MessageQueue::broker)
                .distinct()
                .map(broker -> new TopicBroker(topic, broker))
                .toList();
    }

    /** The retry topic too, which is never waited on; whether there is one is asked once a turn. */
    private List<TopicBroker> withRetries(List<TopicBroker> sources) {
        long now = clock.nanoTime();
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
        List<TopicBroker> all = new ArrayList<>(sources);
        all.addAll(retries);
        return all;
    }

    private TopicBroker next(List<TopicBroker> sources) {
        return sources.get(Math.floorMod(turn.getAndIncrement(), sources.size()));
    }

    private List<ReceivedMessage> pop(TopicBroker source, int max, long invisibleMillis, long holdMillis) {
        String address = address(source.broker());
        String doing = "taking messages of " + source.topic();
        long begin = clock.nanoTime();
        List<PoppedMessage> messages = ClientExceptions.await(
                membership
                        .announce(address)
                        .thenCompose(known -> pops.pop(
                                address,
                                new PopRequest(
                                        source.topic(),
                                        source.broker(),
                                        consumerGroup.subscriptions().get(source.topic()),
                                        max,
                                        invisibleMillis,
                                        holdMillis))),
                doing,
                false);
        metrics.pulled(source.topic(), messages.size(), clock.nanoTime() - begin);
        return List.copyOf(messages);
    }

    private String address(String broker) {
        String address = routes.master(broker);
        if (address == null) {
            throw ClientExceptions.refused("finding broker " + broker, 17, "its address is not known", false);
        }
        return address;
    }

    private static PoppedMessage popped(ReceivedMessage message) {
        if (message instanceof PoppedMessage popped) {
            return popped;
        }
        throw PopApi.notOurs();
    }

    @Override
    public void ack(ReceivedMessage message) {
        PoppedMessage popped = popped(message);
        settle(pops.ack(address(popped.queue().broker()), popped), "acknowledging message " + message.messageId());
    }

    @Override
    public void ack(Collection<ReceivedMessage> messages) {
        Map<String, List<PoppedMessage>> byBroker = new TreeMap<>();
        for (ReceivedMessage message : messages) {
            PoppedMessage popped = popped(message);
            byBroker.computeIfAbsent(popped.queue().broker(), name -> new ArrayList<>())
                    .add(popped);
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
            throw ClientExceptions.invalid(
                    "the time must not be negative, but is " + fromNow, "use zero to give it back");
        }
        PoppedMessage popped = popped(message);
        settle(
                pops.changeInvisible(address(popped.queue().broker()), popped, millis),
                "keeping message " + message.messageId());
    }

    @Override
    public void reject(ReceivedMessage message) {
        PoppedMessage popped = popped(message);
        String address = address(popped.queue().broker());
        settle(
                api.sendBack(address, group, popped, -1, 0).thenCompose(done -> pops.ack(address, popped)),
                "rejecting message " + message.messageId());
    }

    private void settle(CompletableFuture<?> call, String doing) {
        pending.begin();
        try {
            ClientExceptions.await(call, doing, false);
        } finally {
            pending.end();
        }
    }

    @Override
    public Map<MessageQueue, Long> positions(String topic) {
        return Map.of(); // the broker keeps them
    }

    @Override
    public ConsumerRunningInfo runningInfo(String stacks) {
        return new RunningInfo(connections.nameServers(), consumerGroup, false, 0, consumerGroup.version())
                .with(Map.of(), Map.of(), metrics.snapshot(), stacks);
    }

    @Override
    public void close() {
        if (pending.close(runtime.timeouts().callTimeout(), clock)) {
            ClientExceptions.await(membership.removeConsumer(group), "leaving group " + group, false);
            registry.forgetConsumer(this);
        }
    }

    /** Settings until {@link #build()}. */
    public static final class Builder implements SimpleConsumer.Builder {
        private final String group;
        private final Function<Builder, PopSimpleConsumer> maker;
        private final Map<String, SubscriptionFilter> subscriptions = new LinkedHashMap<>();
        private StartFrom start = StartFrom.FIRST;

        /** @param maker makes it of these settings when they are complete */
        public Builder(String group, Function<Builder, PopSimpleConsumer> maker) {
            ArgumentChecks.group(group);
            this.group = group;
            this.maker = maker;
        }

        @Override
        public Builder subscribe(String topic, Filter filter) {
            ArgumentChecks.topic(topic);
            subscriptions.put(topic, SubscriptionFilter.of(ArgumentChecks.given("filter", filter)));
            return this;
        }

        @Override
        public Builder from(StartFrom place) {
            start = ArgumentChecks.given("from", place);
            return this;
        }

        @Override
        public SimpleConsumer build() {
            if (subscriptions.isEmpty()) {
                throw ClientExceptions.invalid(
                        "the consumer subscribes to nothing", "call subscribe(topic) before build");
            }
            return maker.apply(this);
        }
    }
}
