/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import io.waybill.platform.Files;
import io.waybill.store.record.Checkpoint;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.PendingHalf;
import io.waybill.store.record.PendingTimer;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopState;
import io.waybill.store.record.QueueKey;
import io.waybill.store.record.RewriteSet;
import io.waybill.store.record.StateRecord;
import io.waybill.store.record.UniqueKeyOwner;
import io.waybill.store.record.ViewsDamaged;
import io.waybill.store.view.Views;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The duty that drops the oldest segment when it is too old or the log too large. What always holds:
 * before a segment goes, everything it alone says (pending messages, pop states, consumer offsets, catalog, next offsets...)
 * stands again, confirmed, in a later one, with a record that says that it goes, and the views' checkpoint is past it. So the log that is left can rebuild the same views.
 */
final class Retention implements Duty {
    private static final Logger LOG = LoggerFactory.getLogger(Retention.class);
    private static final long FORCE_WAIT_NANOS = 10_000_000;
    private static final int PER_ROUND = 1_000;
    private static final int MAX_ROUNDS = 10_000;
    private static final int PROGRESS_PER_RECORD = 100;
    private static final int UNIQUES_PER_RECORD = 10;

    private static final long MAX_ROUND_BYTES = 8 << 20;

    private final Files files;
    private final StoreSettings settings;
    private final Views views;
    private final Segments segments;
    private final Positions positions;
    private final LogState state;
    private final LogReader reader;
    private final Writer writer;
    private final SegmentMaker maker;
    private final Applier applier;
    private final long intervalNanos;
    private Runnable wake = () -> {};
    private Runnable nudgeApplier = () -> {};
    private Runnable flushSoon = () -> {};

    private final AtomicInteger outstanding = new AtomicInteger();
    private volatile Failed failed;
    private int rounds;
    private final SegmentAges ages;
    private final ClockWatch clockWatch;
    /** Nothing in this segment is needed any more once the log is forced up to carriedEnd. */
    private Segment carriedFrom;

    private long carriedEnd;
    private volatile long dropped;
    private boolean toldNoGain;
    /**
     * The log's end when dropping for room began, -1 if it did not. Once the log begins there, all that is left was moved: it is
     * all needed, and moving it again before restUntil is appended would go round for ever.
     */
    private long sweepEnd = -1;

    private long restUntil;
    private boolean broken;

    Retention(
            Clock clock,
            Files files,
            StoreSettings settings,
            Views views,
            Segments segments,
            Positions positions,
            LogState state,
            LogReader reader,
            Writer writer,
            SegmentMaker maker,
            Applier applier) {
        this.files = files;
        this.settings = settings;
        this.views = views;
        this.segments = segments;
        this.positions = positions;
        this.state = state;
        this.reader = reader;
        this.writer = writer;
        this.maker = maker;
        this.applier = applier;
        this.ages = new SegmentAges(clock, settings.retentionMillis(), writer.storeTimeMillis());
        this.clockWatch = new ClockWatch(clock);
        this.intervalNanos = settings.retentionCheckMillis() * 1_000_000;
    }

    void start(Runnable wakeThis, Runnable nudge, Runnable flush) {
        wake = wakeThis;
        flushSoon = flush;
        nudgeApplier = nudge;
    }

    long dropped() {
        return dropped;
    }

    @Override
    public String roleName() {
        return "log-retention";
    }

    @Override
    public long run() {
        clockWatch.look(writer.storeTimeMillis());
        if (views.damage() != null) {
            // What must be carried forward is not known for sure, and the rebuild reads the oldest segment.
            return done();
        }
        try {
            while (!broken && state.isOpen() && outstanding.get() == 0) {
                if (failed != null) {
                    LOG.warn("pending messages cannot be carried forward now: {}", failed.text());
                    failed = null;
                    return done();
                }
                Segment oldest = segments.oldest();
                boolean byAge = isTooOld(oldest);
                if (!byAge && !isTooMuch(oldest) || !mayGo(oldest)) {
                    return done();
                }
                RewriteSet carried = views.pendingBefore(oldest.end());
                if (carried.isEmpty()) {
                    if (views.droppedTo() < oldest.end()) {
                        // Said before it is done, so that a segment that is missing without a word is damage.
                        maker.ignoreFloor(true);
                        submit(new Changes.Dropped(oldest.end(), this::carried));
                        continue;
                    }
                    if (!isForced(oldest)) {
                        flushSoon.run();
                        return FORCE_WAIT_NANOS;
                    }
                    drop(oldest);
                    rounds = 0;
                } else if (!byAge && rounds == 0 && !gains(oldest, carried) || ++rounds > MAX_ROUNDS) {
                    return done();
                } else {
                    maker.ignoreFloor(true);
                    carry(carried, oldest.end());
                }
            }
            return outstanding.get() == 0 ? done() : WHEN_WOKEN;
        } catch (ViewsDamaged e) {
            LOG.warn("the oldest segment is kept for the moment: {}", e.getMessage());
            return done();
        } catch (IOException | StoreDamaged e) {
            LOG.error("the oldest segment cannot be dropped: {}", e.getMessage());
            return done();
        }
    }

    private long done() {
        rounds = 0;
        maker.ignoreFloor(false);
        return intervalNanos;
    }

    /** Confirmed may only mean written: what was carried must survive a power cut before its origin goes. */
    private boolean isForced(Segment oldest) {
        if (carriedFrom != oldest) {
            carriedFrom = oldest;
            carriedEnd = positions.applied();
        }
        return positions.flushed() >= carriedEnd;
    }

    private boolean isTooOld(Segment oldest) {
        return settings.retentionMillis() > 0 && ages.ageMillis(oldest, segments.all()) > settings.retentionMillis();
    }

    /** A full disk is no reason to drop what is inside its time: new messages are refused instead (ADR 0009). */
    private boolean isTooMuch(Segment oldest) {
        if (settings.retentionBytes() <= 0 || segments.bytes() <= settings.retentionBytes()) {
            sweepEnd = -1;
            return false;
        }
        long appended = positions.appended();
        if (appended < restUntil) {
            return false;
        }
        if (sweepEnd < 0) {
            sweepEnd = appended;
        } else if (oldest.start() >= sweepEnd) {
            LOG.warn("the log stays larger than wanted: {} bytes must be kept", segments.bytes());
            restUntil = appended + settings.segmentBytes();
            sweepEnd = -1;
            return false;
        }
        return true;
    }

    private boolean mayGo(Segment oldest) {
        if (segments.all().length < 2 || positions.confirmed() <= oldest.end()) {
            return false;
        }
        Checkpoint durable = views.flushedCheckpoint();
        // It must also know of the drop before this one: should the disk not keep that, the next open finds a gap and
        // must know that it is none.
        if (durable.position() < oldest.end() || durable.oldestPosition() < oldest.start()) {
            applier.wantCheckpoint();
            nudgeApplier.run();
            return false;
        }
        return true;
    }

    /** To make room by moving nearly all of a segment to the end makes no room. */
    private boolean gains(Segment oldest, RewriteSet carried) {
        long bytes = 0;
        for (PendingHalf half : carried.halves()) {
            bytes += half.size();
        }
        for (PendingTimer due : carried.dues()) {
            bytes += due.size();
        }
        long[] uniques = new long[1];
        views.visitUniquesBelow(oldest.end(), holder -> {
            uniques[0] += Records.uniqueSize(
                    Records.text(holder.key().topic()),
                    Records.text(holder.key().key()));
            return uniques[0] < oldest.length();
        });
        bytes += uniques[0];
        for (PopKey key : carried.pops()) {
            PopState state = views.popState(key);
            bytes += state == null ? 0 : state.encode().length;
        }
        boolean gains = bytes < oldest.length() / 4 * 3;
        if (!gains && !toldNoGain) {
            LOG.warn(
                    "the log stays larger than wanted: {} is full of what must be kept: pending messages, pop states, unique keys",
                    oldest.name());
        }
        toldNoGain = !gains;
        return gains;
    }

    private void carry(RewriteSet carried, long below) throws StoreDamaged {
        outstanding.set(1);
        try {
            int left = PER_ROUND;
            long bytes = 0;
            for (PendingHalf half : firstOf(carried.halves(), left)) {
                bytes += half.size();
                if (bytes > MAX_ROUND_BYTES && left < PER_ROUND) {
                    return;
                }
                ByteBuffer message = read(half.position(), half.size(), half.frameDelta());
                submit(new Changes.CarryHalf(half, message, writer, this::carried));
                left--;
            }
            for (PendingTimer due : firstOf(carried.dues(), left)) {
                bytes += due.size();
                if (bytes > MAX_ROUND_BYTES && left < PER_ROUND) {
                    return;
                }
                ByteBuffer message = read(due.position(), due.size(), due.frameDelta());
                submit(new Changes.CarryDue(due, message, this::carried));
                left--;
            }
            List<ConsumerOffset> progress = firstOf(carried.progress(), left * PROGRESS_PER_RECORD);
            for (int i = 0; i < progress.size(); i += PROGRESS_PER_RECORD) {
                List<ConsumerOffset> some = progress.subList(i, Math.min(progress.size(), i + PROGRESS_PER_RECORD));
                submit(new Changes.CarryProgress(some, views, writer, this::carried));
                left--;
            }
            for (RewriteSet.CatalogValue value : firstOf(carried.catalog(), left)) {
                submit(new Changes.CarryCatalog(value, views, writer, this::carried));
                left--;
            }
            for (StateRecord state : firstOf(carried.states(), left)) {
                submit(new RewriteState(state, views, writer, this::carried));
                left--;
            }
            List<UniqueKeyOwner> uniques = firstOf(carried.uniques(), left * UNIQUES_PER_RECORD);
            for (int i = 0; i < uniques.size(); i += UNIQUES_PER_RECORD) {
                List<UniqueKeyOwner> some = uniques.subList(i, Math.min(uniques.size(), i + UNIQUES_PER_RECORD));
                submit(new Changes.CarryUniques(some, this::carried));
                left--;
            }
            for (PopKey key : firstOf(carried.pops(), left)) {
                submit(new Changes.CarryPop(key, below, views, writer, this::carried));
                left--;
            }
            for (QueueKey queue : carried.queueBases().keySet()) {
                if (left-- <= 0) {
                    break;
                }
                submit(new Changes.CarryQueueBase(queue, this::carried));
            }
        } finally {
            outstanding.decrementAndGet();
        }
    }

    private static <T> List<T> firstOf(List<T> list, int count) {
        return list.subList(0, Math.max(0, Math.min(list.size(), count)));
    }

    private ByteBuffer read(long position, int size, int frameDelta) throws StoreDamaged {
        Extent extent = reader.extent(position, size, frameDelta);
        if (extent == null) {
            throw new StoreDamaged(Segment.DIRECTORY, position, "the pending message there is in no segment");
        }
        return extent.keep(position, size);
    }

    private void submit(Change change) {
        outstanding.incrementAndGet();
        writer.submit(change);
    }

    private void carried(Outcome outcome) {
        if (outcome instanceof Failed failure) {
            failed = failure;
        }
        if (outstanding.decrementAndGet() == 0) {
            wake.run();
        }
    }

    private void drop(Segment oldest) throws IOException {
        segments.removeOldest();
        applier.trimBefore(oldest.end());
        nudgeApplier.run();
        // One after the other and never on after a failure, or a power cut could leave a gap. The next open ends what
        // failed.
        broken = true;
        oldest.close();
        files.delete(oldest.name());
        files.forceDirectory(Segment.DIRECTORY);
        broken = false;
        dropped++;
        ages.forget(oldest);
        LOG.info("dropped {}, the log now starts at {}", oldest.name(), oldest.end());
    }
}
