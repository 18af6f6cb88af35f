/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.store.record.CatalogRecord;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.FoldedLog;
import io.waybill.store.record.PendingHalf;
import io.waybill.store.record.PendingTimer;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopState;
import io.waybill.store.record.QueueKey;
import io.waybill.store.record.RewriteSet;
import io.waybill.store.record.StateRecord;
import io.waybill.store.record.UniqueKeyClaim;
import io.waybill.store.record.UniqueKeyOwner;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Decides, as long as this node leads, that the oldest segment goes, because it is too old or the log too large. What always
 * holds: before a DROPPED record says so, everything the segment alone says (pending messages, pop states, consumer offsets,
 * catalog, next offsets...) stands again, confirmed, in a later one. So the log behind it can rebuild the same views. What
 * follows from the record is the same on every node: the views are trimmed when it is applied, and {@link Retention} removes
 * the file.
 */
final class RetentionDecider {
    private static final Logger LOG = LoggerFactory.getLogger(RetentionDecider.class);
    private static final int PER_ROUND = 1_000;
    private static final int MAX_ROUNDS = 10_000;
    private static final int PROGRESS_PER_RECORD = 100;
    private static final int UNIQUES_PER_RECORD = 10;

    private static final long MAX_ROUND_BYTES = 8 << 20;

    private final StoreSettings settings;
    private final FoldedLog views;
    private final Segments segments;
    private final Positions positions;
    private final SegmentMaker maker;
    private final LogState state;
    private final LogReader reader;
    private final Writer writer;
    private final SegmentAges ages;
    private volatile Runnable wake = () -> {};

    private final AtomicInteger outstanding = new AtomicInteger();
    private volatile Failed failed;
    private int rounds;
    private boolean toldNoGain;
    /**
     * The log's end when dropping for room began, -1 if it did not. Once the log begins there, all that is left was moved: it is
     * all needed, and moving it again before restUntil is appended would go round for ever.
     */
    private long sweepEnd = -1;

    private long restUntil;

    RetentionDecider(
            StoreSettings settings,
            FoldedLog views,
            LogTail tail,
            LogState state,
            LogReader reader,
            Writer writer,
            SegmentAges ages) {
        this.settings = settings;
        this.views = views;
        this.segments = tail.segments();
        this.positions = tail.positions();
        this.maker = tail.maker();
        this.state = state;
        this.reader = reader;
        this.writer = writer;
        this.ages = ages;
    }

    /** @param wakes the duty that runs it, when something that it waits for has happened */
    void start(Runnable wakes) {
        wake = wakes;
    }

    /**
     * Goes on as far as it can without waiting: until a segment was dropped by a record, nothing is to be dropped, or what it
     * wrote is not confirmed yet.
     */
    void run() throws StoreDamaged {
        while (state.isOpen() && outstanding.get() == 0) {
            if (failed != null) {
                LOG.warn("pending messages cannot be rewritten now: {}", failed.text());
                failed = null;
                rest();
                return;
            }
            Segment oldest = segments.oldest();
            if (views.droppedTo() >= oldest.end()) {
                // It goes as soon as the views know that durably; one after the other. Nothing is written for it until
                // then.
                rest();
                return;
            }
            boolean byAge = isTooOld(oldest);
            if (!byAge && !isTooMuch(oldest) || !mayGo(oldest)) {
                rest();
                return;
            }
            RewriteSet toRewrite = views.pendingBefore(oldest.end());
            if (toRewrite.isEmpty()) {
                maker.ignoreFloor(true);
                // What fails at once is not a reason to come again at once: with the log and the disk full it would for
                // ever.
                outstanding.set(1);
                submit(MessageWrites.dropped(oldest.end(), this::rewritten));
                outstanding.decrementAndGet();
            } else if (!byAge && rounds == 0 && !gains(oldest, toRewrite) || ++rounds > MAX_ROUNDS) {
                rest();
                return;
            } else {
                maker.ignoreFloor(true);
                rewrite(toRewrite, oldest.end());
            }
        }
    }

    /** Nothing is to be done now: the next run begins anew. */
    void rest() {
        rounds = 0;
        maker.ignoreFloor(false);
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
        return segments.all().length >= 2 && positions.confirmed() > oldest.end();
    }

    /** To make room by moving nearly all of a segment to the end makes no room. */
    private boolean gains(Segment oldest, RewriteSet toRewrite) {
        long bytes = 0;
        for (PendingHalf half : toRewrite.halves()) {
            bytes += half.size();
        }
        for (PendingTimer due : toRewrite.dues()) {
            bytes += due.size();
        }
        long[] uniques = new long[1];
        views.visitUniquesBelow(oldest.end(), holder -> {
            uniques[0] += UniqueKeyClaim.sizeOf(holder.key());
            return uniques[0] < oldest.length();
        });
        bytes += uniques[0];
        for (PopKey key : toRewrite.pops()) {
            PopState state = views.popState(key);
            bytes += state == null ? 0 : state.encode().length;
        }
        for (StateRecord state : toRewrite.states()) {
            bytes += state.size();
        }
        boolean gains = bytes < oldest.length() / 4 * 3;
        if (!gains && !toldNoGain) {
            LOG.warn(
                    "the log stays larger than wanted: {} is full of what must be kept: pending messages, pop states, unique keys, settlements",
                    oldest.name());
        }
        toldNoGain = !gains;
        return gains;
    }

    private void rewrite(RewriteSet toRewrite, long below) throws StoreDamaged {
        outstanding.set(1);
        try {
            int left = PER_ROUND;
            long bytes = 0;
            for (PendingHalf half : firstOf(toRewrite.halves(), left)) {
                bytes += half.size();
                if (bytes > MAX_ROUND_BYTES && left < PER_ROUND) {
                    return;
                }
                ByteBuffer message = read(half.position(), half.size(), half.frameDelta());
                submit(new Rewrites.OpenHalf(half, message, this::rewritten));
                left--;
            }
            for (PendingTimer due : firstOf(toRewrite.dues(), left)) {
                bytes += due.size();
                if (bytes > MAX_ROUND_BYTES && left < PER_ROUND) {
                    return;
                }
                ByteBuffer message = read(due.position(), due.size(), due.frameDelta());
                submit(new Rewrites.Timer(due, message, this::rewritten));
                left--;
            }
            List<ConsumerOffset> progress = firstOf(toRewrite.progress(), left * PROGRESS_PER_RECORD);
            for (int i = 0; i < progress.size(); i += PROGRESS_PER_RECORD) {
                List<ConsumerOffset> some = progress.subList(i, Math.min(progress.size(), i + PROGRESS_PER_RECORD));
                submit(new Rewrites.Offsets(some, this::rewritten));
                left--;
            }
            for (CatalogRecord value : firstOf(toRewrite.catalog(), left)) {
                submit(new Rewrites.Catalog(value, this::rewritten));
                left--;
            }
            for (StateRecord state : firstOf(toRewrite.states(), left)) {
                submit(new Rewrites.LatestState(state, this::rewritten));
                left--;
            }
            List<UniqueKeyOwner> uniques = firstOf(toRewrite.uniques(), left * UNIQUES_PER_RECORD);
            for (int i = 0; i < uniques.size(); i += UNIQUES_PER_RECORD) {
                List<UniqueKeyOwner> some = uniques.subList(i, Math.min(uniques.size(), i + UNIQUES_PER_RECORD));
                submit(new Rewrites.Uniques(some, this::rewritten));
                left--;
            }
            for (PopKey key : firstOf(toRewrite.pops(), left)) {
                submit(new Rewrites.Pop(key, below, this::rewritten));
                left--;
            }
            for (QueueKey queue : toRewrite.queueBases().keySet()) {
                if (left-- <= 0) {
                    break;
                }
                submit(new Rewrites.Base(queue, this::rewritten));
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

    private void submit(LogWrite change) {
        outstanding.incrementAndGet();
        writer.submit(change);
    }

    private void rewritten(Outcome outcome) {
        if (outcome instanceof Failed failure) {
            failed = failure;
        }
        if (outstanding.decrementAndGet() == 0) {
            wake.run();
        }
    }
}
