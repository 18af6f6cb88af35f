/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.lock;

import io.waybill.broker.request.Outcomes;
import io.waybill.store.LockStore;
import io.waybill.store.log.Completion;
import io.waybill.store.log.Failed;
import io.waybill.store.log.Stored;
import io.waybill.store.record.QueueLock;
import java.util.List;
import java.util.Queue;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Hands changes of holders to the store in the order in which they happened, so that the last record of a queue names its holder. They are noted under the
 * lock of the table and written without it: the writer of the log may do much more than this one change. Thread-safe.
 */
final class LockRecorder {
    private static final Logger LOG = LoggerFactory.getLogger(LockRecorder.class);

    /**
     * Holders that one change of the log records: with names and client ids of the greatest length some 600 KiB, which the smallest segment has room for. A
     * request may name many more, and one change of them all would be refused each time.
     */
    static final int AT_ONCE = 500;

    private record HolderChange(List<QueueLock> holders, Completion done) {}

    private final LockStore store;
    private final Queue<HolderChange> noted = new ConcurrentLinkedQueue<>();
    /** How many were noted and not handed over yet; who raises it from 0 hands them over. */
    private final AtomicInteger open = new AtomicInteger();

    LockRecorder(LockStore store) {
        this.store = store;
    }

    /** Notes a change; to be called under the lock of the table, {@link #write} after it. */
    void note(List<QueueLock> holders, Completion done) {
        noted.add(new HolderChange(holders, done));
    }

    /** The same for holders that hold no longer. An end that is not recorded only makes others wait after a restart. */
    void noteEnds(List<QueueLock> ended) {
        for (int from = 0; from < ended.size(); from += AT_ONCE) {
            List<QueueLock> some = ended.subList(from, Math.min(ended.size(), from + AT_ONCE));
            note(some, outcome -> {
                if (!(outcome instanceof Stored)) {
                    LOG.debug("the end of {} locks was not recorded: {}", some.size(), Outcomes.text(outcome));
                }
            });
        }
    }

    /** Writes what was noted. Any thread; another one that writes already takes it along. */
    void write() {
        if (open.getAndIncrement() != 0) {
            return;
        }
        int seen = 1;
        do {
            for (HolderChange change = noted.poll(); change != null; change = noted.poll()) {
                write(change);
            }
            seen = open.addAndGet(-seen);
        } while (seen != 0);
    }

    /** Never throws: whoever came meanwhile counts on this thread to write what was noted. */
    private void write(HolderChange change) {
        try {
            store.recordLocks(change.holders(), change.done());
        } catch (RuntimeException | Error e) {
            LOG.error(
                    "the holders of {} ordered queues could not be recorded",
                    change.holders().size(),
                    e);
            fail(change, e);
        }
    }

    private static void fail(HolderChange change, Throwable why) {
        try {
            change.done().done(new Failed(Failed.FailureCause.REBUILDING, true, why.getMessage()));
        } catch (RuntimeException | Error e) {
            LOG.error("a request for locks could not be answered", e);
        }
    }
}
