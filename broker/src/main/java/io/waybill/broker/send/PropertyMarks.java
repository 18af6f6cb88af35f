/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import io.waybill.protocol.message.MessageProperties;
import java.nio.charset.StandardCharsets;

/** Which properties that decide about a send are there: found in one pass over the encoded bytes, without allocation. */
final class PropertyMarks {
    static final int UNIQUE_KEY = 1;
    static final int CLUSTER = 2;
    static final int TRANSACTION = 4;
    /** Some property that may ask for a delay. */
    static final int DELAY = 8;

    private static final byte[] UNIQUE_KEY_NAME = ascii(MessageProperties.UNIQ_KEY);
    private static final byte[] CLUSTER_NAME = ascii(MessageProperties.CLUSTER);
    private static final byte[] TRANSACTION_NAME = ascii(MessageProperties.TRAN_MSG);
    private static final byte[] DELAY_NAME = ascii(MessageProperties.DELAY);
    private static final byte[] TIMER_PREFIX = ascii("TIMER_DEL");

    private PropertyMarks() {}

    /** The marks of all properties together. */
    static int of(byte[] properties) {
        int marks = 0;
        for (int at = 0; at < properties.length; ) {
            int end = end(properties, at);
            marks |= markAt(properties, at, end);
            at = end + 1;
        }
        // The value is read only when the name is there: almost no message has it.
        boolean untrue =
                (marks & TRANSACTION) != 0 && !MessageProperties.isTrue(properties, MessageProperties.TRAN_MSG);
        return untrue ? marks & ~TRANSACTION : marks;
    }

    private static int end(byte[] bytes, int from) {
        int at = from;
        while (at < bytes.length && bytes[at] != MessageProperties.PROPERTY_SEPARATOR) {
            at++;
        }
        return at;
    }

    private static int markAt(byte[] bytes, int from, int end) {
        if (end - from < 3) {
            return 0;
        }
        return switch (bytes[from]) {
            case 'U' -> isName(bytes, from, end, UNIQUE_KEY_NAME) ? UNIQUE_KEY : 0;
            case 'C' -> isName(bytes, from, end, CLUSTER_NAME) ? CLUSTER : 0;
            case 'D' -> isName(bytes, from, end, DELAY_NAME) ? DELAY : 0;
            case 'T' ->
                isName(bytes, from, end, TRANSACTION_NAME)
                        ? TRANSACTION
                        : startsWith(bytes, from, end, TIMER_PREFIX) ? DELAY : 0;
            default -> 0;
        };
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
