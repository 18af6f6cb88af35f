/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import static io.waybill.store.Simulation.draft;
import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.store.log.Refused;
import io.waybill.store.log.Stored;
import io.waybill.store.record.UniqueKey;
import org.junit.jupiter.api.Test;

/** What a wall clock that jumps may do and may not do. */
class ClockTest {
    private static final long HOUR = 3_600_000;
    private static final long YEAR = 365 * 24 * HOUR;

    private static void fill(Simulation sim, int messages) {
        for (int i = 0; i < messages; i++) {
            sim.put("t", "m" + "x".repeat(700));
        }
    }

    @Test
    void aDelayedMessageWaitsForTheWallClockThoughTheStoreTimeRanAhead() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            long start = sim.clock.wallMillis();
            Stored delayed =
                    sim.stored((s, done) -> s.timers().appendTimer(null, draft("t", "later"), start + HOUR, done));
            sim.clock.set(start + YEAR);
            sim.put("t", "stamped in the future");
            sim.clock.set(start + 1_000);
            assertThat(sim.store.clock().nowMillis())
                    .as("the store time never falls")
                    .isEqualTo(start + YEAR);
            assertThat(sim.outcome((s, done) -> s.timers().fire(delayed.handle(), draft("t", "later"), done)))
                    .matches(o -> ((Refused) o).reason() == Refused.Reason.NOT_DUE);
            sim.clock.set(start + HOUR);
            assertThat(sim.stored((s, done) -> s.timers().fire(delayed.handle(), draft("t", "later"), done))
                            .storeTimeMillis())
                    .isEqualTo(start + YEAR);
        }
    }

    /** Two hours forward and back, with what that does to views and retention: the key is held for its time, and not longer. */
    @Test
    void aUniqueKeyOutlivesJumpsOfTheClockAndEndsAtItsTime() throws Exception {
        Simulation sim = new Simulation(
                Simulation.SMALL.withRetention(0, 20_000, 0, 1_000).withCheckpoint(4_096, 500));
        long start = sim.clock.wallMillis();
        UniqueKey key = new UniqueKey("t", "k", sim.store.clock().keyTimeMillis() + HOUR);
        sim.stored((s, done) -> s.messages().appendUnique(key, draft("t", "first"), done));
        sim.clock.set(start + 2 * HOUR);
        UniqueKey other = new UniqueKey("t", "other", sim.store.clock().keyTimeMillis() + HOUR);
        sim.stored((s, done) -> s.messages().appendUnique(other, draft("t", "in the future"), done));
        fill(sim, 40);
        sim.duties.advance(10_000);
        assertThat(sim.store.status().oldestPosition())
                .as("its record was dropped and restated")
                .isPositive();
        assertDuplicate(sim, key);
        sim.clock.set(start + 11_000);
        assertDuplicate(sim, key);
        sim.close();
        sim.files = sim.files.disk().copy();
        sim.open();
        assertDuplicate(sim, key);
        sim.backend.deleteAll();
        sim.store.close();
        sim.files = sim.files.disk().kill();
        sim.backend.deleteAll();
        sim.open();
        assertDuplicate(sim, key);
        sim.clock.set(start - YEAR);
        sim.duties.advance(HOUR - 60_000);
        assertDuplicate(sim, key);
        sim.duties.advance(60_000);
        UniqueKey again = new UniqueKey("t", "k", sim.store.clock().keyTimeMillis() + HOUR);
        sim.stored((s, done) -> s.messages().appendUnique(again, draft("t", "second"), done));
        assertDuplicate(sim, again);
        sim.close();
    }

    private static void assertDuplicate(Simulation sim, UniqueKey key) {
        assertThat(sim.outcome((s, done) -> s.messages().appendUnique(key, draft("t", "again"), done)))
                .matches(o -> o instanceof Refused refused && refused.reason() == Refused.Reason.DUPLICATE);
    }

    @Test
    void aJumpOfTheClockDropsNothingInsideItsTime() throws Exception {
        try (Simulation sim = new Simulation(
                Simulation.SMALL.withRetention(72 * HOUR, 0, 0, 60_000).withCheckpoint(16_384, 500))) {
            long start = sim.clock.wallMillis();
            fill(sim, 30);
            sim.duties.advance(HOUR);
            for (int strobe = 0; strobe < 20; strobe++) {
                sim.clock.set(start + (strobe % 2 == 0 ? YEAR : -YEAR));
                fill(sim, 3);
                sim.duties.advance(HOUR);
            }
            assertThat(sim.store.status().oldestPosition()).isZero();
            assertThat(sim.bodies("t")).hasSize(90);
            sim.duties.advance(60 * HOUR);
            assertThat(sim.store.status().oldestPosition())
                    .as("after its real time it goes, whatever the store times say")
                    .isPositive();
        }
    }

    @Test
    void oneWrongClockAtAStartTakesAtMostHalfTheTime() throws Exception {
        Simulation sim = new Simulation(
                Simulation.SMALL.withRetention(72 * HOUR, 0, 0, 60_000).withCheckpoint(16_384, 500));
        fill(sim, 30);
        sim.duties.advance(30 * HOUR);
        sim.close();
        sim.files = sim.files.disk().copy();
        sim.clock.set(sim.clock.wallMillis() + YEAR);
        sim.open();
        sim.duties.advance(HOUR);
        assertThat(sim.store.status().oldestPosition()).isZero();
        fill(sim, 30);
        sim.close();
        sim.files = sim.files.disk().copy();
        sim.clock.set(sim.clock.wallMillis() - YEAR);
        sim.open();
        sim.duties.advance(HOUR);
        assertThat(sim.store.status().oldestPosition())
                .as("the jump stands in the log now")
                .isZero();
        sim.duties.advance(36 * HOUR);
        assertThat(sim.store.status().oldestPosition()).isPositive();
        sim.close();
    }

    @Test
    void aStoreFarAheadOfTheClockIsNotOpenedUnlessThatIsTaken() throws Exception {
        Simulation sim = new Simulation(Simulation.SMALL.withMaxClockAheadMillis(HOUR));
        long start = sim.clock.wallMillis();
        sim.put("t", "right");
        sim.clock.set(start + 10 * YEAR);
        sim.put("t", "stamped in the future");
        assertThat(sim.store.clock().aheadMillis()).isZero();
        sim.clock.set(start + 1_000);
        assertThat(sim.store.clock().aheadMillis()).isEqualTo(10 * YEAR - 1_000);
        sim.store.close();
        sim.files = sim.files.disk().kill();
        assertThat(org.assertj.core.api.Assertions.catchThrowableOfType(
                        io.waybill.store.log.StoreException.class, sim::open))
                .hasMessageContaining("3649 days ahead of this machine's clock")
                .hasMessageContaining("maxClockAheadMillis=0");
        sim.files = sim.files.disk().kill();
        // A small step of a time server is nobody's business.
        sim.clock.set(start + 10 * YEAR - HOUR);
        sim.open();
        sim.store.close();
        sim.files = sim.files.disk().kill();
        sim.clock.set(start + 1_000);
        sim.settings = sim.settings.withMaxClockAheadMillis(0);
        sim.open();
        assertThat(sim.put("t", "taken").storeTimeMillis()).isEqualTo(start + 10 * YEAR);
        assertThat(sim.bodies("t")).containsExactly("right", "stamped in the future", "taken");
        sim.close();
    }

    @Test
    void aRestartDoesNotMakeSegmentsYoungAgain() throws Exception {
        try (Simulation sim = new Simulation(
                Simulation.SMALL.withRetention(72 * HOUR, 0, 0, 60_000).withCheckpoint(16_384, 500))) {
            for (int day = 0; day < 6; day++) {
                fill(sim, 15);
                sim.duties.advance(24 * HOUR);
                sim.close();
                sim.files = sim.files.disk().copy();
                sim.open();
            }
            sim.duties.advance(HOUR);
            assertThat(sim.store.status().oldestPosition()).isPositive();
            assertThat(sim.store.queues().offsetRange("t", 0).minOffset()).isBetween(25L, 60L);
        }
    }
}
