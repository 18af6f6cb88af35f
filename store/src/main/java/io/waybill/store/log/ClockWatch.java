/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.platform.Clock;
import java.time.Duration;
import java.time.Instant;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Compares the wall clock with the monotonic one and says when it was set. Store times follow the wall clock and never go
 * back, so a clock that was ahead for a moment stamps everything that comes after it until the right time has caught up. One
 * thread (ADR 0021).
 */
final class ClockWatch {
    private static final Logger LOG = LoggerFactory.getLogger(ClockWatch.class);
    /** A smaller step is not worth a line; a time server makes them. */
    private static final long STEP_MILLIS = 60_000;

    private final Clock clock;
    private long wallMillis;
    private long nanos;

    ClockWatch(Clock clock) {
        this.clock = clock;
        wallMillis = clock.wallMillis();
        nanos = clock.nanoTime();
    }

    /**
     * Refuses a store whose newest time is too far ahead of the clock.
     *
     * @param boundMillis 0 takes any
     */
    static void refuseFarAhead(long storeMillis, long wallMillis, long boundMillis) throws StoreException {
        long ahead = storeMillis - wallMillis;
        if (boundMillis > 0 && ahead > boundMillis) {
            throw new StoreException("the store's newest time is " + Instant.ofEpochMilli(storeMillis) + ", that is "
                    + shown(ahead) + " ahead of this machine's clock, " + Instant.ofEpochMilli(wallMillis)
                    + ": every new message would be stamped with that time until the clock reaches it, and replay by"
                    + " time would mean nothing. Set the clock right if it is behind. If it is right, a clock was ahead"
                    + " when the store was written: start once with maxClockAheadMillis=0 to take that, or start with"
                    + " another directory");
        }
    }

    /** Says what was set since the last look; returns the step in milliseconds, 0 for one not worth a line. */
    long look(long storeMillis) {
        long nowWall = clock.wallMillis();
        long nowNanos = clock.nanoTime();
        long step = nowWall - wallMillis - (nowNanos - nanos) / 1_000_000;
        wallMillis = nowWall;
        nanos = nowNanos;
        if (step >= STEP_MILLIS) {
            LOG.warn(
                    "the machine's clock went forward by {} (set, or the machine slept): new messages are stamped {} and "
                            + "later. If that is wrong, set it back at once: store times never go back",
                    shown(step),
                    Instant.ofEpochMilli(nowWall));
        } else if (step <= -STEP_MILLIS) {
            LOG.warn(
                    "the machine's clock went back by {}; new messages are stamped {} until it has caught up",
                    shown(-step),
                    Instant.ofEpochMilli(Math.max(nowWall, storeMillis)));
        } else {
            return 0;
        }
        return step;
    }

    private static String shown(long millis) {
        Duration time = Duration.ofMillis(millis);
        long days = time.toDays();
        if (days >= 2) {
            return days + " days";
        }
        return time.toHours() > 0
                ? time.toHours() + " h " + time.toMinutesPart() + " min"
                : time.toMinutes() + " min " + time.toSecondsPart() + " s";
    }
}
