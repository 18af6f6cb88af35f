/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.waybill.platform.Clock;
import java.util.concurrent.TimeUnit;

/**
 * Keeps lines that peers cause from filling the log: at most so many in any interval; the first line after that tells how many were left out. By the
 * monotonic clock. Thread-safe.
 */
public final class LogRateLimiter {
    static final int LINES = 20;
    private static final long INTERVAL_MILLIS = 10_000;

    private final Clock clock;
    private final int mostLines;
    private final long intervalNanos;
    private long startNanos;
    private int written;
    private long leftOut;

    /** At most {@value #LINES} lines in 10 seconds. */
    public LogRateLimiter(Clock clock) {
        this(clock, LINES, INTERVAL_MILLIS);
    }

    public LogRateLimiter(Clock clock, int mostLines, long intervalMillis) {
        this.clock = clock;
        this.mostLines = mostLines;
        this.intervalNanos = TimeUnit.MILLISECONDS.toNanos(intervalMillis);
        this.startNanos = clock.nanoTime();
    }

    /** Null when the line must not be written, else what to write behind it. */
    public synchronized String admit() {
        long now = clock.nanoTime();
        if (now - startNanos >= intervalNanos) {
            startNanos = now;
            written = 0;
        }
        if (written == mostLines) {
            leftOut++;
            return null;
        }
        written++;
        String more = leftOut == 0 ? "" : " (" + leftOut + " such lines were left out before)";
        leftOut = 0;
        return more;
    }
}
