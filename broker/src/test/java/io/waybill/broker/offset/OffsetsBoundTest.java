/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.offset;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.simulated.FakeConnection;
import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.platform.simulated.SimulatedClock;
import io.waybill.platform.simulated.SimulatedDuties;
import io.waybill.platform.simulated.SimulatedFiles;
import io.waybill.store.Store;
import io.waybill.store.view.ViewsBackend;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** One peer committed 1.9 million offsets, and none was ever forgotten. */
class OffsetsBoundTest {
    private final SimulatedClock clock = new SimulatedClock();
    private final SimulatedDuties duties = new SimulatedDuties(clock);
    private final FakeConnection peer = new FakeConnection(1);
    private Store store;
    private Offsets offsets;

    @BeforeEach
    void open() throws Exception {
        store = Store.open(
                new SimulatedFiles(),
                new Platform(clock, RandomSource.seeded(1), duties),
                BrokerSettings.defaults().store().withSegmentBytes(1 << 20),
                ViewsBackend.memory());
        reopen();
    }

    private void reopen() {
        offsets = new Offsets(
                store.queues(),
                store.offsets(),
                store.clock(),
                BrokerSettings.defaults(),
                group -> false,
                CommitFence.NONE,
                100,
                10);
    }

    @AfterEach
    void close() throws Exception {
        store.close();
    }

    private Offsets.Committed commit(int queueId) {
        return offsets.commit("g", "flood", queueId, 0, peer, true);
    }

    private void record() {
        offsets.recordChanges();
        duties.runUntilIdle();
    }

    @Test
    void whatTheLogHasIsNotKeptInMemoryAndNoMoreThanTheLimitIsKept() {
        for (int i = 0; i < 100; i++) {
            assertThat(commit(i).isTaken()).isTrue();
        }
        record();
        assertThat(offsets.inMemory()).isEqualTo(10);
        assertThat(offsets.query("g", "flood", 3)).isZero();
        assertThat(offsets.of("g")).hasSize(100);

        assertThat(commit(100).isTaken()).isFalse();
        assertThat(commit(100).why()).contains("100 offsets").contains("the limit");
        assertThat(commit(5).isTaken()).as("one that is known").isTrue();
        reopen();
        assertThat(commit(100).isTaken()).as("counted again after a restart").isFalse();

        offsets.forget("g", outcome -> {});
        duties.runUntilIdle();
        record();
        assertThat(commit(100).isTaken()).isTrue();
    }
}
