/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.log.Claim;
import io.waybill.store.log.Extent;
import io.waybill.store.log.LogReader;
import io.waybill.store.log.StoreDamaged;
import io.waybill.store.record.ControlRecord;
import io.waybill.store.record.PendingHalf;
import io.waybill.store.record.PendingTimer;
import io.waybill.store.view.QueueView;
import io.waybill.store.view.QueueVisitor;
import io.waybill.store.view.Views;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Turns queue entries into slices of the log. What always holds: bytes that this process did not write itself are served
 * only from a frame whose checksum was verified just now.
 */
final class QueueReader {
    private static final Logger LOG = LoggerFactory.getLogger(QueueReader.class);

    /** Entries looked at in one read, so that a filter which matches nothing cannot hold a thread for a whole queue. */
    static final int MOST_EXAMINED = 16_384;
    /** Bytes of messages looked at in one read and not taken: looking at a message costs more than looking at its entry. */
    static final int MOST_BYTES_REJECTED = 8 << 20;

    private final Views views;
    private final LogReader log;

    QueueReader(Views views, LogReader log) {
        this.views = views;
        this.log = log;
    }

    ReadResult read(
            String topic,
            int queueId,
            long offset,
            long toOffset,
            int maxCount,
            int maxBytes,
            EntryFilter filter,
            MessageFilter text) {
        QueueView queue = views.consumeQueues().view(topic, queueId);
        long min = queue.min();
        long max = queue.max();
        if (min >= max) {
            return ReadResult.nothing(ReadResult.Status.EMPTY, max, min, max);
        }
        if (offset < min) {
            return ReadResult.nothing(ReadResult.Status.BELOW_MIN, min, min, max);
        }
        if (offset >= max) {
            ReadResult.Status status = offset == max ? ReadResult.Status.END : ReadResult.Status.ABOVE_MAX;
            return ReadResult.nothing(status, max, min, max);
        }
        Gather gather = new Gather(log, offset, maxCount, maxBytes, filter, text);
        queue.visit(offset, Math.min(max, toOffset), gather);
        return gather.result(queue, min, max);
    }

    boolean isHot(String topic, int queueId, long offset) {
        QueueView queue = views.consumeQueues().view(topic, queueId);
        if (offset < queue.min() || offset >= queue.max()) {
            return true;
        }
        return queue.isInMemory(offset) && log.isHot(queue.positionOf(offset));
    }

    /**
     * A visible message is found through its own queue entry, which says where its frame starts; a pending one through its
     * handle; so that the frame can be verified and bytes that merely look like a message are not served.
     */
    ByteBuffer readAt(long position) {
        Claim claim = log.claim(position);
        if (claim == null) {
            return null;
        }
        QueueView queue = views.consumeQueues().view(claim.topic(), claim.queueId());
        long offset = claim.queueOffset();
        Located located = new Located(position);
        queue.visit(offset, offset + 1, located);
        if (located.size == 0) {
            located.pending(views);
        }
        return located.size == 0 ? null : readVerified(position, located.size, located.frameDelta);
    }

    /**
     * The message that the record behind this one made visible: of a decision or a publication. Null if there is none of that
     * handle, or the log no longer keeps it.
     */
    ByteBuffer readBehind(ControlRecord record, long handle) {
        ByteBuffer message = record == null ? null : readAt(record.position() + record.size());
        return message != null && StoredMessage.preparedTransactionOffset(message, 0) == handle ? message : null;
    }

    /** The message there, or null if its segment was dropped or its frame is damaged. */
    ByteBuffer readVerified(long position, int size, int frameDelta) {
        try {
            Extent extent = log.extent(position, size, frameDelta);
            return extent == null ? null : extent.keep(position, size);
        } catch (StoreDamaged e) {
            LOG.error("a message cannot be read: {}", e.getMessage());
            return null;
        }
    }

    /** Where the frame of a message stands that claims to be at a position. */
    private static final class Located implements QueueVisitor {
        private final long position;
        private int size;
        private int frameDelta;

        Located(long position) {
            this.position = position;
        }

        @Override
        public boolean entry(long offset, long at, int bytes, int delta, long tagsCode, long storeTimeMillis) {
            if (at == position) {
                size = bytes;
                frameDelta = delta;
            }
            return false;
        }

        /** Only a message never carried forward has its handle as position; others are read by handle. */
        void pending(Views views) {
            PendingHalf half = views.transactions().get(position);
            if (half != null && half.position() == position) {
                size = half.size();
                frameDelta = half.frameDelta();
                return;
            }
            PendingTimer due = views.timers().get(position);
            if (due != null && due.position() == position) {
                size = due.size();
                frameDelta = due.frameDelta();
            }
        }
    }

    /** Collects slices while it is led along the queue; messages that stand back to back share one slice. */
    private static final class Gather implements QueueVisitor {
        private final LogReader log;
        private final int maxCount;
        private final int maxBytes;
        private final EntryFilter filter;
        private final MessageFilter text;
        private final List<ByteBuffer> slices = new ArrayList<>(4);

        private long next;
        private int examined;
        private long rejectedBytes;
        private int count;
        private long bytes;
        private boolean cold;
        private boolean gone;
        private String damage;

        private Extent extent;
        private Extent runExtent;
        private long runPosition;
        private int runSize;

        Gather(LogReader log, long offset, int maxCount, int maxBytes, EntryFilter filter, MessageFilter text) {
            this.log = log;
            this.next = offset;
            this.maxCount = maxCount;
            this.maxBytes = maxBytes;
            this.filter = filter;
            this.text = text;
        }

        @Override
        public boolean entry(
                long offset, long position, int size, int frameDelta, long tagsCode, long storeTimeMillis) {
            if (count >= maxCount || ++examined > MOST_EXAMINED || rejectedBytes > MOST_BYTES_REJECTED) {
                return false;
            }
            if (filter != null && !filter.accepts(tagsCode)) {
                next = offset + 1;
                return true;
            }
            if (count > 0 && bytes + size > maxBytes || text != null && text.isSpent()) {
                return false;
            }
            if ((extent == null || !extent.contains(position, size)) && !locate(position, size, frameDelta)) {
                return false;
            }
            if (text != null && !text.accepts(extent.slice(position, size), 0)) {
                rejectedBytes += size;
                next = offset + 1;
                return true;
            }
            if (runExtent == extent && runPosition + runSize == position) {
                runSize += size;
            } else {
                endRun();
                runExtent = extent;
                runPosition = position;
                runSize = size;
            }
            cold |= extent.isCold();
            count++;
            bytes += size;
            next = offset + 1;
            return true;
        }

        private boolean locate(long position, int size, int frameDelta) {
            try {
                extent = log.extent(position, size, frameDelta);
                gone = extent == null;
            } catch (StoreDamaged e) {
                LOG.error("a message cannot be read: {}", e.getMessage());
                damage = e.getMessage();
                extent = null;
            }
            return extent != null;
        }

        private void endRun() {
            if (runExtent != null) {
                slices.add(runExtent.keep(runPosition, runSize));
            }
        }

        ReadResult result(QueueView queue, long min, long max) {
            endRun();
            if (count > 0) {
                return new ReadResult(ReadResult.Status.FOUND, next, min, max, slices, count, bytes, cold, null);
            }
            if (damage != null) {
                return new ReadResult(ReadResult.Status.DAMAGED, next, min, max, List.of(), 0, 0, true, damage);
            }
            if (gone) {
                long now = queue.min();
                return ReadResult.nothing(ReadResult.Status.BELOW_MIN, Math.max(now, next), now, max);
            }
            return ReadResult.nothing(ReadResult.Status.NO_MATCH, next, min, max);
        }
    }
}
