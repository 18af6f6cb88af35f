/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.store.QueueRange;
import io.waybill.store.record.PopChange;
import io.waybill.store.record.PopState;
import io.waybill.store.record.PopState.InFlight;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * What one group has leased and finished in one queue, and when its leases end.
 *
 * <p>What always holds: what is kept by deadline is exactly what the state has in flight, and is counted in the total
 * of all queues. Guarded by its {@link PopQueue}; deadlines are by {@link PopClock#nowMillis}.
 */
final class Leases {
    /** Messages of a queue that a group may have leased at a time; beyond it only those come whose lease has ended. */
    static final int MOST_IN_FLIGHT = 20_000;

    /**
     * Messages that all groups may have leased in all queues, about 150 bytes each. Beyond it a queue whose group has
     * leased {@link #FEW_IN_FLIGHT} or more of it gets no further ones, so that a group that acknowledges nothing takes
     * neither the memory nor the turn of others.
     */
    static final int MOST_OF_ALL = 500_000;

    static final int FEW_IN_FLIGHT = 1_000;

    /** Finished ranges above the base that are remembered; beyond it only what lies before them comes. */
    static final int MOST_RANGES = 20_000;

    private static final Comparator<InFlight> BY_DEADLINE =
            Comparator.comparingLong(InFlight::deadlineMillis).thenComparingLong(InFlight::offset);

    /** Messages in flight of all queues together. */
    private final AtomicInteger all;
    /** How many of them are of this queue. */
    private int counted;

    /** Null: there is none, or it is not loaded. */
    private PopState state;

    private boolean holes;
    private final TreeSet<InFlight> byDeadline = new TreeSet<>(BY_DEADLINE);
    /** When the first lease of each message ended without an acknowledgement; of this run of the broker. */
    private final Map<Long, Long> firstEndMillis = new HashMap<>();
    /** When each that was leased more than once was leased first, as its handle says; of this run of the broker. */
    private final Map<Long, Long> firstLeaseMillis = new HashMap<>();

    private String attemptId;
    private long attemptMillis;
    /** A limit kept a pop from messages that were never delivered. */
    private boolean limited;

    /** @param all where the messages in flight of all queues are counted */
    Leases(AtomicInteger all) {
        this.all = all;
    }

    // ---- the state

    /** Null when there is none. */
    PopState state() {
        return state;
    }

    boolean isEmpty() {
        return byDeadline.isEmpty();
    }

    /** Begins with this state; there was none. */
    void begin(PopState begun) {
        state = begun;
        holes = false;
        attemptId = null;
    }

    /** Goes on with what is in the log; null for no state. */
    void load(PopState recorded, PopClock clock) {
        state = recorded;
        if (state != null) {
            rebase(clock);
            byDeadline.addAll(state.inFlight().values());
            holes = PopPlan.hasGaps(state);
            count();
        }
    }

    /**
     * The log keeps deadlines by the time that names leases; and none lasts longer from now on than was asked for,
     * whatever the clocks did meanwhile.
     */
    private void rebase(PopClock clock) {
        long now = clock.nowMillis();
        long ahead = clock.aheadMillis();
        for (InFlight leased : List.copyOf(state.inFlight().values())) {
            long longest = now + Math.max(0, leased.deadlineMillis() - leased.popTimeMillis());
            long deadline = Math.min(leased.deadlineMillis() - ahead, longest);
            if (deadline != leased.deadlineMillis()) {
                state.apply(new PopChange.Take(leased.offset(), leased.popTimeMillis(), deadline, leased.deliveries()));
            }
        }
    }

    /** The other way round: steps as the log keeps them. */
    static List<PopChange> asStored(List<PopChange> steps, PopClock clock) {
        long ahead = clock.aheadMillis();
        if (ahead == 0) {
            return steps;
        }
        List<PopChange> stored = new ArrayList<>(steps.size());
        for (PopChange step : steps) {
            stored.add(
                    step instanceof PopChange.Take take
                            ? new PopChange.Take(
                                    take.offset(),
                                    take.popTimeMillis(),
                                    take.deadlineMillis() + ahead,
                                    take.deliveries())
                            : step);
        }
        return stored;
    }

    void forget() {
        state = null;
        forgetMessages();
        attemptId = null;
        count();
    }

    private void forgetMessages() {
        byDeadline.clear();
        firstEndMillis.clear();
        firstLeaseMillis.clear();
        holes = false;
    }

    private void count() {
        all.addAndGet(byDeadline.size() - counted);
        counted = byDeadline.size();
    }

    /** Makes steps; there is a state. */
    void apply(List<PopChange> steps) {
        steps.forEach(this::apply);
        count();
    }

    private void apply(PopChange step) {
        if (step instanceof PopChange.Take take) {
            InFlight before = state.inFlight(take.offset());
            if (before != null) {
                byDeadline.remove(before);
            }
            holes |= take.offset() > state.frontier();
            state.apply(step);
            InFlight after = state.inFlight(take.offset());
            if (after != null) {
                byDeadline.add(after);
            }
        } else if (step instanceof PopChange.Ack ack) {
            for (InFlight leased : state.inFlight().subMap(ack.from(), ack.to()).values()) {
                byDeadline.remove(leased);
                firstEndMillis.remove(leased.offset());
                firstLeaseMillis.remove(leased.offset());
            }
            holes |= ack.from() > state.frontier();
            state.apply(step);
        } else {
            forgetMessages();
            state.apply(step);
        }
    }

    // ---- what a pop may scan

    /**
     * What a pop that leases may scan of this queue.
     *
     * @param shared whether other members get what this pop's filter does not take
     */
    List<OffsetRange> ranges(Pop pop, int queueId, QueueRange range, boolean shared) {
        holes = holes && (shared || PopPlan.hasGaps(state));
        long now = pop.nowMillis();
        long scannedTo = pop.scannedTo(queueId);
        if (pop.parameters().order()) {
            return isHeld(now, pop.parameters().attemptId())
                    ? List.of()
                    : PopPlan.ordered(state, scannedTo, range.maxOffset(), pop.roomForCount());
        }
        int wanted = pop.roomForCount();
        // What one member's filter does not take must not keep it from what it takes: then all due ones are scanned.
        TreeSet<Long> due = due(now, shared ? Integer.MAX_VALUE : wanted);
        long end = limit(range.maxOffset());
        int leased = state.inFlight().size();
        boolean isFull = leased >= MOST_IN_FLIGHT || leased >= FEW_IN_FLIGHT && all.get() >= MOST_OF_ALL;
        limited |= isFull || end < range.maxOffset();
        boolean fresh = !isFull && (shared || due.size() < wanted);
        return PopPlan.unordered(state, due, holes, scannedTo, end, wanted, fresh);
    }

    private TreeSet<Long> due(long now, int most) {
        TreeSet<Long> due = new TreeSet<>();
        for (InFlight leased : byDeadline) {
            if (leased.deadlineMillis() > now || due.size() >= most) {
                break;
            }
            due.add(leased.offset());
        }
        return due;
    }

    private long limit(long end) {
        boolean tooMany = holes
                && state.frontier() - state.base() > 2L * MOST_RANGES
                && state.ackedRanges().size() >= MOST_RANGES;
        return tooMany ? Math.min(end, state.frontier()) : end;
    }

    /** In order nothing comes while something is leased, unless the same client asks for the same once more. */
    private boolean isHeld(long now, String attempt) {
        boolean again = attempt != null && attempt.equals(attemptId);
        for (InFlight leased : byDeadline.descendingSet()) {
            if (leased.deadlineMillis() <= now) {
                return false;
            }
            if (!again || leased.popTimeMillis() != attemptMillis) {
                return true;
            }
        }
        return false;
    }

    /** Whether a scan may find something. */
    boolean mayHave(long end, long now) {
        return holes
                || state.frontier() < end
                || !byDeadline.isEmpty() && byDeadline.first().deadlineMillis() <= now;
    }

    // ---- single messages

    InFlight inFlight(long offset) {
        return state == null ? null : state.inFlight(offset);
    }

    /** Whether a message can be leased by the pop: it is not finished, and not leased to another. */
    boolean isFree(long offset, Pop pop) {
        if (state.isAcked(offset)) {
            return false;
        }
        InFlight leased = state.inFlight(offset);
        return leased == null || leased.deadlineMillis() <= pop.nowMillis() || isSameAttempt(leased, pop);
    }

    private boolean isSameAttempt(InFlight leased, Pop pop) {
        String attempt = pop.parameters().attemptId();
        return pop.parameters().order()
                && attempt != null
                && attempt.equals(attemptId)
                && leased.popTimeMillis() == attemptMillis;
    }

    /** The pop has leased messages in order: the same attempt may have them once more. */
    void attempted(Pop pop) {
        attemptId = pop.parameters().attemptId();
        attemptMillis = pop.popMillis();
    }

    /** A message is leased once more: remembers when it was leased first, and when that lease ended. */
    void again(InFlight before, PopClock clock) {
        firstEndMillis.putIfAbsent(before.offset(), clock.wallMillis(before.deadlineMillis()));
        firstLeaseMillis.putIfAbsent(before.offset(), before.popTimeMillis());
    }

    /** A lease is prolonged, with a new handle. */
    void prolonged(InFlight before) {
        firstLeaseMillis.putIfAbsent(before.offset(), before.popTimeMillis());
    }

    /** Null when it is leased for the first time, as far as this run of the broker knows. */
    Long firstLeaseMillis(long offset) {
        return firstLeaseMillis.get(offset);
    }

    /** When the first lease ended without an acknowledgement, by the wall clock; the default when nobody knows. */
    long firstEndMillis(long offset, long otherwise) {
        return firstEndMillis.getOrDefault(offset, otherwise);
    }

    /** Also of a later lease than the one known, which a crash has taken from the log: its holder is the true one. */
    boolean isOfLease(long offset, long popTime) {
        InFlight leased = state.inFlight(offset);
        return leased != null && leased.popTimeMillis() <= popTime;
    }

    // ---- what ends when

    /** The first lease that ends after this time; null if there is none. */
    InFlight nextEnd(long behindMillis) {
        return byDeadline.higher(new InFlight(Long.MAX_VALUE, 0, behindMillis, 0));
    }

    /** Whether a pop that waits may go on after an acknowledgement. */
    boolean isFreed(long now) {
        boolean wasLimited = limited;
        limited = false; // who scans and meets the limit again says so
        return state != null
                && (wasLimited || byDeadline.isEmpty() || byDeadline.last().deadlineMillis() <= now);
    }
}
