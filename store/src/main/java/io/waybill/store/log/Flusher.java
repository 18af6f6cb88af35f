/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * The carrier of one machine, and the duty that forces the log. One force covers everything appended before it began.
 *
 * <p>SYNC: a frame is confirmed by its force, and this duty applies and completes it. What arrives during a force is written
 * by this duty as one frame when the force has ended, so groups form by themselves. ASYNC: a frame is confirmed by its write,
 * in the writer's role; this duty forces at most asyncFlushMillis later.
 *
 * <p>After a failed write or force nothing is written, forced or confirmed again. It outlives the tenures: what one has carried
 * is confirmed or failed whoever leads. Who leads changes only while the duty stands still.
 */
final class Flusher implements Duty, Carrier {
    private static final long MILLI = 1_000_000;

    private final Clock clock;
    private final boolean sync;
    private final long asyncNanos;
    private final LogState state;
    private final Positions positions;
    private final LogTail tail;
    private final Applier applier;
    /** Of the tenure; null while this node follows. */
    private volatile Writer writer;
    /** The end of the chain of carried frames; the writer's role. */
    private WrittenFrame newest = new WrittenFrame();
    /** The newest frame of the chain that was confirmed or failed; SYNC only: it holds all that come behind it. */
    private WrittenFrame settled;

    private volatile boolean busy;
    private volatile boolean clean = true;
    private volatile boolean soon;
    private long dirtySince;
    private volatile long forces;

    private Runnable wake = () -> {};
    private Runnable wakeCheckpointer = () -> {};

    Flusher(Clock clock, StoreSettings settings, LogState state, LogTail tail, Applier applier) {
        this.clock = clock;
        this.sync = settings.flush() == FlushMode.SYNC;
        this.asyncNanos = settings.asyncFlushMillis() * MILLI;
        this.state = state;
        this.positions = tail.positions();
        this.tail = tail;
        this.applier = applier;
        this.settled = sync ? newest : null;
    }

    void start(Runnable wakeThis, Runnable checkpointer) {
        wake = wakeThis;
        wakeCheckpointer = checkpointer;
    }

    /** Whose queue it drains from now on; null for nobody's. While the duty stands still. */
    void drains(Writer leading) {
        writer = leading;
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
    public WrittenFrame newest() {
        return newest;
    }

    @Override
    public void carry(WrittenFrame frame, ByteBuffer sealed) {
        boolean kept = sealed == null || append(frame, sealed);
        newest.next = frame;
        newest = frame;
        // From here on the frame is taken: whatever fails must not be thrown, or the writer would answer its changes
        // too.
        try {
            carried(frame, kept);
        } catch (RuntimeException | Error e) {
            state.freeze("frame " + frame.index + " could not be carried on: " + e);
            if (sync) {
                // The duty answers what is in the chain.
                wake.run();
            } else {
                failFrozen(frame);
            }
        }
    }

    private void carried(WrittenFrame frame, boolean kept) {
        if (sync) {
            wake.run();
            return;
        }
        if (kept && !frame.isEmpty()) {
            applier.confirm(frame);
        }
        if (clean) {
            clean = false;
            wake.run();
        }
    }

    private boolean append(WrittenFrame frame, ByteBuffer sealed) {
        try {
            tail.append(frame.base, frame.segmentStart, frame.segmentEnd, sealed);
            return true;
        } catch (IOException | StoreException e) {
            state.freeze("writing " + Segment.name(frame.segmentStart) + " failed: " + e.getMessage());
            failFrozen(frame);
            return false;
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
            drain();
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
        Writer leading = writer;
        if (leading != null && leading.hasWaiting()) {
            leading.drain();
        }
        boolean more = state.isOpenForRole() && positions.appended() > positions.flushed() || hasConfirmable();
        return more ? 0 : WHEN_WOKEN;
    }

    private void drain() {
        Writer leading = writer;
        if (leading != null) {
            leading.drain();
        }
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
        for (LogWrite change : frame.changes) {
            state.failFrozen(change, true);
        }
        frame.changes.clear();
    }

    private long runAsync() {
        long appended = positions.appended();
        if (!state.isOpenForRole()) {
            return WHEN_WOKEN;
        }
        if (writer == null) {
            // Between two applies is always: nobody has the role in which frames are applied.
            applier.housekeep();
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
        try {
            forces += tail.force(target);
        } catch (IOException e) {
            state.freeze("forcing " + tail.forcing() + " failed: " + e.getMessage());
        }
    }
}
