/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.store.record.PopState;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.NavigableSet;
import java.util.SortedMap;

/**
 * Which part of a queue a pop may look at: a pure function of the state of its group.
 *
 * <p>What always holds: no offset in a run is finished, and none is held by somebody; runs ascend and do not touch what lies between them.
 */
final class PopPlan {
    /** Offsets from one (inclusive) to another (exclusive). */
    record Run(long from, long to) {}

    private PopPlan() {}

    /**
     * For messages without an order: those whose invisibility is over first, then those never handed out.
     *
     * @param due offsets whose invisibility is over, in any number
     * @param holes whether there may be offsets before the frontier that were left alone
     * @param scannedTo what was never handed out is looked at from here on
     * @param end of the queue
     * @param wanted runs at most, besides the due ones
     * @param fresh whether messages that were never handed out may come
     */
    static List<Run> unordered(
            PopState state,
            NavigableSet<Long> due,
            boolean holes,
            long scannedTo,
            long end,
            int wanted,
            boolean fresh) {
        List<Run> runs = new ArrayList<>();
        if (!fresh) {
            addDue(runs, due, Long.MAX_VALUE);
            return runs;
        }
        if (holes) {
            gaps(state, scannedTo, end, due, runs, wanted);
            return runs;
        }
        addDue(runs, due, Long.MAX_VALUE);
        long from = Math.max(scannedTo, state.frontier());
        if (from < end) {
            runs.add(new Run(from, end));
        }
        return runs;
    }

    /** For messages in order, when nobody holds one: everything that is not finished, from the first on. */
    static List<Run> ordered(PopState state, long scannedTo, long end, int most) {
        List<Run> runs = new ArrayList<>();
        long from = Math.max(scannedTo, state.base());
        for (long[] acked : state.ackedRanges()) {
            if (runs.size() >= most) {
                return runs;
            }
            if (acked[1] <= from) {
                continue;
            }
            if (from < Math.min(acked[0], end)) {
                runs.add(new Run(from, Math.min(acked[0], end)));
            }
            from = Math.max(from, acked[1]);
        }
        if (from < end) {
            runs.add(new Run(from, end));
        }
        return runs;
    }

    /** Whether offsets before the frontier are neither finished nor handed out. */
    static boolean hasGaps(PopState state) {
        long known = state.frontier() - state.base() - state.inFlight().size();
        for (long[] acked : state.ackedRanges()) {
            known -= acked[1] - acked[0];
        }
        return known > 0;
    }

    private static void addDue(List<Run> runs, NavigableSet<Long> due, long before) {
        for (Iterator<Long> offsets = due.iterator(); offsets.hasNext(); ) {
            long offset = offsets.next();
            if (offset >= before) {
                return;
            }
            offsets.remove();
            int last = runs.size() - 1;
            if (last >= 0 && runs.get(last).to() == offset) {
                runs.set(last, new Run(runs.get(last).from(), offset + 1));
            } else {
                runs.add(new Run(offset, offset + 1));
            }
        }
    }

    /** Walks over what is finished or held, from the base on, and takes what lies between, with the due ones where they stand. */
    private static void gaps(
            PopState state, long scannedTo, long end, NavigableSet<Long> due, List<Run> runs, int most) {
        SortedMap<Long, PopState.InFlight> held = state.inFlight();
        Iterator<Long> heldOffsets = held.keySet().iterator();
        Iterator<long[]> ranges = state.ackedRanges().iterator();
        long nextHeld = heldOffsets.hasNext() ? heldOffsets.next() : Long.MAX_VALUE;
        long[] nextRange = ranges.hasNext() ? ranges.next() : null;
        long at = state.base();
        while (at < end && runs.size() < most) {
            long rangeFrom = nextRange == null ? Long.MAX_VALUE : nextRange[0];
            long gapEnd = Math.min(end, Math.min(nextHeld, rangeFrom));
            if (Math.max(at, scannedTo) < gapEnd) {
                addDue(runs, due, at);
                runs.add(new Run(Math.max(at, scannedTo), gapEnd));
            }
            if (gapEnd >= end) {
                break;
            }
            if (nextHeld < rangeFrom) {
                at = nextHeld + 1;
                nextHeld = heldOffsets.hasNext() ? heldOffsets.next() : Long.MAX_VALUE;
            } else {
                at = nextRange[1];
                nextRange = ranges.hasNext() ? ranges.next() : null;
            }
        }
        addDue(runs, due, Long.MAX_VALUE);
    }
}
