/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.simulated.SimulatedClock;
import org.junit.jupiter.api.Test;

class LogRateLimiterTest {
    @Test
    void aFloodLeavesAFewLinesAndTheirNumber() {
        SimulatedClock clock = new SimulatedClock();
        LogRateLimiter limiter = new LogRateLimiter(clock);
        for (int i = 0; i < LogRateLimiter.LINES; i++) {
            assertThat(limiter.admit()).isEmpty();
        }
        for (int i = 0; i < 1_000; i++) {
            assertThat(limiter.admit()).isNull();
        }
        clock.advance(9_999);
        assertThat(limiter.admit()).isNull();
        clock.advance(1);
        assertThat(limiter.admit()).contains("1001");
        assertThat(limiter.admit()).isEmpty();
    }
}
