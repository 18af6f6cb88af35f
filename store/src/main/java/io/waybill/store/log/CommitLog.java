/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.platform.Clock;
import io.waybill.platform.Duties;
import io.waybill.platform.DutyHandle;
import io.waybill.platform.Files;
import io.waybill.platform.Platform;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.CheckReason;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.ControlRecord;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionConflict;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.DeliveryEvent;
import io.waybill.store.record.PendingReset;
import io.waybill.store.record.PopDelta;
import io.waybill.store.record.PublishRecord;
import io.waybill.store.record.Settlement;
import io.waybill.store.record.UniqueKey;
import io.waybill.store.view.Views;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The log of one store, put together. Duties and what wakes them:
 *
 * <pre>
 *   caller --change--> writer's role --frame--> flusher --(SYNC)--> applier --> completions
 *                        |    ^  \--------------(ASYNC)------------> applier
 *                take    v    | a result
 *                     allocator              retention --carry--> writer's role
 *                                            checkpoint <-----> applier
 * </pre>
 */
public final class CommitLog {
    private static final Logger LOG = LoggerFactory.getLogger(CommitLog.class);

    private final Files files;
    private final StoreSettings settings;
    private final Clock clock;
    private final LogState state;
    private final Positions positions;
    private final Segments segments;
    private final Views views;
    private final LogReader reader;
    private final ViewsRebuild rebuild;
    private final Applier applier;
    private final KeyTime keyTime;
    private final Writer writer;
    private final SegmentMaker maker;
    private final Flusher flusher;
    private final Checkpointer checkpointer;
    private final Retention retention;

    private final DutyHandle writerDuty;
    private final DutyHandle makerDuty;
    private final DutyHandle flusherDuty;
    private final DutyHandle checkpointDuty;
    private final DutyHandle retentionDuty;

    /**
     * The first position of the log in this directory; 0 if there is none. Views that end below it must be emptied before the
     * log is opened with them: the log rebuilds them.
     */
    public static long oldestPosition(Files files) throws IOException {
        if (!files.exists(Segment.DIRECTORY)) {
            return 0;
        }
        return files.list(Segment.DIRECTORY).stream()
                .mapToLong(Segment::startOf)
                .filter(start -> start >= 0)
                .min()
                .orElse(0);
    }

    /** Recovers the log and the views, and starts the duties. */
    public static CommitLog open(Files files, Platform platform, StoreSettings settings, Views views)
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
            CommitLog log = new CommitLog(files, platform, settings, views, result.segments(), result.recovered());
            if (views.droppedTo() < result.segments().oldest().start()) {
                // Of a program that did not say so. From now on a missing first segment is damage.
                log.writer.submit(new Changes.Dropped(result.segments().oldest().start(), Completion.NONE));
            }
            return log;
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
            Views views,
            Segments segments,
            Recovered recovered) {
        this.files = files;
        this.settings = settings;
        this.clock = platform.clock();
        this.views = views;
        this.segments = segments;
        state = new LogState();
        positions = new Positions(settings.flush(), recovered.end());
        reader = new LogReader(segments, positions);
        rebuild = new ViewsRebuild(platform.clock(), settings, views, positions, segments);
        applier = new Applier(settings, views, positions, rebuild, recovered.nextIndex() - 1);
        maker = new SegmentMaker(files, settings, segments.newest().end());
        keyTime = new KeyTime(clock, views.keyTimeMillis());
        writer = new Writer(clock, settings, state, positions, segments, maker, applier, views, recovered, keyTime);
        flusher = new Flusher(platform.clock(), settings, state, positions, segments, applier, writer);
        checkpointer = new Checkpointer(platform.clock(), settings, views, positions, applier, flusher, rebuild);
        retention = new Retention(
                platform.clock(), files, settings, views, segments, positions, state, reader, writer, maker, applier);

        Wake wakeWriter = new Wake();
        Wake wakeMaker = new Wake();
        Wake wakeFlusher = new Wake();
        Wake wakeCheckpointer = new Wake();
        Wake wakeRetention = new Wake();
        Runnable nudgeApplier = settings.flush() == FlushMode.SYNC ? wakeFlusher : writer::drain;
        writer.start(flusher, wakeWriter);
        maker.start(wakeMaker, writer::segmentReady);
        flusher.start(wakeFlusher, wakeCheckpointer);
        applier.start(wakeCheckpointer);
        checkpointer.start(nudgeApplier, wakeRetention);
        rebuild.start(nudgeApplier, wakeCheckpointer);
        views.onDamage(wakeCheckpointer);
        retention.start(wakeRetention, nudgeApplier, flusher::flushSoon);

        Duties duties = platform.duties();
        writerDuty = wakeWriter.of(duties.start(writer));
        makerDuty = wakeMaker.of(duties.start(maker));
        flusherDuty = wakeFlusher.of(duties.start(flusher));
        checkpointDuty = wakeCheckpointer.of(duties.start(checkpointer));
        retentionDuty = wakeRetention.of(duties.start(retention));
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

    // ---- changes; the contracts stand at io.waybill.store.Store

    public void put(MessageDraft message, Completion done) {
        writer.submit(new Changes.Put(message, done));
    }

    public void putBatch(List<MessageDraft> sameQueue, Completion done) {
        writer.submit(new Changes.PutBatch(sameQueue, done));
    }

    public void putDue(MessageDraft message, long dueMillis, Completion done) {
        writer.submit(new Changes.PutDue(message, dueMillis, done));
    }

    public void decide(
            long handle,
            Decision outcome,
            boolean fromCheck,
            String by,
            MessageDraft copy,
            long dueMillis,
            Completion done) {
        writer.submit(new Changes.Decide(handle, outcome, fromCheck, by, copy, dueMillis, done));
    }

    public void fire(long handle, MessageDraft copy, Completion done) {
        writer.submit(new Changes.Fire(handle, copy, done));
    }

    public void cancel(long handle, String by, Completion done) {
        writer.submit(new Changes.Cancel(handle, by, views, done));
    }

    public void reschedule(long handle, long dueMillis, Completion done) {
        writer.submit(new Changes.Reschedule(handle, dueMillis, done));
    }

    public void checked(
            long handle,
            int count,
            long nextCheckMillis,
            String client,
            CheckReason reason,
            String sender,
            Completion done) {
        writer.submit(new Changes.Checked(handle, count, nextCheckMillis, client, reason, sender, done));
    }

    public void conflict(DecisionConflict conflict, Completion done) {
        writer.submit(new Changes.Conflict(conflict, done));
    }

    public void publish(long handle, String by, UniqueKey unique, MessageDraft copy, long dueMillis, Completion done) {
        writer.submit(new Changes.Publish(handle, by, unique, copy, dueMillis, done));
    }

    /** Where the copy behind the record of a publication begins. */
    public static long behind(PublishRecord published) {
        return published.position() + Records.PUBLISHED_FIXED + Records.text(published.by()).length;
    }

    /** Where the record behind a decision's own begins: what it made visible stands there, if it made something visible. */
    public static long behind(DecisionRecord decision) {
        return decision.position() + Records.DECISION_FIXED + Records.text(decision.by()).length;
    }

    public void checkAnswered(long handle, String client, String answer, Completion done) {
        writer.submit(new Changes.Answered(handle, client, answer, done));
    }

    public void pop(List<PopDelta> deltas, Completion done) {
        writer.submit(new Changes.Pop(List.of(), deltas, done));
    }

    public void putAndPop(List<MessageDraft> visible, List<PopDelta> deltas, Completion done) {
        writer.submit(new Changes.Pop(visible, deltas, done));
    }

    public void journal(List<DeliveryEvent> entries, Completion done) {
        writer.submit(new Changes.Journal(entries, done));
    }

    public void put(UniqueKey unique, MessageDraft message, Completion done) {
        submit(unique, message, new Changes.Put(message, done), done);
    }

    public void putBatch(List<MessageDraft> sameQueue, List<UniqueKey> uniques, Completion done) {
        writer.submit(new Changes.PutUniqueBatch(sameQueue, uniques, done));
    }

    public void putHalf(
            UniqueKey unique,
            MessageDraft message,
            String producerGroup,
            String sender,
            long firstCheckMillis,
            Completion done) {
        submit(unique, message, new Changes.PutHalf(message, producerGroup, sender, firstCheckMillis, done), done);
    }

    public void putDue(UniqueKey unique, MessageDraft message, long dueMillis, Completion done) {
        submit(unique, message, new Changes.PutDue(message, dueMillis, done), done);
    }

    private void submit(UniqueKey unique, MessageDraft message, Change plain, Completion done) {
        writer.submit(unique == null ? plain : new Changes.PutUnique(unique, message.queueId(), plain, done));
    }

    public void commitProgress(List<ConsumerOffset> entries, Completion done) {
        writer.submit(new Changes.Progress(entries, done));
    }

    public void putCatalog(CatalogKind kind, String name, byte[] value, Completion done) {
        writer.submit(new Changes.Catalog(kind, name, value, done));
    }

    /** Writes records, all or none, whatever is so. */
    public void write(List<? extends ControlRecord> records, Completion done) {
        writer.submit(new WriteRecords(null, records, done));
    }

    public void commitProgressAndResets(List<ConsumerOffset> entries, List<PendingReset> resets, Completion done) {
        Change progress = entries.isEmpty() ? null : new Changes.Progress(entries, done);
        writer.submit(progress != null && resets.isEmpty() ? progress : new WriteRecords(progress, resets, done));
    }

    public void settle(List<MessageDraft> copies, List<Settlement> ranges, Completion done) {
        writer.submit(new Settle(
                ranges, copies.isEmpty() ? null : new Changes.Pop(copies, List.of(), done), views, writer, done));
    }

    public void settleAsHalf(
            UniqueKey unique,
            MessageDraft message,
            String producerGroup,
            String sender,
            long firstCheckMillis,
            List<Settlement> ranges,
            Completion done) {
        Change half = new Changes.PutHalf(message, producerGroup, sender, firstCheckMillis, done);
        Change put = unique == null ? half : new Changes.PutUnique(unique, message.queueId(), half, done);
        writer.submit(new Settle(ranges, put, views, writer, done));
    }

    // ---- reads

    /** Whether the position is served from memory. */
    public boolean isHot(long position) {
        return reader.isHot(position);
    }

    /**
     * What the message can be sliced from; null if its segment was dropped.
     *
     * @throws StoreDamaged if its frame cannot be read intact
     */
    public Extent extent(long position, int size, int frameDelta) throws StoreDamaged {
        return reader.extent(position, size, frameDelta);
    }

    /** What looks like a message at a position from outside, unverified; null if nothing does. */
    public Claim claim(long position) {
        return reader.claim(position);
    }

    /** A message as it was first stored at a position, not verified; null if there is none. May block on the disk. */
    public ByteBuffer claimed(long position) {
        return reader.claimed(position);
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
        return positions;
    }

    public StoreState state() {
        return state.get();
    }

    public long oldestPosition() {
        return segments.oldest().start();
    }

    public long nowMillis() {
        return writer.nowMillis();
    }

    public long keyTimeMillis() {
        return keyTime.millis();
    }

    /** How far the newest frame's store time is ahead of the clock; 0 if it is not. */
    public long aheadMillis() {
        return Math.max(0, writer.storeTimeMillis() - clock.wallMillis());
    }

    public LogStats stats() {
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
                writer.frames(),
                writer.records(),
                positions.appended() - segments.oldest().start(),
                flusher.forces(),
                reader.coldReads(),
                checkpointer.written(),
                retention.dropped(),
                writer.waiting(),
                settings.maxWaiting(),
                diskBytes,
                usableDiskBytes);
    }

    /** How the views are, in a sentence for people; empty if all is well. */
    public String viewsTrouble() {
        String damage = views.damage();
        if (damage != null) {
            String failure = rebuild.failure();
            return damage + views.howFar() + (failure == null ? "" : " (the last try failed: " + failure + ")");
        }
        String failure = applier.checkpointFailure() == null ? views.unwritable() : applier.checkpointFailure();
        return failure == null ? "" : "the views cannot be written: " + failure;
    }

    /** How often the views were made again since the store was opened. */
    public long viewsRebuilds() {
        return rebuild.rebuilds();
    }

    /**
     * Refuses new changes, confirms those taken, closes the log with a mark and writes a checkpoint, unless the store is
     * frozen. The views stay open.
     */
    public void close() throws StoreException {
        if (!state.beginClosing()) {
            return;
        }
        retentionDuty.close();
        checkpointDuty.close();
        writerDuty.close();
        flusherDuty.close();
        makerDuty.close();
        // From here this thread runs the duties; another may still hold the writer's role for a moment.
        settle();
        if (state.isOpenForRole()) {
            writer.submitLast(new Changes.Mark(Completion.NONE));
            settle();
        }
        maker.dispose();
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
        // Whoever slipped in after the last look is told now.
        writer.drain();
        for (Segment segment : segments.all()) {
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

    private void settle() {
        do {
            if (!writer.isIdle()) {
                maker.run();
                Thread.onSpinWait();
            }
            writer.run();
            writer.drain();
            flusher.finish();
        } while (!writer.isIdle());
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
