/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import io.waybill.store.record.LogFold;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The duty that writes the views, so that recovery has little to replay and memory little to hold: after checkpointBytes of
 * log, a quarter of viewsBytes of memory, or checkpointMillis after something changed. A checkpoint is written only when the log is forced up to it: views must never know more than a
 * power cut leaves in the log.
 *
 * <p>While the views must be made again it does that instead ({@link ViewsRebuild}).
 */
final class Checkpointer implements Duty {
    private static final Logger LOG = LoggerFactory.getLogger(Checkpointer.class);
    private static final long MILLI = 1_000_000;
    private static final long RETRY_NANOS = 5_000 * MILLI;

    private final Clock clock;
    private final long everyBytes;
    private final long everyNanos;
    private final long viewsBytes;
    private final long gatherBytes;
    private final LogFold views;
    private final Positions positions;
    private final Applier applier;
    private final Flusher flusher;
    private final ViewsRebuild rebuild;
    private Runnable wakeApplier = () -> {};
    private Runnable wakeRetention = () -> {};

    private long dirtySince;
    private boolean dirty;
    private int failures;
    private volatile long written;

    Checkpointer(
            Clock clock,
            StoreSettings settings,
            LogFold views,
            Positions positions,
            Applier applier,
            Flusher flusher,
            ViewsRebuild rebuild) {
        this.clock = clock;
        this.everyBytes = settings.checkpointBytes();
        this.everyNanos = settings.checkpointMillis() * MILLI;
        this.viewsBytes = settings.viewsBytes();
        this.gatherBytes = settings.gatherBytes();
        this.views = views;
        this.positions = positions;
        this.applier = applier;
        this.flusher = flusher;
        this.rebuild = rebuild;
    }

    void start(Runnable nudgeApplier, Runnable retention) {
        wakeApplier = nudgeApplier;
        wakeRetention = retention;
    }

    long written() {
        return written;
    }

    @Override
    public String roleName() {
        return "views-checkpoint";
    }

    @Override
    public long run() {
        if (rebuild.isWanted()) {
            // Views that missed something are not written: the backend stays right as of its last checkpoint.
            dirty = false;
            return rebuild.run();
        }
        long prepared = applier.preparedPosition();
        if (prepared >= 0) {
            if (positions.flushed() < prepared) {
                flusher.flushSoon();
                return positions.flushed() < prepared ? WHEN_WOKEN : 0;
            }
            try {
                views.writeCheckpoint(true);
            } catch (RuntimeException | Error e) {
                failures++;
                applier.checkpointFailed(String.valueOf(e.getMessage()));
                LOG.error(
                        "the views cannot be written (try {}, {} bytes in memory; beyond {} new messages are refused). "
                                + "Nothing is lost: the log is not affected, and a restart replays it from {}",
                        failures,
                        views.unwrittenBytes(),
                        viewsBytes,
                        views.flushedCheckpoint().position(),
                        e);
                return RETRY_NANOS;
            }
            applier.checkpointWritten();
            failures = 0;
            written++;
            wakeRetention.run();
        }
        if (applier.isCheckpointWanted()) {
            return WHEN_WOKEN;
        }
        long covered = views.checkpoint().position();
        long behind = positions.applied() - covered;
        if (behind == 0) {
            dirty = false;
            applier.wakeCheckpointerAt(covered + 1);
            return positions.applied() == covered ? WHEN_WOKEN : 0;
        }
        long now = clock.nanoTime();
        if (!dirty) {
            dirty = true;
            dirtySince = now;
        }
        long left = dirtySince + everyNanos - now;
        if (behind < everyBytes && views.gatheredBytes() < gatherBytes && left > 0) {
            applier.wakeCheckpointerAt(covered + everyBytes);
            return left;
        }
        dirty = false;
        applier.wantCheckpoint();
        wakeApplier.run();
        return WHEN_WOKEN;
    }
}
