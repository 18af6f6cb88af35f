/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.store.record.PopState;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NavigableSet;
import java.util.SortedMap;

/**
 * Which part of a queue a pop may scan: a pure function of the state of its group.
 *
 * <p>What always holds: no offset in a range is finished, and none is leased; ranges ascend and do not touch what lies
 * between them.
 */
final class PopPlan {
    private PopPlan() {}

    /**
     * For messages without an order: those whose invisibility is over first, then those never delivered.
     *
     * @param due offsets whose invisibility is over, in any number
     * @param holes whether there may be offsets before the frontier that were left alone
     * @param scannedTo what was never delivered is scanned from here on
     * @param end of the queue
     * @param wanted ranges at most, besides the due ones
     * @param fresh whether messages that were never delivered may come
     */
    static List<OffsetRange> unordered(
            PopState state,
            NavigableSet<Long> due,
            boolean holes,
            long scannedTo,
            long end,
            int wanted,
            boolean fresh) {
        List<OffsetRange> ranges = new ArrayList<>();
        if (!fresh) {
            addDue(ranges, due, Long.MAX_VALUE);
            return ranges;
        }
        if (holes) {
            gaps(state, scannedTo, end, due, ranges, wanted);
            return ranges;
        }
        addDue(ranges, due, Long.MAX_VALUE);
        long from = Math.max(scannedTo, state.frontier());
        if (from < end) {
            ranges.add(new OffsetRange(from, end));
        }
        return ranges;
    }

    /** For messages in order, when none is leased: everything that is not finished, from the first on. */
    static List<OffsetRange> ordered(PopState state, long scannedTo, long end, int most) {
        List<OffsetRange> ranges = new ArrayList<>();
        long from = Math.max(scannedTo, state.base());
        for (long[] acked : state.ackedRanges()) {
            if (ranges.size() >= most) {
                return ranges;
            }
            if (acked[1] <= from) {
                continue;
            }
            if (from < Math.min(acked[0], end)) {
                ranges.add(new OffsetRange(from, Math.min(acked[0], end)));
            }
            from = Math.max(from, acked[1]);
        }
        if (from < end) {
            ranges.add(new OffsetRange(from, end));
        }
        return ranges;
    }

    /** Whether offsets before the frontier are neither finished nor delivered. */
    static boolean hasGaps(PopState state) {
        long known = state.frontier() - state.base() - state.inFlight().size();
        for (long[] acked : state.ackedRanges()) {
            known -= acked[1] - acked[0];
        }
        return known > 0;
    }

    private static void addDue(List<OffsetRange> ranges, NavigableSet<Long> due, long before) {
        for (Iterator<Long> offsets = due.iterator(); offsets.hasNext(); ) {
            long offset = offsets.next();
            if (offset >= before) {
                return;
            }
            offsets.remove();
            int last = ranges.size() - 1;
            if (last >= 0 && ranges.get(last).to() == offset) {
                ranges.set(last, new OffsetRange(ranges.get(last).from(), offset + 1));
            } else {
                ranges.add(new OffsetRange(offset, offset + 1));
            }
        }
    }

    /**
     * Walks over what is finished or leased, from the base on, and takes what lies between, with the due ones where
     * they stand.
     */
    private static void gaps(
            PopState state, long scannedTo, long end, NavigableSet<Long> due, List<OffsetRange> ranges, int most) {
        SortedMap<Long, PopState.InFlight> leased = state.inFlight();
        Iterator<Long> leasedOffsets = leased.keySet().iterator();
        Iterator<long[]> acked = state.ackedRanges().iterator();
        long nextLeased = leasedOffsets.hasNext() ? leasedOffsets.next() : Long.MAX_VALUE;
        long[] nextRange = acked.hasNext() ? acked.next() : null;
        long at = state.base();
        while (at < end && ranges.size() < most) {
            long rangeFrom = nextRange == null ? Long.MAX_VALUE : nextRange[0];
            long gapEnd = Math.min(end, Math.min(nextLeased, rangeFrom));
            if (Math.max(at, scannedTo) < gapEnd) {
                addDue(ranges, due, at);
                ranges.add(new OffsetRange(Math.max(at, scannedTo), gapEnd));
            }
            if (gapEnd >= end) {
                break;
            }
            if (nextLeased < rangeFrom) {
                at = nextLeased + 1;
                nextLeased = leasedOffsets.hasNext() ? leasedOffsets.next() : Long.MAX_VALUE;
            } else {
                at = nextRange[1];
                nextRange = acked.hasNext() ? acked.next() : null;
            }
        }
        addDue(ranges, due, Long.MAX_VALUE);
    }
}
