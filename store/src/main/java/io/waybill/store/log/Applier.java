/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.store.record.Checkpoint;
import io.waybill.store.record.FoldedLog;
import io.waybill.store.record.VisibleMessage;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Brings confirmed frames into the views, then tells who waits. Used by one thread at a time: the flusher with
 * {@link FlushMode#SYNC}, the holder of the writer's role with ASYNC. A change is completed only after it is readable.
 */
final class Applier {
    private static final Logger LOG = LoggerFactory.getLogger(Applier.class);
    private static final VisibleListener NOBODY = (topic, queueId, newMaxOffset) -> {};

    private final FoldedLog views;
    private final Positions positions;
    private final ViewsRebuild rebuild;
    private volatile long appliedIndex;
    private volatile VisibleListener listener = NOBODY;
    private volatile StoredListener counter = (topic, messages, bytes) -> {};

    // Between the applier and the checkpointer.
    private volatile boolean checkpointWanted;
    private volatile long preparedPosition = -1;
    private volatile long wakeCheckpointerAt;
    private Runnable wakeCheckpointer = () -> {};

    /** Views gather so much, by their own estimate, before a checkpoint begins. */
    private final long gatherBytes;

    private volatile String checkpointFailure;

    Applier(StoreSettings settings, FoldedLog views, Positions positions, ViewsRebuild rebuild, long appliedIndex) {
        this.gatherBytes = settings.gatherBytes();
        this.views = views;
        this.positions = positions;
        this.rebuild = rebuild;
        this.appliedIndex = appliedIndex;
    }

    void start(Runnable wake) {
        wakeCheckpointer = wake;
    }

    void listener(VisibleListener visible) {
        listener = visible;
    }

    void counter(StoredListener stored) {
        counter = stored;
    }

    long appliedIndex() {
        return appliedIndex;
    }

    /** As of the walk's current frame. */
    static Checkpoint upTo(LogWalk walk) {
        return new Checkpoint(
                walk.frameEnd(), walk.index(), walk.epoch(), walk.storeTimeMillis(), 0, walk.base(), walk.checksum());
    }

    /** The frame keeps the promise of the flush mode. Views that cannot take it are rebuilt; the change is kept all the same. */
    void confirm(WrittenFrame frame) {
        if (frame.hasBytes) {
            positions.confirm(frame.end);
            views.applyOrLose(
                    frame.entries,
                    new Checkpoint(
                            frame.end, frame.index, frame.epoch, frame.storeTimeMillis, 0, frame.base, frame.checksum));
            positions.apply(frame.end);
            appliedIndex = frame.index;
            if (frame.end >= wakeCheckpointerAt
                    || wakeCheckpointerAt != Long.MAX_VALUE && views.gatheredBytes() >= gatherBytes) {
                wakeCheckpointerAt = Long.MAX_VALUE;
                wakeCheckpointer.run();
            }
        }
        for (int i = 0; i < frame.changes.size(); i++) {
            frame.changes.get(i).complete();
        }
        // The frame may be kept a while for its entries, what was sent with it need not.
        frame.changes.clear();
        count(frame);
        VisibleListener told = listener;
        for (int i = 0; i < frame.touched.size(); i++) {
            QueueState.Touched queue = frame.touched.get(i);
            try {
                told.visible(queue.topic, queue.queueId, queue.newMax);
            } catch (RuntimeException | Error e) {
                LOG.error("a listener failed; the store goes on", e);
            }
        }
    }

    private void count(WrittenFrame frame) {
        String topic = null;
        long messages = 0;
        long bytes = 0;
        for (int i = 0; i < frame.entries.size(); i++) {
            if (frame.entries.get(i) instanceof VisibleMessage message) {
                if (messages > 0 && !message.topic().equals(topic)) {
                    count(topic, messages, bytes);
                    messages = 0;
                    bytes = 0;
                }
                topic = message.topic();
                messages++;
                bytes += message.size();
            }
        }
        if (messages > 0) {
            count(topic, messages, bytes);
        }
    }

    private void count(String topic, long messages, long bytes) {
        try {
            counter.stored(topic, messages, bytes);
        } catch (RuntimeException | Error e) {
            LOG.error("a counter failed; the store goes on", e);
        }
    }

    /** What must happen between two applies. */
    void housekeep() {
        if (rebuild.takeOver(queue ->
                listener.visible(queue.topic(), queue.queueId(), views.nextOffset(queue.topic(), queue.queueId())))) {
            checkpointWanted = false;
            checkpointFailure = null;
            preparedPosition = -1;
            wakeCheckpointerAt = 0;
            wakeCheckpointer.run();
        }
        if (checkpointWanted) {
            checkpointWanted = false;
            if (views.prepareCheckpoint()) {
                preparedPosition = positions.applied();
            }
            wakeCheckpointer.run();
        }
    }

    /** Why the last checkpoint could not be written; null if it could. */
    String checkpointFailure() {
        return checkpointFailure;
    }

    void checkpointFailed(String why) {
        checkpointFailure = why;
    }

    /** Asks for a checkpoint as of the next moment between two applies. The applier must be woken. */
    void wantCheckpoint() {
        checkpointWanted = true;
    }

    boolean isCheckpointWanted() {
        return checkpointWanted;
    }

    /** Wakes the checkpointer once this position is applied. */
    void wakeCheckpointerAt(long position) {
        wakeCheckpointerAt = position;
    }

    /** The position of the checkpoint that waits to be written, or -1. */
    long preparedPosition() {
        return preparedPosition;
    }

    void checkpointWritten() {
        checkpointFailure = null;
        preparedPosition = -1;
    }
}
