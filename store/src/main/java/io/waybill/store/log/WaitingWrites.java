/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import java.util.concurrent.atomic.AtomicLong;
import org.jctools.queues.varhandle.MpscVarHandleArrayQueue;

/**
 * The changes that wait for the writer. What always holds: they are bounded in number, and in bytes from their offer to their
 * completion; changes that end something have room when others have none. Any thread offers, the holder of the role polls.
 */
final class WaitingWrites {
    private final MpscVarHandleArrayQueue<LogWrite> queue;
    /** Of the changes that were taken and are not completed yet. */
    private final AtomicLong bytes = new AtomicLong();

    private final int maxCount;
    private final long maxBytes;
    private final long maxNewBytes;

    WaitingWrites(StoreSettings settings) {
        this.queue = new MpscVarHandleArrayQueue<>(settings.maxWaiting());
        this.maxCount = settings.maxWaiting();
        this.maxBytes = settings.maxWaitingBytes();
        this.maxNewBytes = settings.maxWaitingBytes() / 4 * 3;
    }

    /** Whether it waits now; if there is no room for it, it has failed. */
    boolean offer(LogWrite change) {
        if (!charge(change)) {
            change.fail(
                    Failed.FailureCause.OVERLOADED,
                    false,
                    "changes of " + bytes + " bytes wait to be written, the limit is "
                            + (change.isControl() ? maxBytes : maxNewBytes) + "; try again in a moment");
            return false;
        }
        if (!queue.offer(change)) {
            change.fail(
                    Failed.FailureCause.OVERLOADED,
                    false,
                    "more than " + maxCount + " changes wait to be written; try again in a moment");
            return false;
        }
        return true;
    }

    /** Whether there is room for it; then it holds the room until it is completed. One alone always has room. */
    private boolean charge(LogWrite change) {
        long weight = change.weight();
        long before = bytes.getAndAdd(weight);
        if (before > 0 && before + weight > (change.isControl() ? maxBytes : maxNewBytes)) {
            bytes.addAndGet(-weight);
            return false;
        }
        change.charged(bytes, weight);
        return true;
    }

    /** Without a look at bytes. False if the queue is full. */
    boolean offerUncharged(LogWrite change) {
        return queue.offer(change);
    }

    LogWrite poll() {
        return queue.poll();
    }

    boolean isEmpty() {
        return queue.isEmpty();
    }

    /** About so many. */
    int count() {
        return queue.size();
    }
}
