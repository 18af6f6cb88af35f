/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.Duties;
import io.waybill.platform.Duty;
import io.waybill.platform.DutyHandle;
import java.util.concurrent.Executor;
import org.junit.jupiter.api.Test;

class BackgroundDutiesTest {
    private int runs;
    private final Wakeup wakeup = new Wakeup();
    private final Duty duty = new Duty() {
        @Override
        public String roleName() {
            return "test";
        }

        @Override
        public long run() {
            runs++;
            return WHEN_WOKEN;
        }
    };
    private final DutyHandle handle = new DutyHandle() {
        @Override
        public void wake() {
            duty.run();
        }

        @Override
        public void close() {}
    };

    /** A thread that runs the duty at once, while the one that starts it has not got its handle yet. */
    private Duties starting(Runnable afterFirstRun) {
        return new Duties() {
            @Override
            public DutyHandle start(Duty started) {
                started.run();
                afterFirstRun.run();
                return handle;
            }

            @Override
            public Executor executor(String name, int maxThreads) {
                throw new UnsupportedOperationException();
            }

            @Override
            public Thread thread(String name, Runnable body) {
                throw new UnsupportedOperationException();
            }

            @Override
            public void close() {}
        };
    }

    @Test
    void aWakeBetweenTheFirstRunAndTheHandleIsNotLost() {
        BackgroundDuties duties = new BackgroundDuties();
        duties.add(duty, wakeup);
        duties.start(starting(wakeup::wake));
        assertThat(runs).isEqualTo(2);
        wakeup.wake();
        assertThat(runs).isEqualTo(3);
    }

    @Test
    void nobodyIsWokenWhoWasNotToBe() {
        BackgroundDuties duties = new BackgroundDuties();
        duties.add(duty, wakeup);
        duties.start(starting(() -> {}));
        assertThat(runs).isEqualTo(1);
    }
}
