/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.platform.DiskFullException;
import io.waybill.platform.Duty;
import io.waybill.store.record.FoldedLog;
import io.waybill.store.record.ViewsDamaged;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The single writer of the log during one tenure, by flat combining. Changes wait in a queue; the thread that finds the
 * writer's role free takes it, drains the queue into frames, hands each to the {@link Carrier} and lets the role go. Nobody
 * ever waits for the role: who finds it taken leaves the change to its holder (ADR 0001, 0020).
 *
 * <p>What always holds: one holder at a time; frames are planned in the order of their indexes, without a gap; queue offsets
 * are dense; store times never fall; after a failed write nothing is written any more; after the end of the tenure no change
 * is taken, and each that was not put into a frame fails as MOVED. Only a failed write or force freezes the store: a change
 * that fails before a byte of it is written, for want of memory or by a defect, is taken back in all its traces and refused
 * alone. What waits is bounded in number and in bytes.
 *
 * <p>The writer judges, assigns offsets and store time, and builds; it writes nothing itself. Where the next frame begins is
 * its plan ({@code end}), which the carrier makes true.
 *
 * <p>The role is the counter {@code signals}: 0 = free. Its holder subtracts the signals it has seen and goes on while others
 * came in between. Instead of letting go, the holder may pass the role to the duty "log-writer": when it has worked for
 * others long enough, or when the next segment is not there yet.
 */
final class Writer implements Duty {
    private static final Logger LOG = LoggerFactory.getLogger(Writer.class);

    /** Frames a caller writes for others before it passes the role on. */
    private static final int FRAMES_PER_TURN = 32;
    /** The room kept back for changes that end something while no further segment can be made: 1/16 of the segment, at most this. */
    private static final long MAX_RESERVE = 1 << 20;

    private static final long TELL_EVERY_NANOS = 10_000_000_000L;

    private final StoreSettings settings;
    private final LogState state;
    private final StoreTime time;
    private final LogTail tail;
    private final Applier applier;
    private final FoldedLog views;
    private final Carrier carrier;
    private final long epoch;
    private final WaitingWrites waiting;
    private final AtomicInteger signals = new AtomicInteger();
    private volatile Runnable wakeDuty = () -> {};
    private volatile boolean passedOn;
    /** The tenure has ended: whatever comes to its turn now came too late. */
    private volatile boolean over;
    /** The store's own last words; whatever comes to its turn behind them is refused, even if it was taken before. */
    private volatile LogWrite last;

    // Everything below belongs to the holder of the role.
    private final Pending pending;
    private final QueueStates queues;
    private final FrameBuilder builder;
    private final UnappliedRecords inFlight;
    private final Plan plan = new Plan();
    private LogWrite stalled;
    private int framesThisTurn;
    /** Whether bytes of the frame in the builder may be in the file. */
    private boolean writeBegun;

    private long refusals;
    private long lastTold;
    /** What broke the writer; leaves it together with the role. */
    private Error broken;

    /** Where the next frame begins and with which index, and the segment it is in. */
    private static final class Plan {
        long segmentStart;
        long segmentEnd;
        long end;
        /** The end of the frame that was carried last: further back than end once the plan has gone on to the next segment. */
        long carriedEnd;

        long nextIndex;

        long room() {
            return segmentEnd - end;
        }

        /** Kept back for changes that end something while no further segment can be made. */
        long reserve() {
            return Math.min(MAX_RESERVE, (segmentEnd - segmentStart) / 16);
        }
    }

    /** @param carrier makes its plan true; the frames before this tenure are in its chain */
    Writer(
            StoreSettings settings,
            LogState state,
            StoreTime time,
            LogTail tail,
            Applier applier,
            FoldedLog views,
            Carrier carrier,
            Recovered from) {
        this.settings = settings;
        this.state = state;
        this.time = time;
        this.tail = tail;
        this.applier = applier;
        this.views = views;
        this.carrier = carrier;
        this.epoch = from.epoch();
        this.waiting = new WaitingWrites(settings);
        this.queues = new QueueStates(views);
        this.builder = new FrameBuilder(settings.keptFrameBytes(), queues);
        this.inFlight = new UnappliedRecords(carrier.newest(), builder);
        this.pending = new Pending(views, time.keyTime(), inFlight);
        Segment newest = tail.newestSegment();
        plan.segmentStart = newest.start();
        plan.segmentEnd = newest.end();
        plan.end = from.end();
        plan.carriedEnd = from.end();
        plan.nextIndex = from.nextIndex();
    }

    void start(Runnable wake) {
        wakeDuty = wake;
    }

    // ---- any thread

    void submit(LogWrite change) {
        if (!state.isOpen() || over) {
            failClosed(change);
        } else if (waiting.offer(change) && (over || !carrier.willDrain())) {
            // Over: the last look into the queue may have been before this.
            drain();
        }
    }

    /** The tenure ends here: what waits, and what comes, fails as moved. The caller drains. */
    void endTenure() {
        over = true;
    }

    /** For the store's own last words. */
    void submitLast(LogWrite change) {
        last = change;
        while (!waiting.offerUncharged(change)) {
            drain();
            Thread.onSpinWait();
        }
        drain();
    }

    /** Takes the role if it is free and writes what waits; if it is not free, its holder does so. */
    void drain() {
        if (signals.getAndIncrement() == 0) {
            framesThisTurn = 0;
            combine(1, false);
        }
    }

    boolean hasWaiting() {
        return !waiting.isEmpty();
    }

    /** About so many changes wait. */
    int waiting() {
        return waiting.count();
    }

    boolean isIdle() {
        return signals.get() == 0;
    }

    // ---- the duty that takes the role over

    @Override
    public String roleName() {
        return "log-writer";
    }

    @Override
    public long run() {
        if (passedOn) {
            passedOn = false;
            combine(0, true);
        }
        return WHEN_WOKEN;
    }

    /** Called by the segment maker, when a result is there. */
    void segmentReady() {
        if (passedOn) {
            wakeDuty.run();
        }
    }

    // ---- the role

    /** Signals seen before are subtracted at the end; with 0 the role was passed on together with its signals. */
    private void combine(int seen, boolean byDuty) {
        int missed = seen == 0 ? signals.get() : seen;
        Error thrown = null;
        do {
            try {
                if (!batch(byDuty)) {
                    passOn();
                    return;
                }
            } catch (RuntimeException | Error e) {
                breaks(e);
                failFrame(writeBegun);
                for (LogWrite change = waiting.poll(); change != null; change = waiting.poll()) {
                    failClosed(change);
                }
            }
            if (broken != null) {
                thrown = broken;
                broken = null;
            }
            missed = signals.addAndGet(-missed);
        } while (missed != 0);
        if (thrown != null) {
            throw thrown;
        }
    }

    /** A defect, views that cannot be read, no memory left: the role must not be lost over it, and nobody left unanswered. */
    private void breaks(Throwable e) {
        LOG.error("the writer failed", e);
        state.freeze("the writer failed: " + e);
        if (e instanceof Error error) {
            broken = error;
        }
    }

    private void passOn() {
        boolean waitsForSegment = stalled != null;
        passedOn = true;
        // The maker may have been done before it could see that the role waits.
        if (!waitsForSegment || tail.maker().hasResult()) {
            wakeDuty.run();
        }
    }

    /** Empties the queue into frames. False if the role must be passed on. */
    private boolean batch(boolean byDuty) {
        long appliedIndex = applier.appliedIndex();
        pending.prune(appliedIndex);
        inFlight.prune(appliedIndex);
        queues.forgetIdle(appliedIndex);
        LogWrite change = stalled;
        stalled = null;
        if (change == null) {
            change = waiting.poll();
        }
        for (; change != null; change = waiting.poll()) {
            if (!addOrRefuse(change)) {
                stalled = change;
                return false;
            }
            if (change == last) {
                over = true;
            }
            if (framesThisTurn >= FRAMES_PER_TURN && !byDuty) {
                closeFrame();
                return false;
            }
        }
        closeFrame();
        if (settings.flush() == FlushMode.ASYNC && state.isOpenForRole() && !over) {
            applier.housekeep();
        }
        return true;
    }

    private boolean addOrRefuse(LogWrite change) {
        builder.mark();
        pending.mark();
        try {
            return add(change);
        } catch (RuntimeException | Error e) {
            if (writeBegun || !state.isOpenForRole()) {
                breaks(e);
                state.failFrozen(change, false);
            } else {
                takeBack(change, e);
            }
            return true;
        }
    }

    /** Not a byte of it is written, so it was never there. */
    private void takeBack(LogWrite change, Throwable e) {
        builder.rollBack();
        pending.rollBack();
        if (e instanceof ViewsDamaged) {
            change.fail(Failed.FailureCause.REBUILDING, false, e.getMessage());
            return;
        }
        long now = time.nanoTime();
        if (refusals++ == 0 || now - lastTold > TELL_EVERY_NANOS) {
            lastTold = now;
            LOG.error("a change failed before anything of it was written, it is refused; {} so far", refusals, e);
        }
        change.fail(
                Failed.FailureCause.OVERLOADED,
                false,
                e instanceof OutOfMemoryError
                        ? "this broker is short of memory (" + e.getMessage() + "); try again in a moment"
                        : "the change could not be made, nothing of it is stored: " + e);
    }

    /** False if the next segment must be waited for. */
    private boolean add(LogWrite change) {
        if (!state.isOpenForRole() || over) {
            failClosed(change);
            return true;
        }
        if (!change.isControl() && views.unwrittenBytes() > settings.viewsBytes()) {
            failOverloaded(change);
            return true;
        }
        // Due times are wall time: a store time that ran ahead would let messages out too early.
        pending.now(time.wallMillis());
        Outcome refused = change.judge(pending);
        boolean inFlight = pending.takeConsultedInFlight();
        if (refused != null) {
            if (inFlight) {
                builder.reserveWaiting();
                change.outcome(refused);
                builder.addWaiting(change);
            } else {
                change.complete(refused);
            }
            return true;
        }
        int size = change.size();
        if (builder.isOpen() && !builder.fits(size)) {
            closeFrame();
            if (!state.isOpenForRole()) {
                failClosed(change);
                return true;
            }
        }
        if (!builder.isOpen()) {
            long wanted = Frame.HEADER + (long) size;
            if (wanted > (change.isControl() ? Frame.LARGEST : Frame.HEADER + (long) settings.maxChangeBytes())) {
                change.fail(
                        Failed.FailureCause.TOO_LARGE,
                        false,
                        "the change needs " + wanted + " bytes, the largest may have " + settings.maxChangeBytes());
                return true;
            }
            if (wanted > plan.room()) {
                if (wanted > settings.segmentBytes()) {
                    change.fail(
                            Failed.FailureCause.TOO_LARGE,
                            false,
                            "the change needs " + wanted + " bytes, a segment has " + settings.segmentBytes());
                    return true;
                }
                if (!roll()) {
                    IOException failure = tail.maker().failure();
                    if (failure == null) {
                        return false;
                    }
                    failWithoutSegment(change, failure);
                    return true;
                }
            } else if (!change.isControl()
                    && plan.room() - wanted < plan.reserve()
                    && tail.maker().failure() != null) {
                failWithoutSegment(change, tail.maker().failure());
                return true;
            }
            int limit = (int) Math.min(plan.room(), Math.max(wanted, settings.maxFrameBytes()));
            builder.open(plan.end, limit, plan.nextIndex, epoch, time.stamp());
        }
        builder.reserveWaiting();
        change.outcome(change.encode(builder, pending));
        builder.addWaiting(change);
        return true;
    }

    /** Plans the next frame for the next segment. False if that is not there yet. */
    private boolean roll() {
        Segment next = tail.maker().next();
        if (next == null || next.start() != plan.segmentEnd) {
            return false;
        }
        tail.prepare(next);
        plan.segmentStart = next.start();
        plan.segmentEnd = next.end();
        plan.end = next.start();
        return true;
    }

    /** Hands over the frame that was built. Without one, what was gathered becomes a barrier. */
    private void closeFrame() {
        if (builder.frame().isEmpty()) {
            return;
        }
        if (!builder.isOpen()) {
            WrittenFrame barrier = builder.take();
            barrier.end = plan.carriedEnd;
            barrier.index = plan.nextIndex - 1;
            carrier.carry(barrier, null);
            return;
        }
        if (!state.isOpenForRole()) {
            failFrame(writeBegun);
            return;
        }
        framesThisTurn++;
        ByteBuffer sealed = builder.seal(tail.flushed());
        WrittenFrame frame = builder.frame();
        frame.segmentStart = plan.segmentStart;
        frame.segmentEnd = plan.segmentEnd;
        writeBegun = true;
        carrier.carry(frame, sealed);
        writeBegun = false;
        plan.end = frame.end;
        plan.carriedEnd = frame.end;
        plan.nextIndex++;
        // Only now: the builder's buffer is what was carried.
        builder.take();
    }

    private void failFrame(boolean maybeStored) {
        for (LogWrite change : builder.take().changes) {
            state.failFrozen(change, maybeStored);
        }
        // Those who wait for earlier frames must learn of the freeze too.
        carrier.carry(new WrittenFrame(), null);
    }

    private void failClosed(LogWrite change) {
        if (state.get().kind() == StoreState.StoreMode.FROZEN) {
            state.failFrozen(change, false);
        } else if (state.isOpen()) {
            failMoved(change);
        } else {
            change.fail(Failed.FailureCause.CLOSED, false, "the store is closed");
        }
    }

    static void failMoved(LogWrite change) {
        change.fail(Failed.FailureCause.MOVED, false, "moved, not stored");
    }

    private void failOverloaded(LogWrite change) {
        if (views.damage() != null) {
            change.fail(
                    Failed.FailureCause.REBUILDING,
                    false,
                    "the views are rebuilt from the log, and memory holds no more until they are: " + views.damage());
            return;
        }
        String failure = applier.checkpointFailure();
        change.fail(
                Failed.FailureCause.OVERLOADED,
                false,
                failure == null
                        ? "the views are written more slowly than messages come; try again in a moment"
                        : "the views cannot be written, so no more can be taken until they are: " + failure);
    }

    private static void failWithoutSegment(LogWrite change, IOException failure) {
        Failed.FailureCause cause =
                failure instanceof DiskFullException ? Failed.FailureCause.DISK_FULL : Failed.FailureCause.NO_SEGMENT;
        change.fail(cause, false, "no further segment can be made: " + failure.getMessage());
    }
}
