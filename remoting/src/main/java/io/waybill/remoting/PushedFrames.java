/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;

/**
 * Frames on their way from any thread to the event loop of their connection: a stack under compare-and-set, linked through the frames themselves,
 * that is taken as a whole. The frames of one thread are taken in the order in which it pushed them. Exactly the push that finds the stack empty
 * has to wake the loop, so a burst costs one wake-up.
 */
final class PushedFrames {
    private static final VarHandle NEWEST;

    static {
        try {
            NEWEST = MethodHandles.lookup().findVarHandle(PushedFrames.class, "newest", Outgoing.class);
        } catch (ReflectiveOperationException impossible) {
            throw new ExceptionInInitializerError(impossible);
        }
    }

    @SuppressWarnings("unused") // through NEWEST
    private Outgoing newest;

    /** Returns true when the loop has to be woken. Any thread. */
    boolean push(Outgoing item) {
        Outgoing before;
        do {
            before = (Outgoing) NEWEST.getVolatile(this);
            item.next = before;
        } while (!NEWEST.compareAndSet(this, before, item));
        return before == null;
    }

    /** All that were pushed since, linked from the oldest to the newest; null when there are none. */
    Outgoing takeAll() {
        // Asked at the end of every read, and mostly in vain: a look does not take the cache line from the pushers, an
        // exchange would.
        return NEWEST.getVolatile(this) == null ? null : reversed((Outgoing) NEWEST.getAndSet(this, null));
    }

    private static Outgoing reversed(Outgoing newest) {
        Outgoing oldest = null;
        while (newest != null) {
            Outgoing older = newest.next;
            newest.next = oldest;
            oldest = newest;
            newest = older;
        }
        return oldest;
    }
}
