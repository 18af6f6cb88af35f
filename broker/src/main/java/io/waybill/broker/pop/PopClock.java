/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.platform.Clock;
import java.util.concurrent.TimeUnit;

/**
 * The two times of pops.
 *
 * <p>What always holds while the process lives: {@link #nowMillis}, by which an invisibility ends, goes as the
 * monotonic clock goes, whatever is done to the wall clock; and {@link #stampMillis}, by which clients name a lease,
 * never falls and is never behind the wall clock, since a stock client discards what seems to have been leased too long
 * ago. Thread-safe.
 */
final class PopClock {
    /** A lease named further ahead was named by nobody here: it moves no clock. */
    private static final long FAR_MILLIS = TimeUnit.DAYS.toMillis(1);

    private final Clock clock;
    private volatile long startMillis;
    private final long startNanos;
    // Guarded by this.
    private long stampMillis;
    private long stampNanos;

    PopClock(Clock clock) {
        this.clock = clock;
        this.startNanos = clock.nanoTime();
        this.startMillis = clock.wallMillis();
        this.stampMillis = startMillis;
        this.stampNanos = startNanos;
    }

    /**
     * Begins as the wall clock, or as the newest time in the store if that is later, and goes its own way from then on.
     */
    long nowMillis() {
        return startMillis + TimeUnit.NANOSECONDS.toMillis(clock.nanoTime() - startNanos);
    }

    synchronized long stampMillis() {
        long passedMillis = TimeUnit.NANOSECONDS.toMillis(clock.nanoTime() - stampNanos);
        stampNanos +=
                TimeUnit.MILLISECONDS.toNanos(passedMillis); // what is less than a millisecond counts the next time
        stampMillis = Math.max(clock.wallMillis(), stampMillis + passedMillis);
        return stampMillis;
    }

    /**
     * How far {@link #stampMillis} is ahead of {@link #nowMillis}; the log keeps deadlines by the former, which a later
     * run can compare with its own.
     */
    long aheadMillis() {
        return stampMillis() - nowMillis();
    }

    /**
     * This time was given out by a run before, whose wall clock may have been ahead: all times are later ones. Before
     * the first request.
     */
    synchronized void named(long millis) {
        if (isFar(millis)) {
            return;
        }
        stampMillis = Math.max(stampMillis, millis + 1);
        startMillis = Math.max(startMillis, millis + 1);
    }

    /**
     * A lease was named with this time by a run before: the names of leases go on behind it. The time by which
     * invisibilities end stays as it is.
     */
    synchronized void leasedBefore(long millis) {
        if (millis >= stampMillis && !isFar(millis)) {
            stampMillis = millis + 1;
        }
    }

    /** Whether a time that a handle tells is further ahead than any that was given out. */
    boolean isFar(long millis) {
        return millis - stampMillis() > FAR_MILLIS || millis < 0;
    }

    /** What the wall clock shows when {@link #nowMillis} says this; for people. */
    long wallMillis(long nowMillis) {
        return clock.wallMillis() + nowMillis - nowMillis();
    }
}
