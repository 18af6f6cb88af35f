/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform.simulated;

import io.waybill.platform.Clock;
import java.util.concurrent.TimeUnit;

/** A clock that stands still until told. The nano hand only goes forward; the wall hand may be set anywhere. */
public final class SimulatedClock implements Clock {
    /** 2026-01-01T00:00Z: an instant that looks like a real one in messages. */
    public static final long START_MILLIS = 1_767_225_600_000L;

    private long wallNanosPart; // below one millisecond, so that advancing by nanoseconds adds up; guarded by this
    private long wallMillis; // guarded by this
    private long nanos; // guarded by this

    public SimulatedClock() {
        this(START_MILLIS);
    }

    public SimulatedClock(long wallMillis) {
        this.wallMillis = wallMillis;
    }

    @Override
    public synchronized long wallMillis() {
        return wallMillis;
    }

    @Override
    public synchronized long nanoTime() {
        return nanos;
    }

    /** Lets time pass on both hands. To let duties run at their times on the way, use {@link SimulatedDuties#advance}. */
    public void advance(long millis) {
        advanceNanos(TimeUnit.MILLISECONDS.toNanos(millis));
    }

    /** Lets time pass on both hands. */
    public synchronized void advanceNanos(long byNanos) {
        if (byNanos < 0) {
            throw new IllegalArgumentException("time passes forward, not by " + byNanos);
        }
        nanos += byNanos;
        wallNanosPart += byNanos;
        wallMillis += TimeUnit.NANOSECONDS.toMillis(wallNanosPart);
        wallNanosPart %= TimeUnit.MILLISECONDS.toNanos(1);
    }

    /** Sets the wall hand alone, as an administrator or a time server would, forward or back. */
    public synchronized void set(long newWallMillis) {
        wallMillis = newWallMillis;
        wallNanosPart = 0;
    }
}
