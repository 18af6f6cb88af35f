/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.filter;

import io.waybill.store.EntryFilter;
import io.waybill.store.MessageFilter;
import java.nio.ByteBuffer;

/**
 * A filter for one turn of a read, which ends when asking has cost what the turn may cost. What a peer may choose to
 * have computed is bounded that way: a moment on a thread that others wait for, a while on one that is there for
 * nothing else. Of one thread.
 */
public final class Metered implements EntryFilter, MessageFilter {
    /** About a millisecond, for event loops and for the thread that confirms. */
    public static final int INLINE_UNITS = 32_000;
    /** About 20 milliseconds, for threads of their own, which take the next reader's turn then. */
    public static final int LANE_UNITS = 640_000;

    static final int BYTES_IN_UNIT = 32;
    /** Tags, or words of a condition, up to which a filter is light. */
    static final int MOST_LIGHT_PARTS = 64;

    private final Filter filter;
    private long left;

    private Metered(Filter filter, int units) {
        this.filter = filter;
        this.left = units;
    }

    /** Null for a filter that takes everything, as a read wants it. */
    public static Metered of(Filter filter, boolean isInline) {
        return filter.isAll() ? null : new Metered(filter, isInline ? INLINE_UNITS : LANE_UNITS);
    }

    @Override
    public boolean accepts(long tagsCode) {
        return filter.mayMatch(tagsCode);
    }

    @Override
    public boolean accepts(ByteBuffer buffer, int at) {
        left -= filter.units(buffer, at);
        return filter.matches(buffer, at);
    }

    @Override
    public boolean isSpent() {
        return left <= 0;
    }
}
