/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.protocol.message.StoredMessage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.atomic.LongAdder;
import java.util.zip.CRC32C;

/**
 * Reads the log. What this process wrote lately is served from mappings as it is; everything else is read in whole frames
 * whose checksum is verified first. Any thread.
 */
final class LogReader {
    /** Verified frames kept for the next reader of the same frame, which is often another queue's. */
    private static final int KEPT = 16;
    /** Larger frames are not kept. */
    private static final int MAX_KEPT_BYTES = 1 << 20;
    /** More than any message can be; guards against sizes read from where no message is. */
    private static final int MAX_MESSAGE = 64 << 20;

    private final Segments segments;
    private final Positions positions;
    private final AtomicReferenceArray<Extent> kept = new AtomicReferenceArray<>(KEPT);
    private final LongAdder coldReads = new LongAdder();

    LogReader(Segments segments, Positions positions) {
        this.segments = segments;
        this.positions = positions;
    }

    long coldReads() {
        return coldReads.sum();
    }

    boolean isHot(long position) {
        Segment segment = segments.of(position);
        Extent hot = segment == null ? null : segment.hot();
        return hot != null && hot.contains(position, 1);
    }

    /** Something to slice the message from; null if its segment was dropped. */
    Extent extent(long position, int size, int frameDelta) throws StoreDamaged {
        Segment segment = segments.of(position);
        if (segment == null) {
            return null;
        }
        Extent hot = segment.hot();
        if (hot != null && hot.contains(position, size)) {
            return hot;
        }
        Extent frame = frame(segment, position - frameDelta);
        if (frame != null && !frame.contains(position, size)) {
            throw new StoreDamaged(
                    segment.name(), frame.base() - segment.start(), "the frame does not hold the message at " + position);
        }
        return frame;
    }

    private Extent frame(Segment segment, long base) throws StoreDamaged {
        int slot = (int) ((base ^ base >>> 9 ^ base >>> 20) & (KEPT - 1));
        Extent cached = kept.get(slot);
        if (cached != null && cached.base() == base) {
            return cached;
        }
        coldReads.increment();
        long room = segment.end() - base;
        try {
            ByteBuffer header = ByteBuffer.allocate(Frame.HEADER);
            if (base < segment.start() || segment.read(base, header) < Frame.HEADER) {
                throw new StoreDamaged(segment.name(), base - segment.start(), "the file ends before the frame");
            }
            String wrong = Frame.checkHeader(header, 0, base, room);
            if (wrong == null) {
                ByteBuffer bytes = ByteBuffer.allocate(Frame.length(header, 0));
                int read = segment.read(base, bytes);
                wrong = read < bytes.capacity() ? "the file ends within the frame" : null;
                if (wrong == null) {
                    wrong = Frame.checkBody(bytes.clear(), 0, new CRC32C());
                }
                if (wrong == null) {
                    Extent frame = new Extent(
                            bytes.asReadOnlyBuffer(), base, base + Frame.HEADER, base + bytes.capacity(), true);
                    if (bytes.capacity() <= MAX_KEPT_BYTES) {
                        kept.set(slot, frame);
                    }
                    return frame;
                }
            }
            throw new StoreDamaged(segment.name(), base - segment.start(), wrong);
        } catch (IOException e) {
            if (segments.of(base) != segment) {
                return null;
            }
            throw new StoreDamaged(segment.name(), base - segment.start(), "it cannot be read: " + e.getMessage());
        }
    }

    /**
     * What looks like a message at a position that may come from anyone: sound lengths and its own position inside. Null if
     * nothing does. The caller must find out by the views whether a message stands there.
     */
    ByteBuffer peek(long position) {
        Segment segment = position < 0 || position >= positions.applied() ? null : segments.of(position);
        if (segment == null) {
            return null;
        }
        long room = Math.min(segment.end(), positions.applied()) - position;
        if (room < StoredMessage.MIN_SIZE) {
            return null;
        }
        try {
            ByteBuffer head = ByteBuffer.allocate(StoredMessage.POSITION_OFFSET + 8);
            segment.read(position, head);
            int size = StoredMessage.totalSize(head, 0);
            if (StoredMessage.position(head, 0) != position
                    || size < StoredMessage.MIN_SIZE
                    || size > Math.min(room, MAX_MESSAGE)) {
                return null;
            }
            ByteBuffer message = ByteBuffer.allocate(size);
            segment.read(position, message);
            return StoredMessage.verifyLayout(message.clear(), 0, size) == null ? message : null;
        } catch (IOException e) {
            return null;
        }
    }

    /** Store time of the first frame of a segment; Long.MAX_VALUE if there is none. */
    static long firstStoreTime(Segment segment) throws IOException {
        ByteBuffer header = ByteBuffer.allocate(Frame.HEADER);
        boolean there = segment.read(segment.start(), header) == Frame.HEADER
                && Frame.checkHeader(header, 0, segment.start(), segment.length()) == null;
        return there ? Frame.storeTimeMillis(header, 0) : Long.MAX_VALUE;
    }
}
