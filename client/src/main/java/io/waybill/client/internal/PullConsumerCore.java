/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import io.waybill.client.Filter;
import io.waybill.client.MessageQueue;
import io.waybill.client.PullConsumer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillException;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.ConsumerRunningInfo;
import io.waybill.protocol.message.Message;
import java.time.Duration;
import java.time.Instant;
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
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The pull consumer. Each assigned queue has at most one pull under way and a small buffer; a poll hands out what is buffered and waits for the rest. A
 * pull that outlives its poll fills the buffer for the next one. Seeking starts a new round of the queue, and answers to pulls of an older round are
 * dropped.
 */
final class PullConsumerCore implements PullConsumer, Member {
    private static final Logger LOG = LoggerFactory.getLogger(PullConsumerCore.class);
    private static final int PULL_MESSAGES = 32;
    /** Fetches ahead while fewer messages than this are buffered for a queue. */
    private static final int READ_AHEAD = 32;

    private static final long EMPTY_ANSWER_PAUSE_MILLIS = 100;

    private final ClientCore client;
    private final String group;
    private final WireFilter filter;
    private final StartFrom start;
    private final boolean autoCommit;
    private final long version;
    private final long startedMillis;
    private final Figures figures;
    private Membership.Consumer membership; // guarded by this
    private final Map<MessageQueue, Reader> readers = new TreeMap<>(); // guarded by this
    private ArrayDeque<Reader> turns = new ArrayDeque<>(); // guarded by this; all readers, the next to serve first
    private boolean woken; // guarded by this
    private boolean closed; // guarded by this
    private boolean announced; // guarded by this
    private long lastCommitNanos;

    /** One queue; guarded by the consumer. */
    private static final class Reader {
        final MessageQueue queue;
        final ArrayDeque<InboundMessage> buffer = new ArrayDeque<>();
        long position; // of the next message to hand out
        long fetchedTo; // of the next pull
        long committed = -1;
        long suggestedBroker;
        int round;
        boolean pulling;
        boolean resting;
        long lastPullMillis;
        WaybillException trouble; // of the last pull, or null

        Reader(MessageQueue queue, long position) {
            this.queue = queue;
            moveTo(position);
        }

        void moveTo(long offset) {
            position = offset;
            fetchedTo = offset;
            buffer.clear();
            pulling = false;
            round++;
        }

        /** Where reading goes on: behind what was handed out, and behind what did not match. */
        long progress() {
            return buffer.isEmpty() ? fetchedTo : position;
        }
    }

    PullConsumerCore(ClientCore client, String group, WireFilter filter, StartFrom start, boolean autoCommit) {
        this.client = client;
        this.group = group;
        this.filter = filter;
        this.start = start;
        this.autoCommit = autoCommit;
        this.version = client.clock().wallMillis();
        this.lastCommitNanos = client.clock().nanoTime();
        this.startedMillis = version;
        this.figures = new Figures(client.clock());
        this.membership = new Membership.Consumer(group, true, start, Map.of(), version);
        client.membership().addConsumer(membership);
    }

    @Override
    public String group() {
        return group;
    }

    @Override
    public List<MessageQueue> queues(String topic) {
        MessageChecks.topic(topic);
        return Failures.await(client.routes().find(topic), "finding topic " + topic, false)
                .readable();
    }

    @Override
    public void assign(Collection<MessageQueue> queues) {
        checkOpen();
        Set<MessageQueue> wanted = new TreeSet<>(queues);
        Set<String> topics = new TreeSet<>();
        wanted.forEach(queue -> topics.add(queue.topic()));
        Map<String, WireFilter> subscriptions = new TreeMap<>();
        for (String topic : topics) {
            queues(topic); // learns the brokers' addresses
            subscriptions.put(topic, filter);
        }
        Membership.Consumer changed = new Membership.Consumer(
                group, true, start, subscriptions, client.clock().wallMillis());
        client.membership().replaceConsumer(changed);
        synchronized (this) {
            membership = changed;
        }
        announce(wanted);
        Map<MessageQueue, Long> positions = new HashMap<>();
        for (MessageQueue queue : wanted) {
            boolean kept;
            synchronized (this) {
                kept = readers.containsKey(queue);
            }
            if (!kept) {
                OptionalLong committed = committed(queue);
                positions.put(
                        queue,
                        committed.isPresent()
                                ? committed.getAsLong()
                                : await(
                                        client.calls().offsetOf(address(queue), queue, start),
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
            positions.forEach((queue, position) -> readers.put(queue, new Reader(queue, position)));
            turns = new ArrayDeque<>(readers.values());
        }
    }

    /** A broker must know the group before it keeps progress for it. */
    private void announce(Set<MessageQueue> queues) {
        Set<String> masters = new TreeSet<>();
        queues.forEach(queue -> masters.add(address(queue)));
        await(client.membership().announce(masters), "telling the brokers of group " + group);
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
        Checks.positive("max", max);
        checkOpen();
        if (autoCommit) {
            commitSometimes();
        }
        long begin = client.clock().nanoTime();
        long waitNanos = timeout.toNanos();
        while (true) {
            List<Runnable> pulls = new ArrayList<>();
            List<ReceivedMessage> taken;
            boolean finished;
            synchronized (this) {
                taken = take(max);
                long left = waitNanos - (client.clock().nanoTime() - begin);
                finished = !taken.isEmpty() || woken || left <= 0;
                for (Reader reader : readers.values()) {
                    preparePull(reader, pulls);
                }
            }
            pulls.forEach(Runnable::run);
            synchronized (this) {
                if (finished) {
                    woken = false;
                    if (taken.isEmpty()) {
                        throwTroubleOfAll();
                    }
                    return taken;
                }
                long leftMillis = (waitNanos - (client.clock().nanoTime() - begin)) / 1_000_000 + 1;
                if (!anythingBuffered() && !woken && !closed && leftMillis > 0) {
                    waitFor(leftMillis);
                }
                if (closed) {
                    throw Failures.closed("the consumer of group " + group);
                }
            }
        }
    }

    private void waitFor(long millis) {
        try {
            wait(millis);
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
            throw new WaybillException(
                    WaybillException.Kind.INTERRUPTED,
                    -1,
                    false,
                    "polling was interrupted",
                    "use wakeup() to end a poll early",
                    e);
        }
    }

    private boolean anythingBuffered() {
        return readers.values().stream().anyMatch(reader -> !reader.buffer.isEmpty());
    }

    /** An empty poll is no news; but if no queue can be read at all the caller must know. */
    private void throwTroubleOfAll() {
        WaybillException trouble = null;
        for (Reader reader : readers.values()) {
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
            Reader reader = turns.poll();
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

    private void preparePull(Reader reader, List<Runnable> pulls) {
        if (reader.pulling || reader.resting || reader.buffer.size() >= READ_AHEAD) {
            return;
        }
        reader.pulling = true;
        reader.lastPullMillis = client.clock().wallMillis();
        int round = reader.round;
        long offset = reader.fetchedTo;
        long broker = reader.suggestedBroker;
        pulls.add(() -> pull(reader, round, offset, broker));
    }

    private void pull(Reader reader, int round, long offset, long broker) {
        String address = client.routes().readAddress(reader.queue.broker(), broker);
        long begin = client.clock().nanoTime();
        CompletableFuture<Calls.Pulled> answer = address == null
                ? CompletableFuture.failedFuture(new IllegalStateException("the broker's address is gone"))
                : client.calls()
                        .pull(
                                address,
                                new Calls.PullOrder(
                                        group,
                                        reader.queue,
                                        offset,
                                        PULL_MESSAGES,
                                        client.timings().pullHold(),
                                        filter,
                                        version,
                                        -1)); // it commits when it is told to
        answer.whenComplete((pulled, failure) -> {
            synchronized (this) {
                if (reader.round != round) {
                    return;
                }
                reader.pulling = false;
                if (failure != null) {
                    failed(reader, failure);
                } else {
                    pulled(reader, offset, pulled, client.clock().nanoTime() - begin);
                }
                notifyAll();
            }
        });
    }

    private void failed(Reader reader, Throwable failure) {
        WaybillException trouble = Calls.explained(failure, "pulling " + reader.queue);
        if (reader.trouble == null) {
            LOG.info("{}", trouble.getMessage());
        }
        reader.trouble = trouble;
        client.routes().refresh(reader.queue.topic());
        rest(reader, client.timings().retryDelay());
    }

    private void rest(Reader reader, long millis) {
        reader.resting = true;
        client.threads().timers.after(millis, () -> {
            synchronized (this) {
                reader.resting = false;
                notifyAll();
            }
        });
    }

    private void pulled(Reader reader, long asked, Calls.Pulled pulled, long tookNanos) {
        reader.trouble = null;
        figures.pulled(reader.queue.topic(), pulled.messages().size(), tookNanos);
        reader.suggestedBroker = pulled.suggestedBroker();
        if (pulled.code() == ResponseCode.PULL_OFFSET_MOVED) {
            LOG.info("group {} moves from offset {} to {} in {}", group, asked, pulled.nextOffset(), reader.queue);
            reader.moveTo(pulled.nextOffset());
            return;
        }
        for (Message stored : pulled.messages()) {
            if (filter.matches(stored.tags())) {
                reader.buffer.add(new InboundMessage(stored, reader.queue, 0));
            }
        }
        reader.fetchedTo = pulled.nextOffset();
        if (pulled.nextOffset() <= asked && tookNanos < EMPTY_ANSWER_PAUSE_MILLIS * 1_000_000) {
            rest(reader, EMPTY_ANSWER_PAUSE_MILLIS);
        }
    }

    @Override
    public synchronized void wakeup() {
        woken = true;
        notifyAll();
    }

    private synchronized Reader reader(MessageQueue queue) {
        Reader reader = readers.get(queue);
        if (reader == null) {
            throw Failures.invalid(queue + " is not assigned", "assign it first");
        }
        return reader;
    }

    @Override
    public void seek(MessageQueue queue, long offset) {
        if (offset < 0) {
            throw Failures.invalid(
                    "offset must not be negative, but is " + offset, "use seekToBegin for the oldest message");
        }
        synchronized (this) {
            reader(queue).moveTo(offset);
        }
    }

    @Override
    public long seek(MessageQueue queue, Instant time) {
        reader(queue);
        long offset = await(
                client.calls().offsetAt(address(queue), queue, time.toEpochMilli()), "finding a time in " + queue);
        seek(queue, offset);
        return offset;
    }

    @Override
    public void seek(String topic, Instant time) {
        for (MessageQueue queue : assignment()) {
            if (queue.topic().equals(topic)) {
                seek(queue, time);
            }
        }
    }

    @Override
    public void seekToBegin(MessageQueue queue) {
        seek(queue, minOffset(queue));
    }

    @Override
    public void seekToEnd(MessageQueue queue) {
        seek(queue, maxOffset(queue));
    }

    @Override
    public synchronized long position(MessageQueue queue) {
        return reader(queue).progress();
    }

    @Override
    public void commit() {
        checkOpen();
        await(commitAsync(true), "committing the progress of group " + group);
    }

    private void commitSometimes() {
        long now = client.clock().nanoTime();
        if (now - lastCommitNanos >= client.timings().commit() * 1_000_000) {
            lastCommitNanos = now;
            commitAsync(false).exceptionally(failure -> {
                LOG.info("committing the progress of {} failed: {}", group, failure.getMessage());
                return null;
            });
        }
    }

    private CompletableFuture<Void> commitAsync(boolean all) {
        Map<Reader, Long> changed = new LinkedHashMap<>();
        synchronized (this) {
            for (Reader reader : readers.values()) {
                if (all || reader.progress() != reader.committed) {
                    changed.put(reader, reader.progress());
                }
            }
        }
        List<CompletableFuture<Void>> sent = new ArrayList<>();
        changed.forEach((reader, offset) -> sent.add(client.calls()
                .commit(address(reader.queue), group, reader.queue, offset)
                .thenAccept(done -> {
                    synchronized (this) {
                        reader.committed = offset;
                    }
                })));
        return CompletableFuture.allOf(sent.toArray(CompletableFuture[]::new));
    }

    @Override
    public OptionalLong committed(MessageQueue queue) {
        return await(client.calls().committed(address(queue), group, queue), "asking for the progress in " + queue);
    }

    @Override
    public long minOffset(MessageQueue queue) {
        return await(client.calls().minOffset(address(queue), queue), "asking for the oldest offset of " + queue);
    }

    @Override
    public long maxOffset(MessageQueue queue) {
        return await(client.calls().maxOffset(address(queue), queue), "asking for the newest offset of " + queue);
    }

    private String address(MessageQueue queue) {
        if (client.routes().master(queue.broker()) == null) {
            queues(queue.topic());
        }
        String address = client.routes().master(queue.broker());
        if (address == null) {
            throw Failures.refused(
                    "finding broker " + queue.broker(), 17, "no such broker keeps " + queue.topic(), false);
        }
        return address;
    }

    private static <T> T await(CompletableFuture<T> future, String doing) {
        return Failures.await(future, doing, false);
    }

    private synchronized void checkOpen() {
        if (closed) {
            throw Failures.closed("the consumer of group " + group);
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
                new io.waybill.protocol.body.MessageQueue(queue.topic(), queue.broker(), queue.id()),
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
        return new ConsumerRunningInfo(
                client.properties(membership, false, 0, startedMillis),
                membership.wireSubscriptions(),
                held,
                Map.of(),
                figures.snapshot(),
                Map.of(),
                stacks);
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
        await(client.membership().removeConsumer(group), "leaving group " + group);
        client.forgetConsumer(this);
        if (failure != null) {
            throw failure;
        }
    }

    /** Settings until {@link #build()}. */
    static final class Settings implements Builder {
        private final ClientCore client;
        private final String group;
        private WireFilter filter = WireFilter.ALL;
        private StartFrom start = StartFrom.FIRST;
        private boolean autoCommit;

        Settings(ClientCore client, String group) {
            MessageChecks.group(group);
            this.client = client;
            this.group = group;
        }

        @Override
        public Builder tags(String expression) {
            filter = WireFilter.parse(expression);
            return this;
        }

        @Override
        public Builder filter(Filter value) {
            filter = WireFilter.of(value);
            return this;
        }

        @Override
        public Builder from(StartFrom place) {
            start = Checks.given("from", place);
            return this;
        }

        @Override
        public Builder autoCommit(boolean on) {
            autoCommit = on;
            return this;
        }

        @Override
        public PullConsumer build() {
            return client.keepConsumer(new PullConsumerCore(client, group, filter, start, autoCommit), () -> {});
        }
    }
}
