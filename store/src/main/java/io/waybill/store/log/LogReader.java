/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.protocol.message.StoredMessage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReferenceArray;
import java.util.concurrent.atomic.LongAdder;
import java.util.zip.CRC32C;

/**
 * Reads the log. What this process wrote lately is served from mappings as it is; everything else is read in whole frames
 * whose checksum is verified first, 64 KiB at a time. What is kept here is bounded by KEPT stretches of at most 1 MiB. Any
 * thread (ADR 0012).
 */
public final class LogReader {
    /** Verified stretches kept for the next reader of the same frames, which is often the next read or another queue's. */
    private static final int KEPT = 8;
    /** Larger ones are not kept. */
    private static final int MAX_KEPT_BYTES = 1 << 20;
    /** A read takes at least this much: the frames behind the wanted one are verified too and spare the next reads. */
    private static final int AHEAD = 64 << 10;
    /** A frame may claim this length and get the memory before its checksum is verified. */
    private static final int BELIEVED = 2 << 20;
    /** More than any message can be (15 MiB and properties); guards against sizes read from where no message is. */
    private static final int MAX_MESSAGE = 16 << 20;
    /** From a message's first byte to its body with the longest hosts. */
    private static final int MAX_HEAD = 112;

    private final Segments segments;
    private final Positions positions;
    private final AtomicReferenceArray<Extent> kept = new AtomicReferenceArray<>(KEPT);
    private final AtomicInteger nextKept = new AtomicInteger();
    private final LongAdder coldReads = new LongAdder();

    LogReader(Segments segments, Positions positions) {
        this.segments = segments;
        this.positions = positions;
    }

    long coldReads() {
        return coldReads.sum();
    }

    public boolean isHot(long position) {
        Segment segment = segments.of(position);
        Extent hot = segment == null ? null : segment.hot();
        return hot != null && hot.contains(position, 1);
    }

    /** Something to slice the message from; null if its segment was dropped. */
    public Extent extent(long position, int size, int frameDelta) throws StoreDamaged {
        Segment segment = segments.of(position);
        if (segment == null) {
            return null;
        }
        Extent hot = segment.hot();
        if (hot != null && hot.contains(position, size)) {
            return hot;
        }
        for (int i = 0; i < KEPT; i++) {
            Extent cached = kept.get(i);
            if (cached != null && cached.contains(position, size)) {
                return cached;
            }
        }
        Extent frames = frames(segment, position - frameDelta, frameDelta + size);
        if (frames != null && !frames.contains(position, size)) {
            throw new StoreDamaged(
                    segment.name(),
                    frames.base() - segment.start(),
                    "the frame does not hold the message at " + position);
        }
        return frames;
    }

    private Extent frames(Segment segment, long base, int atLeast) throws StoreDamaged {
        coldReads.increment();
        try {
            ByteBuffer bytes = readFrames(segment, base, atLeast, AHEAD, positions.confirmed());
            Extent frames = new Extent(bytes.asReadOnlyBuffer(), base, base + Frame.HEADER, base + bytes.limit(), true);
            if (bytes.capacity() <= MAX_KEPT_BYTES) {
                kept.set(nextKept.getAndIncrement() & KEPT - 1, frames);
            }
            return frames;
        } catch (IOException e) {
            if (segments.of(base) != segment) {
                return null;
            }
            refuseIfClosed(segment, e);
            throw new StoreDamaged(segment.name(), base - segment.start(), "it cannot be read: " + e.getMessage());
        }
    }

    private void refuseIfClosed(Segment segment, IOException e) {
        if (segment.isClosed() && segments.of(segment.start()) == segment) {
            throw new IllegalStateException("the store is closed", e);
        }
    }

    /**
     * The whole frame that stands there, verified, and as many intact ones behind it as the same read brought and are
     * confirmed: one that is not may be cut, and another one written in its place.
     */
    private static ByteBuffer readFrames(Segment segment, long base, int atLeast, int ahead, long confirmed)
            throws IOException, StoreDamaged {
        long room = segment.end() - base;
        if (base < segment.start() || room < Frame.HEADER) {
            throw new StoreDamaged(segment.name(), base - segment.start(), "no frame can stand there");
        }
        CRC32C crc = new CRC32C();
        // Neither the caller's word nor the frame's own is enough to take much memory, but both together are.
        int first = atLeast > BELIEVED ? ahead : Math.max(atLeast, ahead);
        ByteBuffer bytes = ByteBuffer.allocate((int) Math.min(room, first));
        int read = segment.read(base, bytes);
        String wrong = read < Frame.HEADER ? "the file ends" : Frame.checkHeader(bytes, 0, base, room);
        int end = 0;
        if (wrong == null) {
            end = Frame.length(bytes, 0);
            boolean believed = end <= BELIEVED || end >= atLeast && end - atLeast <= AHEAD;
            if (end > read && !believed) {
                // The length may be wrong: what it claims is looked at in steps before so much memory is taken.
                ByteBuffer step = ByteBuffer.allocate(AHEAD);
                wrong = segment.checkInSteps(base, end, bytes.getInt(Frame.CRC_AT), step, crc);
            }
        }
        if (wrong == null) {
            if (end > read) {
                bytes = ByteBuffer.allocate(end);
                read = segment.read(base, bytes);
            }
            bytes.clear();
            wrong = end > read ? "the file ends within the frame" : Frame.checkBody(bytes, 0, crc);
        }
        if (wrong == null) {
            wrong = Frame.newer(bytes, 0);
        }
        if (wrong != null) {
            throw new StoreDamaged(segment.name(), base - segment.start(), wrong);
        }
        while (end + Frame.HEADER <= read
                && Frame.checkHeader(bytes, end, base + end, read - end) == null
                && base + end + Frame.length(bytes, end) <= confirmed
                && Frame.checkBody(bytes, end, crc) == null
                && Frame.newer(bytes, end) == null) {
            end += Frame.length(bytes, end);
        }
        return bytes.limit(end);
    }

    /**
     * What stands at a position that may come from anyone, if it looks like a message: its own position inside and lengths
     * that fit. Null if it does not. The caller must find out by the views whether a message stands there. Takes little
     * memory whatever the bytes say.
     */
    public Claim claim(long position) {
        Segment segment = position < 0 || position >= positions.applied() ? null : segments.of(position);
        if (segment == null) {
            return null;
        }
        long room = Math.min(segment.end(), positions.applied()) - position;
        if (room < StoredMessage.MIN_SIZE) {
            return null;
        }
        try {
            return claim(segment, position, room);
        } catch (IOException e) {
            refuseIfClosed(segment, e);
            return null;
        }
    }

    /**
     * What claims to be a message at a position, as it was first stored there: also a half or delayed one whose fate is sealed since. Lengths,
     * body checksum and its own position fit; its frame is not verified. Null if there is none.
     */
    public ByteBuffer readUnverified(long position) {
        if (claim(position) == null) {
            return null;
        }
        Segment segment = segments.of(position);
        try {
            ByteBuffer size = ByteBuffer.allocate(Integer.BYTES);
            segment.read(position, size);
            ByteBuffer message = ByteBuffer.allocate(size.getInt(0));
            segment.read(position, message);
            message.clear();
            return StoredMessage.verify(message, 0, message.limit()) == null ? message : null;
        } catch (IOException e) {
            refuseIfClosed(segment, e);
            return null;
        }
    }

    private static Claim claim(Segment segment, long position, long room) throws IOException {
        ByteBuffer head = ByteBuffer.allocate((int) Math.min(room, MAX_HEAD));
        segment.read(position, head);
        int size = StoredMessage.totalSize(head, 0);
        int magic = StoredMessage.magic(head, 0);
        int bodyIndex = StoredMessage.bodyIndex(head, 0);
        boolean plausible = StoredMessage.position(head, 0) == position
                && (magic == StoredMessage.MAGIC_V1 || magic == StoredMessage.MAGIC_V2)
                && size >= StoredMessage.MIN_SIZE
                && size <= Math.min(room, MAX_MESSAGE)
                && bodyIndex <= head.limit();
        if (!plausible) {
            return null;
        }
        int width = magic == StoredMessage.MAGIC_V2 ? 2 : 1;
        long topicAt = (long) bodyIndex + StoredMessage.bodyLength(head, 0);
        if (StoredMessage.bodyLength(head, 0) < 0 || topicAt + width > size) {
            return null;
        }
        ByteBuffer length = ByteBuffer.allocate(width);
        segment.read(position + topicAt, length);
        int topicLength = width == 2 ? length.getShort(0) : length.get(0);
        if (topicLength < 1 || topicAt + width + topicLength > size) {
            return null;
        }
        ByteBuffer topic = ByteBuffer.allocate(topicLength);
        segment.read(position + topicAt + width, topic);
        return new Claim(
                new String(topic.array(), StandardCharsets.UTF_8),
                StoredMessage.queueId(head, 0),
                StoredMessage.queueOffset(head, 0));
    }

    /** Store time of the first frame of a segment; {@code unknown} if there is no intact one. */
    static long firstStoreTime(Segment segment, long unknown) {
        try {
            return Frame.storeTimeMillis(readFrames(segment, segment.start(), Frame.HEADER, Frame.HEADER, 0), 0);
        } catch (IOException | StoreDamaged e) {
            return unknown;
        }
    }
}
