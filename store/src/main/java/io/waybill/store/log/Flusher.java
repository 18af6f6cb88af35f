/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import java.io.IOException;

/**
 * The duty that forces the log. One force covers everything appended before it began.
 *
 * <p>SYNC: a frame is confirmed by its force, and this duty applies and completes it. What arrives during a force is written
 * by this duty as one frame when the force has ended, so groups form by themselves. ASYNC: a frame is confirmed by its write,
 * in the writer's role; this duty forces at most asyncFlushMillis later.
 *
 * <p>After a failed force nothing is forced or confirmed again.
 */
final class Flusher implements Duty, Writer.Confirmer {
    private static final long MILLI = 1_000_000;

    private final Clock clock;
    private final boolean sync;
    private final long asyncNanos;
    private final LogState state;
    private final Positions positions;
    private final Segments segments;
    private final Applier applier;
    private final Writer writer;
    /** The newest frame of the writer's chain that was confirmed or failed; SYNC only: it holds all that come behind it. */
    private WrittenFrame settled;

    private volatile boolean busy;
    private volatile boolean clean = true;
    private volatile boolean soon;
    private long dirtySince;
    private volatile long forces;

    private Runnable wake = () -> {};
    private Runnable wakeCheckpointer = () -> {};

    Flusher(
            Clock clock,
            StoreSettings settings,
            LogState state,
            Positions positions,
            Segments segments,
            Applier applier,
            Writer writer) {
        this.clock = clock;
        this.sync = settings.flush() == FlushMode.SYNC;
        this.asyncNanos = settings.asyncFlushMillis() * MILLI;
        this.state = state;
        this.positions = positions;
        this.segments = segments;
        this.applier = applier;
        this.writer = writer;
        this.settled = sync ? writer.chain() : null;
    }

    void start(Runnable wakeThis, Runnable checkpointer) {
        wake = wakeThis;
        wakeCheckpointer = checkpointer;
    }

    @Override
    public String roleName() {
        return "log-flusher";
    }

    long forces() {
        return forces;
    }

    /** Forces without waiting for the interval. */
    void flushSoon() {
        soon = true;
        wake.run();
    }

    // ---- in the writer's role

    @Override
    public boolean willDrain() {
        return busy;
    }

    @Override
    public void written(WrittenFrame frame) {
        if (sync) {
            wake.run();
            return;
        }
        if (!frame.isEmpty()) {
            applier.confirm(frame);
        }
        if (clean) {
            clean = false;
            wake.run();
        }
    }

    // ---- the duty

    @Override
    public long run() {
        return sync ? runSync() : runAsync();
    }

    /** Forces and confirms all there is. For the closing thread, when the duty has ended. */
    void finish() {
        do {
            soon = true;
        } while (run() == 0);
    }

    private long runSync() {
        busy = true;
        try {
            writer.drain();
            long target = positions.appended();
            if (target > positions.flushed() && state.isOpenForRole()) {
                force(target);
            }
            confirmUpTo(positions.flushed());
            if (state.isOpenForRole()) {
                applier.housekeep();
            }
        } finally {
            busy = false;
        }
        // A caller that still saw busy has put its change into the queue before this, so it is found here.
        if (writer.hasWaiting()) {
            writer.drain();
        }
        boolean more = state.isOpenForRole() && positions.appended() > positions.flushed() || hasConfirmable();
        return more ? 0 : WHEN_WOKEN;
    }

    private boolean hasConfirmable() {
        WrittenFrame next = settled.next;
        return next != null && (!state.isOpenForRole() || next.end <= positions.flushed());
    }

    private void confirmUpTo(long flushed) {
        for (WrittenFrame next = settled.next; next != null; next = settled.next) {
            boolean isOpen = state.isOpenForRole();
            if (isOpen && next.end > flushed) {
                return;
            }
            settled = next;
            if (isOpen) {
                applier.confirm(next);
            } else {
                failFrozen(next);
            }
        }
    }

    private void failFrozen(WrittenFrame frame) {
        for (Change change : frame.changes) {
            writer.failFrozen(change, true);
        }
        frame.changes.clear();
    }

    private long runAsync() {
        long appended = positions.appended();
        if (!state.isOpenForRole()) {
            return WHEN_WOKEN;
        }
        if (appended == positions.flushed()) {
            soon = false;
            dirtySince = 0;
            clean = true;
            return positions.appended() == appended ? WHEN_WOKEN : 0;
        }
        long now = clock.nanoTime();
        if (dirtySince == 0) {
            dirtySince = now == 0 ? 1 : now;
        }
        long left = dirtySince + asyncNanos - now;
        if (left > 0 && !soon) {
            return left;
        }
        soon = false;
        dirtySince = 0;
        force(appended);
        wakeCheckpointer.run();
        return state.isOpenForRole() ? 0 : WHEN_WOKEN;
    }

    private void force(long target) {
        long from = positions.flushed();
        String forcing = "the log";
        try {
            for (Segment segment : segments.all()) {
                if (segment.end() > from && segment.start() < target) {
                    forcing = segment.name();
                    segment.force();
                    forces++;
                }
            }
            positions.flush(target);
        } catch (IOException e) {
            state.freeze("forcing " + forcing + " failed: " + e.getMessage());
        }
    }
}
