/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.Files;
import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.log.Completion;
import io.waybill.store.log.Failed;
import io.waybill.store.log.FlushMode;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Refused;
import io.waybill.store.log.StoreSettings;
import io.waybill.store.log.StoreState;
import io.waybill.store.log.Stored;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.Decision;
import io.waybill.store.record.QueueKey;
import io.waybill.store.view.ViewsBackend;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.Semaphore;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * Many threads on a real disk with RocksDB, while segments roll, views are written and old segments go: bounded by the
 * number of operations, never by time. Afterwards the store is checked, opened again and compared with every answer given.
 */
class StressTest {
    private static final int WRITERS = 4;
    private static final int READERS = 2;
    private static final String[] TOPICS = {"t0", "t1", "t2"};

    private final Platform platform = Platform.real();
    private final AtomicReference<Throwable> wrong = new AtomicReference<>();
    private final AtomicInteger asked = new AtomicInteger();
    private final AtomicInteger answered = new AtomicInteger();
    private final AtomicInteger stored = new AtomicInteger();
    /** Queue and offset -> body, of all acknowledged messages. */
    private final Map<String, String> acknowledged = new ConcurrentHashMap<>();

    private final Map<Long, AtomicInteger> winners = new ConcurrentHashMap<>();
    private final Map<String, Long> progress = new ConcurrentHashMap<>();
    private final Queue<Long> halves = new ConcurrentLinkedQueue<>();
    private final Queue<Long> dues = new ConcurrentLinkedQueue<>();
    private final Semaphore open = new Semaphore(64);
    private volatile boolean writersDone;
    private Store store;

    private static StoreSettings settings(FlushMode mode) {
        return StoreSettings.defaults()
                .withFlush(mode)
                .withAsyncFlushMillis(3)
                .withSegmentBytes(64 << 10)
                .withMaxFrameBytes(8 << 10)
                .withHotBytes(128 << 10)
                .withCheckpoint(64 << 10, 20)
                .withRetention(0, 768 << 10, 0, 5);
    }

    private void check(boolean holds, String text) {
        if (!holds) {
            wrong.compareAndSet(null, new AssertionError(text));
        }
    }

    private Thread thread(String name, Runnable body) {
        return platform.duties().thread(name, () -> {
            try {
                body.run();
            } catch (RuntimeException | Error e) {
                wrong.compareAndSet(null, e);
            }
        });
    }

    /** Counts the answer, once. A writer goes on when not too many of all are open, so that frames stay small. */
    private Completion once(Completion then) {
        open.acquireUninterruptibly();
        asked.incrementAndGet();
        AtomicInteger calls = new AtomicInteger();
        return outcome -> {
            check(calls.incrementAndGet() == 1, "answered twice: " + outcome);
            answered.incrementAndGet();
            open.release();
            if (outcome instanceof Stored) {
                stored.incrementAndGet();
            }
            then.done(outcome);
        };
    }

    private static String at(String topic, int queueId, long offset) {
        return topic + '/' + queueId + '/' + offset;
    }

    private void acknowledge(Outcome outcome, MessageDraft message, String body) {
        if (outcome instanceof Stored in && in.queueOffset() >= 0) {
            String before = acknowledged.put(at(message.topic(), message.queueId(), in.queueOffset()), body);
            check(before == null, "two messages at " + at(message.topic(), message.queueId(), in.queueOffset()));
            check(
                    store.queues()
                                    .offsetRange(message.topic(), message.queueId())
                                    .maxOffset()
                            > in.queueOffset(),
                    "acknowledged but not readable");
        }
    }

    private static MessageDraft draft(String topic, int queueId, String body) {
        return MessageDraft.copyOf(ByteBuffer.wrap(Simulation.draft(topic, body).bytes()), 0)
                .queueId(queueId)
                .build();
    }

    // ---- writers

    private void write(int writer, int operations) {
        RandomSource random = RandomSource.seeded(writer);
        for (int i = 0; i < operations; i++) {
            String body = writer + "-" + i + "x".repeat(random.nextInt(400));
            MessageDraft message = draft(TOPICS[random.nextInt(3)], random.nextInt(2), body);
            switch (random.nextInt(10)) {
                case 0, 1, 2 -> store.messages().append(message, once(outcome -> acknowledge(outcome, message, body)));
                case 3 -> batch(message, body);
                case 4 ->
                    store.transactions()
                            .appendHalf(
                                    null,
                                    message,
                                    "g" + writer,
                                    "",
                                    Long.MAX_VALUE,
                                    once(outcome -> pending(
                                            outcome,
                                            halves,
                                            store.transactions().openHalf(handleOf(outcome)) != null)));
                case 5 ->
                    store.timers()
                            .appendTimer(
                                    null,
                                    message,
                                    1,
                                    once(outcome -> pending(
                                            outcome, dues, store.timers().pendingTimer(handleOf(outcome)) != null)));
                case 6, 7 -> decide(halves.poll(), random.nextInt(2) == 0);
                case 8 -> fireOrCancel(dues.poll(), random.nextInt(3) > 0);
                default -> {
                    String group = "g" + writer;
                    long offset = i;
                    store.offsets()
                            .commitOffsets(
                                    List.of(new ConsumerOffset(group, "t0", 0, offset)),
                                    once(outcome -> keep(outcome, "p " + group, offset)));
                    store.catalog()
                            .putCatalog(
                                    CatalogKind.TOPIC,
                                    group,
                                    ByteBuffer.allocate(8).putLong(offset).array(),
                                    once(outcome -> keep(outcome, "c " + group, offset)));
                }
            }
        }
    }

    private static long handleOf(Outcome outcome) {
        return outcome instanceof Stored in ? in.handle() : -1;
    }

    private void pending(Outcome outcome, Queue<Long> into, boolean isThere) {
        if (outcome instanceof Stored in) {
            check(isThere, "acknowledged but not pending: " + in);
            winners.put(in.handle(), new AtomicInteger());
            // Twice, for two threads to race.
            into.add(in.handle());
            into.add(in.handle());
        }
    }

    private void keep(Outcome outcome, String what, long value) {
        if (outcome instanceof Stored) {
            progress.merge(what, value, Math::max);
        }
    }

    private void batch(MessageDraft first, String body) {
        List<MessageDraft> messages = List.of(
                first,
                draft(first.topic(), first.queueId(), body + "b"),
                draft(first.topic(), first.queueId(), body + "c"));
        store.messages().appendBatch(messages, once(outcome -> {
            if (outcome instanceof Stored in) {
                for (int i = 0; i < 3; i++) {
                    Stored one = new Stored(in.position(), in.queueOffset() + i, in.storeTimeMillis(), in.size(), 0);
                    acknowledge(one, messages.get(i), i == 0 ? body : body + (i == 1 ? "b" : "c"));
                }
            }
        }));
    }

    private void decide(Long handle, boolean commit) {
        if (handle == null) {
            return;
        }
        ByteBuffer half = store.messages().readPending(handle);
        MessageDraft copy =
                half != null && commit ? MessageDraft.copyOf(half, 0).build() : null;
        String body = half == null ? null : Simulation.body(half, 0);
        store.transactions()
                .decide(
                        handle,
                        copy == null ? Decision.ROLLBACK : Decision.COMMIT,
                        false,
                        "stress",
                        copy,
                        0,
                        once(outcome -> won(handle, outcome, copy, body)));
    }

    private void fireOrCancel(Long handle, boolean fire) {
        ByteBuffer due = handle == null ? null : store.messages().readPending(handle);
        if (handle == null) {
            return;
        }
        if (fire && due != null) {
            MessageDraft copy = MessageDraft.copyOf(due, 0).build();
            String body = Simulation.body(due, 0);
            store.timers().fire(handle, copy, once(outcome -> won(handle, outcome, copy, body)));
        } else {
            store.timers().cancel(handle, "stress", once(outcome -> won(handle, outcome, null, null)));
        }
    }

    private void won(long handle, Outcome outcome, MessageDraft copy, String body) {
        if (outcome instanceof Stored) {
            check(winners.get(handle).incrementAndGet() == 1, "two ends of " + handle);
            check(
                    store.transactions().openHalf(handle) == null
                            && store.timers().pendingTimer(handle) == null,
                    handle + " is still pending");
            if (copy != null) {
                acknowledge(outcome, copy, body);
            }
        } else if (outcome instanceof Refused) {
            check(
                    store.transactions().openHalf(handle) == null
                            && store.timers().pendingTimer(handle) == null,
                    handle + " is pending but was refused");
        }
    }

    // ---- readers

    private void read() {
        Map<String, Long> next = new HashMap<>();
        ArrayDeque<ByteBuffer> held = new ArrayDeque<>();
        boolean last;
        do {
            last = writersDone;
            for (String topic : TOPICS) {
                for (int queueId = 0; queueId < 2; queueId++) {
                    readOn(topic, queueId, next, held);
                }
            }
            while (held.size() > 64) {
                verify(held.poll());
            }
        } while (!last && wrong.get() == null);
        held.forEach(this::verify);
    }

    /** Slices stay what they were, also when their segment was dropped long ago. */
    private void verify(ByteBuffer slice) {
        for (int at = 0; at < slice.limit(); at += StoredMessage.totalSize(slice, at)) {
            String found = StoredMessage.verify(slice, at, slice.limit());
            check(found == null, "served: " + found);
            if (found != null) {
                return;
            }
        }
    }

    private void readOn(String topic, int queueId, Map<String, Long> next, ArrayDeque<ByteBuffer> held) {
        String key = topic + queueId;
        long offset = next.getOrDefault(key, 0L);
        ReadResult result = store.queues().readQueue(topic, queueId, offset, 16, 4_096, null, null);
        long confirmed = store.status().positions().confirmed();
        check(result.status() != ReadResult.Status.DAMAGED, String.valueOf(result.damage()));
        check(result.status() != ReadResult.Status.ABOVE_MAX, "the end of " + key + " went back: " + result);
        for (ByteBuffer slice : result.slices()) {
            for (int at = 0; at < slice.limit(); at += StoredMessage.totalSize(slice, at)) {
                check(StoredMessage.queueOffset(slice, at) == offset, key + " is not dense at " + offset);
                check(StoredMessage.position(slice, at) < confirmed, "visible before it was confirmed");
                offset++;
            }
            held.add(slice);
        }
        next.put(key, result.status() == ReadResult.Status.FOUND ? offset : Math.max(offset, result.nextOffset()));
    }

    // ---- the runs

    private void run(int operations) throws Exception {
        List<Thread> writers = new ArrayList<>();
        List<Thread> readers = new ArrayList<>();
        for (int i = 0; i < WRITERS; i++) {
            int writer = i;
            writers.add(thread("stress-writer", () -> write(writer, operations)));
        }
        for (int i = 0; i < READERS; i++) {
            readers.add(thread("stress-reader", this::read));
        }
        readers.forEach(Thread::start);
        writers.forEach(Thread::start);
        for (Thread writer : writers) {
            writer.join();
        }
        writersDone = true;
        for (Thread reader : readers) {
            reader.join();
        }
    }

    /** Closes from two threads while others go on putting until they are refused. */
    private void closeUnderLoad() throws Exception {
        List<Thread> threads = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            String name = "late-" + i + "-";
            threads.add(thread("stress-late", () -> {
                boolean[] refused = new boolean[1];
                for (int k = 0; !refused[0] && k < 1_000_000; k++) {
                    String body = name + k;
                    MessageDraft message = draft("t0", 0, body);
                    store.messages().append(message, once(outcome -> {
                        if (outcome instanceof Failed failed && failed.cause() != Failed.FailureCause.OVERLOADED) {
                            refused[0] = true;
                        } else if (outcome instanceof Stored in) {
                            acknowledged.put(at("t0", 0, in.queueOffset()), body);
                        }
                    }));
                }
            }));
        }
        for (int i = 0; i < 2; i++) {
            threads.add(thread("stress-closer", () -> {
                try {
                    store.close();
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            }));
        }
        threads.forEach(Thread::start);
        for (Thread thread : threads) {
            thread.join();
        }
        assertThat(answered.get()).as("every change has its answer").isEqualTo(asked.get());
    }

    private void verifyAfterwards(Files files, FlushMode mode) throws Exception {
        if (wrong.get() != null) {
            throw new AssertionError(wrong.get());
        }
        StoreCheck.Report report = StoreCheck.check(files, ViewsBackend.rocks(files));
        assertThat(report.findings()).isEmpty();
        try (Store again =
                Store.open(files, platform, settings(mode).withRetention(0, 0, 0, 1_000), ViewsBackend.rocks(files))) {
            Map<String, String> found = new HashMap<>();
            for (QueueKey key : again.queues().allQueues()) {
                QueueRange range = again.queues().offsetRange(key.topic(), key.queueId());
                for (long offset = range.minOffset(); offset < range.maxOffset(); ) {
                    ReadResult result =
                            again.queues().readQueue(key.topic(), key.queueId(), offset, 32, 1 << 16, null, null);
                    assertThat(result.status()).isEqualTo(ReadResult.Status.FOUND);
                    for (ByteBuffer slice : result.slices()) {
                        for (int at = 0; at < slice.limit(); at += StoredMessage.totalSize(slice, at)) {
                            found.put(at(key.topic(), key.queueId(), offset++), Simulation.body(slice, at));
                        }
                    }
                }
            }
            acknowledged.forEach((place, body) -> {
                String[] parts = place.split("/");
                boolean dropped = again.queues()
                                .offsetRange(parts[0], Integer.parseInt(parts[1]))
                                .minOffset()
                        > Long.parseLong(parts[2]);
                if (!dropped) {
                    assertThat(found).as("acknowledged").containsEntry(place, body);
                }
            });
            progress.forEach((what, value) -> {
                String group = what.substring(2);
                byte[] catalog = again.catalog().catalogValue(CatalogKind.TOPIC, group);
                long now = what.startsWith("p")
                        ? again.offsets().committedOffset(group, "t0", 0)
                        : catalog == null ? -1 : ByteBuffer.wrap(catalog).getLong();
                assertThat(now).as(what).isGreaterThanOrEqualTo(value);
            });
            winners.forEach((handle, count) -> {
                boolean pending = again.transactions().openHalf(handle) != null
                        || again.timers().pendingTimer(handle) != null;
                if (count.get() > 0) {
                    assertThat(pending).as("ended for good: " + handle).isFalse();
                } else if (pending) {
                    assertThat(again.messages().readPending(handle)).isNotNull();
                }
            });
        }
        platform.duties().close();
    }

    @ParameterizedTest
    @EnumSource(FlushMode.class)
    void everythingAtOnce(FlushMode mode, @TempDir Path directory) throws Exception {
        Files files = Files.real(directory);
        store = Store.open(files, platform, settings(mode), ViewsBackend.rocks(files));
        run(1_200);
        for (int i = 0; i < 100_000 && store.status().statistics().segmentsDropped() == 0; i++) {
            String body = "more-" + i;
            MessageDraft message = draft("t0", 0, body);
            store.messages().append(message, once(outcome -> acknowledge(outcome, message, body)));
        }
        assertThat(store.status().state().isOpen()).isTrue();
        assertThat(store.status().statistics().segmentsDropped())
                .as("evidence of retention")
                .isPositive();
        assertThat(store.status().statistics().checkpoints())
                .as("evidence of checkpoints")
                .isPositive();
        closeUnderLoad();
        assertThat(store.status().state().kind()).isEqualTo(StoreState.StoreMode.CLOSED);
        verifyAfterwards(files, mode);
        assertThat(stored.get()).isGreaterThan(WRITERS * 700);
    }

    @ParameterizedTest
    @CsvSource({
        "SYNC, FORCE, 3",
        "SYNC, FORCE, 20",
        "SYNC, WRITE, 30",
        "SYNC, ALLOCATE, 5",
        "ASYNC, FORCE, 2",
        "ASYNC, WRITE, 50",
        "ASYNC, ALLOCATE, 4"
    })
    void everythingAtOnceUntilTheDiskFails(FlushMode mode, FaultyFiles.Call call, int ordinal, @TempDir Path directory)
            throws Exception {
        FaultyFiles files = new FaultyFiles(Files.real(directory), call, ordinal);
        store = Store.open(files, platform, settings(mode), ViewsBackend.rocks(files));
        run(500);
        assertThat(files.hasFailed()).as("evidence of the failure").isTrue();
        if (call != FaultyFiles.Call.ALLOCATE) {
            assertThat(store.status().state().kind()).isEqualTo(StoreState.StoreMode.FROZEN);
        }
        closeUnderLoad();
        verifyAfterwards(Files.real(directory), mode);
    }

    @Test
    void openingTwiceInOneProcessIsRefusedAndHarmsNobody(@TempDir Path directory) throws Exception {
        Files files = Files.real(directory);
        store = Store.open(files, platform, settings(FlushMode.SYNC), ViewsBackend.rocks(files));
        assertThat(org.assertj.core.api.Assertions.catchThrowable(
                        () -> Store.open(files, platform, settings(FlushMode.SYNC), ViewsBackend.rocks(files))))
                .hasMessageContaining("in use");
        run(20);
        closeUnderLoad();
        verifyAfterwards(files, FlushMode.SYNC);
    }
}
