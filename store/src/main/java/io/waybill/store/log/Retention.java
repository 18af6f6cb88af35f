/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import io.waybill.platform.Files;
import io.waybill.store.record.Checkpoint;
import io.waybill.store.record.LogFold;
import io.waybill.store.record.ViewsDamaged;
import java.io.IOException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The duty that removes the oldest segments, once a DROPPED record says that they go. What always holds: a segment's file is
 * deleted only after a checkpoint that knows of the record is durable, so that a start after any crash misses no segment it
 * does not know to be dropped. It does so on every node; whether something is to be dropped is decided where the log is led
 * ({@link RetentionDecider}), which this duty runs.
 */
final class Retention implements Duty {
    private static final Logger LOG = LoggerFactory.getLogger(Retention.class);

    private final Files files;
    private final LogFold views;
    private final Segments segments;
    private final StoreTime time;
    private final Applier applier;
    private final long intervalNanos;
    private final SegmentAges ages;
    private final ClockWatch clockWatch;
    private Runnable wake = () -> {};
    private Runnable nudgeApplier = () -> {};
    /** Null while this node follows. */
    private volatile RetentionDecider decider;

    private volatile long dropped;
    private boolean broken;

    Retention(
            Clock clock,
            Files files,
            StoreSettings settings,
            LogFold views,
            Segments segments,
            StoreTime time,
            Applier applier) {
        this.files = files;
        this.views = views;
        this.segments = segments;
        this.time = time;
        this.applier = applier;
        this.ages = new SegmentAges(clock, settings.retentionMillis(), time.newestMillis());
        this.clockWatch = new ClockWatch(clock);
        this.intervalNanos = settings.retentionCheckMillis() * 1_000_000;
    }

    void start(Runnable wakeThis, Runnable nudge) {
        wake = wakeThis;
        nudgeApplier = nudge;
    }

    /** Who decides from now on; null while nobody does here. */
    void decides(RetentionDecider leading) {
        RetentionDecider before = decider;
        if (leading != null) {
            leading.start(wake);
        }
        decider = leading;
        if (before != null) {
            before.rest();
        }
    }

    /** They go on over tenures, so that a change of leadership makes nothing older or younger. */
    SegmentAges ages() {
        return ages;
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
        clockWatch.look(time.newestMillis());
        RetentionDecider deciding = decider;
        try {
            // What must be rewritten is not known for sure while the views are damaged, and a rebuild reads the
            // oldest
            // segment.
            if (views.damage() == null && !broken) {
                do {
                    removeOldest();
                    if (deciding != null) {
                        deciding.run();
                    }
                } while (removeOldest());
                return intervalNanos;
            }
        } catch (ViewsDamaged e) {
            LOG.warn("the oldest segment is kept for the moment: {}", e.getMessage());
        } catch (IOException | StoreDamaged e) {
            LOG.error("the oldest segment cannot be dropped: {}", e.getMessage());
        }
        if (deciding != null) {
            deciding.rest();
        }
        return intervalNanos;
    }

    /** Whether the oldest segment was said to be dropped, and is gone now. */
    private boolean removeOldest() throws IOException {
        Segment oldest = segments.oldest();
        if (segments.all().length < 2 || views.droppedTo() < oldest.end()) {
            return false;
        }
        Checkpoint durable = views.flushedCheckpoint();
        if (durable.oldestPosition() < oldest.end()) {
            applier.wantCheckpoint();
            nudgeApplier.run();
            return false;
        }
        // One after the other and never on after a failure, or a power cut could leave a gap. The next open ends what
        // failed.
        broken = true;
        segments.removeOldest();
        oldest.close();
        files.delete(oldest.name());
        files.forceDirectory(Segment.DIRECTORY);
        broken = false;
        dropped++;
        ages.forget(oldest);
        LOG.info("dropped {}, the log now starts at {}", oldest.name(), oldest.end());
        return true;
    }
}
