/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.MemoryBudget;
import io.waybill.platform.simulated.SimulatedClock;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class PeerProgressTest {
    private static final long IDLE_MILLIS = 30_000;

    private final SimulatedClock clock = new SimulatedClock();
    private final PeerProgress peer = new PeerProgress(clock, IDLE_MILLIS);
    private final Charge much = new Charge(new MemoryBudget(1 << 20), null);

    @BeforeEach
    void connect() {
        peer.connected(clock.nanoTime());
        much.add(Charge.FLOOR_BYTES + 1);
    }

    private String overdue(boolean callsExpired) {
        return peer.overdue(clock.nanoTime(), callsExpired);
    }

    @Test
    void whoReadsOrIsWrittenToIsNotIdle() {
        clock.advance(IDLE_MILLIS - 1);
        assertThat(peer.isIdle(clock.nanoTime())).isFalse();
        peer.sent();
        clock.advance(IDLE_MILLIS - 1);
        peer.readEnded(false);
        clock.advance(IDLE_MILLIS - 1);
        assertThat(peer.isIdle(clock.nanoTime())).isFalse();
        clock.advance(1);
        assertThat(peer.isIdle(clock.nanoTime())).isTrue();
        assertThat(peer.idleAtNanos()).isEqualTo(clock.nanoTime());
    }

    @Test
    void aPeerThatDribblesAFrameIsOverdueAlthoughItIsNeverIdle() {
        for (int i = 0; i < 30; i++) {
            peer.readEnded(true);
            assertThat(overdue(false)).isNull();
            clock.advance(1_000);
        }
        assertThat(peer.isIdle(clock.nanoTime())).isFalse();
        assertThat(overdue(false)).isEqualTo("a frame did not arrive whole within 30000 ms");
        peer.frameRead();
        peer.readEnded(true);
        assertThat(overdue(false)).as("the next frame has its own time").isNull();
        peer.readEnded(false);
        clock.advance(IDLE_MILLIS);
        assertThat(overdue(false)).isNull();
    }

    @Test
    void aPeerThatDoesNotReadIsOverdueUntilItReads() {
        peer.stopsReading();
        clock.advance(IDLE_MILLIS);
        peer.readEnded(false);
        assertThat(overdue(false)).isEqualTo("its peer has not read for 30000 ms");
        peer.readsAgain();
        assertThat(overdue(false)).isNull();
    }

    @Test
    void aSilentPeerIsTakenForDeadOnlyWhenCallsTimeOut() {
        clock.advance(9_999);
        assertThat(overdue(true)).isNull();
        clock.advance(1);
        assertThat(overdue(false)).isNull();
        assertThat(overdue(true)).isEqualTo("calls time out and its peer has sent nothing for 10000 ms");
    }

    @Test
    void whoIsStuckWeighsByAgeAndWhoMovesWeighsNothing() {
        assertThat(peer.weightOfArriving(much)).isZero();
        assertThat(peer.weightOfUnsent(much)).isZero();
        peer.readEnded(true);
        peer.stopsReading();
        clock.advance(999);
        assertThat(peer.weightOfArriving(much)).isZero();
        assertThat(peer.weightOfUnsent(much)).isZero();
        clock.advance(1);
        assertThat(peer.weightOfArriving(much)).isEqualTo(1e9);
        assertThat(peer.weightOfUnsent(much)).isEqualTo(1e9 * much.bytes());
        assertThat(peer.weightOfArriving(new Charge(new MemoryBudget(1 << 20), null)))
                .as("what it holds is too little")
                .isZero();
        peer.readEnded(false);
        peer.readsAgain();
        assertThat(peer.weightOfArriving(much)).isZero();
        assertThat(peer.weightOfUnsent(much)).isZero();
    }
}
