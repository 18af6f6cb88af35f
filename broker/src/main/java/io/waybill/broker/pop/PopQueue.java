/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.offset.Offsets;
import io.waybill.broker.retry.RetriesExhausted;
import io.waybill.protocol.message.BadValue;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.QueueRange;
import io.waybill.store.Store;
import io.waybill.store.log.Completion;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Stored;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.PopChange;
import io.waybill.store.record.PopDelta;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopState;
import io.waybill.store.record.PopState.InFlight;
import java.nio.ByteBuffer;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One group in one queue: who holds which message until when.
 *
 * <p>What always holds: this copy leads and the log follows, step by step in the same order ({@link #drain}); so after a crash a message may come
 * again early, but what was answered as acknowledged stays so. The base is also the group's committed offset. An offset committed from outside ends
 * the state; the next pop begins anew at that offset. Invisibilities end by {@link PopClock#nowMillis}. When the log refuses a step, the copy is thrown away and read from the store again.
 *
 * <p>Locks: everything is guarded by this, and nothing that may take another lock of the pops or run a completion is called under it. One thread
 * at a time looks for messages ({@link #enter}, {@link #exit}); it reads without the lock, and what it found is checked again when it is taken.
 */
final class PopQueue {
    private static final Logger log = LoggerFactory.getLogger(PopQueue.class);

    /** Messages of a queue that a group may hold at a time; beyond it only those come that are given up. */
    static final int MOST_IN_FLIGHT = 20_000;

    /**
     * Messages that all groups may hold in all queues, about 150 bytes each. Beyond it a queue whose group holds {@link #FEW_IN_FLIGHT} or more
     * of it gets no further ones, so that a group that acknowledges nothing takes neither the memory nor the turn of others.
     */
    static final int MOST_OF_ALL = 500_000;

    static final int FEW_IN_FLIGHT = 1_000;

    /** Finished stretches above the base that are remembered; beyond it only what lies before them comes. */
    static final int MOST_RANGES = 20_000;

    /** Steps in one record of the log. */
    private static final int RECORD_STEPS = 4_096;
    /** Dead letters in one frame of the log, in bytes. */
    private static final int RECORD_BYTES = 2 << 20;

    private static final Comparator<InFlight> BY_DEADLINE =
            Comparator.comparingLong(InFlight::deadlineMillis).thenComparingLong(InFlight::offset);

    /** What a thread may read, in the moment it asked. */
    record Look(Status status, List<PopPlan.Run> runs, int generation) {
        enum Status {
            /** There are runs, perhaps none. */
            READY,
            /** To be asked again by a thread that may wait for the disk. */
            COLD,
            /** The log refused a step and others are still on their way. */
            UNSURE
        }
    }

    /**
     * What a read found.
     *
     * @param messages ascending
     * @param finished stretches nobody wants or nobody can have any more
     */
    record Read(List<Message> messages, List<PopPlan.Run> finished) {}

    /** A stored message in a slice of the log. */
    record Message(long offset, ByteBuffer slice) {}

    /**
     * @param given what the pop gets
     * @param moved whether anything was taken or finished
     * @param letters how many became dead letters
     * @param stopped whether something in between could not be had any more
     */
    record Taken(List<Pop.Given> given, boolean moved, int letters, boolean stopped) {}

    /** What an acknowledgement or a change came to. */
    enum Verdict {
        /** Recorded; the completion is called. */
        RECORDED,
        /** It speaks of a message that is done, or that somebody else has taken since: nothing changes. */
        STALE,
        /** Nobody holds the message: it was reset, or a crash took the taking from the log. It will come again. */
        UNKNOWN,
        /** The log refused a step just now. */
        UNSURE
    }

    private record Entry(List<PopChange> steps, List<MessageDraft> letters, Completion done) {}

    final PopKey key;
    private final Store store;
    private final Offsets offsets;
    private final PopClock clock;
    /** Messages in flight of all queues together. */
    private final AtomicInteger all;
    /** How many of them are of this queue. */
    private int counted;

    /** Null: there is none, or it is not loaded. */
    private PopState state;

    private boolean loaded;
    /** An outside offset was taken over, and the state goes as soon as that offset is recorded. */
    private boolean leaving;

    private boolean refused;
    private boolean holes;
    private final TreeSet<InFlight> byDeadline = new TreeSet<>(BY_DEADLINE);
    /** When each message was given back first; of this run of the broker. */
    private final Map<Long, Long> since = new HashMap<>();
    /** When each that was taken more than once was taken first, as its handle says; of this run of the broker. */
    private final Map<Long, Long> firstTaken = new HashMap<>();

    private int generation;
    private String attemptId;
    private long attemptMillis;

    /** Since the last sweep. */
    private volatile boolean touched = true;

    private volatile boolean retired;

    private boolean busy;
    private List<Pop> waiting = new ArrayList<>(2);

    private final ArrayDeque<Entry> outbox = new ArrayDeque<>();
    private boolean writing;
    private int unanswered;
    /** The base that was committed last; -1 for none. */
    private long committed = -1;
    /** The end of an invisibility that the clock's watcher keeps for this queue; null for none. */
    private PopLongPolling.End watched;
    /** A limit kept a pop from messages that were never handed out. */
    private boolean limited;

    /** @param all where the messages in flight of all queues are counted */
    PopQueue(PopKey key, Store store, Offsets offsets, PopClock clock, AtomicInteger all) {
        this.key = key;
        this.store = store;
        this.offsets = offsets;
        this.clock = clock;
        this.all = all;
    }

    // ---- one looks at a time

    /** True when the caller may look; else the pop is let look when the other one is done. */
    synchronized boolean enter(Pop pop) {
        checkInUse();
        if (busy) {
            waiting.add(pop);
            return false;
        }
        busy = true;
        return true;
    }

    /** Ends the look; the pops that wanted to look meanwhile. */
    synchronized List<Pop> exit() {
        busy = false;
        if (waiting.isEmpty()) {
            return List.of();
        }
        List<Pop> next = waiting;
        waiting = new ArrayList<>(2);
        return next;
    }

    // ---- looking and taking

    /**
     * What the pop may read. Begins the group's state when it has none and the pop takes.
     *
     * @param shared whether other members want what this one does not
     */
    synchronized Look look(Pop pop, QueueRange range, boolean shared, boolean mayBlock) {
        if (!load()) {
            return new Look(Look.Status.UNSURE, List.of(), generation);
        }
        Pop.Wish wish = pop.wish();
        if (wish.kind() == Pop.Kind.TAKE) {
            // Taken over when it came; until now it kept the base from being committed.
            boolean wasReset = offsets.takeReset(key.group(), key.topic(), key.queueId()) >= 0;
            if (wasReset && state != null) {
                offsets.commit(key.group(), key.topic(), key.queueId(), state.base());
            }
        }
        PopState current = state;
        if (current == null) {
            long committed = offsets.query(key.group(), key.topic(), key.queueId());
            if (committed < 0 && wish.fromMax() && range.minOffset() == 0 && range.maxOffset() > 0 && !mayBlock) {
                return new Look(Look.Status.COLD, List.of(), generation);
            }
            current = new PopState(begin(committed, wish.fromMax(), range));
            if (wish.kind() == Pop.Kind.TAKE) {
                start(current, pop);
            }
        }
        trim(current, range);
        holes = holes && (current != state || shared || PopPlan.hasGaps(state));
        return new Look(Look.Status.READY, runs(current, pop, range, shared), generation);
    }

    private long begin(long committed, boolean fromMax, QueueRange range) {
        if (committed >= 0) {
            return Math.max(range.minOffset(), Math.min(committed, range.maxOffset()));
        }
        if (!fromMax || range.minOffset() == 0 && offsets.isYoung(key.topic(), key.queueId())) {
            return range.minOffset();
        }
        return range.maxOffset();
    }

    /** The answer waits for this step: the group's first offset must not be chosen twice. */
    private void start(PopState begun, Pop pop) {
        state = begun;
        leaving = false;
        holes = false;
        generation++;
        attemptId = null;
        pop.waitForStored();
        committed = -1;
        record(List.of(new PopChange.Reset(begun.base())), List.of(), outcome -> pop.stored());
    }

    /** What retention took is finished; a queue that began anew is begun anew. */
    private void trim(PopState current, QueueRange range) {
        PopChange step = null;
        if (current.base() < range.minOffset()) {
            step = new PopChange.Ack(current.base(), range.minOffset());
        } else if (current.base() > range.maxOffset()) {
            step = new PopChange.Reset(range.minOffset());
        }
        if (step != null && current == state) {
            record(List.of(step), List.of(), Completion.NONE);
        } else if (step != null) {
            current.apply(step);
        }
    }

    private List<PopPlan.Run> runs(PopState current, Pop pop, QueueRange range, boolean shared) {
        long now = pop.nowMillis();
        Pop.Wish wish = pop.wish();
        long scannedTo = pop.scannedTo(key.queueId());
        if (current != state) {
            return PopPlan.ordered(current, scannedTo, range.maxOffset(), 1);
        }
        if (wish.order()) {
            return isHeld(now, wish.attemptId())
                    ? List.of()
                    : PopPlan.ordered(state, scannedTo, range.maxOffset(), pop.roomForCount());
        }
        int wanted = pop.roomForCount();
        // What one member does not want must not keep it from what it wants: then all due ones are looked at.
        TreeSet<Long> due = due(now, shared ? Integer.MAX_VALUE : wanted);
        long end = limit(range.maxOffset());
        int held = state.inFlight().size();
        boolean isFull = held >= MOST_IN_FLIGHT || held >= FEW_IN_FLIGHT && all.get() >= MOST_OF_ALL;
        limited |= isFull || end < range.maxOffset();
        boolean fresh = !isFull && (shared || due.size() < wanted);
        return PopPlan.unordered(state, due, holes, scannedTo, end, wanted, fresh);
    }

    private TreeSet<Long> due(long now, int most) {
        TreeSet<Long> due = new TreeSet<>();
        for (InFlight held : byDeadline) {
            if (held.deadlineMillis() > now || due.size() >= most) {
                break;
            }
            due.add(held.offset());
        }
        return due;
    }

    private long limit(long end) {
        boolean tooMany = holes
                && state.frontier() - state.base() > 2L * MOST_RANGES
                && state.ackedRanges().size() >= MOST_RANGES;
        return tooMany ? Math.min(end, state.frontier()) : end;
    }

    /** In order nothing comes while something is held, unless the same client asks for the same once more. */
    private boolean isHeld(long now, String attempt) {
        boolean again = attempt != null && attempt.equals(attemptId);
        for (InFlight held : byDeadline.descendingSet()) {
            if (held.deadlineMillis() <= now) {
                return false;
            }
            if (!again || held.popTimeMillis() != attemptMillis) {
                return true;
            }
        }
        return false;
    }

    /** Hands out what a read found, as far as it is still to be had. */
    synchronized Taken take(Pop pop, Look look, Read read) {
        if (look.generation() != generation || refused) {
            return new Taken(List.of(), false, 0, true);
        }
        if (pop.wish().kind() != Pop.Kind.TAKE) {
            List<Pop.Given> seen = new ArrayList<>();
            for (Message message : read.messages()) {
                InFlight held = state == null ? null : state.inFlight(message.offset());
                seen.add(given(message, held == null ? 1 : held.deliveries() + 1, null));
            }
            return new Taken(seen, false, 0, false);
        }
        List<PopChange> steps = new ArrayList<>();
        List<MessageDraft> letters = new ArrayList<>();
        List<Pop.Given> given = new ArrayList<>();
        boolean stopped = false;
        for (PopPlan.Run run : read.finished()) {
            steps.add(new PopChange.Ack(run.from(), run.to()));
        }
        for (Message message : read.messages()) {
            InFlight held = state.inFlight(message.offset());
            if (state.isAcked(message.offset()) || held != null && !mayComeAgain(held, pop)) {
                stopped = true;
                if (pop.wish().order()) {
                    break; // nothing overtakes it
                }
            } else {
                takeOne(pop, message, held, steps, letters, given);
            }
        }
        if (!given.isEmpty() && pop.wish().order()) {
            attemptId = pop.wish().attemptId();
            attemptMillis = pop.popMillis();
        }
        boolean moved = !steps.isEmpty();
        if (moved) {
            steps.sort(Comparator.comparingLong(PopQueue::firstOf));
            record(steps, letters, Completion.NONE);
        }
        return new Taken(given, moved, letters.size(), stopped);
    }

    private static long firstOf(PopChange step) {
        return step instanceof PopChange.Take take ? take.offset() : ((PopChange.Ack) step).from();
    }

    private boolean mayComeAgain(InFlight held, Pop pop) {
        return held.deadlineMillis() <= pop.nowMillis() || isSameAttempt(held, pop.wish());
    }

    private boolean isSameAttempt(InFlight held, Pop.Wish wish) {
        return wish.order()
                && wish.attemptId() != null
                && wish.attemptId().equals(attemptId)
                && held.popTimeMillis() == attemptMillis;
    }

    private void takeOne(
            Pop pop,
            Message message,
            InFlight held,
            List<PopChange> steps,
            List<MessageDraft> letters,
            List<Pop.Given> given) {
        long now = pop.nowMillis();
        long offset = message.offset();
        boolean repeated = held != null && held.deadlineMillis() > now;
        int deliveries = held == null ? 1 : repeated ? held.deliveries() : held.deliveries() + 1;
        if (held != null) {
            since.putIfAbsent(offset, clock.wallMillis(held.deadlineMillis()));
            firstTaken.putIfAbsent(offset, held.popTimeMillis());
        }
        if (deliveries - 1 > pop.wish().mostRetries()) {
            MessageDraft letter = letter(pop, message, deliveries - 1);
            if (letter != null) {
                letters.add(letter);
                steps.add(new PopChange.Ack(offset, offset + 1));
                return;
            }
        }
        steps.add(new PopChange.Take(offset, pop.popMillis(), now + pop.wish().invisibleMillis(), deliveries));
        given.add(given(message, deliveries, firstTaken.get(offset)));
    }

    private MessageDraft letter(Pop pop, Message message, int deliveries) {
        try {
            return RetriesExhausted.deadLetter(
                    message.slice(),
                    0,
                    key.group(),
                    pop.wish().mostRetries(),
                    deliveries,
                    since.getOrDefault(message.offset(), clock.wallMillis(pop.nowMillis())),
                    clock.wallMillis(clock.nowMillis()));
        } catch (BadValue e) {
            log.warn("Message {} of {} does not fit a dead letter and is delivered again", message.offset(), key, e);
            return null;
        }
    }

    /**
     * The first delivery is the log's own bytes; later ones are a copy that says how often it was tried, and when it was taken first: a client would
     * write the time of this taking there.
     */
    private static Pop.Given given(Message message, int deliveries, Long firstTakenMillis) {
        ByteBuffer slice = message.slice();
        if (deliveries > 1) {
            ByteBuffer copy = firstTakenMillis == null ? null : marked(slice, firstTakenMillis);
            if (copy == null) {
                copy = ByteBuffer.allocate(slice.remaining())
                        .put(slice.duplicate())
                        .flip();
            }
            StoredMessage.patchReconsumeTimes(copy, 0, StoredMessage.reconsumeTimes(copy, 0) + deliveries - 1);
            slice = copy;
        }
        return new Pop.Given(message.offset(), slice, deliveries);
    }

    /** Null when it says so already, or has no room for it. */
    private static ByteBuffer marked(ByteBuffer slice, long firstTakenMillis) {
        int at = slice.position();
        if (StoredMessage.property(slice, at, MessageProperties.FIRST_POP_TIME) != null) {
            return null;
        }
        try {
            ByteBuffer copy = ByteBuffer.wrap(MessageDraft.copyOf(slice, at)
                    .property(MessageProperties.FIRST_POP_TIME, Long.toString(firstTakenMillis))
                    .build()
                    .bytes());
            StoredMessage.patchQueueOffset(copy, 0, StoredMessage.queueOffset(slice, at));
            StoredMessage.patchPosition(copy, 0, StoredMessage.position(slice, at));
            StoredMessage.patchStoreTimestamp(copy, 0, StoredMessage.storeTimestamp(slice, at));
            return copy;
        } catch (BadValue e) {
            return null;
        }
    }

    /** Whether a look may find something. */
    synchronized boolean mayHave(long end, long now) {
        return state == null
                || refused
                || holes
                || state.frontier() < end
                || !byDeadline.isEmpty() && byDeadline.first().deadlineMillis() <= now;
    }

    /** Messages behind everything handed out so far. */
    synchronized long rest(QueueRange range) {
        return state == null ? 0 : Math.max(0, range.maxOffset() - Math.max(state.frontier(), range.minOffset()));
    }

    // ---- acknowledgements and changes

    /**
     * Messages of one taking are done. Those that are done already, are taken anew or were never taken stay as they are.
     *
     * @param acked gets the offsets this acknowledgement ended
     * @param unknown gets the offsets nobody holds
     * @param done called when everything is stored, if RECORDED
     */
    synchronized Verdict ack(long[] messages, long popTime, List<Long> acked, List<Long> unknown, Completion done) {
        if (!load()) {
            return Verdict.UNSURE;
        }
        if (state == null) {
            long end = offsets.query(key.group(), key.topic(), key.queueId());
            for (long offset : messages) {
                if (offset >= end) {
                    unknown.add(offset);
                }
            }
            return unknown.isEmpty() ? Verdict.STALE : Verdict.UNKNOWN;
        }
        List<PopChange> steps = new ArrayList<>();
        long from = -1;
        long to = -1;
        for (long offset : messages) {
            boolean repeated = state.isAcked(offset) && unanswered > 0; // the first may still be on its way
            if (!repeated && !isOfTaking(offset, popTime)) {
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
            return unknown.isEmpty() ? Verdict.STALE : Verdict.UNKNOWN;
        }
        steps.add(new PopChange.Ack(from, to));
        record(steps, List.of(), done);
        return Verdict.RECORDED;
    }

    /** Also a later taking than the one known, which a crash has taken from the log: its holder is the true one. */
    private boolean isOfTaking(long offset, long popTime) {
        InFlight held = state.inFlight(offset);
        return held != null && held.popTimeMillis() <= popTime;
    }

    /**
     * A message stays with its holder for another while, and the handle is made anew.
     *
     * @param suspend the delivery does not count
     * @param newPopTime gets the new handle's time, if RECORDED
     */
    synchronized Verdict change(
            long offset, long popTime, long invisibleMillis, boolean suspend, long[] newPopTime, Completion done) {
        if (!load()) {
            return Verdict.UNSURE;
        }
        if (state == null || clock.isFar(popTime) || !isOfTaking(offset, popTime)) {
            return Verdict.STALE;
        }
        int deliveries = state.inFlight(offset).deliveries() - (suspend ? 1 : 0);
        long now = clock.nowMillis();
        firstTaken.putIfAbsent(offset, state.inFlight(offset).popTimeMillis());
        long taken = Math.max(
                clock.stampMillis(), popTime + 1); // a handle of its own, also within the millisecond it was taken in
        newPopTime[0] = taken;
        record(
                List.of(new PopChange.Take(offset, taken, now + invisibleMillis, Math.max(0, deliveries))),
                List.of(),
                done);
        return Verdict.RECORDED;
    }

    /** Whether somebody who waits may go on after an acknowledgement. */
    synchronized boolean isFreed() {
        boolean wasLimited = limited;
        limited = false; // whoever looks and meets the limit again says so
        return state != null
                && (wasLimited || byDeadline.isEmpty() || byDeadline.last().deadlineMillis() <= clock.nowMillis());
    }

    // ---- offsets from outside

    /**
     * The group's offset was set by a client that pulls, or by a reset: all that is known here is void. In the log the reset of the state comes
     * first, then the offset, then the end of the state, so that a crash anywhere in between finds the offset that holds.
     *
     * @return whether messages were in flight, which come again
     */
    boolean outside(long offset, boolean isReset) {
        int mine;
        int held;
        synchronized (this) {
            boolean isSure = load();
            if (isSure && (state == null || !isReset && state.base() == offset)) {
                return false;
            }
            held = state == null ? 0 : state.inFlight().size();
            forget();
            loaded = true;
            refused = false;
            leaving = true;
            mine = ++generation;
            enqueue(List.of(new PopChange.Reset(offset)), List.of(), -1, Completion.NONE);
            offsets.commit(key.group(), key.topic(), key.queueId(), offset);
        }
        drain();
        ConsumerOffset entry = new ConsumerOffset(key.group(), key.topic(), key.queueId(), offset);
        store.commitProgress(List.of(entry), outcome -> {
            if (outcome instanceof Stored && leave(mine)) {
                drain();
            }
        });
        return held > 0;
    }

    private synchronized boolean leave(int mine) {
        boolean leaves = leaving && mine == generation;
        if (leaves) {
            leaving = false;
            enqueue(List.of(new PopChange.Drop()), List.of(), -1, Completion.NONE);
        }
        return leaves;
    }

    /** The topic or the group is no more. */
    void drop() {
        synchronized (this) {
            checkInUse();
            forget();
            loaded = true;
            leaving = false;
            generation++;
            enqueue(List.of(new PopChange.Drop()), List.of(), -1, Completion.NONE);
        }
        drain();
    }

    /** Notes that it is about to be used; false when it is retired: then another one takes its place in a moment. */
    boolean touch() {
        touched = true;
        return !retired;
    }

    /**
     * Gives memory back when nothing goes on here; what is needed again is read again.
     *
     * @return true when it is retired, since nobody touched it after the last call; then it is never used again
     */
    synchronized boolean rests() {
        if (busy || unanswered > 0 || leaving || !byDeadline.isEmpty() || watched != null) {
            return false;
        }
        if (loaded) {
            forget();
            loaded = false;
        }
        if (touched) {
            touched = false;
            return false;
        }
        retired = true;
        if (touched) { // just now, by somebody who may not have seen it
            retired = false;
        }
        return retired;
    }

    /** Two for one queue could give a message to two holders: who slept through two rounds of the sweep begins anew. */
    private void checkInUse() {
        if (retired) {
            throw new IllegalStateException("the state of " + key + " was put away meanwhile");
        }
    }

    // ---- the clock

    /**
     * Has the next end of an invisibility behind a time watched, instead of the one that is, if it is earlier.
     *
     * @return what is watched now, null if that did not change
     */
    synchronized PopLongPolling.End watch(long behindMillis, long number, Map<PopLongPolling.End, PopQueue> ends) {
        InFlight next = byDeadline.higher(new InFlight(Long.MAX_VALUE, 0, behindMillis, 0));
        if (next == null || watched != null && watched.millis() <= next.deadlineMillis()) {
            return null;
        }
        PopLongPolling.End before = watched;
        watched = new PopLongPolling.End(next.deadlineMillis(), number);
        ends.put(watched, this);
        if (before != null) {
            ends.remove(before);
        }
        return watched;
    }

    /** That time has come. */
    synchronized void reached(PopLongPolling.End end) {
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
            forget();
            loaded = false;
            leaving = false;
            generation++;
        }
        if (!loaded) {
            loaded = true;
            state = store.popState(key);
            if (state != null) {
                rebase();
                byDeadline.addAll(state.inFlight().values());
                holes = PopPlan.hasGaps(state);
                count();
            }
        }
        return true;
    }

    /** The log keeps deadlines by the time that names takings. */
    private List<PopChange> asStored(List<PopChange> steps) {
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

    /** The other way round; and none lasts longer from now on than it was asked for, whatever the clocks did meanwhile. */
    private void rebase() {
        long now = clock.nowMillis();
        long ahead = clock.aheadMillis();
        for (InFlight held : List.copyOf(state.inFlight().values())) {
            long longest = now + Math.max(0, held.deadlineMillis() - held.popTimeMillis());
            long deadline = Math.min(held.deadlineMillis() - ahead, longest);
            if (deadline != held.deadlineMillis()) {
                state.apply(new PopChange.Take(held.offset(), held.popTimeMillis(), deadline, held.deliveries()));
            }
        }
    }

    private void forget() {
        state = null;
        byDeadline.clear();
        since.clear();
        firstTaken.clear();
        holes = false;
        attemptId = null;
        count();
    }

    private void count() {
        all.addAndGet(byDeadline.size() - counted);
        counted = byDeadline.size();
    }

    private void record(List<PopChange> steps, List<MessageDraft> letters, Completion done) {
        steps.forEach(this::apply);
        count();
        enqueue(asStored(steps), letters, state.base(), done);
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
            for (InFlight held : state.inFlight().subMap(ack.from(), ack.to()).values()) {
                byDeadline.remove(held);
                since.remove(held.offset());
                firstTaken.remove(held.offset());
            }
            holes |= ack.from() > state.frontier();
            state.apply(step);
        } else {
            byDeadline.clear();
            since.clear();
            firstTaken.clear();
            holes = false;
            state.apply(step);
        }
    }

    /** @param base the offset to be committed when this is stored; -1 for none */
    private void enqueue(List<PopChange> steps, List<MessageDraft> letters, long base, Completion done) {
        int mine = generation;
        unanswered++;
        outbox.add(new Entry(steps, letters, outcome -> {
            answered(outcome, base, mine);
            done.done(outcome);
        }));
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

    /** Writes what is recorded, in its order; whoever comes while another thread writes leaves it to that one. Never under a lock. */
    void drain() {
        while (true) {
            List<Entry> batch;
            synchronized (this) {
                if (writing || outbox.isEmpty()) {
                    return;
                }
                writing = true;
                batch = nextBatch();
            }
            try {
                write(batch);
            } finally {
                synchronized (this) {
                    writing = false;
                }
            }
        }
    }

    private List<Entry> nextBatch() {
        List<Entry> batch = new ArrayList<>();
        int steps = 0;
        int bytes = 0;
        while (!outbox.isEmpty() && (batch.isEmpty() || steps < RECORD_STEPS && bytes < RECORD_BYTES)) {
            Entry entry = outbox.remove();
            steps += entry.steps().size();
            bytes += entry.letters().stream().mapToInt(MessageDraft::size).sum();
            batch.add(entry);
        }
        return batch;
    }

    private void write(List<Entry> batch) {
        List<PopChange> steps = new ArrayList<>();
        List<MessageDraft> letters = new ArrayList<>();
        for (Entry entry : batch) {
            steps.addAll(entry.steps());
            letters.addAll(entry.letters());
        }
        store.putAndPop(
                letters,
                List.of(new PopDelta(key, steps)),
                outcome -> batch.forEach(entry -> entry.done().done(outcome)));
    }
}
