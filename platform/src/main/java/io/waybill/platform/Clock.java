/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

/**
 * Two hands that are never mixed: the wall clock says what people call the time and may jump in both directions; the
 * nano clock never goes back and measures durations. Safe from any thread.
 */
public interface Clock {

    /** Milliseconds since 1970-01-01T00:00Z. May jump backwards when somebody sets the machine's clock. */
    long wallMillis();

    /** Nanoseconds from an arbitrary origin; never goes back. Compare by difference only. */
    long nanoTime();

    /** The machine's own clocks. */
    static Clock system() {
        return SystemClock.INSTANCE;
    }
}
