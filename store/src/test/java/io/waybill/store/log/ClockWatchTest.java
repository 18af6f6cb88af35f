/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.simulated.SimulatedClock;
import org.junit.jupiter.api.Test;

class ClockWatchTest {
    @Test
    void aClockThatIsSetIsNoticedOnceAndTimeThatPassesIsNot() {
        SimulatedClock clock = new SimulatedClock();
        ClockWatch watch = new ClockWatch(clock);
        clock.advance(86_400_000);
        assertThat(watch.look(0)).isZero();
        clock.set(clock.wallMillis() + 7_200_000);
        clock.advance(10_000);
        assertThat(watch.look(0)).isEqualTo(7_200_000);
        clock.advance(10_000);
        assertThat(watch.look(0)).isZero();
        clock.set(clock.wallMillis() - 7_200_000);
        assertThat(watch.look(0)).isEqualTo(-7_200_000);
        clock.set(clock.wallMillis() + 59_000);
        assertThat(watch.look(0)).as("a step of a time server").isZero();
    }
}
