/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.platform.Clock;

/**
 * The time by which unique keys are claimed and expire. It passes evenly: from the wall clock at the opening, or the last
 * claim in the log if that is later, it goes on with the monotonic clock. So a wall clock that is set, in either direction,
 * neither frees a key early nor holds it longer; what it means in hours of the day is nobody's business. Safe from any thread.
 */
final class KeyTime {
    private final Clock clock;
    private final long beginMillis;
    private final long beginNanos;

    KeyTime(Clock clock, long lastClaimMillis) {
        this.clock = clock;
        this.beginMillis = Math.max(clock.wallMillis(), lastClaimMillis);
        this.beginNanos = clock.nanoTime();
    }

    long millis() {
        return beginMillis + (clock.nanoTime() - beginNanos) / 1_000_000;
    }
}
