/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import static io.waybill.store.Simulation.draft;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.store.log.Completion;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Refused;
import io.waybill.store.log.Stored;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.PendingReset;
import io.waybill.store.record.QueueLock;
import io.waybill.store.record.Settlement;
import io.waybill.store.record.Settlement.How;
import io.waybill.store.record.Settlement.SetAsideKind;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Locks, resets and settlements over a crash, a restart, a rebuild of the views and retention. */
class StateRecordsTest {
    private static final String LETTERS = "letters";

    private static Simulation withRetention() throws Exception {
        return new Simulation(
                Simulation.SMALL.withRetention(0, 40_000, 0, 1_000).withCheckpoint(16_384, 500));
    }

    private static void fill(Simulation sim, String topic) {
        for (int round = 0; round < 8; round++) {
            for (int i = 0; i < 20; i++) {
                sim.put(topic, "m" + "x".repeat(700));
            }
            sim.duties.advance(5_000);
        }
    }

    private static void kill(Simulation sim) throws Exception {
        sim.kill();
        sim.open();
    }

    private static void rebuild(Simulation sim) throws Exception {
        sim.store.close();
        assertThat(sim.check().findings()).isEmpty();
        sim.backend.deleteAll();
        sim.files = sim.files.disk().copy();
        sim.open();
    }

    private static QueueLock lock(String group, int queueId, String client) {
        return new QueueLock(group, "t", queueId, client, false);
    }

    private static List<String> holders(List<QueueLock> locks) {
        return locks.stream()
                .map(lock -> lock.group() + "/" + lock.queueId() + " " + lock.clientId())
                .toList();
    }

    private static Settlement range(long from, long to, How how) {
        return new Settlement(SetAsideKind.DEAD_LETTER, LETTERS, 0, from, to, how, "kim");
    }

    private static List<Settlement> settlements(Simulation sim) {
        List<Settlement> found = new ArrayList<>();
        sim.store.settlements().visit(LETTERS, 0, 0, found::add);
        return found;
    }

    private static List<String> settled(Simulation sim) {
        return settlements(sim).stream()
                .map(range -> range.fromOffset() + "-" + range.toOffset() + " " + range.how() + " " + range.by())
                .toList();
    }

    private static void record(Simulation sim, QueueLock... locks) {
        sim.stored((s, done) -> s.locks().recordLocks(List.of(locks), done));
    }

    @Test
    void theLastHolderOfAQueueIsKnownAfterACrashAndARebuild() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            record(sim, lock("g", 0, "c1"), lock("g", 1, "c1"), lock("h", 0, "c9"));
            record(sim, lock("g", 0, "c2"), lock("g", 1, ""));
            List<String> expected = List.of("g/0 c2", "h/0 c9");
            for (int look = 0; look < 3; look++) {
                assertThat(holders(sim.store.locks().locksOf("g"))).containsExactly("g/0 c2");
                assertThat(holders(sim.store.locks().locksAfter(null, null, 0, 10)))
                        .isEqualTo(expected);
                assertThat(holders(sim.store.locks().locksAfter("g", "t", 0, 10)))
                        .containsExactly("h/0 c9");
                assertThat(sim.store.locks().lockCount()).isEqualTo(2);
                if (look == 0) {
                    kill(sim);
                } else {
                    rebuild(sim);
                }
            }
        }
    }

    @Test
    void aHolderSurvivesRetentionWithItsTimeAndAFreedQueueIsForgotten() throws Exception {
        try (Simulation sim = withRetention()) {
            record(sim, lock("g", 0, "c1"), lock("g", 1, "c1"));
            record(sim, lock("g", 1, ""));
            QueueLock first = sim.store.locks().locksOf("g").get(0);
            fill(sim, "t");
            assertThat(sim.store.status().oldestPosition()).isGreaterThan(first.position());
            for (int look = 0; look < 2; look++) {
                QueueLock now = sim.store.locks().locksOf("g").get(0);
                assertThat(holders(sim.store.locks().locksOf("g"))).containsExactly("g/0 c1");
                assertThat(now.atMillis()).isEqualTo(first.atMillis());
                assertThat(now.position()).isGreaterThan(first.position());
                rebuild(sim);
            }
        }
    }

    @Test
    void resetsAndOffsetsStandInOneFrame() throws Exception {
        try (Simulation sim = withRetention()) {
            List<ConsumerOffset> offsets =
                    List.of(new ConsumerOffset("g", "t", 0, 40), new ConsumerOffset("g", "t", 1, 50));
            List<PendingReset> resets =
                    List.of(new PendingReset("g", "t", 0, 40, "kim"), new PendingReset("g", "t", 1, 50, "kim"));
            sim.stored((s, done) -> s.offsets().commitOffsetsAndResets(offsets, resets, done));
            long at = sim.store.offsets().pendingResets().get(0).atMillis();
            kill(sim);
            sim.stored((s, done) -> s.offsets()
                    .commitOffsetsAndResets(List.of(), List.of(new PendingReset("g", "t", 1, -1, "")), done));
            fill(sim, "t");
            for (int look = 0; look < 2; look++) {
                assertThat(sim.store.offsets().committedOffset("g", "t", 0)).isEqualTo(40);
                assertThat(sim.store.offsets().pendingResets()).hasSize(1);
                PendingReset pending = sim.store.offsets().pendingResets().get(0);
                assertThat(pending.queueId()).isZero();
                assertThat(pending.offset()).isEqualTo(40);
                assertThat(pending.by()).isEqualTo("kim");
                assertThat(pending.atMillis()).isEqualTo(at);
                rebuild(sim);
            }
        }
    }

    @Test
    void aMessageIsSettledOnce() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            for (int i = 0; i < 10; i++) {
                sim.put(LETTERS, "l" + i);
            }
            Stored copy = sim.stored((s, done) ->
                    s.settlements().settle(List.of(draft("t", "again")), List.of(range(2, 4, How.REDRIVEN)), done));
            assertThat(copy.queueOffset()).isZero();
            assertThat(sim.bodies("t")).containsExactly("again");
            Outcome[] outcomes = new Outcome[3];
            SettlementStore door = sim.store.settlements();
            // The first of these is in flight when the second comes.
            door.settle(List.of(), List.of(range(5, 6, How.DISCARDED)), outcome -> outcomes[0] = outcome);
            door.settle(
                    List.of(draft("t", "no")), List.of(range(4, 9, How.REDRIVEN)), outcome -> outcomes[1] = outcome);
            door.settle(
                    List.of(draft("t", "no")), List.of(range(3, 4, How.REDRIVEN)), outcome -> outcomes[2] = outcome);
            assertThat(outcomes[1]).isNull();
            sim.duties.runUntilIdle();
            assertThat(outcomes[0]).isInstanceOf(Stored.class);
            for (int i = 1; i < 3; i++) {
                assertThat(((Refused) outcomes[i]).reason()).isEqualTo(Refused.Reason.ALREADY_DECIDED);
            }
            assertThat(((Settlement) ((Refused) outcomes[1]).prior()).how()).isEqualTo(How.DISCARDED);
            assertThat(((Settlement) ((Refused) outcomes[2]).prior()).how()).isEqualTo(How.REDRIVEN);
            for (int look = 0; look < 3; look++) {
                assertThat(settled(sim)).containsExactly("2-4 REDRIVEN kim", "5-6 DISCARDED kim");
                assertThat(sim.store.settlements().settlementOf(LETTERS, 0, 3).how())
                        .isEqualTo(How.REDRIVEN);
                assertThat(sim.store.settlements().settlementOf(LETTERS, 0, 4)).isNull();
                if (look == 0) {
                    kill(sim);
                } else {
                    rebuild(sim);
                }
            }
            assertThat(sim.bodies("t")).containsExactly("again");
            assertThatThrownBy(() -> sim.store
                            .settlements()
                            .settle(
                                    List.of(),
                                    List.of(range(0, 2, How.DISCARDED), range(1, 3, How.DISCARDED)),
                                    Completion.NONE))
                    .isInstanceOf(IllegalArgumentException.class);
        }
    }

    @Test
    void whatIsSettledIsVisitedFromAnOffsetOnUntilTheVisitorHasEnough() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            for (int i = 0; i < 20; i++) {
                sim.put(LETTERS, "l" + i);
            }
            List<Settlement> ranges =
                    List.of(range(0, 4, How.DISCARDED), range(6, 7, How.DISCARDED), range(9, 12, How.DISCARDED));
            sim.stored((s, done) -> s.settlements().settle(List.of(), ranges, done));
            assertThat(visited(sim, 0, 9)).containsExactly(0L, 6L, 9L);
            assertThat(visited(sim, 3, 9)).as("within a range").containsExactly(0L, 6L, 9L);
            assertThat(visited(sim, 4, 9)).containsExactly(6L, 9L);
            assertThat(visited(sim, 6, 1)).containsExactly(6L);
            assertThat(visited(sim, 2, 1)).containsExactly(0L);
            assertThat(visited(sim, 12, 9)).isEmpty();
        }
    }

    private static List<Long> visited(Simulation sim, long from, int most) {
        List<Long> found = new ArrayList<>();
        sim.store.settlements().visit(LETTERS, 0, from, range -> {
            found.add(range.fromOffset());
            return found.size() < most;
        });
        return found;
    }

    @Test
    void aMessageThatBecomesAHalfIsSettledWithIt() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            sim.put(LETTERS, "l0");
            Stored half = sim.stored((s, done) -> s.settlements()
                    .settleAsHalf(null, draft("t", "half"), "g", "c", 9, List.of(range(0, 1, How.RESUMED)), done));
            assertThat(sim.store.transactions().openHalf(half.handle())).isNotNull();
            assertThat(sim.outcome((s, done) -> s.settlements()
                            .settleAsHalf(
                                    null, draft("t", "half"), "g", "c", 9, List.of(range(0, 1, How.RESUMED)), done)))
                    .isInstanceOf(Refused.class);
            kill(sim);
            assertThat(sim.store.transactions().openHalfCount()).isEqualTo(1);
            assertThat(settled(sim)).containsExactly("0-1 RESUMED kim");
        }
    }

    @Test
    void whatIsForgottenCanBeSettledAnew() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            sim.put(LETTERS, "l0");
            sim.stored((s, done) -> s.settlements().settle(List.of(), List.of(range(0, 1, How.DISCARDED)), done));
            List<Outcome> outcomes = new ArrayList<>();
            sim.store.settlements().forget(SetAsideKind.DEAD_LETTER, LETTERS, 0, "kim", outcomes::add);
            sim.store.settlements().settle(List.of(), List.of(range(0, 1, How.REDRIVEN)), outcomes::add);
            sim.duties.runUntilIdle();
            assertThat(outcomes).allMatch(outcome -> outcome instanceof Stored);
            rebuild(sim);
            assertThat(settled(sim)).containsExactly("0-1 REDRIVEN kim");
        }
    }

    @Test
    void retentionKeepsWhatIsSaidOfMessagesThatAreKeptAndDropsTheRest() throws Exception {
        try (Simulation sim = withRetention()) {
            sim.put(LETTERS, "old");
            sim.stored((s, done) -> s.settlements().settle(List.of(), List.of(range(0, 1, How.DISCARDED)), done));
            long first = settlements(sim).get(0).position();
            fill(sim, "t");
            assertThat(sim.store.status().oldestPosition()).isGreaterThan(first);
            assertThat(settled(sim)).isEmpty();
            rebuild(sim);
            assertThat(settled(sim)).isEmpty();

            // One that reaches ahead of its messages, so that they outlive its record.
            sim.stored((s, done) -> s.settlements().settle(List.of(), List.of(range(1, 100, How.DISCARDED)), done));
            Settlement early = settlements(sim).get(0);
            for (int round = 0; round < 8; round++) {
                sim.put(LETTERS, "young");
                for (int i = 0; i < 20; i++) {
                    sim.put("t", "m" + "x".repeat(700));
                }
                sim.duties.advance(5_000);
            }
            assertThat(sim.store.status().oldestPosition()).isGreaterThan(early.position());
            for (int look = 0; look < 2; look++) {
                assertThat(settled(sim)).containsExactly("1-100 DISCARDED kim");
                assertThat(settlements(sim).get(0).atMillis()).isEqualTo(early.atMillis());
                rebuild(sim);
            }
        }
    }
}
