/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform.simulated;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import org.junit.jupiter.api.Test;

class SimulatedClockTest {

    @Test
    void bothHandsAdvanceTogetherAndOnlyTheWallCanBeSet() {
        SimulatedClock clock = new SimulatedClock(1_000);
        clock.advance(500);
        assertThat(clock.wallMillis()).isEqualTo(1_500);
        assertThat(clock.nanoTime()).isEqualTo(500_000_000);
        clock.set(10);
        assertThat(clock.wallMillis()).isEqualTo(10);
        assertThat(clock.nanoTime()).isEqualTo(500_000_000);
        assertThatIllegalArgumentException().isThrownBy(() -> clock.advance(-1));
    }

    @Test
    void partsOfAMillisecondAddUp() {
        SimulatedClock clock = new SimulatedClock(0);
        for (int i = 0; i < 4; i++) {
            clock.advanceNanos(250_000);
        }
        assertThat(clock.wallMillis()).isEqualTo(1);
    }
}
