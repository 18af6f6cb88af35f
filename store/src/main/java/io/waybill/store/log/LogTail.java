/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import java.io.IOException;
import java.nio.ByteBuffer;

/**
 * The end of the log, and the only place where frames get into its files, whoever decided on them. What always holds: frames
 * stand back to back or at the start of the next segment; what is confirmed is never cut or overwritten; a frame that belongs
 * before what nobody confirmed replaces it, durably (ADR 0029).
 *
 * <p>One appends and cuts at a time: the holder of the writer's role, or who receives frames from another node. Another one
 * may force, but not during a cut. Read by anyone.
 */
final class LogTail {
    private static final int ZEROS = 1 << 20;

    private final StoreSettings settings;
    private final Segments segments;
    private final Positions positions;
    private final SegmentMaker maker;
    /** The segment that is appended to. */
    private volatile Segment segment;

    private volatile long frames;
    private volatile long records;
    private volatile Segment forced;

    // Of the one who appends and cuts.
    private long nextIndex;
    /** Where a cut began that failed, or -1, and the index of the frame that stood there: its bytes may be gone already. */
    private long cutFrom = -1;

    private long cutIndex;

    /** @param nextIndex of the frame that is to be appended first */
    LogTail(StoreSettings settings, Segments segments, Positions positions, SegmentMaker maker, long nextIndex) {
        this.nextIndex = nextIndex;
        this.settings = settings;
        this.segments = segments;
        this.positions = positions;
        this.maker = maker;
        this.segment = segments.newest();
    }

    Positions positions() {
        return positions;
    }

    Segments segments() {
        return segments;
    }

    SegmentMaker maker() {
        return maker;
    }

    /** The position where the next frame stands, if it fits the segment. */
    long end() {
        return positions.appended();
    }

    /** Everything below is on disk. */
    long flushed() {
        return positions.flushed();
    }

    Segment newestSegment() {
        return segment;
    }

    /** Frames appended since the log was opened. */
    long frames() {
        return frames;
    }

    long records() {
        return records;
    }

    /** Takes the memory that rolling into this segment will need. */
    void prepare(Segment next) {
        segments.prepare(next);
    }

    /**
     * Writes one whole frame. At the end it is appended; at the start of the next segment the log rolls first; below the end, what
     * stands from there on is cut first, because its author no longer leads.
     *
     * @throws LogGap if frames before it are missing; nothing was written
     * @throws StoreDamaged if it contradicts what is confirmed; nothing was written
     * @throws IOException if nobody knows what was written
     */
    void append(long base, long segmentStart, long segmentEnd, ByteBuffer frame) throws IOException, StoreException {
        if (base < end()) {
            if (base < positions.confirmed()) {
                throw new StoreDamaged(
                        Segment.name(segmentStart),
                        base - segmentStart,
                        "another frame than the confirmed one is to be written there; the log is confirmed up to position "
                                + positions.confirmed());
            }
        }
        long index = Frame.index(frame, frame.position());
        long expected = base < end() ? indexAt(base) : nextIndex;
        if (index != expected) {
            // Where the log rolls, only the index shows that the frames before are missing.
            if (index > expected) {
                throw new LogGap(end(), base);
            }
            throw new StoreDamaged(
                    Segment.name(segmentStart),
                    base - segmentStart,
                    "frame " + index + " is to be written where frame " + expected + " belongs");
        }
        if (base < end()) {
            cut(base);
        }
        if (base == segmentStart && base == segment.end()) {
            roll(segmentStart, segmentEnd);
        } else if (base != end() || segment.start() != segmentStart) {
            throw new LogGap(end(), base);
        }
        if (base + frame.remaining() > segment.end()) {
            throw new IllegalArgumentException("the frame at position " + base + " does not fit " + segment.name());
        }
        int length = frame.remaining();
        int count = Frame.count(frame, frame.position());
        segment.write(base, frame);
        records += count;
        frames++;
        nextIndex = index + 1;
        positions.append(base + length);
    }

    private void roll(long start, long segmentEnd) throws IOException {
        Segment next = maker.next();
        if (next == null || next.start() != start || next.end() != segmentEnd) {
            throw new IOException("the segment that begins at position " + start + " is not there");
        }
        // In this order, so that no segment is lost if memory is short.
        segments.add(next);
        maker.taken(next);
        segment = next;
        long hotFrom = next.end() - Math.max(settings.hotBytes(), next.length());
        for (Segment old : segments.all()) {
            if (old.start() < hotFrom && old.hot() != null) {
                old.cool();
            }
        }
    }

    /**
     * Forces what was appended below the target; one call covers everything.
     *
     * @return how many files were forced
     */
    int force(long target) throws IOException {
        long from = positions.flushed();
        int files = 0;
        for (Segment each : segments.all()) {
            if (each.end() > from && each.start() < target) {
                forced = each;
                each.force();
                files++;
            }
        }
        positions.flush(target);
        return files;
    }

    /** What the last force was about, for people. */
    String forcing() {
        Segment last = forced;
        return last == null ? "the log" : last.name();
    }

    /**
     * Removes what stands from the position on, which must not be below what is confirmed: bytes become zeros, segments behind
     * go. Durable when it returns; the same whether it is done once or, after a crash, again.
     */
    void cut(long position) throws IOException, StoreDamaged {
        long end = end();
        if (position == end) {
            return;
        }
        if (position < positions.confirmed() || position > end) {
            throw new StoreDamaged(
                    segment.name(), 0, "it is not possible to cut at position " + position + ": " + positions);
        }
        cutIndex = indexAt(position);
        cutFrom = position;
        // From behind, so that no crash leaves a frame whose predecessors are gone.
        Segment newest = segment;
        while (newest.start() > position) {
            segments.removeNewest();
            maker.delete(newest);
            newest = segments.newest();
        }
        zero(newest, position, Math.min(end, newest.end()));
        if (newest != segment) {
            segment = newest;
            if (newest.hot() == null) {
                newest.heat(position);
            }
            maker.restartAt(newest.end());
        }
        positions.cutTo(position);
        nextIndex = cutIndex;
        cutFrom = -1;
    }

    /** Of the frame that begins at a position below the end or, where the rest of the segment is unused, in the next one. */
    private long indexAt(long position) throws IOException, StoreDamaged {
        if (position == cutFrom) {
            return cutIndex;
        }
        ByteBuffer header = ByteBuffer.allocate(Frame.HEADER);
        long at = position;
        for (Segment in = segments.of(at); in != null; in = segments.of(at)) {
            int read = in.read(at, header.clear());
            if (read == Frame.HEADER && Frame.checkHeader(header, 0, at, in.end() - at) == null) {
                return Frame.index(header, 0);
            }
            boolean isUnused = read < Integer.BYTES || header.getInt(0) == 0;
            if (at != position || !isUnused) {
                break;
            }
            at = in.end();
        }
        throw new StoreDamaged(segment.name(), 0, "no frame begins at position " + position + ": " + positions);
    }

    private static void zero(Segment segment, long from, long to) throws IOException {
        ByteBuffer zeros = ByteBuffer.allocate((int) Math.min(ZEROS, Math.max(0, to - from)));
        for (long at = from; at < to; at += zeros.capacity()) {
            zeros.clear().limit((int) Math.min(zeros.capacity(), to - at));
            segment.write(at, zeros);
        }
        segment.force();
    }

    /**
     * The bytes as they stand in the log, for another node. They are frames only between ends of frames.
     *
     * @return null if the log does not hold all of them
     */
    ByteBuffer read(long base, int length) throws IOException {
        Segment from = segments.of(base);
        if (from == null || base + length > Math.min(from.end(), end())) {
            return null;
        }
        ByteBuffer bytes = ByteBuffer.allocate(length);
        return from.read(base, bytes) < length ? null : bytes.flip();
    }
}
