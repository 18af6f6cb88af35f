/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.waybill.platform.MemoryBudget;
import java.util.concurrent.atomic.AtomicLong;

/**
 * What one connection holds of one budget. Counted without a shared write: the sums of its address and of the process learn
 * the difference when it has grown to {@value #UNTOLD_BYTES} bytes, and at {@link #settle} at the end of each burst.
 *
 * <p>A connection may hold as much as is left for all others, its address three times as much; {@value #FLOOR_BYTES} bytes are
 * always granted. Of one event loop; {@link #bytes} and {@link #admits} may be asked by others and are then a little old.
 */
final class Charge {
    static final int FLOOR_BYTES = 4 * 1024;
    private static final int UNTOLD_BYTES = 16 * 1024;
    private static final int ADDRESS_FACTOR = 3;

    private final MemoryBudget total;
    private final AtomicLong address; // null = the peer is not shared out by address
    private long bytes;
    private long told;

    Charge(MemoryBudget total, AtomicLong address) {
        this.total = total;
        this.address = address;
    }

    boolean admits(long more) {
        long untold = bytes - told;
        long free = total.freeBytes() - untold;
        if (bytes + more <= FLOOR_BYTES) {
            return true;
        }
        return bytes + more <= free && (address == null || address.get() + untold + more <= ADDRESS_FACTOR * free);
    }

    /** What this connection should stop at by itself, so that nothing has to be refused. */
    long comfortableBytes() {
        return Math.max(FLOOR_BYTES, total.freeBytes() / 2);
    }

    void add(long more) {
        bytes += more;
        long untold = bytes - told;
        if (untold >= UNTOLD_BYTES || untold <= -UNTOLD_BYTES) {
            settle();
        }
    }

    void settle() {
        long untold = bytes - told;
        if (untold != 0) {
            told = bytes;
            total.add(untold);
            if (address != null) {
                address.addAndGet(untold);
            }
        }
    }

    /** Gives back all. */
    void clear() {
        bytes = 0;
        settle();
    }

    long bytes() {
        return bytes;
    }

    /** For refusals: which limit it was. */
    String limit() {
        return total.limitBytes() + " bytes in total, " + Math.max(0, total.freeBytes()) + " of them free";
    }
}
