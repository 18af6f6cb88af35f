/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.longpoll;

import io.waybill.remoting.Request;

/**
 * A request that is answered when there is something for it, or when its time is over: a pull, or a pop.
 *
 * <p>What always holds: at most one thread works on it at a time, and it is answered at most once. Whoever wants
 * something of it notes the reason by {@link #advance}; if another thread works on it right now, that thread sees the
 * reason when it ends its turn. So nobody waits for anybody, and no reason is lost.
 */
public abstract class HeldRequest extends DrainLoop {
    /** There may be something for it. */
    public static final int LOOK = 1;
    /** Its time is over, or it does not wait at all. */
    public static final int EXPIRE = 1 << 1;
    /** The lowest reason of a subclass. */
    protected static final int FIRST_OWN_REASON = 1 << 2;

    private final Request request;
    /** Of whoever works on it. */
    private long deadlineNanos;

    private volatile Deadline heldUntil;
    private volatile boolean isThrottled;

    protected HeldRequest(Request request) {
        this.request = request;
    }

    public final Request request() {
        return request;
    }

    public abstract String group();

    public abstract String topic();

    /**
     * What it takes of the heap while it waits, besides its command: itself, its places in the tables and what its
     * filter takes.
     */
    public abstract int heldBytes();

    /**
     * Works on it for these reasons in the calling thread, or leaves them to the thread that works on it now. Does not
     * block.
     */
    public abstract void advance(int reasons);

    /** When it stops waiting, by the monotonic clock. */
    public final long deadlineNanos() {
        return deadlineNanos;
    }

    /** Before it is held. */
    public final void deadlineNanos(long nanos) {
        deadlineNanos = nanos;
    }

    /** Whether it waits, or did until it was answered. */
    public final boolean isHeld() {
        return heldUntil != null;
    }

    Deadline heldUntil() {
        return heldUntil;
    }

    void heldUntil(Deadline deadline) {
        heldUntil = deadline;
    }

    /** Whether another look is arranged because its group gets no more for the moment. */
    boolean isThrottled() {
        return isThrottled;
    }

    void throttled(boolean throttled) {
        isThrottled = throttled;
    }

    /** For the log. */
    @Override
    public String toString() {
        return "group " + group() + ", topic " + topic();
    }

    /** A moment of the monotonic clock, unique by number. */
    record Deadline(long nanos, long number) implements Comparable<Deadline> {
        @Override
        public int compareTo(Deadline other) {
            // By difference: the monotonic clock may wrap.
            int byTime = Long.signum(nanos - other.nanos);
            return byTime != 0 ? byTime : Long.compare(number, other.number);
        }
    }
}
