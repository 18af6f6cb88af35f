/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One change on its way into the log, made by {@link MessageWrites} or {@link StateWrites}: judged, then encoded, by the holder of the writer's role; completed exactly once by
 * the thread that confirmed its frame.
 */
public abstract class LogWrite {
    private static final Logger LOG = LoggerFactory.getLogger(LogWrite.class);

    /** What a change takes besides its bytes, roughly: objects, texts, its entry. */
    private static final int OVERHEAD = 256;

    private final Completion done;
    private Outcome outcome;
    private AtomicLong chargedTo;
    private long charge;

    LogWrite(Completion done) {
        this.done = done;
    }

    /** The most bytes its records take; they go into one frame. */
    abstract int size();

    /** Bytes of memory it holds, from its making on. */
    long weight() {
        return OVERHEAD + (long) size();
    }

    /** Its weight was added there, and is taken off again when it is completed. */
    void charged(AtomicLong bytes, long weight) {
        chargedTo = bytes;
        charge = weight;
    }

    /** Whether it may use the room that is held back when the disk is full: everything that ends or releases something. */
    boolean isControl() {
        return true;
    }

    /** Null if it fits what is so; else its outcome, with nothing to write: why not, in most cases. */
    Outcome judge(Pending pending) {
        return null;
    }

    /** Writes its records; the outcome holds once the frame is confirmed. Must write at most {@link #size()} bytes. */
    abstract Outcome encode(FrameBuilder frame, Pending pending);

    void outcome(Outcome whenConfirmed) {
        outcome = whenConfirmed;
    }

    /** The frame is confirmed and applied. */
    void complete() {
        complete(outcome);
    }

    void complete(Outcome result) {
        if (chargedTo != null) {
            chargedTo.addAndGet(-charge);
            chargedTo = null;
        }
        try {
            done.done(result);
        } catch (RuntimeException | Error e) {
            // An Error too, or everyone behind this one in the frame would wait for ever.
            LOG.error("a completion failed; the store goes on", e);
        }
    }

    void fail(Failed.FailureCause cause, boolean maybeStored, String text) {
        complete(new Failed(cause, maybeStored, text));
    }
}
