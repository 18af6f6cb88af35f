/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.stats;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.simulated.SimulatedClock;
import io.waybill.platform.simulated.SimulatedDuties;
import org.assertj.core.data.Offset;
import org.junit.jupiter.api.Test;

class StatsTest {
    private final SimulatedClock clock = new SimulatedClock();
    private final SimulatedDuties duties = new SimulatedDuties(clock);
    private final Stats stats = new Stats(clock);

    private void start() {
        duties.start(stats);
        duties.runUntilIdle();
    }

    @Test
    void windowsForgetWhatIsOlder() {
        start();
        stats.stored("orders", 120, 12_000);
        duties.advance(5_000);
        assertThat(stats.find("TOPIC_PUT_NUMS", "orders", Stats.MINUTE_MILLIS).perSecond())
                .isEqualTo(24);
        assertThat(stats.find("TOPIC_PUT_SIZE", "orders", Stats.MINUTE_MILLIS)).isEqualTo(new Flow(12_000, 2_400, 100));
        duties.advance(80_000);
        assertThat(stats.find("TOPIC_PUT_NUMS", "orders", Stats.MINUTE_MILLIS).sum())
                .isZero();
        assertThat(stats.find("TOPIC_PUT_NUMS", "orders", Stats.HOUR_MILLIS).sum())
                .isEqualTo(120);
        duties.advance(Stats.HOUR_MILLIS + 20 * Stats.MINUTE_MILLIS);
        assertThat(stats.find("TOPIC_PUT_NUMS", "orders", Stats.HOUR_MILLIS).sum())
                .isZero();
        assertThat(stats.find("TOPIC_PUT_NUMS", "orders", Stats.DAY_MILLIS).sum())
                .isEqualTo(120);
        duties.advance(Stats.DAY_MILLIS + 2 * Stats.HOUR_MILLIS);
        assertThat(stats.find("TOPIC_PUT_NUMS", "orders", Stats.DAY_MILLIS))
                .as("still for a day: forgotten")
                .isNull();
    }

    @Test
    void aSteadyFlowHasItsRateInEveryWindow() {
        start();
        for (int i = 0; i < 7_200; i++) {
            stats.delivered("shipping", "orders", 5, 500);
            duties.advance(1_000);
        }
        for (long window : new long[] {10_000, Stats.MINUTE_MILLIS, Stats.HOUR_MILLIS, Stats.DAY_MILLIS}) {
            assertThat(stats.totals().perSecond(true, window)).isCloseTo(5, Offset.offset(0.01));
        }
        assertThat(stats.outPerSecond("shipping", "orders")).isCloseTo(5, Offset.offset(0.01));
        assertThat(stats.find("GROUP_GET_NUMS", "orders@shipping", Stats.MINUTE_MILLIS)
                        .sum())
                .isBetween(300L, 350L);
        assertThat(stats.totals().messages(true)).isEqualTo(36_000);
    }

    @Test
    void midnightIsRemembered() {
        start();
        stats.stored("orders", 7, 70);
        duties.advance(Stats.DAY_MILLIS);
        stats.stored("orders", 3, 30);
        assertThat(stats.totals().atMidnight(false, false)).isEqualTo(7);
        assertThat(stats.totals().atMidnight(false, true)).isZero();
        duties.advance(Stats.DAY_MILLIS);
        assertThat(stats.totals().atMidnight(false, true)).isEqualTo(7);
        assertThat(stats.totals().atMidnight(false, false)).isEqualTo(10);
        assertThat(stats.totals().messages(false)).isEqualTo(10);
    }

    @Test
    void theNumberOfThingsCountedOneByOneIsBounded() {
        start();
        for (int i = 0; i < Stats.MOST_METERS + 50; i++) {
            stats.stored("t" + i, 1, 10);
            stats.delivered("g" + i, "t", 1, 10);
        }
        assertThat(stats.totals().messages(false)).isEqualTo(Stats.MOST_METERS + 50);
        assertThat(stats.find("TOPIC_PUT_NUMS", "t0", Stats.MINUTE_MILLIS)).isNotNull();
        assertThat(stats.find("TOPIC_PUT_NUMS", "t" + Stats.MOST_METERS, Stats.MINUTE_MILLIS))
                .isNull();
        assertThat(stats.find("NO_SUCH", "t0", Stats.MINUTE_MILLIS)).isNull();
        assertThat(stats.find("GROUP_GET_NUMS", "without group", Stats.MINUTE_MILLIS))
                .isNull();
    }
}
