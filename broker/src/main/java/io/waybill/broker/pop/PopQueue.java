/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.offset.ConsumeFrom;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.retry.RetriesExhausted;
import io.waybill.protocol.message.BadValue;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.store.OffsetStore;
import io.waybill.store.PopStore;
import io.waybill.store.QueueRange;
import io.waybill.store.log.Completion;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Stored;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.PopChange;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopState;
import io.waybill.store.record.PopState.InFlight;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One group in one queue: who has leased which message until when (ADR 0013).
 *
 * <p>What always holds: this copy leads and the log follows, step by step in the same order ({@link #drain}); so after
 * a crash a message may come again early, but what was answered as acknowledged stays so. The base is also the group's
 * committed offset. An offset committed from outside ends the state; the next pop begins anew at that offset.
 * Invisibilities end by {@link PopClock#nowMillis}. When the log refuses a step, the copy is discarded and read from
 * the store again.
 *
 * <p>Locks: everything is guarded by this, and nothing that may take another lock of the pops or run a completion is
 * called under it. One thread at a time scans for messages ({@link #enter}, {@link #exit}); it reads without the lock,
 * and what it found is checked again when it is leased.
 */
final class PopQueue {
    private static final Logger log = LoggerFactory.getLogger(PopQueue.class);

    /** What a thread may read, in the moment it asked. */
    record Scan(Status status, List<OffsetRange> ranges, int generation) {
        enum Status {
            /** There are ranges, perhaps none. */
            READY,
            /** To be asked again by a thread that may wait for the disk. */
            COLD,
            /** The log refused a step and others are still on their way. */
            UNSURE
        }
    }

    /**
     * What a scan found.
     *
     * @param messages ascending
     * @param finished ranges that no member gets, or that nobody can have any more
     */
    record ScanResult(List<StoredSlice> messages, List<OffsetRange> finished) {}

    /**
     * @param delivered what the pop gets
     * @param moved whether anything was leased or finished
     * @param deadLetters how many became dead letters
     * @param stopped whether something in between could not be had any more
     */
    record LeaseResult(List<DeliveredMessage> delivered, boolean moved, int deadLetters, boolean stopped) {}

    final PopKey key;
    private final PopStore pops;
    private final OffsetStore recordedOffsets;
    private final Offsets offsets;
    private final PopClock clock;
    private final Leases leases;
    private final PopStepLog stepLog;

    private boolean loaded;
    /** An outside offset was taken over, and the state goes as soon as that offset is recorded. */
    private boolean detaching;

    private boolean refused;
    private int generation;
    private int unanswered;
    /** The base that was committed last; -1 for none. */
    private long committed = -1;

    private boolean busy;
    private List<Pop> waiting = new ArrayList<>(2);
    /** The end of an invisibility that {@link InvisibilityClock} keeps for this queue; null for none. */
    private InvisibilityEnd watched;

    /** Since the last sweep. */
    private volatile boolean touched = true;

    private volatile boolean evicted;

    /** @param all where the messages in flight of all queues are counted */
    PopQueue(
            PopKey key,
            OffsetStore recordedOffsets,
            PopStore pops,
            Offsets offsets,
            PopClock clock,
            AtomicInteger all) {
        this.key = key;
        this.pops = pops;
        this.recordedOffsets = recordedOffsets;
        this.offsets = offsets;
        this.clock = clock;
        this.leases = new Leases(all);
        this.stepLog = new PopStepLog(this, key, pops);
    }

    // ---- one scans at a time

    /** True when the caller may scan; else the pop is let look when the other one is done. */
    synchronized boolean enter(Pop pop) {
        checkInUse();
        if (busy) {
            waiting.add(pop);
            return false;
        }
        busy = true;
        return true;
    }

    /** Ends the scan; the pops that wanted to scan meanwhile. */
    synchronized List<Pop> exit() {
        busy = false;
        if (waiting.isEmpty()) {
            return List.of();
        }
        List<Pop> next = waiting;
        waiting = new ArrayList<>(2);
        return next;
    }

    // ---- scanning and leasing

    /**
     * What the pop may read. Begins the group's state when it has none and the pop leases.
     *
     * @param shared whether other members get what this pop's filter does not take
     */
    synchronized Scan scan(Pop pop, QueueRange range, boolean shared, boolean mayBlock) {
        if (!load()) {
            return new Scan(Scan.Status.UNSURE, List.of(), generation);
        }
        PopParameters parameters = pop.parameters();
        if (parameters.isLease()) {
            // Taken over when it came; until now it kept the base from being committed.
            boolean wasReset = offsets.takeReset(key.group(), key.topic(), key.queueId()) >= 0;
            if (wasReset && leases.state() != null) {
                offsets.commit(
                        key.group(), key.topic(), key.queueId(), leases.state().base());
            }
        }
        PopState current = leases.state();
        if (current == null) {
            long offset = offsets.query(key.group(), key.topic(), key.queueId());
            ConsumeFrom from = parameters.fromMax() ? ConsumeFrom.LAST : ConsumeFrom.FIRST;
            if (offset < 0 && !mayBlock && offsets.starts().mayBlock(key.topic(), from, range)) {
                return new Scan(Scan.Status.COLD, List.of(), generation);
            }
            current = new PopState(firstOffset(offset, from, range));
            if (parameters.isLease()) {
                begin(current, pop);
            }
        }
        trim(current, range);
        List<OffsetRange> ranges = current == leases.state()
                ? leases.ranges(pop, key.queueId(), range, shared)
                : PopPlan.ordered(current, pop.scannedTo(key.queueId()), range.maxOffset(), 1);
        return new Scan(Scan.Status.READY, ranges, generation);
    }

    private long firstOffset(long offset, ConsumeFrom from, QueueRange range) {
        return offset >= 0
                ? Math.max(range.minOffset(), Math.min(offset, range.maxOffset()))
                : offsets.starts().of(key.topic(), key.queueId(), from, range);
    }

    /** The answer waits for this step: the group's first offset must not be chosen twice. */
    private void begin(PopState begun, Pop pop) {
        leases.begin(begun);
        detaching = false;
        generation++;
        pop.waitForStored();
        committed = -1;
        record(List.of(new PopChange.Reset(begun.base())), List.of(), outcome -> pop.stored());
    }

    /** What retention dropped is finished; a queue that began anew is begun anew. */
    private void trim(PopState current, QueueRange range) {
        PopChange step = null;
        if (current.base() < range.minOffset()) {
            step = new PopChange.Ack(current.base(), range.minOffset());
        } else if (current.base() > range.maxOffset()) {
            step = new PopChange.Reset(range.minOffset());
        }
        if (step != null && current == leases.state()) {
            record(List.of(step), List.of(), Completion.NONE);
        } else if (step != null) {
            current.apply(step);
        }
    }

    /** Leases what a scan found, as far as it is still free. */
    synchronized LeaseResult lease(Pop pop, Scan scan, ScanResult found) {
        if (scan.generation() != generation || refused) {
            return new LeaseResult(List.of(), false, 0, true);
        }
        if (!pop.parameters().isLease()) {
            List<DeliveredMessage> seen = new ArrayList<>();
            for (StoredSlice message : found.messages()) {
                InFlight leased = leases.inFlight(message.offset());
                seen.add(message.delivered(leased == null ? 1 : leased.deliveries() + 1, null));
            }
            return new LeaseResult(seen, false, 0, false);
        }
        List<PopChange> steps = new ArrayList<>();
        List<MessageDraft> deadLetters = new ArrayList<>();
        List<DeliveredMessage> delivered = new ArrayList<>();
        boolean stopped = false;
        for (OffsetRange range : found.finished()) {
            steps.add(new PopChange.Ack(range.from(), range.to()));
        }
        for (StoredSlice message : found.messages()) {
            if (leases.isFree(message.offset(), pop)) {
                leaseOne(pop, message, steps, deadLetters, delivered);
            } else {
                stopped = true;
                if (pop.parameters().order()) {
                    break; // nothing overtakes it
                }
            }
        }
        if (!delivered.isEmpty() && pop.parameters().order()) {
            leases.attempted(pop);
        }
        boolean moved = !steps.isEmpty();
        if (moved) {
            steps.sort(Comparator.comparingLong(PopQueue::firstOf));
            record(steps, deadLetters, Completion.NONE);
        }
        return new LeaseResult(delivered, moved, deadLetters.size(), stopped);
    }

    private static long firstOf(PopChange step) {
        return step instanceof PopChange.Take take ? take.offset() : ((PopChange.Ack) step).from();
    }

    private void leaseOne(
            Pop pop,
            StoredSlice message,
            List<PopChange> steps,
            List<MessageDraft> deadLetters,
            List<DeliveredMessage> delivered) {
        long now = pop.nowMillis();
        long offset = message.offset();
        InFlight before = leases.inFlight(offset);
        boolean repeated = before != null && before.deadlineMillis() > now;
        int deliveries = before == null ? 1 : repeated ? before.deliveries() : before.deliveries() + 1;
        if (before != null) {
            leases.again(before, clock);
        }
        if (deliveries - 1 > pop.terms().mostRetries()) {
            MessageDraft deadLetter = deadLetter(pop, message, deliveries - 1);
            if (deadLetter != null) {
                deadLetters.add(deadLetter);
                steps.add(new PopChange.Ack(offset, offset + 1));
                return;
            }
        }
        long deadline = now + pop.parameters().invisibleMillis();
        steps.add(new PopChange.Take(offset, pop.popMillis(), deadline, deliveries));
        delivered.add(message.delivered(deliveries, leases.firstLeaseMillis(offset)));
    }

    private MessageDraft deadLetter(Pop pop, StoredSlice message, int deliveries) {
        try {
            return RetriesExhausted.deadLetter(
                    message.slice(),
                    0,
                    key.group(),
                    pop.terms().mostRetries(),
                    deliveries,
                    leases.firstEndMillis(message.offset(), clock.wallMillis(pop.nowMillis())),
                    clock.wallMillis(clock.nowMillis()));
        } catch (BadValue e) {
            log.warn("Message {} of {} does not fit a dead letter and is delivered again", message.offset(), key, e);
            return null;
        }
    }

    /** Whether a scan may find something. */
    synchronized boolean mayHave(long end, long now) {
        return leases.state() == null || refused || leases.mayHave(end, now);
    }

    /** Messages behind everything delivered so far. */
    synchronized long rest(QueueRange range) {
        PopState state = leases.state();
        return state == null ? 0 : Math.max(0, range.maxOffset() - Math.max(state.frontier(), range.minOffset()));
    }

    // ---- acknowledgements and changes

    /**
     * Messages of one lease are done. Those that are done already, are leased anew or were never leased stay as they
     * are.
     *
     * @param acked gets the offsets this acknowledgement ended
     * @param unknown gets the offsets nobody has leased
     * @param done called when everything is stored, if RECORDED
     */
    synchronized LeaseOutcome ack(
            long[] messages, long popTime, List<Long> acked, List<Long> unknown, Completion done) {
        if (!load()) {
            return LeaseOutcome.UNSURE;
        }
        PopState state = leases.state();
        if (state == null) {
            long end = offsets.query(key.group(), key.topic(), key.queueId());
            for (long offset : messages) {
                if (offset >= end) {
                    unknown.add(offset);
                }
            }
            return unknown.isEmpty() ? LeaseOutcome.STALE : LeaseOutcome.UNKNOWN;
        }
        List<PopChange> steps = new ArrayList<>();
        long from = -1;
        long to = -1;
        for (long offset : messages) {
            boolean repeated = state.isAcked(offset) && unanswered > 0; // the first may still be on its way
            if (!repeated && !leases.isOfLease(offset, popTime)) {
                if (!state.isAcked(offset) && state.inFlight(offset) == null) {
                    unknown.add(offset);
                }
                continue;
            }
            if (!repeated) {
                acked.add(offset);
            }
            if (offset != to) {
                if (from >= 0) {
                    steps.add(new PopChange.Ack(from, to));
                }
                from = offset;
            }
            to = offset + 1;
        }
        if (from < 0) {
            return unknown.isEmpty() ? LeaseOutcome.STALE : LeaseOutcome.UNKNOWN;
        }
        steps.add(new PopChange.Ack(from, to));
        record(steps, List.of(), done);
        return LeaseOutcome.RECORDED;
    }

    /**
     * A lease lasts for another while, and the handle is made anew.
     *
     * @param suspend the delivery does not count
     * @param newPopTime gets the new handle's time, if RECORDED
     */
    synchronized LeaseOutcome change(
            long offset, long popTime, long invisibleMillis, boolean suspend, long[] newPopTime, Completion done) {
        if (!load()) {
            return LeaseOutcome.UNSURE;
        }
        if (leases.state() == null || clock.isFar(popTime) || !leases.isOfLease(offset, popTime)) {
            return LeaseOutcome.STALE;
        }
        InFlight before = leases.inFlight(offset);
        int deliveries = before.deliveries() - (suspend ? 1 : 0);
        long now = clock.nowMillis();
        leases.prolonged(before);
        // A handle of its own, also within the millisecond it was leased in.
        long leased = Math.max(clock.stampMillis(), popTime + 1);
        newPopTime[0] = leased;
        record(
                List.of(new PopChange.Take(offset, leased, now + invisibleMillis, Math.max(0, deliveries))),
                List.of(),
                done);
        return LeaseOutcome.RECORDED;
    }

    /** Whether somebody who waits may go on after an acknowledgement. */
    synchronized boolean isFreed() {
        return leases.isFreed(clock.nowMillis());
    }

    // ---- offsets from outside

    /**
     * The group's offset was set by a client that pulls, or by a reset: all that is known here is void. In the log the
     * reset of the state comes first, then the offset, then the end of the state, so that a crash anywhere in between
     * finds the offset that holds.
     *
     * @return whether messages were in flight, which come again
     */
    boolean outside(long offset, boolean isReset) {
        int mine;
        int leased;
        synchronized (this) {
            boolean isSure = load();
            PopState state = leases.state();
            if (isSure && (state == null || !isReset && state.base() == offset)) {
                return false;
            }
            leased = state == null ? 0 : state.inFlight().size();
            leases.forget();
            loaded = true;
            refused = false;
            detaching = true;
            mine = ++generation;
            enqueue(List.of(new PopChange.Reset(offset)), List.of(), -1, Completion.NONE);
            offsets.commit(key.group(), key.topic(), key.queueId(), offset);
        }
        drain();
        ConsumerOffset entry = new ConsumerOffset(key.group(), key.topic(), key.queueId(), offset);
        recordedOffsets.commitOffsets(List.of(entry), outcome -> {
            if (outcome instanceof Stored && detach(mine)) {
                drain();
            }
        });
        return leased > 0;
    }

    private synchronized boolean detach(int mine) {
        boolean detaches = detaching && mine == generation;
        if (detaches) {
            detaching = false;
            enqueue(List.of(new PopChange.Drop()), List.of(), -1, Completion.NONE);
        }
        return detaches;
    }

    /** The topic or the group is no more. */
    void drop() {
        synchronized (this) {
            checkInUse();
            leases.forget();
            loaded = true;
            detaching = false;
            generation++;
            enqueue(List.of(new PopChange.Drop()), List.of(), -1, Completion.NONE);
        }
        drain();
    }

    // ---- memory

    /** Notes that it is about to be used; false when it is evicted: then another one takes its place in a moment. */
    boolean touch() {
        touched = true;
        return !evicted;
    }

    /**
     * Gives memory back when nothing goes on here; what is needed again is read again.
     *
     * @return true when it is evicted, since nobody touched it after the last call; then it is never used again
     */
    synchronized boolean tryEvict() {
        if (busy || unanswered > 0 || detaching || !leases.isEmpty() || watched != null) {
            return false;
        }
        if (loaded) {
            leases.forget();
            loaded = false;
        }
        if (touched) {
            touched = false;
            return false;
        }
        evicted = true;
        if (touched) { // just now, by somebody who may not have seen it
            evicted = false;
        }
        return evicted;
    }

    /**
     * Two for one queue could lease a message to two clients: who slept through two rounds of the sweep begins anew.
     */
    private void checkInUse() {
        if (evicted) {
            throw new IllegalStateException("the state of " + key + " was evicted meanwhile");
        }
    }

    // ---- the clock

    /**
     * Has the next end of an invisibility behind a time watched, instead of the one that is, if it is earlier.
     *
     * @return what is watched now, null if that did not change
     */
    synchronized InvisibilityEnd watch(long behindMillis, long number, Map<InvisibilityEnd, PopQueue> ends) {
        InFlight next = leases.nextEnd(behindMillis);
        if (next == null || watched != null && watched.millis() <= next.deadlineMillis()) {
            return null;
        }
        InvisibilityEnd before = watched;
        watched = new InvisibilityEnd(next.deadlineMillis(), number);
        ends.put(watched, this);
        if (before != null) {
            ends.remove(before);
        }
        return watched;
    }

    /** That time has come. */
    synchronized void reached(InvisibilityEnd end) {
        if (end.equals(watched)) {
            watched = null;
        }
    }

    // ---- state and log

    /** False while a step was refused and others are on their way, so that nobody knows what holds. */
    private boolean load() {
        checkInUse();
        if (refused) {
            if (unanswered > 0) {
                return false;
            }
            refused = false;
            leases.forget();
            loaded = false;
            detaching = false;
            generation++;
        }
        if (!loaded) {
            loaded = true;
            leases.load(pops.popState(key), clock);
        }
        return true;
    }

    private void record(List<PopChange> steps, List<MessageDraft> deadLetters, Completion done) {
        leases.apply(steps);
        enqueue(Leases.asStored(steps, clock), deadLetters, leases.state().base(), done);
    }

    /** @param base the offset to be committed when this is stored; -1 for none */
    private void enqueue(List<PopChange> steps, List<MessageDraft> deadLetters, long base, Completion done) {
        int mine = generation;
        unanswered++;
        stepLog.add(steps, deadLetters, outcome -> {
            answered(outcome, base, mine);
            done.done(outcome);
        });
    }

    private synchronized void answered(Outcome outcome, long base, int mine) {
        unanswered--;
        if (!(outcome instanceof Stored)) {
            refused = true;
        } else if (mine == generation && base >= 0 && base != committed) {
            committed = base;
            offsets.commit(key.group(), key.topic(), key.queueId(), base);
        }
    }

    /**
     * Writes what is recorded, in its order; whoever comes while another thread writes leaves it to that one. Never
     * under a lock.
     */
    void drain() {
        stepLog.drain();
    }
}
