/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.platform.Clock;
import java.util.HashMap;
import java.util.Map;

/**
 * How old segments are, on a clock that no administrator or time server moves. While the store is open a segment ages by the
 * monotonic clock from the moment it was full. Before, only store times testify: the age at the opening is the sum of the
 * gaps between the segments behind it, and from the newest frame to now, of which each counts at most half the retention
 * time, because a larger one may be a jump of the wall clock. So no single jump takes anything inside its time; after a jump
 * and a restart a segment may go at half of it, and after a long rest it may stay that much longer. One thread.
 */
final class SegmentAges {
    private static final long MILLI = 1_000_000;
    private static final long UNKNOWN = Long.MIN_VALUE;

    private final Clock clock;
    private final long retentionMillis;
    private final long newestStoreMillis;
    private final long openNanos;
    private final long openWallMillis;
    /** Segment start -> when it was full, in milliseconds since the opening. */
    private final Map<Long, Long> full = new HashMap<>();

    private boolean begun;

    SegmentAges(Clock clock, long retentionMillis, long newestStoreMillis) {
        this.clock = clock;
        this.retentionMillis = retentionMillis;
        this.newestStoreMillis = newestStoreMillis;
        this.openNanos = clock.nanoTime();
        this.openWallMillis = clock.wallMillis();
    }

    private long sinceOpen() {
        return (clock.nanoTime() - openNanos) / MILLI;
    }

    /** The time since the segment was full; 0 for the newest, which is not. */
    long ageMillis(Segment segment, Segment[] all) {
        long now = sinceOpen();
        if (!begun) {
            begun = true;
            readAges(all);
        }
        for (int i = 0; i < all.length - 1; i++) {
            full.putIfAbsent(all[i].start(), now);
        }
        Long since = segment == all[all.length - 1] ? null : full.get(segment.start());
        return since == null ? 0 : now - since;
    }

    void forget(Segment segment) {
        full.remove(segment.start());
    }

    private void readAges(Segment[] all) {
        long age = gap(openWallMillis, newestStoreMillis);
        long later = newestStoreMillis;
        for (int i = all.length - 1; i > 0; i--) {
            long first = LogReader.firstStoreTime(all[i], UNKNOWN);
            if (first != UNKNOWN) {
                age += gap(later, first);
                later = first;
            }
            // Nothing in the segment before is newer than the first frame of this one.
            full.put(all[i - 1].start(), -age);
        }
    }

    private long gap(long later, long earlier) {
        return Math.max(0, Math.min(later - earlier, retentionMillis / 2));
    }
}
