/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.Checkpoint;
import io.waybill.store.record.Dropped;
import io.waybill.store.record.HeadedRecord;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.VisibleMessage;
import java.util.List;

/**
 * One fold of the log over one backend: what {@link Views} shows and, when that is damaged, what is made anew beside it.
 * Roles as there. What cannot be applied any more is lost and is never read, written or applied to again, so a fold with a loss
 * is right about all the rest, and its backend is right as of its last checkpoint.
 */
final class Fold {
    private static final byte[] MARK_KEY = {'m', 'a', 'r', 'k'};

    // What an entry costs in memory until it is written, roughly.
    private static final long MESSAGE_BYTES = 48;
    private static final long KEY_BYTES = 16;

    final ViewsBackend backend;
    final ViewSet views;
    private final Losses losses;

    private volatile Checkpoint applied;
    private volatile Checkpoint written;
    private volatile Checkpoint flushed;

    /** Roughly the memory of the current generation; changed by the applier only. */
    private volatile long gatheredBytes;

    /** Of the generation being written; set by the applier, cleared by the duty thread. */
    private volatile long writingBytes;

    /** Applier only: whether there is something that no checkpoint holds. */
    private boolean dirty;

    /** The mark of the swapped generation until it is written; set by the applier, cleared by the duty thread. */
    private volatile FoldMark prepared;

    Fold(ViewsBackend backend) {
        this.backend = backend;
        FoldMark mark = mark();
        applied = mark.checkpoint();
        written = mark.checkpoint();
        flushed = mark.checkpoint();
        views = new ViewSet(backend, mark);
        losses = new Losses(backend::wake);
    }

    private FoldMark mark() {
        return FoldMark.decode(backend.get(Family.META, MARK_KEY));
    }

    // ---- any thread

    Checkpoint written() {
        return written;
    }

    Checkpoint flushed() {
        return flushed;
    }

    Checkpoint applied() {
        return applied;
    }

    long gatheredBytes() {
        return gatheredBytes;
    }

    long unwrittenBytes() {
        return gatheredBytes + writingBytes;
    }

    /** Why something here must not be read, in a sentence; null if all may be. */
    String loss() {
        String loss = losses.any();
        return loss == null ? views.queues.loss() : loss;
    }

    void onDamage(Runnable wake) {
        backend.onDamage(wake);
    }

    /** Why this view must not be read; null if it may. */
    String loss(Family family) {
        return losses.of(family);
    }

    // ---- applier

    /** Strict: what does not fit or cannot be looked up is thrown, and the fold is of no use any more. */
    void apply(List<? extends LogRecord> entries, Checkpoint upTo) {
        begin(upTo);
        long weight = 0;
        for (int i = 0, count = entries.size(); i < count; i++) {
            LogRecord entry = entries.get(i);
            if (entry instanceof VisibleMessage message) {
                views.keys.message(message);
                views.queues.message(message);
            } else {
                control(entry);
            }
            weight += bytesOf(entry);
        }
        end(upTo, weight);
    }

    /** The same of a log that serves: a view that cannot take an entry is lost, the others go on. Nothing is thrown. */
    void applyOrLose(List<? extends LogRecord> entries, Checkpoint upTo) {
        Checkpoint before = applied;
        begin(upTo);
        if (before.position() > 0 && upTo.frameIndex() != before.frameIndex() + 1) {
            // Whoever should have applied the frame between had no memory for it.
            losses.loseAll();
        }
        long weight = 0;
        for (int i = 0, count = entries.size(); i < count; i++) {
            LogRecord entry = entries.get(i);
            try {
                if (entry instanceof VisibleMessage message) {
                    if (losses.of(Family.KEYS) == null) {
                        views.keys.message(message);
                    }
                    if (losses.of(Family.QUEUE) == null) {
                        views.queues.messageOrLose(message);
                    }
                } else if (losses.of(Losses.familyOf(entry)) == null) {
                    control(entry);
                }
                weight += bytesOf(entry);
            } catch (RuntimeException | Error e) {
                losses.loseAtLeast(entry, e);
            }
        }
        try {
            end(upTo, weight);
        } catch (RuntimeException | Error e) {
            losses.loseAtLeast(null, e);
        }
    }

    private void begin(Checkpoint upTo) {
        if (upTo.position() < applied.position()) {
            throw new IllegalStateException(
                    "asked to apply up to " + upTo.position() + ", but " + applied.position() + " is applied");
        }
        dirty = true;
    }

    private void end(Checkpoint upTo, long weight) {
        Checkpoint before = applied;
        gatheredBytes += weight;
        applied = new Checkpoint(
                upTo.position(),
                upTo.frameIndex(),
                upTo.epoch(),
                Math.max(upTo.storeTimeMillis(), before.storeTimeMillis()),
                before.oldestPosition(),
                upTo.frameBase(),
                upTo.frameChecksum());
        views.dueIndex.publish();
    }

    private void control(LogRecord entry) {
        if (entry instanceof Dropped dropped) {
            trimBefore(dropped.upTo());
        } else {
            views.fold(entry);
        }
    }

    private static long bytesOf(LogRecord entry) {
        if (entry instanceof VisibleMessage message) {
            return MESSAGE_BYTES + (message.keys() == null ? 0 : KEY_BYTES * (long) message.keys().length);
        }
        return ((HeadedRecord) entry).viewBytes();
    }

    void trimBefore(long position) {
        Checkpoint before = applied;
        if (position > before.oldestPosition()) {
            views.trimBefore(position);
            applied = before.from(position);
            dirty = true;
        }
    }

    boolean prepareCheckpoint() {
        if (!dirty || prepared != null || loss() != null) {
            return false;
        }
        dirty = false;
        views.swap();
        writingBytes = gatheredBytes;
        gatheredBytes = 0;
        prepared = new FoldMark(applied, views.transactions.openCount(), views.dueMessages.count());
        return true;
    }

    // ---- duty thread

    /** Whether the backend holds a checkpoint that was not flushed. */
    boolean holdsUnflushed() {
        return !mark().checkpoint().equals(flushed);
    }

    /** What a failed try left in the backend is told by its mark: it is not written twice, and written again if it is gone. */
    void writeCheckpoint(boolean flush) {
        FoldMark mark = prepared;
        if (mark == null) {
            if (flush && !written.equals(flushed)) {
                backend.flush();
                flushed = written;
            }
            return;
        }
        backend.beforeWriting();
        if (!mark.equals(mark())) {
            long oldest = mark.checkpoint().oldestPosition();
            try (ViewBatch batch = backend.newBatch()) {
                views.write(batch, oldest, oldest > written.oldestPosition());
                batch.put(Family.META, MARK_KEY, mark.encode());
                backend.write(batch);
            }
        }
        // What the backend may still lose stays in memory: it may have to be opened anew before it can flush.
        if (flush) {
            backend.flush();
        }
        views.written();
        written = mark.checkpoint();
        if (flush) {
            flushed = written;
        }
        writingBytes = 0;
        prepared = null;
    }
}
