/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import static io.waybill.store.Simulation.draft;
import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.Files;
import io.waybill.platform.Platform;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.log.Completion;
import io.waybill.store.log.Failed;
import io.waybill.store.log.FlushMode;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Refused;
import io.waybill.store.log.StoreSettings;
import io.waybill.store.log.Stored;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.view.Boundary;
import io.waybill.store.view.ViewsBackend;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

class StoreTest {

    @Test
    void syncAnswersOnlyAfterTheForce() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            List<Outcome> outcomes = new ArrayList<>();
            sim.store.messages().append(draft("t", "a"), outcomes::add);
            assertThat(outcomes).isEmpty();
            assertThat(sim.store.queues().offsetRange("t", 0).isEmpty()).isTrue();
            assertThat(sim.store.status().positions().appended())
                    .isGreaterThan(sim.store.status().positions().flushed());
            sim.duties.runUntilIdle();
            assertThat(outcomes).hasOnlyElementsOfType(Stored.class);
            assertThat(sim.bodies("t")).containsExactly("a");
        }
    }

    @Test
    void asyncAnswersAtOnceAndForcesAfterTheInterval() throws Exception {
        try (Simulation sim = Simulation.async()) {
            List<Outcome> outcomes = new ArrayList<>();
            sim.store.messages().append(draft("t", "a"), outcomes::add);
            assertThat(outcomes).hasOnlyElementsOfType(Stored.class);
            assertThat(sim.bodies("t")).containsExactly("a");
            assertThat(sim.store.status().positions().flushed()).isZero();
            sim.duties.advance(sim.settings.asyncFlushMillis() + 1);
            assertThat(sim.store.status().positions().flushed())
                    .isEqualTo(sim.store.status().positions().appended());
        }
    }

    @Test
    void changesThatWaitTogetherBecomeOneFrame() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            List<Outcome> outcomes = new ArrayList<>();
            // The first completion runs inside the flusher, so what it puts waits there and is written together.
            sim.store.messages().append(draft("t", "first"), done -> {
                for (int i = 0; i < 5; i++) {
                    sim.store.messages().append(draft("t", "m" + i), outcomes::add);
                }
            });
            sim.duties.runUntilIdle();
            assertThat(outcomes).hasSize(5);
            assertThat(sim.store.status().statistics().frames()).isEqualTo(2);
            assertThat(sim.bodies("t")).containsExactly("first", "m0", "m1", "m2", "m3", "m4");
        }
    }

    @Test
    void aBatchIsConsecutiveAndItsPositionsFollowFromTheSizes() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            sim.put("t", "before");
            List<MessageDraft> batch = List.of(draft("t", "a"), draft("t", "bb"), draft("t", "ccc"));
            Stored first = sim.stored((s, done) -> s.messages().appendBatch(batch, done));
            assertThat(first.queueOffset()).isEqualTo(1);
            long position = first.position();
            for (MessageDraft message : batch) {
                ByteBuffer read = sim.store.messages().readAt(position);
                assertThat(StoredMessage.queueOffset(read, 0)).isEqualTo(1 + batch.indexOf(message));
                position += message.size();
            }
            ReadResult all = sim.store.queues().readQueue("t", 0, 1, 10, 10_000, null, null);
            assertThat(all.slices()).as("neighbours in the log share a slice").hasSize(1);
            assertThat(all.count()).isEqualTo(3);
        }
    }

    @Test
    void aReadSaysWhereItStands() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            assertThat(sim.store.queues().readQueue("t", 0, 0, 1, 1, null, null).status())
                    .isEqualTo(ReadResult.Status.EMPTY);
            sim.put("t", "a");
            sim.put("t", "b");
            assertThat(sim.store.queues().readQueue("t", 0, 2, 1, 1, null, null).status())
                    .isEqualTo(ReadResult.Status.END);
            assertThat(sim.store.queues().readQueue("t", 0, 3, 1, 1, null, null).status())
                    .isEqualTo(ReadResult.Status.ABOVE_MAX);
            assertThat(sim.store
                            .queues()
                            .readQueue("t", 0, -1, 1, 1, null, null)
                            .status())
                    .isEqualTo(ReadResult.Status.BELOW_MIN);
            ReadResult one = sim.store.queues().readQueue("t", 0, 0, 10, 1, null, null);
            assertThat(one.count())
                    .as("one message even if it is larger than asked")
                    .isEqualTo(1);
            long tag = (long) "b".hashCode();
            assertThat(sim.store
                            .queues()
                            .readQueue("t", 0, 0, 10, 1_000, code -> code == tag, null)
                            .count())
                    .isEqualTo(1);
            ReadResult none = sim.store.queues().readQueue("t", 0, 0, 10, 1_000, null, (b, at) -> false);
            assertThat(none.status()).isEqualTo(ReadResult.Status.NO_MATCH);
            assertThat(none.nextOffset()).isEqualTo(2);
        }
    }

    @Test
    void positionsFromOutsideServeNothingButMessages() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            Stored a = sim.put("t", "a");
            for (long position = -3; position < sim.store.status().positions().appended() + 3; position++) {
                assertThat(sim.store.messages().readAt(position) != null).isEqualTo(position == a.position());
            }
            assertThat(sim.store.messages().readAt(Long.MAX_VALUE)).isNull();
        }
    }

    @Test
    void keysAreComparedAsStrings() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            sim.put("t", "Aa");
            sim.put("t", "BB");
            sim.put("u", "Aa");
            assertThat(sim.store.messages().findByKey("t", "Aa", 10, 0, Long.MAX_VALUE))
                    .hasSize(1);
            assertThat(sim.store.messages().findByKey("t", "u-BB", 10, 0, Long.MAX_VALUE))
                    .hasSize(1);
            assertThat(sim.store.messages().findByKey("t", "all", 10, 0, Long.MAX_VALUE))
                    .hasSize(2);
            assertThat(sim.store.messages().findByKey("t", "all", 1, 0, Long.MAX_VALUE))
                    .hasSize(1);
        }
    }

    @Test
    void theFirstDecisionWinsEvenInFlight() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            Stored half =
                    sim.stored((s, done) -> s.transactions().appendHalf(null, draft("t", "order"), "g", "", 1, done));
            assertThat(sim.bodies("t")).isEmpty();
            List<Outcome> outcomes = new ArrayList<>();
            MessageDraft copy = MessageDraft.copyOf(sim.store.messages().readPending(half.handle()), 0)
                    .build();
            sim.store.transactions().decide(half.handle(), Decision.COMMIT, false, "one", copy, 0, outcomes::add);
            sim.store.transactions().decide(half.handle(), Decision.ROLLBACK, false, "two", null, 0, outcomes::add);
            assertThat(outcomes).as("neither is true before the force").isEmpty();
            sim.duties.runUntilIdle();
            assertThat(outcomes.get(0)).isInstanceOf(Stored.class);
            Refused refused = (Refused) outcomes.get(1);
            assertThat(refused.reason()).isEqualTo(Refused.Reason.ALREADY_DECIDED);
            assertThat(((DecisionRecord) refused.prior()).by()).isEqualTo("one");
            ByteBuffer visible = sim.store.messages().readAt(((Stored) outcomes.get(0)).position());
            assertThat(StoredMessage.preparedTransactionOffset(visible, 0)).isEqualTo(half.handle());
            assertThat(sim.outcome((s, done) ->
                            s.transactions().decide(half.handle(), Decision.ROLLBACK, false, "", null, 0, done)))
                    .isInstanceOf(Refused.class);
            assertThat(sim.outcome(
                            (s, done) -> s.transactions().decide(77, Decision.ROLLBACK, false, "", null, 0, done)))
                    .matches(o -> ((Refused) o).reason() == Refused.Reason.NOT_FOUND);
        }
    }

    @Test
    void aDelayedMessageIsFiredOnceAndNotBeforeItsTime() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            long due = sim.store.clock().nowMillis() + 1_000;
            Stored delayed = sim.stored((s, done) -> s.timers().appendTimer(null, draft("t", "later"), due, done));
            long handle = delayed.handle();
            assertThat(sim.store.timers().nextDueMillis()).isEqualTo(due);
            assertThat(sim.outcome((s, done) -> s.timers().fire(handle, draft("t", "later"), done)))
                    .matches(o -> ((Refused) o).reason() == Refused.Reason.NOT_DUE);
            sim.stored((s, done) -> s.timers().reschedule(handle, due - 500, done));
            sim.clock.advance(500);
            assertThat(sim.store
                            .timers()
                            .dueUpTo(sim.store.clock().nowMillis(), 10)
                            .items())
                    .hasSize(1);
            sim.stored((s, done) -> s.timers().fire(handle, draft("t", "later"), done));
            assertThat(sim.outcome((s, done) -> s.timers().fire(handle, draft("t", "later"), done)))
                    .isInstanceOf(Refused.class);
            assertThat(sim.outcome((s, done) -> s.timers().cancel(handle, "me", done)))
                    .isInstanceOf(Refused.class);
            assertThat(sim.bodies("t")).containsExactly("later");
            assertThat(sim.store.timers().nextDueMillis()).isEqualTo(Long.MAX_VALUE);
        }
    }

    @Test
    void everyTimeHasItsFirstMessage() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            long start = sim.clock.wallMillis();
            sim.clock.set(start + 10);
            sim.put("t", "a");
            sim.clock.set(start + 20);
            sim.put("t", "b");
            sim.put("t", "c");
            // A clock that is set back does not take the store time back.
            sim.clock.set(start - 5_000);
            sim.put("t", "d");
            sim.clock.set(start + 30);
            sim.put("t", "e");
            assertThat(lower(sim, start)).isZero();
            assertThat(lower(sim, start + 10)).isZero();
            assertThat(lower(sim, start + 11)).isEqualTo(1);
            assertThat(lower(sim, start + 20)).isEqualTo(1);
            assertThat(lower(sim, start + 21)).isEqualTo(4);
            assertThat(lower(sim, start + 31)).isEqualTo(5);
            assertThat(sim.store.queues().earliestStoreTime("t", 0)).isEqualTo(start + 10);
        }
    }

    private static long lower(Simulation sim, long time) {
        return sim.store.queues().offsetByTime("t", 0, time, Boundary.LOWER);
    }

    @Test
    void whatFitsNoSegmentIsTooLarge() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            Outcome outcome = sim.outcome((s, done) -> s.messages().append(draft("t", "x".repeat(8_000)), done));
            assertThat(((Failed) outcome).cause()).isEqualTo(Failed.FailureCause.TOO_LARGE);
            sim.put("t", "y".repeat(1_500));
            assertThat(sim.store.status().state().isOpen()).isTrue();
        }
    }

    @Test
    void aClosedStoreSaysSo() throws Exception {
        Simulation sim = Simulation.sync();
        List<Outcome> waiting = new ArrayList<>();
        sim.store.messages().append(draft("t", "a"), waiting::add);
        sim.close();
        assertThat(waiting).as("what was taken is confirmed").hasOnlyElementsOfType(Stored.class);
        sim.store.messages().append(draft("t", "b"), waiting::add);
        assertThat(((Failed) waiting.get(1)).cause()).isEqualTo(Failed.FailureCause.CLOSED);
        sim.store.close();
    }

    @Test
    void listenersAreToldOncePerQueueAndFrame() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            List<String> told = new ArrayList<>();
            sim.store.queues().onVisible((topic, queueId, max) -> told.add(topic + queueId + ":" + max));
            sim.stored((s, done) -> s.messages().appendBatch(List.of(draft("t", "a"), draft("t", "b")), done));
            sim.put("u", "c");
            assertThat(told).containsExactly("t0:2", "u0:1");
        }
    }

    @ParameterizedTest
    @EnumSource(FlushMode.class)
    void manyThreadsOnARealDisk(FlushMode mode, @TempDir Path directory) throws Exception {
        Files files = Files.real(directory);
        Platform platform = Platform.real();
        StoreSettings settings = StoreSettings.defaults()
                .withFlush(mode)
                .withSegmentBytes(256 << 10)
                .withRetention(0, 0, 0, 1_000)
                .withCheckpoint(128 << 10, 50);
        int threads = 4;
        int each = 500;
        try (Store store = Store.open(files, platform, settings, ViewsBackend.rocks(files))) {
            CountDownLatch answered = new CountDownLatch(threads * each);
            AtomicInteger stored = new AtomicInteger();
            Completion count = outcome -> {
                stored.addAndGet(outcome instanceof Stored ? 1 : 0);
                answered.countDown();
            };
            for (int t = 0; t < threads; t++) {
                platform.duties()
                        .thread("putter", () -> {
                            for (int i = 0; i < each; i++) {
                                store.messages().append(draft("t", "x".repeat(500)), count);
                            }
                        })
                        .start();
            }
            assertThat(answered.await(60, TimeUnit.SECONDS)).isTrue();
            assertThat(stored).hasValue(threads * each);
            assertThat(store.queues().offsetRange("t", 0).maxOffset()).isEqualTo(threads * each);
        }
        StoreCheck.Report report = StoreCheck.check(files, ViewsBackend.rocks(files));
        assertThat(report.findings()).isEmpty();
        assertThat(report.visibleMessages()).isEqualTo(threads * each);
        platform.duties().close();
    }
}
