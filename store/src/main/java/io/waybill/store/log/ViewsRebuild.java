/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.QueueKey;
import io.waybill.store.record.RebuildableFold;
import io.waybill.store.record.ViewsDamaged;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Makes damaged views anew while the log serves. What always holds: nobody waits for it and nothing freezes for it; until it is
 * done the views in use answer what they can; their place is taken only by a fold of the same log up to the same frame; what
 * fails is tried again (ADR 0022).
 *
 * <p>Run by the checkpoint duty, a slice of the log at a time. If the backend is sound and only memory missed something, the fold
 * starts from the last checkpoint; else in a backend beside the old one, from the log's oldest frame. The last frames are
 * folded by the applier between two applies, which then hands the place over.
 */
final class ViewsRebuild {
    private static final Logger LOG = LoggerFactory.getLogger(ViewsRebuild.class);
    private static final int SLICE_BYTES = 8 << 20;
    /** So much at most is left to the applier, which keeps acknowledgements waiting for that long. */
    private static final long REST_BYTES = 1 << 20;

    private static final long SECOND = 1_000_000_000;
    private static final long MOST_NANOS = 60 * SECOND;
    private static final int TOLD_PERCENT = 10;
    private static final int MOST_REREADS = 5;

    private enum Turn {
        /** The fresh views belong to the duty. */
        DUTY,
        /** They wait for the applier. */
        OFFERED,
        APPLIER
    }

    private final Clock clock;
    private final RebuildableFold views;
    private final Positions positions;
    private final Segments segments;
    private final long gatherBytes;
    private final long viewsBytes;
    private final AtomicReference<Turn> turn = new AtomicReference<>(Turn.DUTY);
    private final List<LogRecord> entries = new ArrayList<>();
    private Runnable nudgeApplier = () -> {};
    private Runnable wakeDuty = () -> {};

    private RebuildableFold fresh;
    private boolean beside;
    private boolean checkpointWaits;
    private long startedAt;
    private long begunNanos;
    private int toldPercent;

    /** Folds from the checkpoint that failed one after the other: a shortage passes, what does not needs a new backend. */
    private int rereadFailures;

    private int failures;
    private long notBeforeNanos;
    private volatile String failure;
    private volatile RuntimeException applierFailed;
    private volatile Runnable retire;
    private volatile long rebuilds;

    ViewsRebuild(Clock clock, StoreSettings settings, RebuildableFold views, Positions positions, Segments segments) {
        this.clock = clock;
        this.views = views;
        this.positions = positions;
        this.segments = segments;
        this.gatherBytes = settings.gatherBytes();
        this.viewsBytes = settings.viewsBytes();
    }

    void start(Runnable nudge, Runnable wake) {
        nudgeApplier = nudge;
        wakeDuty = wake;
    }

    /** Views that were replaced since the store was opened. */
    long rebuilds() {
        return rebuilds;
    }

    /** Why it does not get on; null if it does. */
    String failure() {
        return failure;
    }

    // ---- the checkpoint duty

    boolean isWanted() {
        return fresh != null || retire != null || turn.get() != Turn.DUTY || views.damage() != null;
    }

    /** Does a slice. Nanoseconds until the next one, as a duty answers. */
    long run() {
        if (turn.get() != Turn.DUTY) {
            return Duty.WHEN_WOKEN;
        }
        Runnable old = retire;
        if (old != null) {
            finished(old);
            return 0;
        }
        long wait = notBeforeNanos - clock.nanoTime();
        if (failures > 0 && wait > 0) {
            return wait;
        }
        try {
            RuntimeException thrown = applierFailed;
            applierFailed = null;
            if (thrown != null) {
                throw thrown;
            }
            if (fresh == null) {
                begin();
            }
            return slice();
        } catch (IOException | RuntimeException | Error e) {
            return failed(e);
        }
    }

    private void begin() {
        String damage = views.damage();
        beside = !views.isBackendSound() || rereadFailures >= MOST_REREADS;
        long oldest = segments.oldest().start();
        if (!beside) {
            fresh = views.reread();
            beside = fresh.checkpoint().position() < oldest;
        }
        if (beside) {
            fresh = null;
            fresh = views.beside();
        }
        startedAt = at();
        begunNanos = clock.nanoTime();
        toldPercent = 0;
        LOG.warn(
                "the views must be made again: {}. No message is lost. They are rebuilt {} while the log serves, from {} to {}",
                damage,
                beside ? "from the whole log" : "from their last checkpoint",
                startedAt,
                views.applied().position());
    }

    /** Where the fold goes on. */
    private long at() {
        return Math.max(fresh.applied().position(), segments.oldest().start());
    }

    private long slice() throws IOException {
        if (checkpointWaits) {
            checkpoint();
        }
        long target = views.applied().position();
        long from = at();
        if (target - from > REST_BYTES) {
            fold(Math.min(target, from + SLICE_BYTES));
            tellProgress(target);
            return 0;
        }
        turn.set(Turn.OFFERED);
        nudgeApplier.run();
        return Duty.WHEN_WOKEN;
    }

    /** Applies the frames up to an end of a frame, or a little more. */
    private void fold(long to) throws IOException {
        boolean fromStart = fresh.applied().position() == 0;
        long from = at();
        LogWalk walk = new LogWalk(
                segments.all(),
                from,
                fromStart ? from == 0 ? 0 : -1 : fresh.applied().frameIndex() + 1,
                fromStart ? 0 : fresh.applied().epoch());
        while (fresh.applied().position() < to) {
            if (!walk.next()) {
                throw new IOException("the log cannot be read on at position " + at() + ", in "
                        + walk.stoppedIn().name() + " at byte "
                        + (walk.stoppedAt() - walk.stoppedIn().start()) + ": " + walk.why());
            }
            entries.clear();
            Records.Unreadable wrong = Records.parse(walk.bytes(), walk.frameAt(), entries);
            if (wrong != null) {
                throw new IOException(
                        "the frame at position " + walk.base() + " cannot be understood: " + wrong.text());
            }
            fresh.apply(entries, Applier.upTo(walk));
            if (beside
                    && turn.get() == Turn.DUTY
                    && fresh.gatheredBytes() >= gatherBytes
                    && fresh.applied().position() <= positions.flushed()) {
                checkpoint();
            }
        }
    }

    private void checkpoint() {
        checkpointWaits = true;
        fresh.prepareCheckpoint();
        fresh.writeCheckpoint(true);
        checkpointWaits = false;
    }

    private void tellProgress(long target) {
        long whole = Math.max(1, target - startedAt);
        long done = at() - startedAt;
        views.progress("it is rebuilt from the log: " + (done >> 20) + " of " + (whole >> 20) + " MiB are read");
        int percent = (int) (100 * done / whole);
        if (percent >= toldPercent + TOLD_PERCENT && whole > 8L * SLICE_BYTES) {
            toldPercent = percent;
            LOG.info("the views are rebuilt: {} %, up to {} of {}", percent, at(), target);
        }
    }

    private long failed(Throwable e) {
        failures++;
        failure = String.valueOf(e.getMessage());
        long wait = Math.min(MOST_NANOS, SECOND << Math.min(6, failures - 1));
        notBeforeNanos = clock.nanoTime() + wait;
        LOG.warn(
                "the views cannot be rebuilt now (try {}); the next try comes in {} s: {}",
                failures,
                wait / SECOND,
                e.toString());
        boolean goesOn = checkpointWaits
                && e instanceof ViewsDamaged
                && fresh.damage() == null
                && fresh.unwrittenBytes() <= viewsBytes;
        if (!goesOn) {
            rereadFailures += beside ? 0 : 1;
            giveUp();
        }
        return wait;
    }

    private void giveUp() {
        checkpointWaits = false;
        if (fresh != null && beside) {
            fresh.close();
        }
        fresh = null;
    }

    private void finished(Runnable old) {
        retire = null;
        failures = 0;
        failure = null;
        rereadFailures = 0;
        old.run();
        rebuilds++;
        LOG.info(
                "the views are rebuilt up to {} after {} ms and serve again",
                views.applied().position(),
                (clock.nanoTime() - begunNanos) / 1_000_000);
    }

    // ---- the applier

    /** Between two applies: folds the rest and puts the fresh views in place. True if it did; queues that can be read again are told. */
    boolean takeOver(Consumer<QueueKey> readable) {
        if (!turn.compareAndSet(Turn.OFFERED, Turn.APPLIER)) {
            return false;
        }
        try {
            long to = views.applied().position();
            if (to - at() <= 4 * REST_BYTES) {
                fold(to);
                List<QueueKey> again = views.lostQueues();
                Runnable old = views.adopt(fresh);
                fresh = null;
                retire = old;
                again.forEach(readable);
                return true;
            }
        } catch (IOException | RuntimeException | Error e) {
            // An Error too: who applies has messages to acknowledge. The half-made fold is thrown away.
            applierFailed = new IllegalStateException(String.valueOf(e.getMessage()), e);
        } finally {
            turn.set(Turn.DUTY);
        }
        // It sleeps since it made the offer: there is more to fold than was thought, or all of it once more.
        wakeDuty.run();
        return false;
    }

    // ---- the closing thread, after the duty's end

    /** What was made so far stays in its backend: the next open goes on from there. */
    void close() {
        while (!turn.compareAndSet(Turn.DUTY, Turn.DUTY) && !turn.compareAndSet(Turn.OFFERED, Turn.DUTY)) {
            Thread.onSpinWait();
        }
        giveUp();
        if (retire != null) {
            retire.run();
            retire = null;
        }
    }
}
