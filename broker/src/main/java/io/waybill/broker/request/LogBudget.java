/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import io.waybill.platform.Clock;
import java.util.concurrent.TimeUnit;

/**
 * Keeps what peers cause out of the log when there is too much of it: at most {@value #LINES} lines in any 10 seconds; the first line after that tells
 * how many were left out. Thread-safe.
 */
public final class LogBudget {
    static final int LINES = 20;

    private static final long INTERVAL_NANOS = TimeUnit.SECONDS.toNanos(10);

    private final Clock clock;
    private long startNanos;
    private int written;
    private long leftOut;

    public LogBudget(Clock clock) {
        this.clock = clock;
        this.startNanos = clock.nanoTime();
    }

    /** Null when the line must not be written, else what to write behind it. */
    public synchronized String admit() {
        long now = clock.nanoTime();
        if (now - startNanos >= INTERVAL_NANOS) {
            startNanos = now;
            written = 0;
        }
        if (written == LINES) {
            leftOut++;
            return null;
        }
        written++;
        String more = leftOut == 0 ? "" : " (" + leftOut + " such lines were left out before)";
        leftOut = 0;
        return more;
    }
}
