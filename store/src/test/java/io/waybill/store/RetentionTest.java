/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import static io.waybill.store.Simulation.draft;
import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.platform.simulated.Fault;
import io.waybill.platform.simulated.FileCall;
import io.waybill.platform.simulated.SimulatedDuties;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.store.log.Failed;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Stored;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.CheckReason;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.Decision;
import io.waybill.store.record.PopChange;
import io.waybill.store.record.PopDelta;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopState;
import io.waybill.store.view.MemoryBackend;
import io.waybill.store.view.Views;
import io.waybill.store.view.ViewsBackend;
import io.waybill.store.view.ViewsDifference;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Old segments go; what is still needed of them stays. */
class RetentionTest {

    private static void fill(Simulation sim, int messages) {
        for (int i = 0; i < messages; i++) {
            sim.put("t", "m" + "x".repeat(700));
        }
    }

    private static void checkPending(Simulation sim, Stored half, Stored due) {
        assertThat(sim.store.transactions().openHalf(half.handle())).isNotNull();
        assertThat(sim.store.transactions().openHalf(half.handle()).checks()).isEqualTo(2);
        assertThat(sim.store.transactions().openHalf(half.handle()).nextCheckMillis())
                .isEqualTo(99);
        assertThat(Simulation.body(sim.store.messages().readPending(half.handle()), 0))
                .isEqualTo("half");
        assertThat(Simulation.body(sim.store.messages().readPending(due.handle()), 0))
                .isEqualTo("due");
        assertThat(sim.store.offsets().committedOffset("g", "t", 0)).isEqualTo(17);
        assertThat(sim.store.catalog().catalogValue(CatalogKind.TOPIC, "t")).containsExactly(1, 2, 3);
        assertThat(sim.store.queues().offsetRange("quiet", 0)).isEqualTo(new QueueRange(2, 2));
    }

    @Test
    void pendingThingsAreCarriedForward() throws Exception {
        try (Simulation sim = new Simulation(
                Simulation.SMALL.withRetention(0, 40_000, 0, 1_000).withCheckpoint(16_384, 500))) {
            sim.put("quiet", "one");
            sim.put("quiet", "two");
            Stored half =
                    sim.stored((s, done) -> s.transactions().appendHalf(null, draft("t", "half"), "g", "", 50, done));
            sim.stored((s, done) -> s.transactions().recordCheck(half.handle(), 2, 99, "", CheckReason.NONE, "", done));
            Stored due =
                    sim.stored((s, done) -> s.timers().appendTimer(null, draft("t", "due"), Long.MAX_VALUE / 2, done));
            sim.stored((s, done) -> s.offsets().commitOffsets(List.of(new ConsumerOffset("g", "t", 0, 17)), done));
            sim.stored((s, done) -> s.catalog().putCatalog(CatalogKind.TOPIC, "t", new byte[] {1, 2, 3}, done));
            for (int round = 0; round < 8; round++) {
                fill(sim, 20);
                sim.duties.advance(5_000);
            }
            assertThat(sim.store.status().oldestPosition()).isGreaterThan(half.handle());
            assertThat(sim.store.status().positions().appended()
                            - sim.store.status().oldestPosition())
                    .isLessThanOrEqualTo(40_000);
            QueueRange range = sim.store.queues().offsetRange("t", 0);
            assertThat(range.minOffset()).isPositive();
            assertThat(range.maxOffset()).isEqualTo(160);
            checkPending(sim, half, due);
            assertThat(sim.store.messages().readAt(half.handle())).isNull();

            // The log alone says the same.
            sim.store.close();
            sim.backend.deleteAll();
            sim.files = sim.files.disk().copy();
            sim.open();
            checkPending(sim, half, due);
            assertThat(sim.store.queues().offsetRange("t", 0)).isEqualTo(range);
            assertThat(sim.put("quiet", "three").queueOffset()).isEqualTo(2);

            MessageDraft copy = MessageDraft.copyOf(sim.store.messages().readPending(half.handle()), 0)
                    .build();
            sim.stored((s, done) -> s.transactions().decide(half.handle(), Decision.COMMIT, false, "", copy, 0, done));
            assertThat(sim.bodies("t")).contains("half");
        }
    }

    @Test
    void whatADeletedTopicHidIsShownAgainAsFarAsItIsKept() throws Exception {
        try (Simulation sim = new Simulation(
                Simulation.SMALL.withRetention(0, 40_000, 0, 1_000).withCheckpoint(16_384, 500))) {
            fill(sim, 60);
            byte[] entry = {7};
            sim.stored((s, done) -> s.catalog().putCatalog(CatalogKind.DELETED_TOPIC, "t", entry, done));
            sim.stored((s, done) -> s.catalog().putCatalog(CatalogKind.TOPIC, "t", null, done));
            assertThat(sim.store.queues().offsetRange("t", 0)).isEqualTo(new QueueRange(60, 60));
            sim.duties.advance(5_000);
            QueueRange kept = sim.store.queues().keptOffsetRange("t", 0);
            assertThat(kept.minOffset()).isBetween(1L, 59L);
            assertThat(kept.maxOffset()).isEqualTo(60);

            // In another life, by the views and by the log alone, and with a topic of that name again.
            for (boolean rebuilt : new boolean[] {false, true}) {
                sim.store.close();
                if (rebuilt) {
                    sim.backend.deleteAll();
                }
                sim.files = sim.files.disk().copy();
                sim.open();
                assertThat(sim.store.queues().keptOffsetRange("t", 0)).isEqualTo(kept);
                assertThat(sim.store.queues().offsetRange("t", 0)).isEqualTo(new QueueRange(60, 60));
            }
            assertThat(sim.put("t", "new").queueOffset()).isEqualTo(60);
            assertThat(sim.store.queues().offsetRange("t", 0)).isEqualTo(new QueueRange(60, 61));

            sim.stored((s, done) -> s.catalog().putCatalog(CatalogKind.DELETED_TOPIC, "t", null, done));
            assertThat(sim.store.queues().offsetRange("t", 0)).isEqualTo(new QueueRange(kept.minOffset(), 61));
            sim.store.close();
            sim.backend.deleteAll();
            sim.files = sim.files.disk().copy();
            sim.open();
            assertThat(sim.store.queues().offsetRange("t", 0)).isEqualTo(new QueueRange(kept.minOffset(), 61));

            // Until retention has dropped all of it.
            for (int round = 0; round < 8; round++) {
                for (int i = 0; i < 20; i++) {
                    sim.put("other", "m" + "x".repeat(700));
                }
                sim.duties.advance(5_000);
            }
            assertThat(sim.store.queues().keptOffsetRange("t", 0)).isEqualTo(new QueueRange(61, 61));
        }
    }

    @Test
    void popStatesAreCarriedForward() throws Exception {
        PopKey key = new PopKey("g", "t", 0);
        try (Simulation sim = new Simulation(
                Simulation.SMALL.withRetention(0, 40_000, 0, 1_000).withCheckpoint(16_384, 500))) {
            List<PopChange> begin = new ArrayList<>(List.of(new PopChange.Start(5)));
            for (int i = 0; i < 300; i++) {
                begin.add(new PopChange.Take(5 + i, 1_000 + i, 61_000 + i, 1));
            }
            sim.stored((s, done) -> s.pops().recordPops(List.of(new PopDelta(key, begin)), done));
            for (int round = 0; round < 8; round++) {
                fill(sim, 20);
                PopChange ack = new PopChange.Ack(10 + round, 11 + round);
                Stored both = sim.stored((s, done) -> s.pops()
                        .appendAndRecordPops(
                                List.of(draft("dead", "letter")), List.of(new PopDelta(key, List.of(ack))), done));
                assertThat(both.queueOffset()).isEqualTo(round);
                sim.duties.advance(5_000);
            }
            assertThat(sim.store.status().oldestPosition()).isPositive();
            PopState state = sim.store.pops().popState(key);
            assertThat(state.base()).isEqualTo(5);
            assertThat(state.ackedRanges()).containsExactly(new long[] {10, 18});
            assertThat(state.inFlight()).hasSize(292);
            assertThat(state.frontier()).isEqualTo(305);

            // The log alone says the same.
            sim.store.close();
            sim.backend.deleteAll();
            sim.files = sim.files.disk().copy();
            sim.open();
            assertThat(sim.store.pops().popState(key)).isEqualTo(state);
            assertThat(sim.store.pops().popKeys()).containsExactly(key);
            sim.stored((s, done) ->
                    s.pops().recordPops(List.of(new PopDelta(key, List.of(new PopChange.Drop()))), done));
            assertThat(sim.store.pops().popState(key)).isNull();
            assertThat(sim.store.pops().popKeys()).isEmpty();
        }
    }

    @Test
    void segmentsGoWhenTheyAreTooOld() throws Exception {
        try (Simulation sim = new Simulation(
                Simulation.SMALL.withRetention(60_000, 0, 0, 1_000).withCheckpoint(16_384, 500))) {
            fill(sim, 30);
            sim.duties.advance(50_000);
            assertThat(sim.store.status().oldestPosition())
                    .as("nothing goes inside its time")
                    .isZero();
            fill(sim, 30);
            sim.duties.advance(15_000);
            assertThat(sim.store.status().oldestPosition()).isPositive();
            QueueRange range = sim.store.queues().offsetRange("t", 0);
            assertThat(range.minOffset()).isBetween(1L, 30L);
            assertThat(sim.bodies("t")).hasSize((int) (range.maxOffset() - range.minOffset()));
            assertThat(sim.store.queues().readQueue("t", 0, 0, 1, 1, null, null).status())
                    .isEqualTo(ReadResult.Status.BELOW_MIN);
        }
    }

    @Test
    void aSegmentFullOfPendingMessagesIsNotMovedForRoom() throws Exception {
        try (Simulation sim = new Simulation(
                Simulation.SMALL.withRetention(0, 20_000, 0, 1_000).withCheckpoint(16_384, 500))) {
            for (int i = 0; i < 60; i++) {
                int id = i;
                sim.stored((s, done) ->
                        s.timers().appendTimer(null, draft("t", id + "x".repeat(600)), Long.MAX_VALUE / 2, done));
            }
            long appended = sim.store.status().positions().appended();
            sim.duties.advance(60_000);
            assertThat(sim.store.status().positions().appended()).isEqualTo(appended);
            assertThat(sim.store.timers().pendingTimerCount()).isEqualTo(60);
        }
    }

    @Test
    void aDiskBelowItsFloorRefusesAndKeepsWhatItHas() throws Exception {
        Simulation sim = new Simulation(
                Simulation.SMALL.withRetention(0, 0, 20_000, 1_000).withCheckpoint(16_384, 500));
        sim.files.disk().capacityBytes(100_000);
        Outcome outcome = null;
        for (int i = 0; i < 1_000 && !(outcome instanceof Failed); i++) {
            outcome = sim.outcome((s, done) -> s.messages().append(draft("t", "x".repeat(400)), done));
            sim.duties.advance(100);
        }
        assertThat(outcome).isInstanceOf(Failed.class);
        assertThat(((Failed) outcome).cause()).isEqualTo(Failed.FailureCause.DISK_FULL);
        long kept = sim.store.queues().offsetRange("t", 0).maxOffset();
        sim.duties.advance(60_000);
        assertThat(sim.store.status().oldestPosition()).isZero();
        assertThat(sim.store.queues().offsetRange("t", 0)).isEqualTo(new QueueRange(0, kept));
        sim.files.disk().capacityBytes(1_000_000);
        sim.duties.advance(60_000);
        assertThat(sim.outcome((s, done) -> s.messages().append(draft("t", "room again"), done)))
                .isInstanceOf(Stored.class);
        sim.close();
    }

    @Test
    void aDropThatComesBackLeavesNoGap() throws Exception {
        int cameBack = 0;
        for (int seed = 0; seed < 40; seed++) {
            Simulation sim = new Simulation(
                    Simulation.SMALL.withRetention(0, 30_000, 0, 1_000).withCheckpoint(16_384, 500));
            fill(sim, 60);
            // The disk does not keep the next drop, and later forces of the directory pass it over.
            String dropped = "log/" + sim.files.list("log").get(0);
            // The first force is for the segment that makes the log too large.
            sim.files.faults().failAt(FileCall.FORCE_DIRECTORY, 2, Fault.EIO);
            for (int i = 0; i < 10 && sim.files.exists(dropped); i++) {
                fill(sim, 1);
                sim.duties.advance(1_000);
            }
            assertThat(sim.files.exists(dropped)).isFalse();
            long before = sim.store.status().oldestPosition();
            sim.kill();
            sim.open();
            fill(sim, 60);
            sim.duties.advance(5_000);
            assertThat(sim.store.status().oldestPosition()).isGreaterThan(before + 8_192);
            QueueRange range = sim.store.queues().offsetRange("t", 0);
            sim.files = sim.files.disk().crash(RandomSource.seeded(seed));
            sim.backend.crash();
            cameBack += sim.files.exists(dropped) ? 1 : 0;
            assertThat(sim.check().findings()).isEmpty();
            sim.open();
            assertThat(sim.files.exists(dropped)).isFalse();
            assertThat(sim.store.queues().offsetRange("t", 0).maxOffset()).isEqualTo(range.maxOffset());
            sim.close();
        }
        assertThat(cameBack).as("evidence").isPositive();
    }

    /** A DROPPED record trims the views where it stands: no word about the oldest position is needed beside the log. */
    @Test
    void viewsThatLivedThroughRetentionAreWhatTheLogMakesAnew() throws Exception {
        Simulation sim = new Simulation(
                Simulation.SMALL.withRetention(0, 40_000, 0, 1_000).withCheckpoint(16_384, 500));
        Stored half = sim.stored((s, done) -> s.transactions().appendHalf(null, draft("t", "half"), "g", "", 50, done));
        for (int round = 0; round < 8; round++) {
            fill(sim, 20);
            sim.duties.advance(5_000);
        }
        long oldest = sim.store.status().oldestPosition();
        assertThat(oldest).isGreaterThan(half.handle());
        assertThat(sim.files.list("log").get(0)).as("the files are gone too").isEqualTo("%020d.seg".formatted(oldest));
        sim.close();
        MemoryBackend fresh = ViewsBackend.memory();
        sim.files = sim.files.disk().kill();
        SimulatedDuties duties = new SimulatedDuties(sim.clock);
        Store again =
                Store.open(sim.files, new Platform(sim.clock, RandomSource.seeded(1), duties), sim.settings, fresh);
        assertThat(again.status().oldestPosition()).isEqualTo(oldest);
        try (Views lived = Views.open(sim.backend)) {
            QueueRange range = again.queues().offsetRange("t", 0);
            assertThat(lived.consumeQueues().view("t", 0).min())
                    .isEqualTo(range.minOffset())
                    .isPositive();
            assertThat(lived.forLog().droppedTo()).isEqualTo(oldest);
        }
        again.close();
        try (Views lived = Views.open(sim.backend);
                Views made = Views.open(fresh)) {
            assertThat(ViewsDifference.between(lived, made)).isNull();
        }
    }

    /** The record alone hides what is below; the file goes only when a durable checkpoint knows of it. */
    @Test
    void aSegmentStaysUntilACheckpointKnowsThatItIsDropped() throws Exception {
        Simulation sim = new Simulation(
                Simulation.SMALL.withRetention(0, 40_000, 0, 1_000).withCheckpoint(1 << 20, 1_000_000));
        fill(sim, 70);
        for (int second = 0; second < 20; second++) {
            sim.backend.failNextWrite();
            sim.duties.advance(1_000);
        }
        assertThat(sim.store.status().oldestPosition()).as("what can be read").isEqualTo(8192);
        assertThat(sim.store.queues().offsetRange("t", 0).minOffset()).isPositive();
        assertThat(sim.files.list("log")).contains("00000000000000000000.seg");
        sim.kill();
        sim.open();
        sim.duties.advance(60_000);
        assertThat(sim.files.list("log")).doesNotContain("00000000000000000000.seg");
        assertThat(sim.files.list("log").get(0))
                .isEqualTo("%020d.seg".formatted(sim.store.status().oldestPosition()));
        sim.close();
    }

    /** Nothing is rewritten while a dropped segment waits for its checkpoint, so nothing may use the room below the floor. */
    @Test
    void theFloorOfTheDiskCountsWhileADroppedSegmentWaitsForItsCheckpoint() throws Exception {
        Simulation sim = new Simulation(
                Simulation.SMALL.withRetention(0, 40_000, 20_000, 1_000).withCheckpoint(1 << 20, 1_000_000));
        sim.files.disk().capacityBytes(100_000);
        Outcome outcome = null;
        for (int i = 0; i < 1_000 && !(outcome instanceof Failed); i++) {
            sim.backend.failNextWrite();
            sim.duties.advance(1_000);
            outcome = sim.outcome((s, done) -> s.messages().append(draft("t", "x".repeat(400)), done));
        }
        assertThat(outcome).isInstanceOf(Failed.class);
        assertThat(((Failed) outcome).cause()).isEqualTo(Failed.FailureCause.DISK_FULL);
        assertThat(sim.store.status().oldestPosition()).as("what can be read").isEqualTo(8192);
        assertThat(sim.files.usableBytes()).isGreaterThanOrEqualTo(20_000);
        sim.duties.advance(60_000);
        assertThat(sim.files.list("log")).doesNotContain("00000000000000000000.seg");
        sim.put("t", "room again");
        sim.close();
    }

    /** With the disk and the log full not even the word that a segment goes has room: it is tried again, at its interval. */
    @Test
    void aLogWithoutRoomForADropIsLookedAtOnceAnInterval() throws Exception {
        Simulation sim = new Simulation(
                Simulation.SMALL.withRetention(10_000, 0, 0, 1_000).withCheckpoint(4_096, 500));
        fill(sim, 20);
        sim.duties.advance(1_000);
        sim.files.disk().capacityBytes(sim.files.disk().usedBytes());
        Outcome outcome;
        do {
            outcome = sim.outcome(
                    (s, done) -> s.offsets().commitOffsets(List.of(new ConsumerOffset("g", "t", 0, 17)), done));
        } while (outcome instanceof Stored);
        assertThat(((Failed) outcome).cause()).isEqualTo(Failed.FailureCause.DISK_FULL);
        long before = sim.duties.steps();
        for (int second = 0; second < 30; second++) {
            sim.clock.advance(1_000);
            for (int step = 0; step < 200 && sim.duties.step(); step++) {
                assertThat(step).as("steps of one second").isLessThan(100);
            }
        }
        assertThat(sim.duties.steps() - before).isBetween(30L, 3_000L);
        assertThat(sim.store.status().oldestPosition()).isZero();
        sim.files.disk().capacityBytes(Long.MAX_VALUE);
        sim.duties.advance(30_000);
        assertThat(sim.store.status().oldestPosition()).isPositive();
        sim.close();
    }
}
