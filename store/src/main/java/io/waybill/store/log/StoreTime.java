/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.platform.Clock;

/**
 * The store time: the wall clock, but never earlier than what is in the log. It outlives tenures, so that none stamps a frame
 * earlier than the one before it. Read by any thread, moved by the one that writes or applies frames (ADR 0010).
 */
public final class StoreTime {
    private final Clock clock;
    private final KeyTime keyTime;
    private volatile long newestMillis;

    StoreTime(Clock clock, long newestMillis, long lastClaimMillis) {
        this.clock = clock;
        this.newestMillis = newestMillis;
        this.keyTime = new KeyTime(clock, lastClaimMillis);
    }

    /** The wall clock, but never earlier than what is in the log. */
    public long nowMillis() {
        return Math.max(clock.wallMillis(), newestMillis);
    }

    /** The time of a frame that is begun now. */
    long stamp() {
        long now = nowMillis();
        newestMillis = now;
        return now;
    }

    /** Of the newest frame. */
    long newestMillis() {
        return newestMillis;
    }

    /** How far the newest frame is ahead of the clock; 0 if it is not. */
    public long aheadMillis() {
        return Math.max(0, newestMillis - clock.wallMillis());
    }

    long wallMillis() {
        return clock.wallMillis();
    }

    long nanoTime() {
        return clock.nanoTime();
    }

    /** The time by which unique keys expire: it passes evenly, whatever the wall clock does. */
    public long keyTimeMillis() {
        return keyTime.millis();
    }

    /** By which unique keys expire. */
    KeyTime keyTime() {
        return keyTime;
    }
}
