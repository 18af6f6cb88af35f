/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.lock;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.broker.simulated.SimulatedBroker;
import io.waybill.platform.simulated.SimulatedClock;
import io.waybill.store.record.QueueLock;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a lock that an earlier run recorded may become, and how many of them are read. */
class RecordedLocksTest {
    private static final long EXPIRY = 60_000_000_000L;

    private final SimulatedBroker broker = new SimulatedBroker();

    @AfterEach
    void close() {
        broker.close();
    }

    private QueueLocks locks() {
        return new QueueLocks(
                broker.store.locks(), new SimulatedClock(), 60_000, "broker-a", queue -> true, (group, on) -> null);
    }

    private static QueueLock recorded(int group, int queueId, boolean isShared) {
        return new QueueLock("group-" + group, "orders", queueId, "client-" + group, isShared);
    }

    @Test
    void aGroupIsKnownBeforeTheDutyHasReadIt() {
        for (int group = 0; group < 900; group++) {
            List<QueueLock> some = new ArrayList<>();
            for (int queueId = 0; queueId < 3; queueId++) {
                some.add(recorded(group, queueId, false));
            }
            broker.stored(done -> broker.store.locks().recordLocks(some, done));
        }
        QueueLocks locks = locks();
        assertThat(locks.held("group-899", "orders", 2).clientId()).isEqualTo("client-899");
        assertThat(locks.isOrdered("group-500")).isTrue();
        assertThat(locks.held("group-900", "orders", 0)).isNull();
        int runs = 1;
        while (locks.run() == 0) {
            runs++;
        }
        assertThat(runs).as("in steps").isEqualTo(3);
        for (int group = 0; group < 900; group++) {
            for (int queueId = 0; queueId < 3; queueId++) {
                assertThat(locks.held("group-" + group, "orders", queueId).clientId())
                        .isEqualTo("client-" + group);
            }
        }
        assertThat(locks.held("group-900", "orders", 0)).isNull();
    }

    @Test
    void theClientThatHeldItTakesItAlongAtOnce() {
        LockHold hold = LockHold.of(recorded(1, 0, false), 1_000);
        assertThat(hold.isLive(1_000 + EXPIRY, EXPIRY)).isTrue();
        assertThat(hold.isLive(1_001 + EXPIRY, EXPIRY)).isFalse();
        FakeConnection any = new FakeConnection(1);
        assertThat(hold.mayBeTakenAlong(any, 1_000, EXPIRY)).isTrue();
        assertThat(hold.mayBeUnlocked(any)).isTrue();
        assertThat(hold.isHolder("client-1", any, on -> null)).isTrue();
        assertThat(hold.isHolder("client-2", any, on -> null)).isFalse();
        assertThat(hold.isHolder(null, any, on -> null)).isFalse();
    }

    @Test
    void ofTwoKnownProcessesWithItsIdNeitherDoesBeforeTheEnd() {
        LockHold hold = LockHold.of(recorded(1, 0, true), 1_000);
        FakeConnection any = new FakeConnection(1);
        assertThat(hold.mayBeTakenAlong(any, EXPIRY, EXPIRY)).isFalse();
        assertThat(hold.mayBeUnlocked(any)).isFalse();
        assertThat(hold.isHolder("client-1", any, on -> null)).isFalse();
        assertThat(hold.isLive(1_001 + EXPIRY, EXPIRY)).isFalse();
    }
}
