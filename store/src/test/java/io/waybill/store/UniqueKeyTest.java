/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import static io.waybill.store.Simulation.draft;
import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.store.log.BatchStored;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Refused;
import io.waybill.store.log.Stored;
import io.waybill.store.record.CancelledTimer;
import io.waybill.store.record.CheckEvent;
import io.waybill.store.record.CheckReason;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DeliveryEvent;
import io.waybill.store.record.FirstMessage;
import io.waybill.store.record.UniqueKey;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import org.junit.jupiter.api.Test;

/** Keys that one message of a topic holds, and what else is found by key or kept for people. */
class UniqueKeyTest {
    private static UniqueKey key(Simulation sim, String key) {
        return new UniqueKey("t", key, sim.store.clock().keyTimeMillis() + 60_000);
    }

    private static FirstMessage prior(Outcome outcome) {
        assertThat(outcome).isInstanceOf(Refused.class);
        assertThat(((Refused) outcome).reason()).isEqualTo(Refused.Reason.DUPLICATE);
        return (FirstMessage) ((Refused) outcome).prior();
    }

    @Test
    void theSecondIsRefusedWithTheFirstUntilItsTimeAndAfterARestart() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            UniqueKey key = key(sim, "k");
            Stored first = sim.stored((s, done) -> s.messages().appendUnique(key, draft("t", "a"), done));
            FirstMessage expected = new FirstMessage(first.position(), 0, 0, first.storeTimeMillis());
            assertThat(prior(sim.outcome((s, done) -> s.messages().appendUnique(key, draft("t", "b"), done))))
                    .isEqualTo(expected);
            sim.kill();
            sim.open();
            assertThat(prior(sim.outcome((s, done) -> s.timers().appendTimer(key, draft("t", "b"), 1, done))))
                    .isEqualTo(expected);
            UniqueKey elsewhere = new UniqueKey("u", "k", key.untilMillis());
            sim.stored((s, done) -> s.messages().appendUnique(elsewhere, draft("u", "c"), done));
            sim.duties.advance(59_999);
            prior(sim.outcome((s, done) -> s.messages().appendUnique(key, draft("t", "b"), done)));
            sim.duties.advance(1);
            sim.stored((s, done) -> s.messages().appendUnique(key(sim, "k"), draft("t", "d"), done));
            assertThat(sim.bodies("t")).containsExactly("a", "d");
        }
    }

    @Test
    void whatIsInFlightCounts() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            List<Outcome> outcomes = new ArrayList<>();
            for (String body : List.of("a", "b", "c")) {
                sim.store.messages().appendUnique(key(sim, "k"), draft("t", body), outcomes::add);
            }
            sim.duties.runUntilIdle();
            assertThat(outcomes).hasSize(3);
            assertThat(outcomes.get(0)).isInstanceOf(Stored.class);
            assertThat(prior(outcomes.get(1)).position()).isEqualTo(((Stored) outcomes.get(0)).position());
            assertThat(prior(outcomes.get(2)).position()).isEqualTo(((Stored) outcomes.get(0)).position());
        }
    }

    @Test
    void aBatchStoresWhatIsNew() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            sim.stored((s, done) -> s.messages().appendUnique(key(sim, "b"), draft("t", "b"), done));
            BatchStored batch = (BatchStored) sim.outcome((s, done) -> s.messages()
                    .appendUniqueBatch(
                            List.of(draft("t", "a"), draft("t", "b2"), draft("t", "a2"), draft("t", "free")),
                            Arrays.asList(key(sim, "a"), key(sim, "b"), key(sim, "a"), null),
                            done));
            assertThat(sim.bodies("t")).containsExactly("b", "a", "free");
            assertThat(batch.stored().get(0).queueOffset()).isEqualTo(1);
            assertThat(batch.stored().get(3).queueOffset()).isEqualTo(2);
            assertThat(batch.prior().get(1).queueOffset()).isZero();
            assertThat(batch.prior().get(2).queueOffset()).isEqualTo(1);
            long end = sim.store.status().positions().appended();
            BatchStored again = (BatchStored) sim.outcome((s, done) ->
                    s.messages().appendUniqueBatch(List.of(draft("t", "a")), List.of(key(sim, "a")), done));
            assertThat(again.prior().get(0).queueOffset()).isEqualTo(1);
            assertThat(again.stored().get(0)).isNull();
            assertThat(sim.store.status().positions().appended()).isEqualTo(end);
        }
    }

    @Test
    void aRollbackAndACancellationSetTheKeyFreeACommitDoesNot() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            for (Decision decision : new Decision[] {Decision.ROLLBACK, Decision.COMMIT}) {
                UniqueKey key = key(sim, decision.name());
                Stored half =
                        sim.stored((s, done) -> s.transactions().appendHalf(key, draft("t", "h"), "g", "", 1, done));
                assertThat(prior(sim.outcome((s, done) -> s.messages().appendUnique(key, draft("t", "b"), done)))
                                .position())
                        .isEqualTo(half.handle());
                List<Outcome> outcomes = new ArrayList<>();
                // The decision is in flight when the next one comes.
                sim.store
                        .transactions()
                        .decide(
                                half.handle(),
                                decision,
                                false,
                                "",
                                decision == Decision.COMMIT ? draft("t", "h") : null,
                                0,
                                outcomes::add);
                sim.store.messages().appendUnique(key, draft("t", "next"), outcomes::add);
                sim.duties.runUntilIdle();
                assertThat(outcomes.get(1) instanceof Stored).isEqualTo(decision == Decision.ROLLBACK);
                prior(sim.outcome((s, done) -> s.messages().appendUnique(key, draft("t", "b"), done)));
            }
            Stored due = sim.stored(
                    (s, done) -> s.timers().appendTimer(key(sim, "due"), draft("t", "later"), Long.MAX_VALUE, done));
            sim.stored((s, done) -> s.timers().cancel(due.handle(), "kim", done));
            sim.stored((s, done) -> s.messages().appendUnique(key(sim, "due"), draft("t", "now"), done));
        }
    }

    @Test
    void delayedMessagesAreFoundByEachOfTheirKeys() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            Stored one = sim.stored((s, done) -> s.timers().appendTimer(null, draft("t", "one"), Long.MAX_VALUE, done));
            Stored two = sim.stored((s, done) -> s.timers().appendTimer(null, draft("t", "two"), Long.MAX_VALUE, done));
            assertThat(sim.store.timers().handlesByKey("t", "all")).containsExactly(one.handle(), two.handle());
            assertThat(sim.store.timers().handlesByKey("t", "u-two")).containsExactly(two.handle());
            assertThat(sim.store.timers().handlesByKey("u", "two")).isEmpty();
            assertThat(sim.store.timers().pendingTimerCount("t")).isEqualTo(2);
            Stored cancelled = sim.stored((s, done) -> s.timers().cancel(one.handle(), "kim", done));
            sim.kill();
            sim.open();
            CancelledTimer ended = new CancelledTimer(one.handle(), cancelled.storeTimeMillis(), "kim");
            assertThat(sim.store.timers().handlesByKey("t", "all")).containsExactly(two.handle());
            assertThat(sim.store.timers().cancelledByKey("t", "all")).containsExactly(ended);
            assertThat(sim.store.timers().cancelledByKey("t", "two")).isEmpty();
            assertThat(sim.store.timers().cancelledTimer(one.handle())).isEqualTo(ended);
            assertThat(sim.store.timers().cancelledTimer(two.handle())).isNull();
            assertThat(sim.store.timers().pendingTimerCount("t")).isEqualTo(1);
            assertThat(sim.store.timers().pendingTimer(two.handle()).topic()).isEqualTo("t");
        }
    }

    @Test
    void checksAndDeliveriesAreKeptForPeople() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            Stored half = sim.stored((s, done) -> s.transactions().appendHalf(null, draft("t", "h"), "g", "", 1, done));
            long handle = half.handle();
            long at = sim.stored(
                            (s, done) -> s.transactions().recordCheck(handle, 1, 5, "c1", CheckReason.NONE, "", done))
                    .storeTimeMillis();
            sim.stored((s, done) -> s.transactions().recordCheckAnswer(handle, "c1", "UNKNOWN", done));
            sim.stored((s, done) -> s.transactions().recordCheck(handle, 2, 9, "c2", CheckReason.NONE, "", done));
            sim.stored((s, done) -> s.transactions().decide(handle, Decision.ROLLBACK, true, "c2", null, 0, done));
            sim.stored((s, done) -> s.transactions().recordCheckAnswer(handle, "late", "COMMIT", done));
            sim.kill();
            sim.open();
            assertThat(sim.store.transactions().checksOf(handle))
                    .containsExactly(
                            new CheckEvent(at, 1, "c1", CheckReason.NONE, "UNKNOWN", at),
                            new CheckEvent(at, 2, "c2", CheckReason.NONE, null, 0),
                            new CheckEvent(at, 0, "late", CheckReason.NONE, "COMMIT", at));
            assertThat(sim.outcome((s, done) -> s.transactions().recordCheckAnswer(handle + 1, "c", "UNKNOWN", done)))
                    .isInstanceOf(Refused.class);

            DeliveryEvent entry =
                    new DeliveryEvent(DeliveryEvent.DeliveryKind.DELIVERED, "g", "t", 0, 5, 9, "c1", at, at);
            sim.stored((s, done) -> s.deliveries().recordDeliveries(List.of(entry), done));
            assertThat(sim.store.deliveries().deliveriesOf("t", 0, 8, 10)).containsExactly(entry);
            assertThat(sim.store.deliveries().deliveriesOf("t", 0, 9, 10)).isEmpty();
            assertThat(sim.store.deliveries().deliveriesOf("t", 1, 8, 10)).isEmpty();
        }
    }
}
