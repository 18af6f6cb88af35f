/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

/**
 * How far the log has come, as byte positions that only grow; except that a node which follows may cut what it wrote and
 * nobody confirmed ({@link #cutTo}).
 *
 * <p>Always: appended >= flushed, appended >= confirmed >= applied. With {@link FlushMode#SYNC} also flushed >= confirmed.
 * Each is moved by one thread at a time and may be read by any; a reader that wants a consistent set reads the smallest
 * first.
 */
public final class Positions {
    private final boolean confirmByFlush;
    private volatile long appended;
    private volatile long flushed;
    private volatile long confirmed;
    private volatile long applied;

    Positions(FlushMode mode, long end) {
        confirmByFlush = mode == FlushMode.SYNC;
        appended = end;
        flushed = end;
        confirmed = end;
        applied = end;
    }

    /** Written to the log's file. */
    public long appended() {
        return appended;
    }

    /** Forced to disk. */
    public long flushed() {
        return flushed;
    }

    /** Kept by the promise of the flush mode. */
    public long confirmed() {
        return confirmed;
    }

    /** Readable: the views cover the log up to here. */
    public long applied() {
        return applied;
    }

    void append(long position) {
        check(position >= appended, "appended", position);
        appended = position;
    }

    void flush(long position) {
        check(position >= flushed && position <= appended, "flushed", position);
        flushed = position;
    }

    void confirm(long position) {
        check(position >= confirmed && position <= (confirmByFlush ? flushed : appended), "confirmed", position);
        confirmed = position;
    }

    void apply(long position) {
        check(position >= applied && position <= confirmed, "applied", position);
        applied = position;
    }

    /** What was written from here on is gone; never what is confirmed. By the one who appends, while nobody forces. */
    void cutTo(long position) {
        check(position >= confirmed && position <= appended, "the end after a cut", position);
        flushed = Math.min(flushed, position);
        appended = position;
    }

    private void check(boolean holds, String what, long position) {
        if (!holds) {
            throw new IllegalStateException(what + " may not become " + position + ": " + this);
        }
    }

    @Override
    public String toString() {
        return "appended " + appended + ", flushed " + flushed + ", confirmed " + confirmed + ", applied " + applied;
    }
}
