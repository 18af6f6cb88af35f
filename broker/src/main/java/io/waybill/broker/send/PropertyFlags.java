/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import io.waybill.protocol.message.BadValue;
import io.waybill.protocol.message.IndexTerms;
import io.waybill.protocol.message.MessageProperties;
import java.nio.charset.StandardCharsets;
import java.util.Map;

/** Which properties that decide about a send are there: found in one pass over the encoded bytes, without allocation. */
final class PropertyFlags {
    static final int UNIQUE_KEY = 1;
    static final int CLUSTER = 2;
    static final int TRANSACTION = 4;
    /** Some property that may ask for a delay. */
    static final int DELAY = 8;

    static final int PRIORITY = 16;
    /** A condition of a delayed message. */
    static final int UNLESS = 32;
    /** It is no message, but takes a delayed one back. */
    static final int CANCEL = 64;
    /** It tells where another message was popped: a consumer would acknowledge that one. Not stored. */
    static final int POPPED = 256;
    /** It names the client that waits for a reply. */
    static final int ASKS = 512;
    /** A property of a feature that is not offered; {@link #refuse} names it. */
    private static final int NOT_OFFERED = 128;

    private static final byte[] UNIQUE_KEY_NAME = ascii(MessageProperties.UNIQ_KEY);
    private static final byte[] KEYS_NAME = ascii(MessageProperties.KEYS);
    private static final byte[] CLUSTER_NAME = ascii(MessageProperties.CLUSTER);
    private static final byte[] TRANSACTION_NAME = ascii(MessageProperties.TRAN_MSG);
    private static final byte[] DELAY_NAME = ascii(MessageProperties.DELAY);
    private static final byte[] PRIORITY_NAME = ascii(MessageProperties.PRIORITY);
    private static final byte[] UNLESS_PREFIX = ascii(MessageProperties.UNLESS);
    private static final byte[] TIMER_PREFIX = ascii("TIMER_DEL");
    private static final byte[] CANCEL_NAME = ascii(MessageProperties.TIMER_DEL_UNIQKEY);
    private static final byte[] START_NAME = ascii(MessageProperties.START_DELIVER_TIME);
    private static final byte[] LITE_NAME = ascii(MessageProperties.LITE_TOPIC);
    private static final byte[] INNER_PREFIX = ascii("INNER_");
    private static final byte[] ASKS_NAME = ascii(MessageProperties.REPLY_TO_CLIENT);
    private static final byte[] POPPED_NAME = ascii(MessageProperties.POP_CK);

    /** What a producer may not write on a message, and why. */
    private static final Map<String, String> REFUSED = Map.of(
            MessageProperties.LITE_TOPIC, "lite topics are not offered",
            MessageProperties.INNER_MULTI_DISPATCH, "dispatch to more queues is not offered",
            MessageProperties.INNER_MULTI_QUEUE_OFFSET, "dispatch to more queues is not offered",
            MessageProperties.INNER_NUM, "inner batches are not offered",
            MessageProperties.INNER_BASE, "inner batches are not offered");

    private PropertyFlags() {}

    /**
     * The marks of all properties together.
     *
     * @throws BadValue when a separator stands inside a name or a value: what was meant cannot be known; for a property of a feature that is not
     *     offered, since a message that asks for it must not seem to be taken; or when there are too many keys
     */
    static int of(byte[] properties) {
        int marks = 0;
        for (int at = 0; at < properties.length; ) {
            int separators = 0;
            int end = at;
            for (; end < properties.length && properties[end] != MessageProperties.PROPERTY_SEPARATOR; end++) {
                if (properties[end] == MessageProperties.NAME_VALUE_SEPARATOR) {
                    separators++;
                }
            }
            if (separators != 1 && end > at) {
                throw misplaced(properties, at, end, separators);
            }
            marks |= markAt(properties, at, end);
            at = end + 1;
        }
        if ((marks & NOT_OFFERED) != 0) {
            refuse(properties);
        }
        // The value is read only when the name is there: almost no message has it.
        boolean untrue =
                (marks & TRANSACTION) != 0 && !MessageProperties.isTrue(properties, MessageProperties.TRAN_MSG);
        return untrue ? marks & ~TRANSACTION : marks;
    }

    private static void refuse(byte[] properties) {
        for (Map.Entry<String, String> refused : REFUSED.entrySet()) {
            String value = MessageProperties.get(properties, refused.getKey());
            if (value != null) {
                throw new BadValue("property " + refused.getKey(), "absent: " + refused.getValue(), value);
            }
        }
    }

    private static BadValue misplaced(byte[] bytes, int from, int end, int separators) {
        String seen = new String(bytes, from, Math.min(end - from, 64), StandardCharsets.UTF_8);
        return new BadValue(
                "properties",
                "names and values without U+0001 and U+0002",
                (separators == 0 ? "a text without a value: " : "U+0001 twice in: ")
                        + seen.replace((char) MessageProperties.NAME_VALUE_SEPARATOR, '='));
    }

    private static int markAt(byte[] bytes, int from, int end) {
        if (end - from < 3) {
            return 0;
        }
        return switch (bytes[from]) {
            case 'U' -> isName(bytes, from, end, UNIQUE_KEY_NAME) ? UNIQUE_KEY : 0;
            case 'K' -> isName(bytes, from, end, KEYS_NAME) ? keys(bytes, from + KEYS_NAME.length + 1, end) : 0;
            case 'C' -> isName(bytes, from, end, CLUSTER_NAME) ? CLUSTER : 0;
            case 'W' -> startsWith(bytes, from, end, UNLESS_PREFIX) ? UNLESS : 0;
            case 'R' -> isName(bytes, from, end, ASKS_NAME) ? ASKS : 0;
            case 'P' -> isName(bytes, from, end, POPPED_NAME) ? POPPED : 0;
            case 'I' -> startsWith(bytes, from, end, INNER_PREFIX) ? NOT_OFFERED : 0;
            case '_' ->
                isName(bytes, from, end, PRIORITY_NAME)
                        ? PRIORITY
                        : isName(bytes, from, end, START_NAME)
                                ? DELAY
                                : isName(bytes, from, end, LITE_NAME) ? NOT_OFFERED : 0;
            case 'D' -> isName(bytes, from, end, DELAY_NAME) ? DELAY : 0;
            case 'T' ->
                isName(bytes, from, end, TRANSACTION_NAME)
                        ? TRANSACTION
                        : isName(bytes, from, end, CANCEL_NAME)
                                ? CANCEL
                                : startsWith(bytes, from, end, TIMER_PREFIX) ? DELAY : 0;
            default -> 0;
        };
    }

    /** No mark, but a limit. */
    private static int keys(byte[] bytes, int from, int end) {
        if (end - from > IndexTerms.MAX_KEYS) {
            int words = IndexTerms.countWords(bytes, from, end);
            if (words > IndexTerms.MAX_KEYS) {
                throw new BadValue("property KEYS", "at most " + IndexTerms.MAX_KEYS + " keys", words + " keys");
            }
        }
        return 0;
    }

    private static boolean isName(byte[] bytes, int from, int end, byte[] name) {
        int middle = from + name.length;
        return middle < end - 1
                && bytes[middle] == MessageProperties.NAME_VALUE_SEPARATOR
                && startsWith(bytes, from, end, name);
    }

    private static boolean startsWith(byte[] bytes, int from, int end, byte[] prefix) {
        if (end - from < prefix.length) {
            return false;
        }
        for (int i = 0; i < prefix.length; i++) {
            if (bytes[from + i] != prefix[i]) {
                return false;
            }
        }
        return true;
    }

    private static byte[] ascii(String text) {
        return text.getBytes(StandardCharsets.US_ASCII);
    }
}
