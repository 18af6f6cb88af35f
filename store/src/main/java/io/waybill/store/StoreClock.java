/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import io.waybill.store.log.StoreTime;

/** The times of the store. What always holds: none is earlier than what is in the log. */
public final class StoreClock {
    private final StoreTime time;

    StoreClock(StoreTime time) {
        this.time = time;
    }

    /** The store time: the wall clock, but never earlier than what is in the log. */
    public long nowMillis() {
        return time.nowMillis();
    }

    /** The time by which unique keys expire: it passes evenly, whatever the wall clock does. */
    public long keyTimeMillis() {
        return time.keyTimeMillis();
    }

    /** How far the store's newest time is ahead of the clock, which was ahead when it was written; 0 if it is not. */
    public long aheadMillis() {
        return time.aheadMillis();
    }
}
