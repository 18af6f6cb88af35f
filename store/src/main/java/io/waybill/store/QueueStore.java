/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import io.waybill.store.log.CommitLog;
import io.waybill.store.log.VisibleListener;
import io.waybill.store.record.QueueKey;
import io.waybill.store.view.Boundary;
import io.waybill.store.view.QueueView;
import io.waybill.store.view.Views;
import java.util.List;

/** Reads visible messages by queue and offset. What always holds: an offset that was readable once keeps its message. */
public final class QueueStore {
    private final Views views;
    private final CommitLog log;
    private final QueueReader reader;

    QueueStore(Views views, CommitLog log, QueueReader reader) {
        this.views = views;
        this.log = log;
        this.reader = reader;
    }

    /** The offsets that can be read now; 0 to 0 for a queue never written. */
    public QueueRange offsetRange(String topic, int queueId) {
        QueueView queue = views.consumeQueues().view(topic, queueId);
        return new QueueRange(queue.min(), queue.max());
    }

    /** The same with what is hidden since the topic was deleted. */
    public QueueRange keptOffsetRange(String topic, int queueId) {
        QueueView queue = views.consumeQueues().view(topic, queueId);
        return new QueueRange(queue.firstKept(), queue.max());
    }

    /** Every queue that ever had a message. */
    public List<QueueKey> allQueues() {
        return views.consumeQueues().all();
    }

    /** The queues of a topic that ever had a message. */
    public List<QueueKey> queuesOf(String topic) {
        return views.consumeQueues().of(topic);
    }

    /**
     * Reads a queue from an offset. May block on the disk unless {@link #isHot}.
     *
     * @param maxBytes stop before it would be passed, but return at least one message
     * @param filter by tags code, null = all
     * @param text by the stored message, null = all
     */
    public ReadResult readQueue(
            String topic,
            int queueId,
            long offset,
            int maxCount,
            int maxBytes,
            EntryFilter filter,
            MessageFilter text) {
        return reader.read(topic, queueId, offset, Long.MAX_VALUE, maxCount, maxBytes, filter, text);
    }

    /** The same, and no message at or behind {@code toOffset}. */
    public ReadResult readQueueUpTo(
            String topic,
            int queueId,
            long offset,
            long toOffset,
            int maxCount,
            int maxBytes,
            EntryFilter filter,
            MessageFilter text) {
        return reader.read(topic, queueId, offset, toOffset, maxCount, maxBytes, filter, text);
    }

    /** Whether a read at this offset is served from memory. A heuristic: what is hot may have cooled a moment later. */
    public boolean isHot(String topic, int queueId, long offset) {
        return reader.isHot(topic, queueId, offset);
    }

    /**
     * Bytes of the log from a visible message to its end: little for what was stored lately. {@link Long#MAX_VALUE} if no
     * message stands at the offset. May block on the disk.
     */
    public long logBytesSince(String topic, int queueId, long offset) {
        long position = views.consumeQueues().view(topic, queueId).positionOf(offset);
        return position < 0 ? Long.MAX_VALUE : Math.max(0, log.positions().applied() - position);
    }

    /** By store time; see {@link Boundary}. */
    public long offsetByTime(String topic, int queueId, long timeMillis, Boundary boundary) {
        return views.consumeQueues().view(topic, queueId).offsetByTime(timeMillis, boundary);
    }

    /** Store time of the message at an offset; -1 if there is none. May block on the disk. */
    public long storeTimeOf(String topic, int queueId, long offset) {
        return views.consumeQueues().view(topic, queueId).storeTimeOf(offset);
    }

    /** Store time of the oldest readable message; -1 if there is none. */
    public long earliestStoreTime(String topic, int queueId) {
        QueueView queue = views.consumeQueues().view(topic, queueId);
        return queue.storeTimeOf(queue.min());
    }

    /** Calls the listener, by the applying thread, after messages became readable: once per queue and frame. */
    public void onVisible(VisibleListener listener) {
        log.onVisible(listener);
    }
}
