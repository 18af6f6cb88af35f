/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.SortedMap;
import java.util.TreeMap;

/**
 * Which messages of a queue a group has finished and which it holds. What always holds: every offset below the base is
 * finished; the acknowledged ranges lie above the base, are sorted and neither touch nor overlap; what is in flight lies at
 * or above the base and in no range. So the base is the first offset that is not finished. A plain fold of {@link PopChange}s,
 * each in O(log n); not safe for use by several threads.
 *
 * <pre>
 *   encoded:  version 1 | base | ranges, each from - end of the one before, length
 *             | in flight, each offset - the one before, popTime - the one before, deadline - popTime, deliveries
 *             (counts in front; varints, those that may be negative zigzag)
 * </pre>
 */
public final class PopState {
    private static final int VERSION = 1;
    private static final int SHOWN = 20;
    /** What a step takes in memory until the state is written, roughly. */
    static final long STEP_BYTES = 64;

    /**
     * A message that was handed out.
     *
     * @param deadlineMillis when it may be handed out again
     * @param deliveries how often it was handed out, this time included
     */
    public record InFlight(long offset, long popTimeMillis, long deadlineMillis, int deliveries) {}

    private long base;
    /** First offset of each range to the one behind it. */
    private final TreeMap<Long, Long> acked;

    private final TreeMap<Long, InFlight> inFlight;

    /** All below the base is finished, nothing else is known. */
    public PopState(long base) {
        this(base, new TreeMap<>(), new TreeMap<>());
    }

    private PopState(long base, TreeMap<Long, Long> acked, TreeMap<Long, InFlight> inFlight) {
        this.base = base;
        this.acked = acked;
        this.inFlight = inFlight;
    }

    /** The first offset that is not finished. */
    public long base() {
        return base;
    }

    public boolean isAcked(long offset) {
        if (offset < base) {
            return true;
        }
        Map.Entry<Long, Long> range = acked.floorEntry(offset);
        return range != null && offset < range.getValue();
    }

    /** Null if the message is not in flight. */
    public InFlight inFlight(long offset) {
        return inFlight.get(offset);
    }

    /** By offset; a view that cannot be changed. */
    public SortedMap<Long, InFlight> inFlight() {
        return Collections.unmodifiableSortedMap(inFlight);
    }

    /** The finished ranges above the base, ascending: from (inclusive), to (exclusive). */
    public List<long[]> ackedRanges() {
        List<long[]> ranges = new ArrayList<>(acked.size());
        acked.forEach((from, to) -> ranges.add(new long[] {from, to}));
        return ranges;
    }

    /** The first offset behind everything ever taken or acknowledged. */
    public long frontier() {
        long frontier = acked.isEmpty() ? base : acked.lastEntry().getValue();
        return inFlight.isEmpty() ? frontier : Math.max(frontier, inFlight.lastKey() + 1);
    }

    /**
     * Makes one step.
     *
     * @return false if the state is dropped by it; then it is empty and must not be used on
     */
    public boolean apply(PopChange change) {
        if (change instanceof PopChange.Take take) {
            if (!isAcked(take.offset())) {
                inFlight.put(
                        take.offset(),
                        new InFlight(take.offset(), take.popTimeMillis(), take.deadlineMillis(), take.deliveries()));
            }
        } else if (change instanceof PopChange.Ack ack) {
            ack(ack.from(), ack.to());
        } else if (change instanceof PopChange.Reset reset) {
            forget(reset.base());
        } else if (change instanceof PopChange.Drop) {
            forget(0);
            return false;
        }
        return true;
    }

    private void forget(long newBase) {
        base = newBase;
        acked.clear();
        inFlight.clear();
    }

    private void ack(long first, long end) {
        long from = Math.max(first, base);
        long to = end;
        if (from >= to) {
            return;
        }
        if (to - from == 1) {
            inFlight.remove(from);
        } else {
            inFlight.subMap(from, to).clear();
        }
        Map.Entry<Long, Long> before = acked.floorEntry(from);
        if (before != null && before.getValue() >= from) {
            from = before.getKey();
            to = Math.max(to, before.getValue());
        }
        Map.Entry<Long, Long> next = acked.ceilingEntry(from);
        while (next != null && next.getKey() <= to) {
            to = Math.max(to, next.getValue());
            acked.remove(next.getKey());
            next = acked.ceilingEntry(from);
        }
        if (from == base) {
            base = to;
        } else {
            acked.put(from, to);
        }
    }

    /** Another one with the same content. */
    public PopState copy() {
        return new PopState(base, new TreeMap<>(acked), new TreeMap<>(inFlight));
    }

    /** Equal states have equal bytes. */
    public byte[] encode() {
        Packer packer = new Packer(32 + 4 * acked.size() + 12 * inFlight.size());
        encode(packer);
        return packer.done();
    }

    public void encode(Packer packer) {
        packer.i8(VERSION).varint(base).varint(acked.size());
        long last = base;
        for (Map.Entry<Long, Long> range : acked.entrySet()) {
            packer.varint(range.getKey() - last).varint(range.getValue() - range.getKey());
            last = range.getValue();
        }
        packer.varint(inFlight.size());
        last = base;
        long lastPop = 0;
        for (InFlight message : inFlight.values()) {
            packer.varint(message.offset - last)
                    .zigzag(message.popTimeMillis - lastPop)
                    .zigzag(message.deadlineMillis - message.popTimeMillis)
                    .zigzag(message.deliveries);
            last = message.offset;
            lastPop = message.popTimeMillis;
        }
    }

    /**
     * The state of these bytes.
     *
     * @throws ViewsDamaged if they are not what {@link #encode()} makes
     */
    public static PopState decode(byte[] bytes) {
        return decode(new Unpacker(bytes, 0));
    }

    public static PopState decode(Unpacker unpacker) {
        int version = unpacker.i8();
        if (version != VERSION) {
            throw new ViewsDamaged("a pop state has version " + version + ", known is " + VERSION);
        }
        PopState state = new PopState(unpacker.varint());
        long last = state.base;
        for (long i = unpacker.varint(); i > 0; i--) {
            long from = last + unpacker.varint();
            last = from + unpacker.varint();
            state.acked.put(from, last);
        }
        last = state.base;
        long lastPop = 0;
        for (long i = unpacker.varint(); i > 0; i--) {
            last += unpacker.varint();
            lastPop += unpacker.zigzag();
            long deadline = lastPop + unpacker.zigzag();
            state.inFlight.put(last, new InFlight(last, lastPop, deadline, (int) unpacker.zigzag()));
        }
        return state;
    }

    @Override
    public boolean equals(Object other) {
        return other instanceof PopState state
                && base == state.base
                && acked.equals(state.acked)
                && inFlight.equals(state.inFlight);
    }

    @Override
    public int hashCode() {
        return Long.hashCode(base) * 31 + inFlight.hashCode();
    }

    /** How much it holds, for limits: ranges and messages in flight. */
    public int items() {
        return acked.size() + inFlight.size();
    }

    @Override
    public String toString() {
        StringBuilder text = new StringBuilder("finished below ").append(base);
        acked.entrySet().stream()
                .limit(SHOWN)
                .forEach(range ->
                        text.append(", ").append(range.getKey()).append(" to ").append(range.getValue()));
        text.append(acked.size() > SHOWN ? ", ..." : "").append("; in flight ").append(inFlight.size());
        inFlight.values().stream()
                .limit(SHOWN)
                .forEach(message -> text.append(", ")
                        .append(message.offset)
                        .append(" until ")
                        .append(message.deadlineMillis)
                        .append(" (")
                        .append(message.deliveries)
                        .append(')'));
        return text.append(inFlight.size() > SHOWN ? ", ..." : "").toString();
    }
}
