/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.message;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The text in which message properties travel and are stored, and the reserved names.
 *
 * <pre>
 *  name U+0001 value U+0002 name U+0001 value U+0002 ...      UTF-8; the last separator may be missing
 * </pre>
 *
 * A reader splits at U+0002, then at the first U+0001 of each piece; a piece without a name or without a value is dropped; of equal names the
 * last one holds. All lookups here work on the encoded bytes and follow these rules, so they agree with {@link #decode}.
 */
public final class MessageProperties {
    /** The stored length is a signed 16-bit number. */
    public static final int MAX_LENGTH = Short.MAX_VALUE;

    public static final byte NAME_VALUE_SEPARATOR = 1;
    public static final byte PROPERTY_SEPARATOR = 2;
    public static final String KEY_SEPARATOR = " ";

    public static final String KEYS = "KEYS";
    public static final String TAGS = "TAGS";
    public static final String WAIT = "WAIT";
    public static final String DELAY = "DELAY";
    public static final String RETRY_TOPIC = "RETRY_TOPIC";
    public static final String ORIGIN_GROUP = "ORIGIN_GROUP";
    public static final String REAL_TOPIC = "REAL_TOPIC";
    public static final String REAL_QID = "REAL_QID";
    public static final String TRAN_MSG = "TRAN_MSG";
    public static final String PGROUP = "PGROUP";
    public static final String MIN_OFFSET = "MIN_OFFSET";
    public static final String MAX_OFFSET = "MAX_OFFSET";
    public static final String BUYER_ID = "BUYER_ID";
    public static final String ORIGIN_MESSAGE_ID = "ORIGIN_MESSAGE_ID";
    public static final String TRANSFER_FLAG = "TRANSFER_FLAG";
    public static final String CORRECTION_FLAG = "CORRECTION_FLAG";
    public static final String MQ2_FLAG = "MQ2_FLAG";
    public static final String RECONSUME_TIME = "RECONSUME_TIME";
    public static final String MAX_RECONSUME_TIMES = "MAX_RECONSUME_TIMES";
    public static final String MSG_REGION = "MSG_REGION";
    public static final String TRACE_ON = "TRACE_ON";
    public static final String UNIQ_KEY = "UNIQ_KEY";
    public static final String TRANS_OFFSET = "TRANS_OFFSET";
    public static final String EXTEND_UNIQ_INFO = "EXTEND_UNIQ_INFO";
    public static final String CONSUME_START_TIME = "CONSUME_START_TIME";
    public static final String PRIORITY = "_SYS_MSG_PRIORITY_";
    public static final String INNER_NUM = "INNER_NUM";
    public static final String INNER_BASE = "INNER_BASE";
    public static final String DUP_INFO = "DUP_INFO";
    public static final String CHECK_IMMUNITY_TIME_IN_SECONDS = "CHECK_IMMUNITY_TIME_IN_SECONDS";
    public static final String TRAN_PREPARED_QUEUE_OFFSET = "TRAN_PREPARED_QUEUE_OFFSET";
    public static final String TRANSACTION_ID = "__transactionId__";
    public static final String TRANSACTION_CHECK_TIMES = "TRANSACTION_CHECK_TIMES";
    public static final String INSTANCE_ID = "INSTANCE_ID";
    public static final String CORRELATION_ID = "CORRELATION_ID";
    public static final String REPLY_TO_CLIENT = "REPLY_TO_CLIENT";
    public static final String TTL = "TTL";
    public static final String ARRIVE_TIME = "ARRIVE_TIME";
    public static final String PUSH_REPLY_TIME = "PUSH_REPLY_TIME";
    public static final String CLUSTER = "CLUSTER";
    public static final String MSG_TYPE = "MSG_TYPE";
    public static final String POP_CK = "POP_CK";
    public static final String FIRST_POP_TIME = "1ST_POP_TIME";
    public static final String SHARDING_KEY = "__SHARDINGKEY";
    public static final String LITE_TOPIC = "__LITE_TOPIC";
    public static final String REDIRECT = "REDIRECT";
    public static final String INNER_MULTI_DISPATCH = "INNER_MULTI_DISPATCH";
    public static final String INNER_MULTI_QUEUE_OFFSET = "INNER_MULTI_QUEUE_OFFSET";
    public static final String TRACE_CONTEXT = "TRACE_CONTEXT";
    public static final String TIMER_DELAY_SEC = "TIMER_DELAY_SEC";
    public static final String TIMER_DELAY_MS = "TIMER_DELAY_MS";
    public static final String TIMER_DELIVER_MS = "TIMER_DELIVER_MS";
    public static final String TIMER_ENQUEUE_MS = "TIMER_ENQUEUE_MS";
    public static final String TIMER_DEQUEUE_MS = "TIMER_DEQUEUE_MS";
    public static final String TIMER_OUT_MS = "TIMER_OUT_MS";
    public static final String TIMER_ROLL_TIMES = "TIMER_ROLL_TIMES";
    public static final String TIMER_DEL_UNIQKEY = "TIMER_DEL_UNIQKEY";
    /** Of clients of a cloud: when to deliver, milliseconds. */
    public static final String START_DELIVER_TIME = "__STARTDELIVERTIME";

    public static final String BORN_HOST = "__BORNHOST";
    public static final String BORN_TIMESTAMP = "BORN_TIMESTAMP";
    public static final String PROPERTIES_CRC = "__CRC32#";
    /** Only here: {@code topic|key|tag}, deliver a delayed message when due unless such a message became visible since. */
    public static final String UNLESS = "WAYBILL_UNLESS";

    /** Only here, set by the broker: since when {@link #UNLESS} counts, milliseconds. */
    public static final String UNLESS_SINCE = "WAYBILL_UNLESS_SINCE";

    /** Only here: what makes the message the same as another one where a topic refuses duplicates; else UNIQ_KEY. */
    public static final String DEDUP_KEY = "WAYBILL_DEDUP_KEY";

    public static final String DLQ_ORIGIN_TOPIC = "DLQ_ORIGIN_TOPIC";
    public static final String DLQ_ORIGIN_MESSAGE_ID = "DLQ_ORIGIN_MESSAGE_ID";

    private static final byte[] NONE = {};

    private MessageProperties() {}

    /** The encoded text of the map, in the map's order, ending with a separator. Null and empty values are left out, as every reader drops them.
     *
     * @throws BadValue when a name is empty, a name contains a separator or a value U+0002, or the result is longer than {@link #MAX_LENGTH} bytes
     */
    public static byte[] encode(Map<String, String> properties) {
        byte[] encoded = encodeAnyLength(properties);
        checkLength(encoded.length);
        return encoded;
    }

    static byte[] encodeAnyLength(Map<String, String> properties) {
        if (properties.isEmpty()) {
            return NONE;
        }
        ByteArrayOutputStream out = new ByteArrayOutputStream(properties.size() * 32);
        for (Map.Entry<String, String> entry : properties.entrySet()) {
            if (entry.getValue() == null || entry.getValue().isEmpty()) {
                continue;
            }
            append(out, entry.getKey(), entry.getValue());
        }
        return out.toByteArray();
    }

    /** All properties in the order of their first appearance; never null. */
    public static LinkedHashMap<String, String> decode(byte[] encoded) {
        return decode(encoded, 0, encoded.length);
    }

    /** Like {@link #decode(byte[])}; null reads as no properties. */
    public static LinkedHashMap<String, String> decode(String encoded) {
        return encoded == null ? new LinkedHashMap<>() : decode(encoded.getBytes(StandardCharsets.UTF_8));
    }

    static LinkedHashMap<String, String> decode(byte[] bytes, int from, int length) {
        LinkedHashMap<String, String> properties = new LinkedHashMap<>();
        int limit = from + length;
        for (int at = from; at < limit; ) {
            int end = indexOf(bytes, PROPERTY_SEPARATOR, at, limit);
            int middle = indexOf(bytes, NAME_VALUE_SEPARATOR, at, end);
            if (middle > at && middle < end - 1) {
                properties.put(
                        new String(bytes, at, middle - at, StandardCharsets.UTF_8),
                        new String(bytes, middle + 1, end - middle - 1, StandardCharsets.UTF_8));
            }
            at = end + 1;
        }
        return properties;
    }

    /** The value of one property, or null; nothing else is decoded. */
    public static String get(byte[] encoded, String name) {
        return get(encoded, 0, encoded.length, name);
    }

    /** Like {@link #get(byte[], String)}; a null text has no properties. */
    public static String get(String encoded, String name) {
        return encoded == null ? null : get(encoded.getBytes(StandardCharsets.UTF_8), name);
    }

    static String get(byte[] bytes, int from, int length, String name) {
        long value = find(bytes, from, length, name);
        return value < 0 ? null : new String(bytes, start(value), length(value), StandardCharsets.UTF_8);
    }

    public static boolean has(byte[] encoded, String name) {
        return find(encoded, 0, encoded.length, name) >= 0;
    }

    /** True when the property is there and reads {@code true}, in any case; nothing is allocated. */
    public static boolean isTrue(byte[] encoded, String name) {
        long value = find(encoded, 0, encoded.length, name);
        if (value < 0 || length(value) != 4) {
            return false;
        }
        int at = start(value);
        return (encoded[at] | 0x20) == 't'
                && (encoded[at + 1] | 0x20) == 'r'
                && (encoded[at + 2] | 0x20) == 'u'
                && (encoded[at + 3] | 0x20) == 'e';
    }

    /** The same properties with one set, at the end; earlier ones of that name are taken out. A null or empty value only takes them out.
     *
     * @throws BadValue when the name or value cannot be encoded or the result becomes too long
     */
    public static byte[] with(byte[] encoded, String name, String value) {
        ByteArrayOutputStream out = new ByteArrayOutputStream(encoded.length + name.length() + 48);
        copyWithout(encoded, name, out);
        if (value != null && !value.isEmpty()) {
            append(out, name, value);
        }
        checkLength(out.size());
        return out.toByteArray();
    }

    /** The same properties without those of one name. Returns the given array when there is none. */
    public static byte[] without(byte[] encoded, String name) {
        return has(encoded, name) ? with(encoded, name, null) : encoded;
    }

    static void checkLength(int length) {
        if (length > MAX_LENGTH) {
            throw new BadValue("properties", "at most " + MAX_LENGTH + " bytes", length + " bytes");
        }
    }

    /** The last value of a name as start and length, or a negative number. Names are compared as UTF-8; reserved names are ASCII. */
    static long find(byte[] bytes, int from, int length, String name) {
        byte[] wide = null;
        int nameLength = name.length();
        for (int i = 0; i < nameLength; i++) {
            if (name.charAt(i) >= 0x80) {
                wide = name.getBytes(StandardCharsets.UTF_8);
                nameLength = wide.length;
                break;
            }
        }
        int limit = from + length;
        long found = -1;
        for (int at = from; at < limit; ) {
            int end = indexOf(bytes, PROPERTY_SEPARATOR, at, limit);
            int middle = at + nameLength;
            if (nameLength > 0
                    && middle < end - 1
                    && bytes[middle] == NAME_VALUE_SEPARATOR
                    && matches(bytes, at, name, wide, nameLength)) {
                found = (long) (middle + 1) << 32 | (end - middle - 1);
            }
            at = end + 1;
        }
        return found;
    }

    static int start(long range) {
        return (int) (range >>> 32);
    }

    static int length(long range) {
        return (int) range;
    }

    private static boolean matches(byte[] bytes, int at, String name, byte[] wide, int nameLength) {
        for (int i = 0; i < nameLength; i++) {
            if (bytes[at + i] != (wide == null ? (byte) name.charAt(i) : wide[i])) {
                return false;
            }
        }
        return true;
    }

    private static void copyWithout(byte[] bytes, String name, ByteArrayOutputStream out) {
        byte[] unwanted = name.getBytes(StandardCharsets.UTF_8);
        for (int at = 0; at < bytes.length; ) {
            int end = indexOf(bytes, PROPERTY_SEPARATOR, at, bytes.length);
            int middle = indexOf(bytes, NAME_VALUE_SEPARATOR, at, end);
            boolean readable = middle > at && middle < end - 1;
            boolean same = readable
                    && middle - at == unwanted.length
                    && Arrays.equals(bytes, at, middle, unwanted, 0, unwanted.length);
            if (readable && !same) {
                out.write(bytes, at, end - at);
                out.write(PROPERTY_SEPARATOR);
            }
            at = end + 1;
        }
    }

    private static void append(ByteArrayOutputStream out, String name, String value) {
        if (name == null
                || name.isEmpty()
                || name.indexOf(NAME_VALUE_SEPARATOR) >= 0
                || name.indexOf(PROPERTY_SEPARATOR) >= 0) {
            throw new BadValue("property name", "a text without U+0001 and U+0002 that is not empty", name);
        }
        if (value.indexOf(PROPERTY_SEPARATOR) >= 0) {
            throw new BadValue("property " + name, "a text without U+0002", value);
        }
        out.writeBytes(name.getBytes(StandardCharsets.UTF_8));
        out.write(NAME_VALUE_SEPARATOR);
        out.writeBytes(value.getBytes(StandardCharsets.UTF_8));
        out.write(PROPERTY_SEPARATOR);
    }

    private static int indexOf(byte[] bytes, byte wanted, int from, int limit) {
        for (int i = from; i < limit; i++) {
            if (bytes[i] == wanted) {
                return i;
            }
        }
        return limit;
    }
}
