/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.message;

import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.UnknownHostException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.zip.CRC32;

/**
 * The layout of one stored message, as it lies in the log and as it is sent in the body of a pull reply. All numbers are big-endian, all
 * offsets below count from the first byte of the record; {@code at} is always the index of that byte in the buffer.
 *
 * <pre>
 *   0  totalSize 4        the whole record, this field included
 *   4  magic 4            V1 DAA320A7, V2 DAA320AB
 *   8  bodyCrc 4          CRC-32 of the stored body without its sign bit
 *  12  queueId 4
 *  16  flag 4             the user's, opaque
 *  20  queueOffset 8      patched when the record is placed in its queue
 *  28  position 8         address of the first byte in the log; patched by the writer
 *  36  sysFlag 4          {@link SysFlag}
 *  40  bornTimestamp 8    milliseconds, the producer's clock
 *  48  bornHost 8 | 20    IPv4 or IPv6 (sysFlag bit 4), then the port in 4 bytes
 *      storeTimestamp 8   milliseconds, the broker's store time; patched by the writer
 *      storeHost 8 | 20   (sysFlag bit 5)
 *      reconsumeTimes 4
 *      preparedTransactionOffset 8
 *      bodyLength 4       body
 *      topicLength 1 | 2  topic          (1 byte in V1, 2 in V2)
 *      propertiesLength 2 properties     signed: at most 32767
 * </pre>
 *
 * The getters trust the record: call {@link #verify} first on bytes that did not come from a {@link MessageDraft} of this process. They use
 * absolute reads only, so a buffer may be shared between threads; the buffer must be big-endian, as new ones are.
 */
public final class StoredMessage {
    public static final int MAGIC_V1 = 0xDAA320A7;
    public static final int MAGIC_V2 = 0xDAA320AB;
    /** Marks the unused rest of a log file of the reference broker; never inside a pull reply. */
    public static final int BLANK = 0xCBD43194;

    public static final int TOTAL_SIZE_OFFSET = 0;
    public static final int MAGIC_OFFSET = 4;
    public static final int BODY_CRC_OFFSET = 8;
    public static final int QUEUE_ID_OFFSET = 12;
    public static final int FLAG_OFFSET = 16;
    public static final int QUEUE_OFFSET_OFFSET = 20;
    public static final int POSITION_OFFSET = 28;
    public static final int SYS_FLAG_OFFSET = 36;
    public static final int BORN_TIMESTAMP_OFFSET = 40;
    public static final int BORN_HOST_OFFSET = 48;

    static final int HOST_V4_LENGTH = 8;
    static final int HOST_V6_LENGTH = 20;
    /** Everything but hosts, body, topic and properties, in V1. */
    static final int FIXED_LENGTH_V1 = 48 + 8 + 4 + 8 + 4 + 1 + 2;

    /** The smallest record: IPv4 hosts, V1, one byte of topic, nothing else. */
    public static final int MIN_SIZE = FIXED_LENGTH_V1 + 2 * HOST_V4_LENGTH + 1;

    private StoredMessage() {}

    public static int totalSize(ByteBuffer b, int at) {
        return b.getInt(at + TOTAL_SIZE_OFFSET);
    }

    public static int magic(ByteBuffer b, int at) {
        return b.getInt(at + MAGIC_OFFSET);
    }

    public static int bodyCrc(ByteBuffer b, int at) {
        return b.getInt(at + BODY_CRC_OFFSET);
    }

    public static int queueId(ByteBuffer b, int at) {
        return b.getInt(at + QUEUE_ID_OFFSET);
    }

    public static int flag(ByteBuffer b, int at) {
        return b.getInt(at + FLAG_OFFSET);
    }

    public static long queueOffset(ByteBuffer b, int at) {
        return b.getLong(at + QUEUE_OFFSET_OFFSET);
    }

    public static long position(ByteBuffer b, int at) {
        return b.getLong(at + POSITION_OFFSET);
    }

    public static int sysFlag(ByteBuffer b, int at) {
        return b.getInt(at + SYS_FLAG_OFFSET);
    }

    public static long bornTimestamp(ByteBuffer b, int at) {
        return b.getLong(at + BORN_TIMESTAMP_OFFSET);
    }

    public static InetSocketAddress bornHost(ByteBuffer b, int at) {
        return host(b, at + BORN_HOST_OFFSET, bornHostLength(sysFlag(b, at)));
    }

    public static long storeTimestamp(ByteBuffer b, int at) {
        return b.getLong(at + storeTimestampOffset(sysFlag(b, at)));
    }

    public static InetSocketAddress storeHost(ByteBuffer b, int at) {
        int sysFlag = sysFlag(b, at);
        return host(b, at + storeTimestampOffset(sysFlag) + 8, storeHostLength(sysFlag));
    }

    public static int reconsumeTimes(ByteBuffer b, int at) {
        return b.getInt(at + reconsumeTimesOffset(sysFlag(b, at)));
    }

    public static long preparedTransactionOffset(ByteBuffer b, int at) {
        return b.getLong(at + reconsumeTimesOffset(sysFlag(b, at)) + 4);
    }

    public static int bodyLength(ByteBuffer b, int at) {
        return b.getInt(at + bodyLengthOffset(sysFlag(b, at)));
    }

    /** Index in the buffer of the first body byte. */
    public static int bodyIndex(ByteBuffer b, int at) {
        return at + bodyLengthOffset(sysFlag(b, at)) + 4;
    }

    /** The body as a slice of the buffer, not a copy. */
    public static ByteBuffer body(ByteBuffer b, int at) {
        return b.slice(bodyIndex(b, at), bodyLength(b, at));
    }

    public static String topic(ByteBuffer b, int at) {
        int lengthIndex = topicLengthIndex(b, at);
        int width = topicLengthWidth(magic(b, at));
        return text(b, lengthIndex + width, topicLength(b, lengthIndex, width));
    }

    /** True when the record's topic is this one; nothing is allocated for a plain ASCII name. */
    public static boolean topicEquals(ByteBuffer b, int at, String topic) {
        int lengthIndex = topicLengthIndex(b, at);
        int width = topicLengthWidth(magic(b, at));
        int length = topicLength(b, lengthIndex, width);
        if (length != topic.length()) {
            return topic(b, at).equals(topic);
        }
        for (int i = 0; i < length; i++) {
            byte seen = b.get(lengthIndex + width + i);
            if (seen < 0) {
                return topic(b, at).equals(topic);
            }
            if (seen != topic.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    public static int propertiesLength(ByteBuffer b, int at) {
        return b.getShort(propertiesLengthIndex(b, at));
    }

    /** Index in the buffer of the first byte of the properties. */
    public static int propertiesIndex(ByteBuffer b, int at) {
        return propertiesLengthIndex(b, at) + 2;
    }

    /** A copy of the encoded properties. */
    public static byte[] properties(ByteBuffer b, int at) {
        byte[] copy = new byte[propertiesLength(b, at)];
        b.get(propertiesIndex(b, at), copy);
        return copy;
    }

    /** One property, or null. To read several take {@link #properties} once. */
    public static String property(ByteBuffer b, int at, String name) {
        if (b.hasArray()) {
            return MessageProperties.get(
                    b.array(), b.arrayOffset() + propertiesIndex(b, at), propertiesLength(b, at), name);
        }
        return MessageProperties.get(properties(b, at), name);
    }

    /**
     * Whether a property has one of these values, all as UTF-8; the same as comparing {@link #property}, without a copy. Nothing is changed or kept.
     */
    public static boolean propertyIsOneOf(ByteBuffer b, int at, byte[] name, byte[][] values) {
        int limit = propertiesIndex(b, at) + propertiesLength(b, at);
        boolean found = false;
        for (int from = propertiesIndex(b, at); from < limit; ) {
            int end = from;
            while (end < limit && b.get(end) != MessageProperties.PROPERTY_SEPARATOR) {
                end++;
            }
            int value = from + name.length + 1;
            if (value < end && b.get(value - 1) == MessageProperties.NAME_VALUE_SEPARATOR && matches(b, from, name)) {
                found = isOneOf(b, value, end - value, values); // of equal names the last one holds
            }
            from = end + 1;
        }
        return found;
    }

    private static boolean isOneOf(ByteBuffer b, int from, int length, byte[][] values) {
        for (byte[] value : values) {
            if (value.length == length && matches(b, from, value)) {
                return true;
            }
        }
        return false;
    }

    private static boolean matches(ByteBuffer b, int from, byte[] wanted) {
        for (int i = 0; i < wanted.length; i++) {
            if (b.get(from + i) != wanted[i]) {
                return false;
            }
        }
        return true;
    }

    /** {@link TagsCode} of the record's TAGS property. */
    public static long tagsCode(ByteBuffer b, int at) {
        return IndexTerms.read(properties(b, at)).tagsCode();
    }

    /** What the views index of the record: tags code, unique key, keys. */
    public static IndexTerms indexTerms(ByteBuffer b, int at) {
        return IndexTerms.read(properties(b, at));
    }

    public static void patchQueueId(ByteBuffer b, int at, int queueId) {
        b.putInt(at + QUEUE_ID_OFFSET, queueId);
    }

    public static void patchQueueOffset(ByteBuffer b, int at, long queueOffset) {
        b.putLong(at + QUEUE_OFFSET_OFFSET, queueOffset);
    }

    public static void patchPosition(ByteBuffer b, int at, long position) {
        b.putLong(at + POSITION_OFFSET, position);
    }

    public static void patchStoreTimestamp(ByteBuffer b, int at, long millis) {
        b.putLong(at + storeTimestampOffset(sysFlag(b, at)), millis);
    }

    /** Replaces the sysFlag. The two host bits describe the layout and must stay as they are.
     *
     * @throws IllegalArgumentException when a host bit would change
     */
    public static void patchSysFlag(ByteBuffer b, int at, long sysFlag) {
        int hostBits = SysFlag.BORN_HOST_V6 | SysFlag.STORE_HOST_V6;
        if (((int) sysFlag & hostBits) != (sysFlag(b, at) & hostBits)) {
            throw new IllegalArgumentException("the host bits of sysFlag cannot be patched: " + sysFlag);
        }
        b.putInt(at + SYS_FLAG_OFFSET, (int) sysFlag);
    }

    public static void patchReconsumeTimes(ByteBuffer b, int at, int times) {
        b.putInt(at + reconsumeTimesOffset(sysFlag(b, at)), times);
    }

    public static void patchPreparedTransactionOffset(ByteBuffer b, int at, long offset) {
        b.putLong(at + reconsumeTimesOffset(sysFlag(b, at)) + 4, offset);
    }

    /**
     * Looks at every length and the body's checksum of the record at {@code at}, which must end at or before {@code limit}.
     *
     * @return null when the record is sound, else one sentence that says what is wrong
     */
    public static String verify(ByteBuffer b, int at, int limit) {
        String wrong = verifyLayout(b, at, limit);
        if (wrong != null) {
            return wrong;
        }
        int crc = bodyCrc(b, bodyIndex(b, at), bodyLength(b, at));
        int recorded = bodyCrc(b, at);
        return crc == recorded ? null : "bodyCrc is " + recorded + " but the body has " + crc;
    }

    /** {@link #verify} without the checksum: magic and lengths only, a few reads. */
    public static String verifyLayout(ByteBuffer b, int at, int limit) {
        if (at < 0 || limit > b.limit() || limit - at < MIN_SIZE) {
            return "only " + Math.max(0, limit - at) + " bytes where a record needs " + MIN_SIZE;
        }
        int totalSize = totalSize(b, at);
        if (totalSize < MIN_SIZE || totalSize > limit - at) {
            return "totalSize is " + totalSize + ", must be " + MIN_SIZE + " to " + (limit - at);
        }
        int magic = magic(b, at);
        if (magic != MAGIC_V1 && magic != MAGIC_V2) {
            return "magic is " + Integer.toHexString(magic);
        }
        int end = at + totalSize;
        int sysFlag = sysFlag(b, at);
        int bodyLengthIndex = at + bodyLengthOffset(sysFlag);
        int width = topicLengthWidth(magic);
        int room = end - bodyLengthIndex - 4 - width - 2;
        if (room < 0) {
            return "totalSize is " + totalSize + ", too small for its hosts";
        }
        int bodyLength = b.getInt(bodyLengthIndex);
        if (bodyLength < 0 || bodyLength > room) {
            return "bodyLength is " + bodyLength + ", must be 0 to " + room;
        }
        int topicLengthIndex = bodyLengthIndex + 4 + bodyLength;
        int topicLength = topicLength(b, topicLengthIndex, width);
        if (topicLength < 1 || topicLength > room - bodyLength) {
            return "topicLength is " + topicLength + ", must be 1 to " + (room - bodyLength);
        }
        int propertiesLength = b.getShort(topicLengthIndex + width + topicLength);
        int rest = room - bodyLength - topicLength;
        return propertiesLength == rest ? null : "propertiesLength is " + propertiesLength + ", must be " + rest;
    }

    /** CRC-32 as the record carries it: without the sign bit. */
    public static int bodyCrc(ByteBuffer b, int from, int length) {
        CRC32 crc = new CRC32();
        if (b.hasArray()) {
            crc.update(b.array(), b.arrayOffset() + from, length);
        } else {
            crc.update(b.slice(from, length));
        }
        return (int) crc.getValue() & Integer.MAX_VALUE;
    }

    static int bornHostLength(int sysFlag) {
        return (sysFlag & SysFlag.BORN_HOST_V6) == 0 ? HOST_V4_LENGTH : HOST_V6_LENGTH;
    }

    static int storeHostLength(int sysFlag) {
        return (sysFlag & SysFlag.STORE_HOST_V6) == 0 ? HOST_V4_LENGTH : HOST_V6_LENGTH;
    }

    private static int storeTimestampOffset(int sysFlag) {
        return BORN_HOST_OFFSET + bornHostLength(sysFlag);
    }

    private static int reconsumeTimesOffset(int sysFlag) {
        return storeTimestampOffset(sysFlag) + 8 + storeHostLength(sysFlag);
    }

    private static int bodyLengthOffset(int sysFlag) {
        return reconsumeTimesOffset(sysFlag) + 4 + 8;
    }

    private static int topicLengthIndex(ByteBuffer b, int at) {
        return bodyIndex(b, at) + bodyLength(b, at);
    }

    private static int topicLengthWidth(int magic) {
        return magic == MAGIC_V2 ? 2 : 1;
    }

    private static int topicLength(ByteBuffer b, int index, int width) {
        return width == 2 ? b.getShort(index) : b.get(index);
    }

    private static int propertiesLengthIndex(ByteBuffer b, int at) {
        int lengthIndex = topicLengthIndex(b, at);
        int width = topicLengthWidth(magic(b, at));
        return lengthIndex + width + topicLength(b, lengthIndex, width);
    }

    private static String text(ByteBuffer b, int from, int length) {
        if (b.hasArray()) {
            return new String(b.array(), b.arrayOffset() + from, length, StandardCharsets.UTF_8);
        }
        byte[] copy = new byte[length];
        b.get(from, copy);
        return new String(copy, StandardCharsets.UTF_8);
    }

    private static InetSocketAddress host(ByteBuffer b, int from, int length) {
        byte[] address = new byte[length - 4];
        b.get(from, address);
        int port = b.getInt(from + length - 4);
        try {
            return new InetSocketAddress(InetAddress.getByAddress(address), port & 0xFFFF);
        } catch (UnknownHostException e) {
            throw new AssertionError("an address of " + address.length + " bytes", e);
        }
    }
}
