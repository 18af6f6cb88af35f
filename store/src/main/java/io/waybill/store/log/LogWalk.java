/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/**
 * Walks the frames of a log in order and stops at the first place where none is. Reads in large steps; changes nothing.
 *
 * <p>A frame is accepted if its checksum fits, it stands where it says, its index is the expected one and its epoch does not
 * fall. The rest of a segment may be unused: if no frame stands there, the log goes on in the next segment, which the index
 * proves. A frame that a newer program wrote is told apart from none: not understood is not torn.
 *
 * <p>A length is only believed after the checksum: a larger frame is verified in steps before memory is taken for it.
 */
final class LogWalk {
    private static final int STEP = 1 << 20;
    private static final int ANY = -1;

    private final Segment[] segments;
    private final CRC32C crc = new CRC32C();
    private int at;
    private long position;
    private long expectedIndex;
    private long epoch;

    private ByteBuffer window = ByteBuffer.allocate(0);
    private ByteBuffer steps;
    private int windowSegment = -1;
    private long windowStart;

    // The frame that was found last.
    private int frameAt;
    private long frameBase;
    private int frameLength;
    private String why;
    /** Why the frame that was looked at last is of a newer program; null if it is not. */
    private String newer;

    private long newerAt;

    /**
     * @param expectedIndex of the first frame, or -1 to accept any
     * @param epoch the least the first frame may have
     */
    LogWalk(Segment[] segments, long from, long expectedIndex, long epoch) {
        this.segments = segments;
        this.position = from;
        this.expectedIndex = expectedIndex;
        this.epoch = epoch;
        while (at < segments.length - 1 && from >= segments[at].end()) {
            at++;
        }
    }

    /** Whether another frame was found; if not, the walk has ended. */
    boolean next() throws IOException {
        if (accept(at, position)) {
            return true;
        }
        String here = why;
        if (newer != null) {
            return false;
        }
        if (at + 1 < segments.length && accept(at + 1, segments[at + 1].start())) {
            return true;
        }
        why = here;
        return false;
    }

    private boolean accept(int segmentIndex, long from) throws IOException {
        why = check(segmentIndex, from);
        if (why != null) {
            return false;
        }
        if (expectedIndex != ANY && index() != expectedIndex) {
            why = "the frame has index " + index() + " where " + expectedIndex + " was expected";
            return false;
        }
        if (epoch() < epoch) {
            why = "the frame is of epoch " + epoch() + " behind one of " + epoch;
            return false;
        }
        expectedIndex = index() + 1;
        epoch = epoch();
        at = segmentIndex;
        position = frameBase + frameLength;
        return true;
    }

    /** Null if a whole frame stands there; it becomes the current one. */
    private String check(int segmentIndex, long from) throws IOException {
        Segment segment = segments[segmentIndex];
        newer = null;
        newerAt = from;
        long room = segment.end() - from;
        if (room < Frame.HEADER) {
            return "the segment is full";
        }
        if (!load(segmentIndex, from, Frame.HEADER)) {
            return "the file ends";
        }
        int index = (int) (from - windowStart);
        newer = Frame.newerMagic(window, index);
        String wrong = newer != null ? newer : Frame.checkHeader(window, index, from, room);
        if (wrong != null) {
            return wrong;
        }
        int length = Frame.length(window, index);
        if (length > window.capacity() && length > STEP) {
            wrong = checkInSteps(segment, from, length);
            if (wrong != null) {
                return wrong;
            }
        }
        if (!load(segmentIndex, from, length)) {
            return "the file ends within the frame";
        }
        index = (int) (from - windowStart);
        wrong = Frame.checkBody(window, index, crc);
        if (wrong == null) {
            newer = Frame.newer(window, index);
            wrong = newer;
        }
        if (wrong == null) {
            frameAt = index;
            frameBase = from;
            frameLength = length;
        }
        return wrong;
    }

    /** Whether the checksum of a frame that is larger than the window fits. Its header is in the window. */
    private String checkInSteps(Segment segment, long from, int length) throws IOException {
        int stored = window.getInt((int) (from - windowStart) + Frame.CRC_AT);
        if (steps == null) {
            steps = ByteBuffer.allocate(STEP);
        }
        return segment.checkInSteps(from, length, stored, steps, crc);
    }

    private boolean load(int segmentIndex, long from, int length) throws IOException {
        if (windowSegment == segmentIndex && from >= windowStart && from + length <= windowStart + window.limit()) {
            return true;
        }
        Segment segment = segments[segmentIndex];
        int wanted = (int) Math.min(segment.end() - from, Math.max(STEP, length));
        if (window.capacity() < wanted) {
            window = ByteBuffer.allocate(wanted);
        }
        window.clear().limit(wanted);
        int read = segment.read(from, window);
        window.clear().limit(read);
        windowSegment = segmentIndex;
        windowStart = from;
        return read >= length;
    }

    // ---- the current frame

    /** The bytes around the frame; it starts at {@link #frameAt()}. Valid until the next call of next(). */
    ByteBuffer bytes() {
        return window;
    }

    int frameAt() {
        return frameAt;
    }

    long base() {
        return frameBase;
    }

    long frameEnd() {
        return frameBase + frameLength;
    }

    long index() {
        return Frame.index(window, frameAt);
    }

    long epoch() {
        return Frame.epoch(window, frameAt);
    }

    int checksum() {
        return Frame.checksum(window, frameAt);
    }

    long storeTimeMillis() {
        return Frame.storeTimeMillis(window, frameAt);
    }

    /** The position below which everything is on disk, by the word of the current frame. */
    long durable() {
        return Frame.durable(window, frameAt);
    }

    // ---- where it ended

    /** Where the next frame was looked for. */
    long stoppedAt() {
        return position;
    }

    Segment stoppedIn() {
        return segments[at];
    }

    String why() {
        return why;
    }

    /** Why the walk stopped at a frame of a newer program; null if it did not. */
    String newer() {
        return newer;
    }

    /** The refusal of what the walk met last. */
    StoreTooNew tooNew(String what) {
        long place = newer == null ? frameBase : newerAt;
        Segment segment = segments[0];
        for (Segment each : segments) {
            segment = each.start() <= place ? each : segment;
        }
        return new StoreTooNew("the frame at byte " + (place - segment.start()) + " of " + segment.name()
                + " cannot be understood: " + what);
    }

    /**
     * Looks behind the end for what is left there.
     *
     * @param lastUsed the position behind the last byte of the stopping segment that is not zero; at least stoppedAt
     * @param proof base of a valid later frame that proves the log was once durable beyond stoppedAt; -1 if there is none
     *     A later frame of a newer program is {@link #newer()} instead
     */
    record Rest(long lastUsed, long proof) {}

    Rest rest() throws IOException {
        long stopped = position;
        long lastUsed = stopped;
        int stoppedSegment = at;
        ByteBuffer chunk = ByteBuffer.allocate((int) Math.min(STEP, segments[stoppedSegment].length()));
        newer = null;
        for (int i = stoppedSegment; i < segments.length; i++) {
            Segment segment = segments[i];
            if (i > stoppedSegment && check(i, segment.start()) != null && newer != null) {
                return new Rest(lastUsed, -1);
            }
            long from = i == stoppedSegment ? stopped : segment.start();
            while (from < segment.end()) {
                chunk.clear();
                chunk.limit((int) Math.min(chunk.capacity(), segment.end() - from));
                int read = segment.read(from, chunk);
                if (read <= 0) {
                    break;
                }
                int used = usedBytes(chunk, read);
                if (used > 0) {
                    if (i == stoppedSegment) {
                        lastUsed = from + used;
                    }
                    for (int k = 0; k + 4 <= read && k < used; k++) {
                        if (chunk.get(k) == 'W' && chunk.getInt(k) == Frame.MAGIC) {
                            if (proves(i, from + k, stopped)) {
                                return new Rest(lastUsed, from + k);
                            }
                            if (newer != null) {
                                return new Rest(lastUsed, -1);
                            }
                        }
                    }
                }
                // A magic may lie across two chunks.
                from += read == chunk.capacity() && from + read < segment.end() ? read - 3 : read;
            }
        }
        newer = null;
        return new Rest(lastUsed, -1);
    }

    private boolean proves(int segmentIndex, long candidate, long stopped) throws IOException {
        if (candidate == stopped || check(segmentIndex, candidate) != null) {
            return false;
        }
        ByteBuffer b = window;
        return Frame.index(b, frameAt) >= expectedIndex
                && Frame.epoch(b, frameAt) >= epoch
                && Frame.durable(b, frameAt) > stopped;
    }

    private static int usedBytes(ByteBuffer chunk, int read) {
        int end = read;
        while (end >= 8 && chunk.getLong(end - 8) == 0) {
            end -= 8;
        }
        while (end > 0 && chunk.get(end - 1) == 0) {
            end--;
        }
        return end;
    }
}
