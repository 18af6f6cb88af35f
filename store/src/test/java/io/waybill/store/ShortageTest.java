/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import static io.waybill.store.Simulation.draft;
import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.platform.simulated.SimulatedClock;
import io.waybill.platform.simulated.SimulatedDuties;
import io.waybill.platform.simulated.SimulatedFiles;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.store.log.BatchStored;
import io.waybill.store.log.Failed;
import io.waybill.store.log.FlushMode;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.StoreSettings;
import io.waybill.store.log.Stored;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.Decision;
import io.waybill.store.record.UniqueKey;
import io.waybill.store.view.FailingBackend;
import io.waybill.store.view.MemoryBackend;
import io.waybill.store.view.ViewsBackend;
import java.lang.management.BufferPoolMXBean;
import java.lang.management.ManagementFactory;
import java.lang.ref.WeakReference;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Supplier;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** Only a failed write or force may freeze the store: a shortage or a defect costs one change, and leaves no trace of it. */
class ShortageTest {

    private static MessageDraft of(String topic, int bytes) {
        return MessageDraft.copyOf(ByteBuffer.wrap(draft(topic, "").bytes()), 0)
                .body(new byte[bytes])
                .build();
    }

    private static long directBytes() {
        return ManagementFactory.getPlatformMXBeans(BufferPoolMXBean.class).stream()
                .filter(pool -> pool.getName().equals("direct"))
                .mapToLong(BufferPoolMXBean::getMemoryUsed)
                .sum();
    }

    @ParameterizedTest
    @EnumSource(FlushMode.class)
    void aDefectOfWhoeverCountsIsNotTheStores(FlushMode mode) throws Exception {
        try (Simulation sim = new Simulation(Simulation.SMALL.withFlush(mode))) {
            List<Long> visible = new ArrayList<>();
            sim.store.queues().onVisible((topic, queueId, newMax) -> visible.add(newMax));
            sim.store.messages().onStored((topic, messages, bytes) -> {
                throw new IllegalStateException("cannot count");
            });
            sim.put("t", "a");
            sim.put("t", "b");
            assertThat(sim.store.status().state().isOpen()).isTrue();
            assertThat(visible).containsExactly(1L, 2L);
        }
    }

    /** Commits an offset and lets go of everything of it but a way to see whether it is still held. */
    private static WeakReference<Object> committed(Simulation sim) {
        List<ConsumerOffset> entries = List.of(new ConsumerOffset("g", "t", 0, 1));
        sim.stored((s, done) -> s.offsets().commitOffsets(entries, done));
        return new WeakReference<>(entries);
    }

    /** Or a broker's memory would grow with every message for as long as it runs. */
    @ParameterizedTest
    @EnumSource(FlushMode.class)
    void whatIsAppliedIsNotKept(FlushMode mode) throws Exception {
        try (Simulation sim = new Simulation(Simulation.SMALL.withFlush(mode))) {
            WeakReference<Object> held = committed(sim);
            sim.put("t", "a");
            sim.put("t", "b");
            for (int i = 0; i < 50 && held.get() != null; i++) {
                System.gc();
            }
            assertThat(held.get()).isNull();
        }
    }

    /** What peers' unfinished frames leave of the direct memory does not matter to the largest message. */
    @ParameterizedTest
    @EnumSource(FlushMode.class)
    void theLargestMessageTakesNoDirectMemory(FlushMode mode) throws Exception {
        try (Simulation sim = new Simulation(StoreSettings.defaults()
                .withFlush(mode)
                .withSegmentBytes(16 << 20)
                .withRetention(0, 0, 0, 1_000))) {
            long before = directBytes();
            sim.stored((s, done) -> s.messages().append(of("t", 3_900_000), done));
            sim.stored((s, done) -> s.messages().appendBatch(List.of(of("t", 4_000_000), of("t", 4_000_000)), done));
            sim.put("t", "small");
            assertThat(directBytes()).as("others give back what they had").isLessThanOrEqualTo(before);
            Outcome tooLarge = sim.outcome((s, done) -> s.messages()
                    .appendBatch(List.of(of("t", 4_000_000), of("t", 4_000_000), of("t", 4_000_000)), done));
            assertThat(((Failed) tooLarge).cause()).isEqualTo(Failed.FailureCause.TOO_LARGE);
            assertThat(directBytes()).as("others give back what they had").isLessThanOrEqualTo(before);
        }
    }

    static List<Supplier<Throwable>> failures() {
        return List.of(
                () -> new OutOfMemoryError("Cannot reserve 4000000 bytes of direct buffer memory"),
                () -> new IllegalStateException("a defect"),
                StackOverflowError::new);
    }

    private static final class Failing {
        final MemoryBackend memory = ViewsBackend.memory();
        final FailingBackend backend = new FailingBackend(memory);
        final SimulatedClock clock = new SimulatedClock();
        final SimulatedFiles files = new SimulatedFiles(RandomSource.seeded(3));
        final SimulatedDuties duties = new SimulatedDuties(clock);
        final FlushMode mode;
        final List<Outcome> outcomes = new ArrayList<>();
        Store store;

        Failing(FlushMode mode) throws Exception {
            this.mode = mode;
            open();
        }

        private void open() throws Exception {
            store = Store.open(
                    files,
                    new Platform(clock, RandomSource.seeded(1), duties),
                    Simulation.SMALL.withSegmentBytes(65_536).withFlush(mode).withCheckpoint(1 << 20, 1_000),
                    backend);
            duties.runUntilIdle();
        }

        void reopen() throws Exception {
            store.close();
            open();
        }

        Outcome outcome(Simulation.Doing doing) {
            outcomes.clear();
            doing.to(store, outcomes::add);
            duties.runUntilIdle();
            assertThat(outcomes).hasSize(1);
            return outcomes.get(0);
        }

        Stored stored(Simulation.Doing doing) {
            Outcome outcome = outcome(doing);
            assertThat(outcome).isInstanceOf(Stored.class);
            return (Stored) outcome;
        }
    }

    /** A change that fails in its middle, alone and between others of one frame: it was never there. */
    @ParameterizedTest
    @MethodSource("failures")
    void aChangeThatFailsHalfWayIsTakenBack(Supplier<Throwable> failure) throws Exception {
        for (FlushMode mode : FlushMode.values()) {
            Failing it = new Failing(mode);
            it.stored((s, done) -> s.messages().append(draft("b", "b0"), done));
            it.stored((s, done) -> s.messages().append(draft("a", "a0"), done));
            long half = it.stored((s, done) -> s.transactions().appendHalf(null, draft("a", "h"), "g", "", 1, done))
                    .handle();
            it.reopen();
            // Now only the backend knows queue b.
            List<Outcome> all = new ArrayList<>();
            long frames = it.store.status().statistics().frames();
            UniqueKey key = new UniqueKey("a", "k", Long.MAX_VALUE);
            // The first completion's changes are gathered in one frame.
            it.store.messages().append(draft("a", "a1"), first -> {
                it.store.messages().append(draft("a", "a2"), all::add);
                it.backend.failReads(2, failure);
                it.store
                        .pops()
                        .appendAndRecordPops(List.of(draft("a", "lost"), draft("b", "lost")), List.of(), all::add);
                it.store.transactions().decide(half, Decision.COMMIT, false, "me", draft("b", "lost"), 0, all::add);
                it.store.messages().append(draft("a", "a3"), all::add);
            });
            it.duties.runUntilIdle();
            assertThat(all).hasSize(4);
            assertThat(it.store.status().state().isOpen()).isTrue();
            List<Outcome> refused =
                    all.stream().filter(Failed.class::isInstance).toList();
            assertThat(refused).hasSize(2).allSatisfy(outcome -> {
                assertThat(((Failed) outcome).cause()).isEqualTo(Failed.FailureCause.OVERLOADED);
                assertThat(((Failed) outcome).maybeStored()).isFalse();
            });
            assertThat(it.store.status().statistics().frames()).isGreaterThan(frames);
            assertThat(it.store.queues().offsetRange("a", 0).maxOffset()).isEqualTo(4);
            assertThat(it.store.queues().offsetRange("b", 0).maxOffset()).isEqualTo(1);
            // Nothing of the refused decision and key is remembered either.
            assertThat(it.stored((s, done) -> s.transactions()
                                    .decide(half, Decision.COMMIT, false, "me", draft("b", "b1"), 0, done))
                            .queueOffset())
                    .isEqualTo(1);
            assertThat(it.outcome((s, done) -> s.messages().appendUnique(key, draft("a", "k"), done)))
                    .isInstanceOf(Stored.class);
            Outcome batch = it.outcome((s, done) -> s.messages()
                    .appendUniqueBatch(
                            List.of(draft("a", "x"), draft("a", "y")), java.util.Arrays.asList(key, null), done));
            assertThat(((BatchStored) batch).stored().get(1).queueOffset()).isEqualTo(5);
            it.store.close();
            assertThat(StoreCheck.check(it.files.disk().copy(), it.memory).findings())
                    .isEmpty();
        }
    }

    /** One-way sends faster than the disk: what waits is bounded in bytes, and what ends something still has room. */
    @Test
    void whatWaitsIsBoundedInBytes() throws Exception {
        try (Simulation sim = new Simulation(Simulation.SMALL
                .withSegmentBytes(4 << 20)
                .withMaxWaitingBytes(1 << 20)
                .withMaxWaiting(65_536))) {
            long half = sim.stored((s, done) -> s.transactions().appendHalf(null, draft("t", "h"), "g", "", 1, done))
                    .handle();
            List<Outcome> outcomes = new ArrayList<>();
            sim.store.queues().onVisible((topic, queueId, max) -> {});
            for (int i = 0; i < 100; i++) {
                sim.store.messages().append(of("t", 100_000), outcomes::add);
            }
            // Nothing was forced yet: the disk is slower than the sender.
            assertThat(outcomes).hasSizeBetween(90, 95).allSatisfy(outcome -> {
                assertThat(((Failed) outcome).cause()).isEqualTo(Failed.FailureCause.OVERLOADED);
                assertThat(((Failed) outcome).text()).contains("bytes wait").contains("786432");
            });
            List<Outcome> decided = new ArrayList<>();
            sim.store.transactions().decide(half, Decision.COMMIT, false, "me", draft("t", "h"), 0, decided::add);
            sim.duties.runUntilIdle();
            assertThat(decided).hasOnlyElementsOfType(Stored.class).hasSize(1);
            assertThat(outcomes).hasSize(100);
            sim.stored((s, done) -> s.messages().append(of("t", 100_000), done));
            // One change always has room, however large it is.
            sim.stored((s, done) -> s.messages().append(of("t", 1_500_000), done));
        }
    }

    /** Many small texts take more memory than their bytes: that counts. */
    @Test
    void keysCountWithWhatTheyTake() throws Exception {
        try (Simulation sim = new Simulation(Simulation.SMALL
                .withSegmentBytes(4 << 20)
                .withMaxWaitingBytes(1 << 20)
                .withMaxWaiting(65_536))) {
            MessageDraft many = MessageDraft.copyOf(
                            ByteBuffer.wrap(draft("t", "").bytes()), 0)
                    .property("KEYS", "k ".repeat(128).trim())
                    .build();
            List<Outcome> outcomes = new ArrayList<>();
            for (int i = 0; i < 1_000; i++) {
                sim.store.messages().append(many, outcomes::add);
            }
            assertThat(outcomes).as("refused at once").hasSizeGreaterThan(900);
            sim.duties.runUntilIdle();
            assertThat(outcomes.stream().filter(Stored.class::isInstance).count())
                    .isBetween(50L, 100L);
        }
    }
}
