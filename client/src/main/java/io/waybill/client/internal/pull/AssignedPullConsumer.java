/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.pull;

import io.waybill.client.Filter;
import io.waybill.client.MessageQueue;
import io.waybill.client.PullConsumer;
import io.waybill.client.QueuePositions;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.connection.OffsetApi;
import io.waybill.client.internal.consume.ConsumerMetrics;
import io.waybill.client.internal.group.ConsumerGroup;
import io.waybill.client.internal.group.GroupMember;
import io.waybill.client.internal.group.GroupMembership;
import io.waybill.client.internal.group.MemberRegistry;
import io.waybill.client.internal.group.RunningInfo;
import io.waybill.client.internal.message.InboundMessage;
import io.waybill.client.internal.message.SubscriptionFilter;
import io.waybill.client.internal.message.WireQueues;
import io.waybill.client.internal.route.RouteCache;
import io.waybill.client.internal.runtime.ArgumentChecks;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.client.internal.runtime.ClientRuntime;
import io.waybill.platform.Clock;
import io.waybill.protocol.body.ConsumerRunningInfo;
import java.time.Duration;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.OptionalLong;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The pull consumer. Each assigned queue has at most one pull under way and a small buffer; a poll hands out what is buffered and waits for the rest. A
 * pull that outlives its poll fills the buffer for the next one. Seeking starts a new round of the queue, and answers to pulls of an older round are
 * dropped.
 */
public final class AssignedPullConsumer implements PullConsumer, GroupMember {
    private static final Logger LOG = LoggerFactory.getLogger(AssignedPullConsumer.class);
    private final ClientRuntime runtime;
    private final Clock clock;
    private final RouteCache routes;
    private final GroupMembership membership;
    private final MemberRegistry registry;
    private final OffsetApi offsets;
    private final ReaderFetcher fetcher;
    private final String nameServers;
    private final String group;
    private final SubscriptionFilter filter;
    private final StartFrom start;
    private final boolean autoCommit;
    private final long startedMillis;
    private final ConsumerMetrics metrics;
    private final QueuePositions positions;
    private ConsumerGroup consumerGroup; // guarded by this
    private final Map<MessageQueue, QueueReader> readers = new TreeMap<>(); // guarded by this
    private ArrayDeque<QueueReader> turns = new ArrayDeque<>(); // guarded by this; all readers, the next to serve first
    private boolean woken; // guarded by this
    private boolean closed; // guarded by this
    private boolean announced; // guarded by this
    private long lastCommitNanos;

    public AssignedPullConsumer(
            ClientRuntime runtime,
            BrokerConnections connections,
            RouteCache routes,
            GroupMembership membership,
            MemberRegistry registry,
            Builder settings) {
        this.runtime = runtime;
        this.clock = runtime.clock();
        this.routes = routes;
        this.membership = membership;
        this.registry = registry;
        this.offsets = new OffsetApi(connections);
        this.nameServers = connections.nameServers();
        this.group = settings.group;
        this.filter = settings.filter;
        this.start = settings.start;
        this.autoCommit = settings.autoCommit;
        this.startedMillis = clock.wallMillis();
        this.lastCommitNanos = clock.nanoTime();
        this.metrics = new ConsumerMetrics(clock);
        this.fetcher = new ReaderFetcher(runtime, connections, routes, group, filter, startedMillis, metrics, this);
        this.positions = new ReaderPositions(group, offsets, this::address, this::reader, this::assignment, this);
        this.consumerGroup = ConsumerGroup.pulling(group, start, Map.of(), startedMillis);
        membership.addConsumer(consumerGroup);
    }

    @Override
    public String group() {
        return group;
    }

    @Override
    public List<MessageQueue> queues(String topic) {
        ArgumentChecks.topic(topic);
        return ClientExceptions.await(routes.find(topic), "finding topic " + topic, false)
                .readable();
    }

    @Override
    public void assign(Collection<MessageQueue> queues) {
        checkOpen();
        Set<MessageQueue> wanted = new TreeSet<>(queues);
        Set<String> topics = new TreeSet<>();
        wanted.forEach(queue -> topics.add(queue.topic()));
        Map<String, SubscriptionFilter> subscriptions = new TreeMap<>();
        for (String topic : topics) {
            queues(topic); // learns the brokers' addresses
            subscriptions.put(topic, filter);
        }
        ConsumerGroup changed = ConsumerGroup.pulling(group, start, subscriptions, clock.wallMillis());
        membership.replaceConsumer(changed);
        synchronized (this) {
            consumerGroup = changed;
        }
        announce(wanted);
        // The brokers are asked before the monitor is taken: nobody waits for an answer while it is held.
        Map<MessageQueue, Long> starts = new HashMap<>();
        for (MessageQueue queue : wanted) {
            boolean kept;
            synchronized (this) {
                kept = readers.containsKey(queue);
            }
            if (!kept) {
                OptionalLong committed = positions.committed(queue);
                starts.put(
                        queue,
                        committed.isPresent()
                                ? committed.getAsLong()
                                : await(
                                        offsets.offsetOf(address(queue), queue, start),
                                        "finding the start of " + queue));
            }
        }
        synchronized (this) {
            readers.values().removeIf(reader -> {
                boolean gone = !wanted.contains(reader.queue);
                if (gone) {
                    reader.moveTo(reader.position);
                }
                return gone;
            });
            starts.forEach((queue, position) -> readers.put(queue, new QueueReader(queue, position)));
            turns = new ArrayDeque<>(readers.values());
        }
    }

    /** A broker must know the group before it keeps progress for it. */
    private void announce(Set<MessageQueue> queues) {
        Set<String> masters = new TreeSet<>();
        queues.forEach(queue -> masters.add(address(queue)));
        await(membership.announce(masters), "telling the brokers of group " + group);
        synchronized (this) {
            announced = true;
        }
    }

    @Override
    public synchronized Set<MessageQueue> assignment() {
        return new TreeSet<>(readers.keySet());
    }

    @Override
    public List<ReceivedMessage> poll(int max, Duration timeout) {
        ArgumentChecks.positive("max", max);
        checkOpen();
        if (autoCommit) {
            commitSometimes();
        }
        long begin = clock.nanoTime();
        long waitNanos = timeout.toNanos();
        while (true) {
            List<ReceivedMessage> taken;
            List<QueueReader> assigned;
            boolean finished;
            synchronized (this) {
                taken = take(max);
                long left = waitNanos - (clock.nanoTime() - begin);
                finished = !taken.isEmpty() || woken || left <= 0;
                assigned = List.copyOf(readers.values());
            }
            // Also when something was taken: the next messages are on their way while the application works.
            assigned.forEach(fetcher::fetch);
            synchronized (this) {
                if (finished) {
                    woken = false;
                    if (taken.isEmpty()) {
                        throwTroubleOfAll();
                    }
                    return taken;
                }
                long leftMillis = (waitNanos - (clock.nanoTime() - begin)) / 1_000_000 + 1;
                if (!anythingBuffered() && !woken && !closed && leftMillis > 0) {
                    waitFor(leftMillis);
                }
                if (closed) {
                    throw ClientExceptions.closed("the consumer of group " + group);
                }
            }
        }
    }

    private void waitFor(long millis) {
        try {
            wait(millis);
        } catch (InterruptedException e) {
            throw ClientExceptions.interrupted("polling was interrupted", false, "use wakeup() to end a poll early", e);
        }
    }

    private boolean anythingBuffered() {
        return readers.values().stream().anyMatch(reader -> !reader.buffer.isEmpty());
    }

    /** An empty poll is no news; but if no queue can be read at all the caller must know. */
    private void throwTroubleOfAll() {
        WaybillException trouble = null;
        for (QueueReader reader : readers.values()) {
            if (reader.trouble == null) {
                return;
            }
            trouble = reader.trouble;
        }
        if (trouble != null) {
            throw trouble;
        }
    }

    /** Takes from the readers in turn, all that one has before the next. */
    private List<ReceivedMessage> take(int max) {
        List<ReceivedMessage> taken = new ArrayList<>();
        for (int i = turns.size(); i > 0 && taken.size() < max; i--) {
            QueueReader reader = turns.poll();
            while (taken.size() < max && !reader.buffer.isEmpty()) {
                InboundMessage message = reader.buffer.poll();
                reader.position = message.offset() + 1;
                taken.add(message);
            }
            if (reader.buffer.isEmpty()) {
                reader.position = reader.fetchedTo;
                turns.addLast(reader);
            } else {
                turns.addFirst(reader);
            }
        }
        return taken;
    }

    @Override
    public synchronized void wakeup() {
        woken = true;
        notifyAll();
    }

    private synchronized QueueReader reader(MessageQueue queue) {
        QueueReader reader = readers.get(queue);
        if (reader == null) {
            throw ClientExceptions.invalid(queue + " is not assigned", "assign it first");
        }
        return reader;
    }

    @Override
    public QueuePositions positions() {
        return positions;
    }

    @Override
    public void commit() {
        checkOpen();
        await(commitAsync(true), "committing the progress of group " + group);
    }

    private void commitSometimes() {
        long now = clock.nanoTime();
        if (now - lastCommitNanos >= runtime.timeouts().commit() * 1_000_000) {
            lastCommitNanos = now;
            commitAsync(false).exceptionally(failure -> {
                LOG.info("committing the progress of {} failed: {}", group, failure.getMessage());
                return null;
            });
        }
    }

    private CompletableFuture<Void> commitAsync(boolean all) {
        Map<QueueReader, Long> changed = new LinkedHashMap<>();
        synchronized (this) {
            for (QueueReader reader : readers.values()) {
                if (all || reader.progress() != reader.committed) {
                    changed.put(reader, reader.progress());
                }
            }
        }
        List<CompletableFuture<Void>> sent = new ArrayList<>();
        changed.forEach((reader, offset) -> sent.add(offsets.commit(address(reader.queue), group, reader.queue, offset)
                .thenAccept(done -> {
                    synchronized (this) {
                        reader.committed = offset;
                    }
                })));
        return CompletableFuture.allOf(sent.toArray(CompletableFuture[]::new));
    }

    private String address(MessageQueue queue) {
        if (routes.master(queue.broker()) == null) {
            queues(queue.topic());
        }
        String address = routes.master(queue.broker());
        if (address == null) {
            throw ClientExceptions.refused(
                    "finding broker " + queue.broker(), 17, "no such broker keeps " + queue.topic(), false);
        }
        return address;
    }

    private static <T> T await(CompletableFuture<T> future, String doing) {
        return ClientExceptions.await(future, doing, false);
    }

    private synchronized void checkOpen() {
        if (closed) {
            throw ClientExceptions.closed("the consumer of group " + group);
        }
    }

    // ---- what a broker asks

    @Override
    public synchronized Map<MessageQueue, Long> positions(String topic) {
        Map<MessageQueue, Long> positions = new TreeMap<>();
        readers.forEach((queue, reader) -> {
            if (queue.topic().equals(topic)) {
                positions.put(queue, reader.progress());
            }
        });
        return positions;
    }

    @Override
    public synchronized ConsumerRunningInfo runningInfo(String stacks) {
        Map<io.waybill.protocol.body.MessageQueue, ConsumerRunningInfo.QueueInfo> held = new LinkedHashMap<>();
        readers.forEach((queue, reader) -> held.put(
                WireQueues.toWire(queue),
                new ConsumerRunningInfo.QueueInfo(
                        reader.progress(),
                        reader.buffer.isEmpty() ? 0 : reader.buffer.peekFirst().offset(),
                        reader.buffer.isEmpty() ? 0 : reader.buffer.peekLast().offset(),
                        reader.buffer.size(),
                        0,
                        false,
                        0,
                        false,
                        reader.lastPullMillis,
                        0)));
        return new RunningInfo(nameServers, consumerGroup, false, 0, startedMillis)
                .with(held, Map.of(), metrics.snapshot(), stacks);
    }

    @Override
    public void close() {
        boolean commit;
        synchronized (this) {
            if (closed) {
                return;
            }
            commit = autoCommit && announced;
        }
        WaybillException failure = null;
        if (commit) {
            try {
                commit();
            } catch (WaybillException e) {
                failure = e;
            }
        }
        synchronized (this) {
            closed = true;
            readers.values().forEach(reader -> reader.moveTo(reader.position));
            notifyAll();
        }
        await(membership.removeConsumer(group), "leaving group " + group);
        registry.forgetConsumer(this);
        if (failure != null) {
            throw failure;
        }
    }

    /** Settings until {@link #build()}. */
    public static final class Builder implements PullConsumer.Builder {
        private final String group;
        private final Function<Builder, AssignedPullConsumer> maker;
        private SubscriptionFilter filter = SubscriptionFilter.ALL;
        private StartFrom start = StartFrom.FIRST;
        private boolean autoCommit;

        /** @param maker makes it of these settings when they are complete */
        public Builder(String group, Function<Builder, AssignedPullConsumer> maker) {
            ArgumentChecks.group(group);
            this.group = group;
            this.maker = maker;
        }

        @Override
        public Builder tags(String expression) {
            filter = SubscriptionFilter.parse(expression);
            return this;
        }

        @Override
        public Builder filter(Filter value) {
            filter = SubscriptionFilter.of(value);
            return this;
        }

        @Override
        public Builder from(StartFrom place) {
            start = ArgumentChecks.given("from", place);
            return this;
        }

        @Override
        public Builder autoCommit(boolean on) {
            autoCommit = on;
            return this;
        }

        @Override
        public PullConsumer build() {
            return maker.apply(this);
        }
    }
}
