/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.platform.Duties;
import io.waybill.platform.DutyHandle;
import io.waybill.platform.Files;
import io.waybill.platform.Platform;
import io.waybill.store.record.FoldedLog;
import java.io.IOException;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The log of one store, put together. Duties and what wakes them:
 *
 * <pre>
 *   caller --change--> writer's role --frame--> carrier (flusher) --(SYNC)--> applier --> completions
 *                        |    ^                   |   \-----------(ASYNC)-----> applier
 *                 plan   v    | a result          v append, force
 *                     allocator <------take---- tail
 *                                              retention --rewrite--> writer's role
 *                                              checkpoint <---------> applier
 * </pre>
 *
 * <p>What always holds: changes are taken only between {@link #lead} and {@link #follow}, by one {@link Writer}; all else lives as
 * long as the log. A change that is not taken, or taken and not put into a frame, fails as MOVED.
 */
public final class CommitLog {
    private static final Logger LOG = LoggerFactory.getLogger(CommitLog.class);

    private final Files files;
    private final StoreSettings settings;
    private final LogState state;
    private final FoldedLog views;
    private final LogReader reader;
    private final ViewsRebuild rebuild;
    private final Applier applier;
    private final ViewsHealth viewsHealth;
    private final StoreTime time;
    private final LogTail tail;
    private final Flusher flusher;
    private final Checkpointer checkpointer;
    private final Retention retention;

    private final Duties duties;
    private final Wake wakeFlusher = new Wake();
    private final DutyHandle makerDuty;
    private final DutyHandle checkpointDuty;
    private final Wake wakeRetention = new Wake();
    private DutyHandle retentionDuty;
    private DutyHandle flusherDuty;

    /** Held while the leadership begins or ends, and while the log closes. */
    private final Lock leadership = new ReentrantLock();

    private long lastEpoch;
    private DutyHandle writerDuty;
    /** Of the tenure; null while this node follows. */
    private volatile Writer writer;

    /**
     * Recovers the log and the views, and starts the duties. It follows until {@link #lead}: what is in it can be read, no change
     * is taken.
     */
    public static CommitLog open(Files files, Platform platform, StoreSettings settings, FoldedLog views)
            throws StoreException {
        Recovery.Result result = new Recovery(files, settings, views).run();
        try {
            Segment newest = result.segments().newest();
            ClockWatch.refuseFarAhead(
                    result.recovered().storeTimeMillis(),
                    platform.clock().wallMillis(),
                    settings.maxClockAheadMillis());
            newest.heat(result.recovered().end());
            StoreFormat.enter(files);
            return new CommitLog(files, platform, settings, views, result.segments(), result.recovered());
        } catch (StoreException e) {
            Recovery.closeAll(result.segments().all(), e);
            throw e;
        } catch (IOException e) {
            Recovery.closeAll(result.segments().all(), e);
            throw new StoreException("the log cannot be opened: " + e.getMessage(), e);
        }
    }

    private CommitLog(
            Files files,
            Platform platform,
            StoreSettings settings,
            FoldedLog views,
            Segments segments,
            Recovered recovered) {
        this.files = files;
        this.settings = settings;
        this.views = views;
        this.duties = platform.duties();
        this.lastEpoch = recovered.epoch();
        state = new LogState();
        Positions positions = new Positions(settings.flush(), recovered.end());
        reader = new LogReader(segments, positions);
        rebuild = new ViewsRebuild(platform.clock(), settings, views, positions, segments);
        applier = new Applier(settings, views, positions, rebuild, recovered.nextIndex() - 1);
        viewsHealth = new ViewsHealth(views, rebuild, applier);
        SegmentMaker maker = new SegmentMaker(files, settings, segments.newest().end());
        time = new StoreTime(platform.clock(), recovered.storeTimeMillis(), views.keyTimeMillis());
        tail = new LogTail(settings, segments, positions, maker, recovered.nextIndex());
        flusher = new Flusher(platform.clock(), settings, state, tail, applier);
        checkpointer = new Checkpointer(platform.clock(), settings, views, positions, applier, flusher, rebuild);
        retention = new Retention(platform.clock(), files, settings, views, segments, time, applier);

        Wake wakeMaker = new Wake();
        Wake wakeCheckpointer = new Wake();
        Runnable nudgeApplier = settings.flush() == FlushMode.SYNC ? wakeFlusher : this::nudgeRole;
        maker.start(wakeMaker, this::segmentReady);
        flusher.start(wakeFlusher, wakeCheckpointer);
        applier.start(wakeCheckpointer);
        checkpointer.start(nudgeApplier, wakeRetention);
        rebuild.start(nudgeApplier, wakeCheckpointer);
        views.onDamage(wakeCheckpointer);
        retention.start(wakeRetention, nudgeApplier);

        makerDuty = wakeMaker.of(duties.start(maker));
        flusherDuty = wakeFlusher.of(duties.start(flusher));
        checkpointDuty = wakeCheckpointer.of(duties.start(checkpointer));
        retentionDuty = wakeRetention.of(duties.start(retention));
    }

    private void segmentReady() {
        Writer leading = writer;
        if (leading != null) {
            leading.segmentReady();
        }
    }

    /** ASYNC: what must happen between two applies is done in the writer's role or, without one, by the flusher. */
    private void nudgeRole() {
        Writer leading = writer;
        if (leading != null) {
            leading.drain();
        } else {
            wakeFlusher.run();
        }
    }

    // ---- tenures

    /**
     * Begins a tenure: from here on changes are taken. What was appended and never confirmed is cut. Not from a duty or a
     * completion.
     *
     * @param epoch of its frames; larger than that of every tenure before
     * @throws StoreException if the log is closed or frozen, or the disk fails
     */
    public void lead(long epoch) throws StoreException {
        leadership.lock();
        try {
            if (writer != null || epoch <= lastEpoch) {
                throw new IllegalStateException(
                        (writer != null ? "this log leads already, since epoch " : "the last epoch was ") + lastEpoch);
            }
            if (!state.isOpen()) {
                throw new StoreException("the log takes no changes: " + state.get());
            }
            flusherDuty.close();
            flusher.finish();
            if (state.isOpen()) {
                cutUnconfirmed();
            }
            if (!state.isOpen()) {
                // After a failed force not a byte more is written.
                flusherDuty = wakeFlusher.of(duties.start(flusher));
                throw new StoreException("the log cannot be led: " + state.get());
            }
            lastEpoch = epoch;
            Recovered from =
                    new Recovered(tail.positions().applied(), applier.appliedIndex() + 1, epoch, time.newestMillis());
            Writer leading = new Writer(settings, state, time, tail, applier, views, flusher, from);
            // Of this tenure alone: a writer whose tenure has ended wakes nobody else's duty.
            Wake wakeWriter = new Wake();
            leading.start(wakeWriter);
            flusher.drains(leading);
            retention.decides(new RetentionDecider(settings, views, tail, state, reader, leading, retention.ages()));
            writer = leading;
            writerDuty = wakeWriter.of(duties.start(leading));
            flusherDuty = wakeFlusher.of(duties.start(flusher));
            retentionDuty.wake();
            // A checkpoint that was asked for while nobody had the role is made now.
            leading.drain();
        } finally {
            leadership.unlock();
        }
    }

    private void cutUnconfirmed() {
        try {
            tail.cut(tail.positions().applied());
        } catch (IOException | StoreDamaged e) {
            state.freeze("cutting the log at position " + tail.positions().applied() + " failed: " + e.getMessage());
        }
    }

    /**
     * Ends the tenure, if there is one. When it returns, every change that was taken is answered by what became of it: stored if
     * it was in a frame, moved if it was not. Not from a duty or a completion.
     */
    public void follow() {
        leadership.lock();
        try {
            Writer ended = writer;
            if (ended == null || !state.isOpen()) {
                return;
            }
            ended.endTenure();
            retentionDuty.close();
            writerDuty.close();
            flusherDuty.close();
            settle(ended);
            retention.decides(null);
            flusher.drains(null);
            writer = null;
            writerDuty = null;
            flusherDuty = wakeFlusher.of(duties.start(flusher));
            retentionDuty = wakeRetention.of(duties.start(retention));
        } finally {
            leadership.unlock();
        }
    }

    /** Of the newest frame, or of the tenure that began last. */
    public long epoch() {
        return lastEpoch;
    }

    /** Wakes a duty that may not be started yet: its first run comes anyway. */
    private static final class Wake implements Runnable {
        private volatile DutyHandle handle;

        DutyHandle of(DutyHandle started) {
            handle = started;
            // A wake from another duty may have come before the handle was here.
            started.wake();
            return started;
        }

        @Override
        public void run() {
            DutyHandle now = handle;
            if (now != null) {
                now.wake();
            }
        }
    }

    // ---- changes and reads

    /** Puts a change into the log; its completion is called once, perhaps before this returns. */
    public void submit(LogWrite change) {
        Writer leading = writer;
        if (leading != null) {
            leading.submit(change);
        } else if (state.isOpen()) {
            Writer.failMoved(change);
        } else {
            change.fail(Failed.FailureCause.CLOSED, false, "the store is closed");
        }
    }

    /** Reads what is in it, whoever leads. */
    public LogReader reader() {
        return reader;
    }

    /** Its times, whoever leads. */
    public StoreTime time() {
        return time;
    }

    // ---- state

    public void onVisible(VisibleListener listener) {
        applier.listener(listener);
    }

    public void onStored(StoredListener counter) {
        applier.counter(counter);
    }

    public void onFrozen(Runnable told) {
        state.onFrozen(told);
    }

    public Positions positions() {
        return tail.positions();
    }

    public StoreState state() {
        return state.get();
    }

    public LogStats stats() {
        Writer leading = writer;
        long diskBytes;
        long usableDiskBytes;
        try {
            diskBytes = files.totalBytes();
            usableDiskBytes = files.usableBytes();
        } catch (IOException e) {
            diskBytes = -1;
            usableDiskBytes = -1;
        }
        return new LogStats(
                tail.frames(),
                tail.records(),
                tail.positions().appended() - tail.segments().oldest().start(),
                flusher.forces(),
                reader.coldReads(),
                checkpointer.written(),
                retention.dropped(),
                leading == null ? 0 : leading.waiting(),
                settings.maxWaiting(),
                diskBytes,
                usableDiskBytes);
    }

    /** How the views are that it is folded into. */
    public ViewsHealth viewsHealth() {
        return viewsHealth;
    }

    /**
     * Refuses new changes, confirms those taken, closes the log with a mark and writes a checkpoint, unless the store is
     * frozen. The views stay open.
     */
    public void close() throws StoreException {
        leadership.lock();
        try {
            if (state.beginClosing()) {
                closeOnce();
            }
        } finally {
            leadership.unlock();
        }
    }

    private void closeOnce() throws StoreException {
        retentionDuty.close();
        checkpointDuty.close();
        if (writerDuty != null) {
            writerDuty.close();
        }
        flusherDuty.close();
        makerDuty.close();
        Writer leading = writer;
        // From here this thread runs the duties; another may still hold the writer's role for a moment.
        settle(leading);
        if (leading != null && state.isOpenForRole()) {
            leading.submitLast(new MessageWrites.Mark(Completion.NONE));
            settle(leading);
        }
        tail.maker().dispose();
        rebuild.close();
        StoreException failure = null;
        if (state.isOpenForRole()) {
            try {
                checkpoint();
            } catch (RuntimeException e) {
                LOG.warn("the last checkpoint failed, the next start replays more of the log: {}", e.getMessage());
            }
        }
        state.closed();
        if (leading != null) {
            // Whoever slipped in after the last look is answered now.
            leading.drain();
        }
        for (Segment segment : tail.segments().all()) {
            try {
                segment.close();
            } catch (IOException e) {
                failure = failure == null ? new StoreException("closing " + segment.name(), e) : failure;
            }
        }
        if (failure != null) {
            throw failure;
        }
    }

    /** Runs the role and the flusher until nothing is on its way; their duties have ended. */
    private void settle(Writer leading) {
        if (leading == null) {
            flusher.finish();
            return;
        }
        do {
            if (!leading.isIdle()) {
                if (!state.isOpen()) {
                    tail.maker().run();
                }
                Thread.onSpinWait();
            }
            leading.run();
            leading.drain();
            flusher.finish();
        } while (!leading.isIdle());
        flusher.finish();
    }

    private void checkpoint() {
        if (views.damage() != null) {
            return;
        }
        if (applier.preparedPosition() >= 0) {
            views.writeCheckpoint(true);
            applier.checkpointWritten();
        }
        if (views.prepareCheckpoint()) {
            views.writeCheckpoint(true);
        }
    }
}
