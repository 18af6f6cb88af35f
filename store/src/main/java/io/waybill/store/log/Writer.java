/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.platform.Clock;
import io.waybill.platform.DiskFullException;
import io.waybill.platform.Duty;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.ViewsDamaged;
import io.waybill.store.view.Views;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.jctools.queues.varhandle.MpscVarHandleArrayQueue;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The single writer of the log, by flat combining. Changes wait in a queue; the thread that finds the writer's role free
 * takes it, drains the queue into frames, writes each with one call and lets the role go. Nobody ever waits for the role:
 * who finds it taken leaves the change to its holder.
 *
 * <p>What always holds: one holder at a time; frames stand in the log in the order of their indexes, without a gap; queue
 * offsets are dense; store times never fall; after a failed write nothing is written any more. Only a failed write or force
 * freezes the store: a change that fails before a byte of it is written, for want of memory or by a defect, is taken back in all
 * its traces and refused alone. What waits is bounded in number and in bytes.
 *
 * <p>The role is the counter {@code signals}: 0 = free. Its holder subtracts the signals it has seen and goes on while others
 * came in between. Instead of letting go, the holder may pass the role to the duty "log-writer": when it has worked for
 * others long enough, or when the next segment is not there yet.
 */
final class Writer implements Duty, Changes.InFlight {
    private static final Logger LOG = LoggerFactory.getLogger(Writer.class);

    /** Frames a caller writes for others before it passes the role on. */
    private static final int FRAMES_PER_TURN = 32;
    /** The room kept back for changes that end something while no further segment can be made: 1/16 of the segment, at most this. */
    private static final long MAX_RESERVE = 1 << 20;

    private static final long TELL_EVERY_NANOS = 10_000_000_000L;

    private final Clock clock;
    private final StoreSettings settings;
    private final LogState state;
    private final Positions positions;
    private final Segments segments;
    private final SegmentMaker maker;
    private final Applier applier;
    private final Views views;

    private final MpscVarHandleArrayQueue<Change> queue;
    /** Of the changes that were taken and are not completed yet. */
    private final AtomicLong waitingBytes = new AtomicLong();

    private final long maxNewBytes;
    private final AtomicInteger signals = new AtomicInteger();

    // Everything below belongs to the holder of the role.
    private final Pending pending;
    private final QueueStates queues;
    private final FrameBuilder builder;
    /** Frames handed over, as a chain: the last one of which nothing is needed any more, and the newest. */
    private WrittenFrame applied = new WrittenFrame();

    private WrittenFrame newest = applied;
    private Segment segment;
    private long end;
    private long nextIndex;
    private final long epoch;
    private Change stalled;
    private int framesThisTurn;
    /** Whether bytes of the frame in the builder may be in the file. */
    private boolean writeBegun;
    /** The last change is behind: whatever comes now came too late. */
    private boolean ended;

    private long refusals;
    private long lastTold;
    /** What broke the writer; leaves it together with the role. */
    private Error broken;

    private volatile Change last;

    private volatile long storeTimeMillis;
    private volatile boolean passedOn;
    private volatile long frames;
    private volatile long records;

    private Confirmer confirmer;
    private Runnable wakeDuty;

    /** Takes a written frame from the holder of the role and sees to its confirmation. */
    interface Confirmer {
        /** Whether it is about to drain the queue by itself, so that a caller may leave its change there. */
        boolean willDrain();

        void written(WrittenFrame frame);
    }

    Writer(
            Clock clock,
            StoreSettings settings,
            LogState state,
            Positions positions,
            Segments segments,
            SegmentMaker maker,
            Applier applier,
            Views views,
            Recovered recovered,
            KeyTime keyTime) {
        this.clock = clock;
        this.settings = settings;
        this.state = state;
        this.positions = positions;
        this.segments = segments;
        this.maker = maker;
        this.applier = applier;
        this.views = views;
        this.queue = new MpscVarHandleArrayQueue<>(settings.maxWaiting());
        this.pending = new Pending(views, keyTime);
        this.queues = new QueueStates(views);
        this.builder = new FrameBuilder(settings.keptFrameBytes(), queues);
        this.maxNewBytes = settings.maxWaitingBytes() / 4 * 3;
        this.segment = segments.newest();
        this.end = recovered.end();
        this.nextIndex = recovered.nextIndex();
        this.epoch = recovered.epoch() + 1;
        this.storeTimeMillis = recovered.storeTimeMillis();
    }

    /** Where the chain of frames begins: the ones to confirm stand behind it. */
    WrittenFrame chain() {
        return applied;
    }

    void start(Confirmer confirmedBy, Runnable wake) {
        confirmer = confirmedBy;
        wakeDuty = wake;
    }

    // ---- any thread

    void submit(Change change) {
        if (!state.isOpen()) {
            failClosed(change);
        } else if (!charge(change)) {
            change.fail(
                    Failed.Cause.OVERLOADED,
                    false,
                    "changes of " + waitingBytes + " bytes wait to be written, the limit is "
                            + (change.isControl() ? settings.maxWaitingBytes() : maxNewBytes)
                            + "; try again in a moment");
        } else if (!queue.offer(change)) {
            change.fail(
                    Failed.Cause.OVERLOADED,
                    false,
                    "more than " + settings.maxWaiting() + " changes wait to be written; try again in a moment");
        } else if (!confirmer.willDrain()) {
            drain();
        }
    }

    /** Whether there is room for it; then it holds the room until it is completed. One alone always has room. */
    private boolean charge(Change change) {
        long weight = change.weight();
        long before = waitingBytes.getAndAdd(weight);
        if (before > 0 && before + weight > (change.isControl() ? settings.maxWaitingBytes() : maxNewBytes)) {
            waitingBytes.addAndGet(-weight);
            return false;
        }
        change.charged(waitingBytes, weight);
        return true;
    }

    /** Of changes that wait for the writer or for the disk. */
    long waitingBytes() {
        return waitingBytes.get();
    }

    /** For the store's own last words: what comes to its turn after them is refused, even if it was taken before. */
    void submitLast(Change change) {
        last = change;
        while (!queue.offer(change)) {
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
        return !queue.isEmpty();
    }

    /** About so many changes wait. */
    int waiting() {
        return queue.size();
    }

    boolean isIdle() {
        return signals.get() == 0;
    }

    long nowMillis() {
        return Math.max(clock.wallMillis(), storeTimeMillis);
    }

    /** Of the newest frame. */
    long storeTimeMillis() {
        return storeTimeMillis;
    }

    long frames() {
        return frames;
    }

    long records() {
        return records;
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
                for (Change change = queue.poll(); change != null; change = queue.poll()) {
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
        if (!waitsForSegment || maker.hasResult()) {
            wakeDuty.run();
        }
    }

    /** Empties the queue into frames. False if the role must be passed on. */
    private boolean batch(boolean byDuty) {
        long appliedIndex = applier.appliedIndex();
        pending.prune(appliedIndex);
        while (applied.next != null && applied.next.index <= appliedIndex) {
            applied = applied.next;
        }
        queues.forgetIdle(appliedIndex);
        Change change = stalled;
        stalled = null;
        if (change == null) {
            change = queue.poll();
        }
        for (; change != null; change = queue.poll()) {
            if (!addOrRefuse(change)) {
                stalled = change;
                return false;
            }
            ended |= change == last;
            if (framesThisTurn >= FRAMES_PER_TURN && !byDuty) {
                closeFrame();
                return false;
            }
        }
        closeFrame();
        if (settings.flush() == FlushMode.ASYNC && state.isOpenForRole() && !ended) {
            applier.housekeep();
        }
        return true;
    }

    private boolean addOrRefuse(Change change) {
        builder.mark();
        pending.mark();
        try {
            return add(change);
        } catch (RuntimeException | Error e) {
            if (writeBegun || !state.isOpenForRole()) {
                breaks(e);
                failFrozen(change, false);
            } else {
                takeBack(change, e);
            }
            return true;
        }
    }

    /** Not a byte of it is written, so it was never there. */
    private void takeBack(Change change, Throwable e) {
        builder.rollBack();
        pending.rollBack();
        if (e instanceof ViewsDamaged) {
            change.fail(Failed.Cause.REBUILDING, false, e.getMessage());
            return;
        }
        long now = clock.nanoTime();
        if (refusals++ == 0 || now - lastTold > TELL_EVERY_NANOS) {
            lastTold = now;
            LOG.error("a change failed before anything of it was written, it is refused; {} so far", refusals, e);
        }
        change.fail(
                Failed.Cause.OVERLOADED,
                false,
                e instanceof OutOfMemoryError
                        ? "this broker is short of memory (" + e.getMessage() + "); try again in a moment"
                        : "the change could not be made, nothing of it is stored: " + e);
    }

    /** False if the next segment must be waited for. */
    private boolean add(Change change) {
        if (!state.isOpenForRole() || ended) {
            failClosed(change);
            return true;
        }
        if (!change.isControl() && views.unwrittenBytes() > settings.viewsBytes()) {
            failOverloaded(change);
            return true;
        }
        // Due times are wall time: a store time that ran ahead would let messages out too early.
        pending.now(clock.wallMillis());
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
                        Failed.Cause.TOO_LARGE,
                        false,
                        "the change needs " + wanted + " bytes, the largest may have " + settings.maxChangeBytes());
                return true;
            }
            if (wanted > segment.end() - end) {
                if (wanted > settings.segmentBytes()) {
                    change.fail(
                            Failed.Cause.TOO_LARGE,
                            false,
                            "the change needs " + wanted + " bytes, a segment has " + settings.segmentBytes());
                    return true;
                }
                if (!roll()) {
                    IOException failure = maker.failure();
                    if (failure == null) {
                        return false;
                    }
                    failWithoutSegment(change, failure);
                    return true;
                }
            } else if (!change.isControl() && segment.end() - end - wanted < reserve() && maker.failure() != null) {
                failWithoutSegment(change, maker.failure());
                return true;
            }
            long room = segment.end() - end;
            storeTimeMillis = nowMillis();
            int limit = (int) Math.min(room, Math.max(wanted, settings.maxFrameBytes()));
            builder.open(end, limit, nextIndex, epoch, storeTimeMillis);
        }
        builder.reserveWaiting();
        change.outcome(change.encode(builder, pending));
        builder.addWaiting(change);
        return true;
    }

    private long reserve() {
        return Math.min(MAX_RESERVE, segment.length() / 16);
    }

    private boolean roll() {
        Segment next = maker.next();
        if (next == null) {
            return false;
        }
        // In this order, so that no segment is lost if memory is short.
        segments.add(next);
        maker.taken(next);
        segment = next;
        end = next.start();
        long hotFrom = next.end() - Math.max(settings.hotBytes(), next.length());
        for (Segment old : segments.all()) {
            if (old.start() < hotFrom && old.hot() != null) {
                old.cool();
            }
        }
        return true;
    }

    /** Writes the frame that was built. Without one, what was gathered becomes a barrier. */
    private void closeFrame() {
        if (builder.frame().isEmpty()) {
            return;
        }
        if (!builder.isOpen()) {
            WrittenFrame barrier = builder.take();
            barrier.end = positions.appended();
            barrier.index = nextIndex - 1;
            handOver(barrier);
            return;
        }
        if (!state.isOpenForRole()) {
            failFrame(writeBegun);
            return;
        }
        framesThisTurn++;
        try {
            ByteBuffer sealed = builder.seal(positions.flushed());
            writeBegun = true;
            segment.write(end, sealed);
            writeBegun = false;
        } catch (IOException e) {
            state.freeze("writing " + segment.name() + " failed: " + e.getMessage());
            failFrame(true);
            return;
        }
        records += builder.count();
        frames++;
        WrittenFrame written = builder.take();
        end = written.end;
        nextIndex++;
        positions.append(end);
        handOver(written);
    }

    private void handOver(WrittenFrame frame) {
        newest.next = frame;
        newest = frame;
        confirmer.written(frame);
    }

    private void failFrame(boolean maybeStored) {
        for (Change change : builder.take().changes) {
            failFrozen(change, maybeStored);
        }
        // Those who wait for earlier frames must learn of the freeze too.
        handOver(new WrittenFrame());
    }

    private void failClosed(Change change) {
        StoreState now = state.get();
        if (now.kind() == StoreState.Kind.FROZEN) {
            failFrozen(change, false);
        } else {
            change.fail(Failed.Cause.CLOSED, false, "the store is closed");
        }
    }

    void failFrozen(Change change, boolean maybeStored) {
        change.fail(
                Failed.Cause.FROZEN,
                maybeStored,
                "the store is frozen until it is opened again: " + state.get().reason());
    }

    private void failOverloaded(Change change) {
        if (views.damage() != null) {
            change.fail(
                    Failed.Cause.REBUILDING,
                    false,
                    "the views are rebuilt from the log, and memory holds no more until they are: " + views.damage());
            return;
        }
        String failure = applier.checkpointFailure();
        change.fail(
                Failed.Cause.OVERLOADED,
                false,
                failure == null
                        ? "the views are written more slowly than messages come; try again in a moment"
                        : "the views cannot be written, so no more can be taken until they are: " + failure);
    }

    private static void failWithoutSegment(Change change, IOException failure) {
        Failed.Cause cause = failure instanceof DiskFullException ? Failed.Cause.DISK_FULL : Failed.Cause.NO_SEGMENT;
        change.fail(cause, false, "no further segment can be made: " + failure.getMessage());
    }

    // ---- what is in flight, for those who restate

    @Override
    public boolean hasProgress(ConsumerOffset key) {
        return anyInFlight(entry -> entry instanceof LogRecord.Progress progress
                && progress.entries().stream()
                        .anyMatch(e -> e.queueId() == key.queueId()
                                && e.group().equals(key.group())
                                && e.topic().equals(key.topic())));
    }

    @Override
    public boolean hasCatalog(CatalogKind kind, String name) {
        return anyInFlight(entry -> entry instanceof LogRecord.Catalog catalog
                && catalog.kind() == kind
                && catalog.name().equals(name));
    }

    @Override
    public boolean hasChecked(long handle) {
        return anyInFlight(entry -> entry instanceof LogRecord.Checked checked && checked.handle() == handle);
    }

    @Override
    public void forEach(Consumer<LogRecord> visitor) {
        for (WrittenFrame frame = applied.next; frame != null; frame = frame.next) {
            frame.entries.forEach(visitor);
        }
        builder.frame().entries.forEach(visitor);
    }

    private boolean anyInFlight(Predicate<LogRecord> matches) {
        for (WrittenFrame frame = applied.next; frame != null; frame = frame.next) {
            if (frame.entries.stream().anyMatch(matches)) {
                return true;
            }
        }
        return builder.frame().entries.stream().anyMatch(matches);
    }
}
