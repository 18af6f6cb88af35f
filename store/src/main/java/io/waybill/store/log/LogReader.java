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
    /** A first read takes at least this much. */
    private static final int FIRST_READ = 4096;
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
        Extent frame = frame(segment, position - frameDelta, frameDelta + size);
        if (frame != null && !frame.contains(position, size)) {
            throw new StoreDamaged(
                    segment.name(),
                    frame.base() - segment.start(),
                    "the frame does not hold the message at " + position);
        }
        return frame;
    }

    private Extent frame(Segment segment, long base, int atLeast) throws StoreDamaged {
        int slot = (int) ((base ^ base >>> 9 ^ base >>> 20) & (KEPT - 1));
        Extent cached = kept.get(slot);
        if (cached != null && cached.base() == base) {
            return cached;
        }
        coldReads.increment();
        try {
            ByteBuffer bytes = readFrame(segment, base, atLeast);
            Extent frame = new Extent(bytes.asReadOnlyBuffer(), base, base + Frame.HEADER, base + bytes.limit(), true);
            if (bytes.capacity() <= MAX_KEPT_BYTES) {
                kept.set(slot, frame);
            }
            return frame;
        } catch (IOException e) {
            if (segments.of(base) != segment) {
                return null;
            }
            throw new StoreDamaged(segment.name(), base - segment.start(), "it cannot be read: " + e.getMessage());
        }
    }

    /** The whole frame, verified. Most frames take one call, because the first guess of the length is enough. */
    private static ByteBuffer readFrame(Segment segment, long base, int atLeast) throws IOException, StoreDamaged {
        long room = segment.end() - base;
        if (base < segment.start() || room < Frame.HEADER) {
            throw new StoreDamaged(segment.name(), base - segment.start(), "no frame can stand there");
        }
        ByteBuffer bytes = ByteBuffer.allocate((int) Math.min(room, Math.max(atLeast, FIRST_READ)));
        int read = segment.read(base, bytes);
        String wrong = read < Frame.HEADER ? "the file ends" : Frame.checkHeader(bytes, 0, base, room);
        if (wrong == null) {
            int length = Frame.length(bytes, 0);
            if (length > read) {
                bytes = ByteBuffer.allocate(length);
                read = segment.read(base, bytes);
            }
            wrong = length > read ? "the file ends within the frame" : null;
            if (wrong == null) {
                bytes.clear().limit(length);
                wrong = Frame.checkBody(bytes, 0, new CRC32C());
            }
        }
        if (wrong != null) {
            throw new StoreDamaged(segment.name(), base - segment.start(), wrong);
        }
        return bytes;
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
