/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.waybill.platform.Clock;
import java.util.concurrent.TimeUnit;

/**
 * Keeps what peers cause from filling the log: of each kind at most {@value #MOST} lines in a minute are written, and the first one after that tells how many
 * were left out. By the monotonic clock. Thread-safe.
 */
final class PeerLines {
    static final int MOST = 10;

    private static final long INTERVAL_NANOS = TimeUnit.MINUTES.toNanos(1);

    /** What is counted by itself, so that a flood of one kind does not hide another. */
    enum Kind {
        BROKEN_FRAME,
        FAILED_CONNECTION,
        FAILED_REQUEST,
        FAILED_ACCEPT,
        FOREIGN_PROTOCOL,
        SCARCE_MEMORY,
        TOO_MANY_CONNECTIONS
    }

    private static final class Count {
        boolean isBegun;
        long startNanos;
        int written;
        long leftOut;
    }

    private final Clock clock;
    private final Count[] counts = new Count[Kind.values().length];

    PeerLines(Clock clock) {
        this.clock = clock;
        for (int i = 0; i < counts.length; i++) {
            counts[i] = new Count();
        }
    }

    /** Null when the line must not be written, else what to write behind it. */
    String admit(Kind kind) {
        Count count = counts[kind.ordinal()];
        synchronized (count) {
            long now = clock.nanoTime();
            if (!count.isBegun || now - count.startNanos >= INTERVAL_NANOS) {
                count.isBegun = true;
                count.startNanos = now;
                count.written = 0;
            }
            if (count.written == MOST) {
                count.leftOut++;
                return null;
            }
            count.written++;
            String more = count.leftOut == 0 ? "" : " (" + count.leftOut + " such lines were left out before)";
            count.leftOut = 0;
            return more;
        }
    }
}
