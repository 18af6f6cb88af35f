/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.protocol.message.MessageDraft;
import io.waybill.store.PopStore;
import io.waybill.store.log.Completion;
import io.waybill.store.record.PopChange;
import io.waybill.store.record.PopDelta;
import io.waybill.store.record.PopKey;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;

/**
 * The steps of one queue's state on their way to the log.
 *
 * <p>What always holds: they are handed to the store in the order in which they were added, by one thread at a time.
 * Steps are added under the lock of the queue; the store, which may call completions, is called without it.
 */
final class PopStepLog {
    /** Steps in one record of the log. */
    private static final int RECORD_STEPS = 4_096;
    /** Dead letters in one frame of the log, in bytes. */
    private static final int RECORD_BYTES = 2 << 20;

    private record PendingSteps(List<PopChange> steps, List<MessageDraft> deadLetters, Completion done) {}

    private final Object lock;
    private final PopKey key;
    private final PopStore store;
    // Guarded by the lock.
    private final ArrayDeque<PendingSteps> outbox = new ArrayDeque<>();
    private boolean writing;

    /** @param lock of the queue */
    PopStepLog(Object lock, PopKey key, PopStore store) {
        this.lock = lock;
        this.key = key;
        this.store = store;
    }

    /** Under the lock. {@code done} is called once all of it is stored, or refused. */
    void add(List<PopChange> steps, List<MessageDraft> deadLetters, Completion done) {
        outbox.add(new PendingSteps(steps, deadLetters, done));
    }

    /**
     * Writes what was added, in its order; whoever comes while another thread writes leaves it to that one. Never under
     * a lock.
     */
    void drain() {
        while (true) {
            List<PendingSteps> batch;
            synchronized (lock) {
                if (writing || outbox.isEmpty()) {
                    return;
                }
                writing = true;
                batch = nextBatch();
            }
            try {
                write(batch);
            } finally {
                synchronized (lock) {
                    writing = false;
                }
            }
        }
    }

    private List<PendingSteps> nextBatch() {
        List<PendingSteps> batch = new ArrayList<>();
        int steps = 0;
        int bytes = 0;
        while (!outbox.isEmpty() && (batch.isEmpty() || steps < RECORD_STEPS && bytes < RECORD_BYTES)) {
            PendingSteps entry = outbox.remove();
            steps += entry.steps().size();
            bytes += entry.deadLetters().stream().mapToInt(MessageDraft::size).sum();
            batch.add(entry);
        }
        return batch;
    }

    private void write(List<PendingSteps> batch) {
        List<PopChange> steps = new ArrayList<>();
        List<MessageDraft> deadLetters = new ArrayList<>();
        for (PendingSteps entry : batch) {
            steps.addAll(entry.steps());
            deadLetters.addAll(entry.deadLetters());
        }
        store.appendAndRecordPops(
                deadLetters,
                List.of(new PopDelta(key, steps)),
                outcome -> batch.forEach(entry -> entry.done().done(outcome)));
    }
}
