/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform.simulated;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.waybill.platform.Duty;
import io.waybill.platform.DutyHandle;
import io.waybill.platform.RandomSource;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.function.LongSupplier;
import org.junit.jupiter.api.Test;

class SimulatedDutiesTest {
    private final SimulatedClock clock = new SimulatedClock(0);
    private final SimulatedDuties duties = new SimulatedDuties(clock);
    private final List<String> trace = new ArrayList<>();

    private Duty duty(String name, LongSupplier wait) {
        return new Duty() {
            @Override
            public String roleName() {
                return name;
            }

            @Override
            public long run() {
                trace.add(name + "@" + clock.wallMillis());
                return wait.getAsLong();
            }

            @Override
            public void close() {
                trace.add(name + " closed");
            }
        };
    }

    @Test
    void nothingRunsUnstepped() {
        duties.start(duty("a", () -> Duty.WHEN_WOKEN));
        duties.executor("pool", 1).execute(() -> trace.add("task"));
        assertThat(trace).isEmpty();
        assertThat(duties.step()).isTrue();
        assertThat(trace).containsExactly("a@0");
        assertThat(duties.runUntilIdle()).isEqualTo(1);
        assertThat(trace).containsExactly("a@0", "task");
        assertThat(duties.step()).isFalse();
        assertThat(duties.nanosToNext()).isEqualTo(Long.MAX_VALUE);
    }

    @Test
    void advancingRunsEachThingAtItsTime() {
        duties.start(duty("slow", () -> TimeUnit.MILLISECONDS.toNanos(100)));
        duties.start(duty("fast", () -> TimeUnit.MILLISECONDS.toNanos(40)));
        duties.advance(100);
        assertThat(trace).containsExactly("slow@0", "fast@0", "fast@40", "fast@80", "slow@100");
        assertThat(clock.wallMillis()).isEqualTo(100);
    }

    @Test
    void thirtyDaysPassInAnInstant() {
        duties.start(duty("daily", () -> TimeUnit.DAYS.toNanos(1)));
        duties.advance(TimeUnit.DAYS.toMillis(30));
        assertThat(trace).hasSize(31);
    }

    @Test
    void wakesRunOnceEachAndNoneIsLost() {
        DutyHandle[] self = new DutyHandle[1];
        int[] left = {2};
        self[0] = duties.start(duty("a", () -> {
            if (left[0]-- > 0) {
                self[0].wake();
            }
            return Duty.WHEN_WOKEN;
        }));
        assertThat(duties.runUntilIdle()).isEqualTo(3);
        self[0].wake();
        self[0].wake();
        assertThat(duties.runUntilIdle()).isEqualTo(1);
    }

    @Test
    void closedDutiesRunNoMore() {
        DutyHandle first = duties.start(duty("first", () -> 0));
        duties.start(duty("second", () -> Duty.WHEN_WOKEN));
        DutyHandle[] own = new DutyHandle[1];
        own[0] = duties.start(duty("own", () -> {
            own[0].close();
            trace.add("still in run");
            return 0;
        }));
        first.close();
        first.close();
        first.wake();
        duties.runUntilIdle();
        assertThat(trace).containsExactly("first closed", "second@0", "own@0", "still in run", "own closed");
        duties.close();
        assertThat(trace).last().isEqualTo("second closed");
        assertThatExceptionOfType(RejectedExecutionException.class)
                .isThrownBy(() -> duties.start(duty("late", () -> 0)));
    }

    @Test
    void failuresReachTheTestAndTheDutyCanBeWokenAgain() {
        boolean[] failing = {true};
        DutyHandle handle = duties.start(duty("a", () -> {
            if (failing[0]) {
                throw new IllegalStateException("no");
            }
            return Duty.WHEN_WOKEN;
        }));
        assertThatIllegalStateException().isThrownBy(duties::step);
        failing[0] = false;
        handle.wake();
        assertThat(duties.runUntilIdle()).isEqualTo(1);
    }

    @Test
    void aStartedThreadIsATask() {
        Thread thread = duties.thread("mine", () -> trace.add("body"));
        assertThat(duties.step()).isFalse();
        thread.start();
        assertThat(trace).isEmpty();
        duties.runUntilIdle();
        assertThat(trace).containsExactly("body");
    }

    @Test
    void aSeedChoosesAmongWhatIsDueAndAlwaysTheSame() {
        Set<List<String>> orders = new HashSet<>();
        for (long seed = 0; seed < 50; seed++) {
            List<String> order = order(seed);
            assertThat(order(seed)).isEqualTo(order);
            orders.add(order);
        }
        assertThat(orders).hasSize(6);
    }

    private static List<String> order(long seed) {
        SimulatedDuties duties = new SimulatedDuties(new SimulatedClock(), RandomSource.seeded(seed));
        List<String> order = new ArrayList<>();
        for (String name : List.of("a", "b", "c")) {
            duties.executor(name, 1).execute(() -> order.add(name));
        }
        duties.runUntilIdle();
        return order;
    }
}
