/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.broker.simulated.SimulatedBroker;
import io.waybill.protocol.RequestCode;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Checks that were set while the wall clock stood ahead do not wait for that time to come again. */
class ClockSetBackTest {
    private static final long HOUR = 3_600_000;
    private SimulatedBroker broker;

    @BeforeEach
    void start() {
        broker = new SimulatedBroker();
        broker.topic("orders", 1);
    }

    @AfterEach
    void stop() {
        broker.close();
    }

    private void setClock(long byMillis) {
        broker.clock.set(broker.now() + byMillis);
    }

    private static long checks(FakeConnection producer) {
        return producer.take().stream()
                .filter(c -> c.code() == RequestCode.CHECK_TRANSACTION_STATE)
                .count();
    }

    @Test
    void aHalfSentWhileTheClockStoodAheadIsCheckedAfterItsOwnIntervalFromTheStep() {
        FakeConnection producer = broker.producer("shop");
        setClock(HOUR);
        broker.half("shop", "orders", 0, SimulatedBroker.properties("u1"));
        broker.half("shop", "orders", 0, SimulatedBroker.properties("u2", "CHECK_IMMUNITY_TIME_IN_SECONDS", "60"));
        setClock(-HOUR);
        broker.pass(5_999);
        assertThat(checks(producer)).isZero();
        broker.pass(5_001); // the step is seen within 5 s
        assertThat(checks(producer)).isEqualTo(1);
        broker.pass(29_999);
        broker.pass(60_000);
        assertThat(checks(producer)).isGreaterThanOrEqualTo(3);
    }

    @Test
    void theNextCheckOfOneThatWasCheckedAheadOfTimeComesToo() {
        FakeConnection producer = broker.producer("shop");
        broker.half("shop", "orders", 0, SimulatedBroker.properties("u1"));
        setClock(HOUR);
        broker.pass(5_000);
        assertThat(checks(producer)).isEqualTo(1);
        setClock(-HOUR);
        broker.pass(35_000);
        assertThat(checks(producer)).isEqualTo(1);
    }

    @Test
    void aStartAfterTheStepSeesItByTheLog() {
        setClock(HOUR);
        broker.half("shop", "orders", 0, SimulatedBroker.properties("u1"));
        broker.close();
        setClock(-HOUR);
        broker.crash(3);
        FakeConnection producer = broker.producer("shop");
        producer.take();
        broker.pass(11_000);
        assertThat(checks(producer)).isEqualTo(1);
    }

    @Test
    void aStoreThatCannotWriteJustThenIsAskedAgain() {
        FakeConnection producer = broker.producer("shop");
        setClock(HOUR);
        for (int i = 0; i < 400; i++) {
            broker.half("shop", "orders", 0, SimulatedBroker.properties("u" + i, "x", "x".repeat(4_000)));
        }
        broker.files().disk().capacityBytes(broker.files().disk().usedBytes());
        setClock(-HOUR);
        broker.pass(10_000);
        broker.files().disk().capacityBytes(Long.MAX_VALUE);
        broker.pass(60_000);
        assertThat(checks(producer)).isGreaterThanOrEqualTo(400);
    }

    @Test
    void delayedMessagesKeepTheirTimeWhateverTheClockDoes() {
        long due = broker.now() + 10_000;
        broker.delayed("orders", 0, "b", SimulatedBroker.properties("u1", "TIMER_DELIVER_MS", "" + due));
        broker.delayed("orders", 0, "b", SimulatedBroker.properties("u2", "TIMER_DELAY_MS", "10000"));
        for (long step : new long[] {-HOUR, 30_000, -30_000, -5_000, HOUR - 9_000}) {
            setClock(step);
            broker.pass(500);
            if (broker.now() < due) {
                assertThat(broker.visible("orders", 0)).isEmpty();
            }
        }
        while (broker.now() < due) {
            assertThat(broker.visible("orders", 0)).isEmpty();
            broker.pass(1);
        }
        assertThat(broker.visibleKeys("orders", 0)).containsExactly("u1", "u2");
    }

    @Test
    void smallStepsAreTheOrdinaryWorkOfTimeServers() {
        FakeConnection producer = broker.producer("shop");
        broker.half("shop", "orders", 0, SimulatedBroker.properties("u1"));
        long position = broker.store.status().positions().appended();
        setClock(-1_900);
        broker.pass(5_000);
        assertThat(broker.store.status().positions().appended()).isEqualTo(position);
        broker.pass(2_900);
        assertThat(checks(producer)).isEqualTo(1);
    }
}
