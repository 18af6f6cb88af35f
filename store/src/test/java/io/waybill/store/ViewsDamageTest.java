/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import static io.waybill.store.Simulation.draft;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.platform.simulated.SimulatedFiles;
import io.waybill.store.log.Failed;
import io.waybill.store.log.FlushMode;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.StoreSettings;
import io.waybill.store.log.Stored;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.CheckReason;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DeliveryEvent;
import io.waybill.store.record.PopChange;
import io.waybill.store.record.PopDelta;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.UniqueKey;
import io.waybill.store.record.ViewsDamaged;
import io.waybill.store.view.MemoryBackend;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Views that are damaged, lost, older, newer or of another log: the log serves, and they come back by themselves. */
class ViewsDamageTest {
    private static final String FIRST = "log/00000000000000000000.seg";

    private static List<Simulation> both() throws Exception {
        return List.of(Simulation.sync(), Simulation.async());
    }

    @Test
    void aDamagedQueueTakesMessagesAndIsRebuilt() throws Exception {
        for (Simulation sim : both()) {
            sim.put("t", "a");
            sim.put("t", "b");
            sim.put("other", "x");
            sim.checkpoint();
            sim.backend.alone(true);
            sim.backend.damage("queue");
            Stored half = sim.stored((s, done) -> s.transactions().appendHalf(null, draft("t", "h"), "g", "", 1, done));

            assertThat(sim.put("t", "c").queueOffset())
                    .as("its next offset is known, so it is taken")
                    .isEqualTo(2);
            assertThat(sim.store.status().state().isOpen()).isTrue();
            assertThatThrownBy(() -> sim.bodies("t"))
                    .isInstanceOf(ViewsDamaged.class)
                    .hasMessageContaining("try again later");
            assertThat(sim.store.status().viewsTrouble()).contains("told to be damaged");
            Outcome unknown = sim.outcome((s, done) -> s.messages().append(draft("new", "n"), done));
            assertThat(((Failed) unknown).cause()).isEqualTo(Failed.FailureCause.REBUILDING);
            assertThat(((Failed) unknown).maybeStored()).isFalse();
            assertThat(sim.store.transactions().openHalf(half.handle()))
                    .as("other views answer")
                    .isNotNull();

            sim.backend.alone(false);
            sim.duties.advance(61_000);
            assertThat(sim.store.status().viewsTrouble()).isEmpty();
            assertThat(sim.store.status().viewsRebuilds()).isEqualTo(1);
            assertThat(sim.bodies("t")).containsExactly("a", "b", "c");
            assertThat(sim.bodies("other")).containsExactly("x");
            assertThat(sim.put("t", "d").queueOffset()).isEqualTo(3);
            assertThat(sim.put("new", "n").queueOffset()).isZero();
            sim.close();
            sim.files = sim.files.disk().kill();
            sim.open();
            assertThat(sim.bodies("t")).containsExactly("a", "b", "c", "d");
            sim.close();
        }
    }

    /** As a client does it: what is refused because something is being rebuilt is tried again later. */
    private static void done(Simulation sim, Simulation.Doing doing) {
        Outcome outcome = sim.outcome(doing);
        if (outcome instanceof Failed failed) {
            assertThat(failed.cause()).isEqualTo(Failed.FailureCause.REBUILDING);
            assertThat(failed.maybeStored()).isFalse();
            sim.duties.advance(61_000);
            outcome = sim.outcome(doing);
        }
        assertThat(outcome).isNotInstanceOf(Failed.class);
    }

    /** One of each kind of record, some of which need what the views hold. */
    private static void everything(Simulation sim, int round, Stored half, Stored due) throws Exception {
        String name = "r" + round;
        done(sim, (s, done) -> s.messages().append(draft("t", name), done));
        done(
                sim,
                (s, done) -> s.messages()
                        .appendUnique(new UniqueKey("t", name, Long.MAX_VALUE), draft("t", "u" + name), done));
        done(sim, (s, done) -> s.offsets().commitOffsets(List.of(new ConsumerOffset("g", "t", 0, round)), done));
        done(sim, (s, done) -> s.catalog().putCatalog(CatalogKind.GROUP, name, new byte[] {1}, done));
        done(
                sim,
                (s, done) -> s.deliveries()
                        .recordDeliveries(
                                List.of(new DeliveryEvent(
                                        DeliveryEvent.DeliveryKind.DELIVERED, "g", "t", 0, 0, 1, "c", 1, 1)),
                                done));
        if (half != null) {
            done(sim, (s, done) -> s.transactions().recordCheck(half.handle(), 1, 5, "c", CheckReason.NONE, "", done));
            done(
                    sim,
                    (s, done) -> s.transactions()
                            .decide(
                                    half.handle(),
                                    Decision.COMMIT,
                                    false,
                                    "me",
                                    draft("t", "committed " + round),
                                    0,
                                    done));
            done(sim, (s, done) -> s.timers().cancel(due.handle(), "me", done));
        }
        done(sim, (s, done) -> s.timers().appendTimer(null, draft("t", "due" + name), 1_000_000_000L + round, done));
    }

    /** Reads each table once; what is damaged refuses. Whether nothing was. */
    static boolean askAll(Store store) {
        boolean all = true;
        for (Runnable question : List.<Runnable>of(
                () -> store.queues().allQueues(),
                () -> store.messages().findByKey("t", "all", 10, 0, Long.MAX_VALUE),
                () -> store.timers().pendingTimers(10),
                () -> store.transactions().openHalves(10),
                () -> store.offsets().allOffsets(),
                () -> store.catalog().catalogValues(CatalogKind.GROUP),
                () -> store.pops().popKeys(),
                () -> store.deliveries().deliveriesOf("t", 0, 0, 10),
                () -> store.locks().locksOf("g"),
                () -> store.settlements().visit("t", 0, 0, settlement -> true),
                () -> store.offsets().pendingResets())) {
            try {
                question.run();
            } catch (ViewsDamaged e) {
                assertThat(e).hasMessageContaining("try again");
                all = false;
            }
        }
        return all;
    }

    @Test
    void anyViewMayBeDamagedAtAnyTime() throws Exception {
        for (String table : List.of(
                "queue",
                "keys",
                "due",
                "transactions",
                "offsets",
                "catalog",
                "pop",
                "unique",
                "deliveries",
                "state",
                "meta")) {
            for (Simulation sim : both()) {
                Stored half =
                        sim.stored((s, done) -> s.transactions().appendHalf(null, draft("t", "h"), "g", "", 1, done));
                Stored due = sim.stored((s, done) -> s.timers().appendTimer(null, draft("t", "d"), 1_000_000, done));
                everything(sim, 0, null, null);
                sim.checkpoint();
                sim.backend.damage(table);
                askAll(sim.store);
                everything(sim, 1, half, due);
                assertThat(sim.store.status().state().isOpen()).as(table).isTrue();
                sim.checkpoint();
                sim.duties.advance(61_000);
                everything(sim, 2, half, due);
                assertThat(sim.store.status().viewsTrouble()).as(table).isEmpty();
                assertThat(sim.bodies("t")).contains("r0", "r1", "r2", "ur0", "ur1", "ur2");
                assertThat(sim.store.offsets().committedOffset("g", "t", 0)).isEqualTo(2);
                assertThat(sim.store.transactions().openHalf(half.handle()))
                        .as(table)
                        .isNull();
                // Compares all views with a fold of the whole log.
                sim.close();
            }
        }
    }

    @Test
    void aShortageThatPassesCostsNoMoreThanTheLastCheckpoint() throws Exception {
        for (Simulation sim : both()) {
            for (int i = 0; i < 20; i++) {
                sim.put("t", "m" + i);
            }
            sim.checkpoint();
            sim.backend.fail(true);
            assertThat(sim.put("t", "during").queueOffset()).isEqualTo(20);
            assertThat(sim.store.status().state().isOpen()).isTrue();
            assertThatThrownBy(() -> sim.bodies("t")).isInstanceOf(ViewsDamaged.class);
            sim.duties.advance(4_000);
            sim.backend.fail(false);
            sim.duties.advance(20_000);
            assertThat(sim.store.status().viewsTrouble()).isEmpty();
            assertThat(sim.backend.inUse()).as("read again, not rebuilt").isSameAs(sim.backend);
            assertThat(sim.bodies("t")).hasSize(21).endsWith("during");
            sim.close();
        }
    }

    @Test
    void aRebuildWhoseLastStepFailsIsTriedAgain() throws Exception {
        Simulation sim = Simulation.sync();
        sim.put("t", "a");
        sim.put("t", "b");
        sim.checkpoint();
        sim.backend.damage("queue");
        assertThatThrownBy(() -> sim.bodies("t")).isInstanceOf(ViewsDamaged.class);
        while (sim.backend.inUse() == sim.backend) {
            assertThat(sim.duties.step()).isTrue();
        }
        // What is left is the applier's.
        MemoryBackend first = sim.backend.inUse();
        first.fail(true);
        sim.duties.runUntilIdle();
        assertThat(sim.store.status().viewsTrouble()).contains("the last try failed: the backend was told to fail");
        sim.duties.advance(61_000);
        assertThat(sim.backend.inUse()).isNotSameAs(first);
        assertThat(sim.store.status().viewsTrouble()).isEmpty();
        assertThat(sim.bodies("t")).containsExactly("a", "b");
        sim.close();
    }

    /** With flush=async far more may be applied than is forced. */
    @Test
    void aRebuildDoesNotWaitForAForce() throws Exception {
        Simulation sim = new Simulation(StoreSettings.defaults()
                .withFlush(FlushMode.ASYNC)
                .withAsyncFlushMillis(10_000_000)
                .withCheckpoint(1L << 30, 10_000_000)
                .withSegmentBytes(1 << 20)
                .withRetention(0, 0, 0, 1_000));
        String large = "x".repeat(9_000);
        for (int i = 0; i < 200; i++) {
            sim.put("t", i + large);
        }
        assertThat(sim.store.status().positions().appended()
                        - sim.store.status().positions().flushed())
                .isGreaterThan(5 << 20);
        sim.backend.damage("offsets");
        assertThatThrownBy(() -> sim.store.offsets().allOffsets()).isInstanceOf(ViewsDamaged.class);
        for (int i = 0; i < 1_000 && !sim.store.status().viewsTrouble().isEmpty(); i++) {
            sim.duties.step();
        }
        assertThat(sim.store.status().viewsTrouble()).isEmpty();
        assertThat(sim.store.queues().offsetRange("t", 0).maxOffset()).isEqualTo(200);
        sim.close();
    }

    @Test
    void aRebuildThatIsCutShortGoesOnAtTheNextStart() throws Exception {
        Simulation sim = new Simulation(Simulation.SMALL.withViewsBytes(16_384));
        for (int i = 0; i < 200; i++) {
            sim.put("t", "m" + i);
            if (i % 50 == 0) {
                sim.checkpoint();
            }
        }
        sim.checkpoint();
        sim.backend.damage("queue");
        sim.put("t", "more");
        assertThat(sim.backend.inUse()).isNotSameAs(sim.backend);
        List<String> acknowledged = sim.bodies("t");
        assertThat(acknowledged).hasSize(201);
        sim.kill();
        sim.open();
        assertThat(sim.bodies("t")).isEqualTo(acknowledged);
        sim.close();
    }

    @Test
    void sendsEndOnlyWhereMemoryDoes() throws Exception {
        Simulation sim = new Simulation(Simulation.SMALL.withViewsBytes(8_192));
        sim.put("t", "m");
        sim.checkpoint();
        sim.backend.alone(true);
        sim.backend.damage("queue");
        List<String> acknowledged = new ArrayList<>(List.of("m"));
        Failed refused = null;
        for (int i = 0; refused == null; i++) {
            String body = "n" + i;
            Outcome outcome = sim.outcome((s, done) -> s.messages().append(draft("t", body), done));
            if (outcome instanceof Failed failed) {
                refused = failed;
            } else {
                acknowledged.add(body);
            }
            assertThat(i).isLessThan(10_000);
        }
        assertThat(refused.cause()).isEqualTo(Failed.FailureCause.REBUILDING);
        assertThat(acknowledged.size()).isGreaterThan(50);
        sim.backend.alone(false);
        sim.duties.advance(61_000);
        assertThat(sim.bodies("t")).isEqualTo(acknowledged);
        sim.put("t", "again");
        sim.close();
    }

    @Test
    void retentionWaitsForARebuild() throws Exception {
        Simulation sim = new Simulation(
                Simulation.SMALL.withRetention(0, 20_000, 0, 1_000).withCheckpoint(8_192, 500));
        for (int i = 0; i < 30; i++) {
            sim.put("t", "x".repeat(300));
        }
        sim.duties.advance(2_000);
        sim.backend.alone(true);
        sim.backend.damage("offsets");
        assertThatThrownBy(() -> sim.store.offsets().allOffsets()).isInstanceOf(ViewsDamaged.class);
        long oldest = sim.store.status().oldestPosition();
        for (int i = 0; i < 100; i++) {
            sim.put("t", "y".repeat(300));
        }
        sim.duties.advance(5_000);
        assertThat(sim.store.status().oldestPosition()).isEqualTo(oldest);
        sim.backend.alone(false);
        sim.duties.advance(70_000);
        assertThat(sim.store.status().oldestPosition()).isGreaterThan(oldest);
        assertThat(sim.store.queues().offsetRange("t", 0).maxOffset()).isEqualTo(130);
        sim.close();
    }

    // ---- views that are not of this log

    @Test
    void aLogThatIsOlderThanTheViewsHasNoHole() throws Exception {
        Simulation sim = Simulation.sync();
        sim.put("t", "a");
        sim.put("t", "b");
        SimulatedFiles older = sim.files.disk().copy();
        for (int i = 0; i < 5; i++) {
            sim.put("t", "lost " + i);
        }
        sim.store.close();
        sim.files = older;
        sim.open();
        assertThat(sim.bodies("t")).containsExactly("a", "b");
        assertThat(sim.put("t", "c").queueOffset()).isEqualTo(2);
        sim.close();
        sim.files = sim.files.disk().copy();
        sim.backend.deleteAll();
        sim.open();
        assertThat(sim.bodies("t")).as("nothing but the log is needed").containsExactly("a", "b", "c");
        sim.close();
    }

    @Test
    void aLogWithFewerFilesThanTheViewsKnowIsServed() throws Exception {
        Simulation sim = Simulation.sync();
        sim.put("t", "a");
        SimulatedFiles older = sim.files.disk().copy();
        for (int i = 0; i < 60; i++) {
            sim.put("t", "x".repeat(400));
        }
        sim.store.close();
        sim.files = older;
        sim.open();
        assertThat(sim.bodies("t")).containsExactly("a");
        sim.put("t", "b");
        sim.close();
    }

    @Test
    void viewsOfAnotherStoreAreReplaced() throws Exception {
        Simulation mine = Simulation.sync();
        Simulation other = Simulation.sync();
        other.duties.advance(1);
        for (int i = 0; i < 10; i++) {
            mine.put("t", "mine" + i);
            other.put("t", "your" + i);
        }
        mine.store.close();
        other.store.close();
        assertThat(other.store.status().positions().appended())
                .isEqualTo(mine.store.status().positions().appended());
        mine.files = other.files.disk().copy();
        mine.open();
        assertThat(mine.store.messages().findByKey("t", "your3", 10, 0, Long.MAX_VALUE))
                .hasSize(1);
        assertThat(mine.store.messages().findByKey("t", "mine3", 10, 0, Long.MAX_VALUE))
                .isEmpty();
        assertThat(mine.bodies("t")).startsWith("your0", "your1").hasSize(10);
        mine.close();
    }

    /** What retention dropped from the one log says nothing of the other. */
    @Test
    void viewsOfAnotherStoreDeleteNothingOfTheLog() throws Exception {
        Simulation mine = new Simulation(
                Simulation.SMALL.withRetention(0, 20_000, 0, 1_000).withCheckpoint(8_192, 500));
        Simulation other = Simulation.sync();
        for (int i = 0; i < 100; i++) {
            mine.put("t", "mine" + i + "x".repeat(400));
            mine.duties.advance(100);
        }
        for (int i = 0; i < 60; i++) {
            other.put("t", "your" + i + "y".repeat(400));
        }
        assertThat(mine.store.status().oldestPosition()).isPositive();
        mine.store.close();
        other.store.close();
        mine.settings = Simulation.SMALL;
        mine.files = other.files.disk().copy();
        mine.open();
        assertThat(mine.store.status().oldestPosition()).isZero();
        assertThat(mine.bodies("t")).hasSize(60);
        mine.close();
    }

    @Test
    void aDamagedLastFrameIsDamageOfTheLogNotOfTheViews() throws Exception {
        Simulation sim = Simulation.sync();
        sim.put("t", "a");
        sim.checkpoint();
        Stored last = sim.put("t", "b");
        sim.checkpoint();
        sim.kill();
        sim.files.disk().flipBit(FIRST, (last.position() + 90) * 8);
        sim.open();
        assertThat(sim.store.queues().offsetRange("t", 0).maxOffset())
                .as("not cut as a torn tail")
                .isEqualTo(2);
        assertThat(sim.store
                        .queues()
                        .readQueue("t", 0, 1, 10, 10_000, null, null)
                        .status())
                .isEqualTo(ReadResult.Status.DAMAGED);
        assertThat(sim.put("t", "c").queueOffset()).isEqualTo(2);
        sim.store.close();
    }

    @Test
    void damageFoundWhileStartingIsNoReasonNotTo() throws Exception {
        for (String table : List.of("queue", "keys", "due", "transactions", "unique", "pop", "meta")) {
            Simulation sim = Simulation.sync();
            Stored half = sim.stored((s, done) -> s.transactions().appendHalf(null, draft("t", "h"), "g", "", 1, done));
            everything(sim, 0, null, null);
            sim.checkpoint();
            sim.outcome((s, done) -> s.transactions()
                    .decide(half.handle(), Decision.COMMIT, false, "me", draft("t", "committed"), 0, done));
            sim.kill();
            sim.backend.damage(table);
            sim.open();
            askAll(sim.store);
            sim.duties.advance(61_000);
            assertThat(sim.bodies("t")).as(table).containsExactly("r0", "ur0", "committed");
            sim.close();
        }
    }

    @Test
    void popStepsGoOnWhileTheirViewIsDamaged() throws Exception {
        Simulation sim = Simulation.sync();
        PopKey key = new PopKey("g", "t", 0);
        sim.put("t", "a");
        sim.stored((s, done) -> s.pops().recordPops(List.of(new PopDelta(key, List.of(new PopChange.Start(0)))), done));
        sim.checkpoint();
        sim.backend.damage("pop");
        assertThatThrownBy(() -> sim.store.pops().popState(key)).isInstanceOf(ViewsDamaged.class);
        sim.duties.advance(61_000);
        assertThat(sim.store.pops().popState(key)).isNotNull();
        sim.close();
    }
}
