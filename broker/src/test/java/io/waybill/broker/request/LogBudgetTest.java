/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.simulated.SimulatedClock;
import org.junit.jupiter.api.Test;

class LogBudgetTest {
    @Test
    void aFloodLeavesAFewLinesAndTheirNumber() {
        SimulatedClock clock = new SimulatedClock();
        LogBudget budget = new LogBudget(clock);
        for (int i = 0; i < LogBudget.LINES; i++) {
            assertThat(budget.admit()).isEmpty();
        }
        for (int i = 0; i < 1_000; i++) {
            assertThat(budget.admit()).isNull();
        }
        clock.advance(9_999);
        assertThat(budget.admit()).isNull();
        clock.advance(1);
        assertThat(budget.admit()).contains("1001");
        assertThat(budget.admit()).isEmpty();
    }
}
