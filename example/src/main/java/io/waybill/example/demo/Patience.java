/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.example.demo;

import io.waybill.client.WaybillException;
import java.nio.file.Path;
import java.time.Duration;
import java.util.concurrent.Callable;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import java.util.function.LongSupplier;
import java.util.function.Supplier;

/**
 * Waits as long as something moves, however slowly. When nothing has moved for long, it looks at the machine: on one that is busy nothing is known
 * ({@link TooSlow}), on one with time to spare what was waited for has not happened.
 */
final class Patience {
    /** Longer than the broker's longest pause between two checks of the demo, and than any time-out of the client. */
    private static final Duration SILENCE = Duration.ofSeconds(90);

    private final Duration silence;
    private final Supplier<Machine> machine;

    /** @param disk a directory on the disk that the server writes to */
    Patience(Path disk) {
        this(SILENCE, () -> Machine.measure(disk));
    }

    Patience(Duration silence, Supplier<Machine> machine) {
        this.silence = silence;
        this.machine = machine;
    }

    /** What waits; shows how far it is. */
    interface Shown {
        void show(long moved);
    }

    /**
     * Returns true when it is done, false if nothing has moved for long though the machine has time to spare.
     *
     * @param moved a number that changes whenever something moves
     */
    boolean await(String what, LongSupplier moved, BooleanSupplier done, Shown shown)
            throws InterruptedException, TooSlow {
        long seen = moved.getAsLong();
        long sinceNanos = System.nanoTime();
        while (!done.getAsBoolean()) {
            long now = moved.getAsLong();
            if (now != seen) {
                seen = now;
                sinceNanos = System.nanoTime();
            } else if (System.nanoTime() - sinceNanos > silence.toNanos()) {
                requireTime("nothing moved for " + silence.toSeconds() + " s while it waited for " + what);
                return done.getAsBoolean();
            }
            shown.show(now);
            TimeUnit.MILLISECONDS.sleep(20);
        }
        return true;
    }

    /** Calls it until it is answered in time. What it does must bear being done twice. */
    <T> T answered(String what, Callable<T> call) throws Exception {
        long startNanos = System.nanoTime();
        while (true) {
            try {
                return call.call();
            } catch (WaybillException e) {
                boolean late = e.kind() == WaybillException.Kind.TIMEOUT
                        || e.kind() == WaybillException.Kind.UNREACHABLE
                        || e.kind() == WaybillException.Kind.OVERLOADED;
                if (!late) {
                    throw e;
                }
                if (System.nanoTime() - startNanos > silence.toNanos()) {
                    requireTime("no answer for " + silence.toSeconds() + " s to " + what + " (" + e.getMessage() + ")");
                    throw e;
                }
                TimeUnit.MILLISECONDS.sleep(100);
            }
        }
    }

    /** Returns only on a machine with time to spare. */
    void requireTime(String what) throws TooSlow {
        Machine now = machine.get();
        if (now.isBusy()) {
            throw new TooSlow(what + ", and " + now);
        }
    }
}
