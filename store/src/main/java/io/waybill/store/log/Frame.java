/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import java.nio.ByteBuffer;
import java.util.zip.CRC32C;

/**
 * The layout of a frame: the unit of atomicity, of checksum and of group commit. A frame never crosses a segment.
 *
 * <pre>
 *    0        4        8    10    12       16               24               32               40
 *    +--------+--------+-----+-----+--------+----------------+----------------+----------------+
 *    | magic  | crc32c | ver |flags| length |     epoch      |     index      |  base position |
 *    +--------+--------+-----+-----+--------+----------------+----------------+----------------+
 *    40               48       52       56                                             length
 *    +----------------+--------+--------+------------------------------------------------+
 *    | store time ms  | count  |undurabl| count whole records, back to back              |
 *    +----------------+--------+--------+------------------------------------------------+
 * </pre>
 *
 * All integers are big-endian. The checksum covers bytes 8 to length, so it covers the frame's own position: old bytes in a
 * new place do not pass. Indexes are dense over the whole log. The epoch grows with each opening of the store that wrote
 * something. Undurable bytes is the distance from the last position known to be on disk, when this frame was built, to its base:
 * a valid frame proves that everything below {@code base - undurable} was once durable. Recovery needs that to tell a torn
 * tail (frames that were never promised) from damage (frames that were). A frame with the flag REPLICATED proves nothing: it
 * was built on another machine's word, and this one may have lost what is before it.
 */
final class Frame {
    static final int MAGIC = 0x57424631; // WBF1
    static final int VERSION = 1;
    /** The flag of programs that write a DROPPED record before they drop a segment. */
    static final int SAYS_DROPS = 1;

    /** The flag of frames that are kept by several machines; their undurable bytes are {@link #NO_PROOF}. */
    static final int REPLICATED = 2;

    static final int KNOWN_FLAGS = SAYS_DROPS | REPLICATED;
    /** The last byte of the magic would count up if a newer layout did not even keep the place of the checksum. */
    private static final int MAGIC_FAMILY = 0xFFFFFF00;
    /** No frame of any program is longer: a length beyond it is not believed, whatever the segment's size. */
    static final int LARGEST = 256 << 20;

    static final int CRC_AT = 4;
    static final int VERSION_AT = 8;
    static final int FLAGS_AT = 10;
    static final int LENGTH_AT = 12;
    static final int EPOCH_AT = 16;
    static final int INDEX_AT = 24;
    static final int BASE_AT = 32;
    static final int STORE_TIME_AT = 40;
    static final int COUNT_AT = 48;
    static final int UNDURABLE_AT = 52;
    static final int HEADER = 56;
    /** Undurable bytes that say nothing, because the real number has no room in 4 bytes or is not this machine's. */
    private static final long NO_PROOF = 0xFFFFFFFFL;

    private Frame() {}

    /**
     * Completes a frame whose records stand from {@link #HEADER} to length. Leaves position and limit around it.
     *
     * @param durable below it everything is on this machine's disk; negative for a replicated frame
     */
    static void seal(
            ByteBuffer b,
            int length,
            long epoch,
            long index,
            long base,
            long storeTimeMillis,
            int count,
            long durable,
            CRC32C crc) {
        b.putInt(0, MAGIC);
        b.putShort(VERSION_AT, (short) VERSION);
        b.putShort(FLAGS_AT, (short) (durable < 0 ? SAYS_DROPS | REPLICATED : SAYS_DROPS));
        b.putInt(LENGTH_AT, length);
        b.putLong(EPOCH_AT, epoch);
        b.putLong(INDEX_AT, index);
        b.putLong(BASE_AT, base);
        b.putLong(STORE_TIME_AT, storeTimeMillis);
        b.putInt(COUNT_AT, count);
        b.putInt(UNDURABLE_AT, (int) (durable < 0 ? NO_PROOF : Math.min(NO_PROOF, base - durable)));
        b.putInt(CRC_AT, checksum(b, 0, length, crc));
        b.limit(length).position(0);
    }

    /** Leaves the position at the frame's end and the limit there too. */
    private static int checksum(ByteBuffer b, int at, int length, CRC32C crc) {
        crc.reset();
        b.limit(at + length).position(at + VERSION_AT);
        crc.update(b);
        return (int) crc.getValue();
    }

    /** What is wrong with the header standing at {@code at}, or null. Needs {@link #HEADER} readable bytes. */
    static String checkHeader(ByteBuffer b, int at, long position, long room) {
        int magic = b.getInt(at);
        if (magic != MAGIC) {
            return magic == 0 ? "no frame" : "no frame starts here: magic " + Integer.toHexString(magic);
        }
        long base = b.getLong(at + BASE_AT);
        if (base != position) {
            return "the frame belongs to position " + base + " but stands at " + position;
        }
        int length = b.getInt(at + LENGTH_AT);
        long most = Math.min(room, LARGEST);
        if (length < HEADER || length > most) {
            return "length " + length + " is not within " + HEADER + " and " + most;
        }
        return null;
    }

    /**
     * What is wrong with the checksum of the whole frame at {@code at}, whose header is fine, or null. Keeps position and
     * limit. A frame that passes may still be of a newer program: {@link #newer}.
     */
    static String checkBody(ByteBuffer b, int at, CRC32C crc) {
        int position = b.position();
        int limit = b.limit();
        int computed = checksum(b, at, b.getInt(at + LENGTH_AT), crc);
        b.limit(limit).position(position);
        return checkSum(b.getInt(at + CRC_AT), computed);
    }

    static String checkSum(int stored, int computed) {
        return computed == stored
                ? null
                : "checksum " + Integer.toHexString(stored) + " does not fit the bytes, which give "
                        + Integer.toHexString(computed);
    }

    /** Why the frame at {@code at}, whose checksum fits, was written by a newer program; null if this one reads it. */
    static String newer(ByteBuffer b, int at) {
        int version = b.getShort(at + VERSION_AT) & 0xFFFF;
        if (version != VERSION) {
            return "it is of frame version " + version + ", this program reads " + VERSION;
        }
        int unknown = b.getShort(at + FLAGS_AT) & 0xFFFF & ~KNOWN_FLAGS;
        return unknown == 0 ? null : "it has the flags " + unknown + ", this program reads " + KNOWN_FLAGS;
    }

    /**
     * Why what stands where a frame must stand is the beginning of a newer program's frame; null if it is not. Segments are
     * made of zeros and written once, so a torn frame has this program's magic or zeros there. WBF3, WBF5 and WBF9 are one
     * flipped bit away from WBF1 and will never be used.
     */
    static String newerMagic(ByteBuffer b, int at) {
        int difference = b.getInt(at) ^ MAGIC;
        int last = b.getInt(at) & 0xFF;
        return (difference & MAGIC_FAMILY) != 0 || Integer.bitCount(difference) < 2 || last < '2' || last > '9'
                ? null
                : "it begins with WBF" + (char) last + ", this program reads WBF1";
    }

    static int length(ByteBuffer b, int at) {
        return b.getInt(at + LENGTH_AT);
    }

    static int checksum(ByteBuffer b, int at) {
        return b.getInt(at + CRC_AT);
    }

    static long epoch(ByteBuffer b, int at) {
        return b.getLong(at + EPOCH_AT);
    }

    static long index(ByteBuffer b, int at) {
        return b.getLong(at + INDEX_AT);
    }

    static long base(ByteBuffer b, int at) {
        return b.getLong(at + BASE_AT);
    }

    static long storeTimeMillis(ByteBuffer b, int at) {
        return b.getLong(at + STORE_TIME_AT);
    }

    static int count(ByteBuffer b, int at) {
        return b.getInt(at + COUNT_AT);
    }

    /** The position below which everything was on disk when the frame was built; 0 if the frame does not say. */
    static long durable(ByteBuffer b, int at) {
        long undurable = b.getInt(at + UNDURABLE_AT) & 0xFFFFFFFFL;
        boolean proves = undurable != NO_PROOF && (b.getShort(at + FLAGS_AT) & REPLICATED) == 0;
        return proves ? b.getLong(at + BASE_AT) - undurable : 0;
    }
}
