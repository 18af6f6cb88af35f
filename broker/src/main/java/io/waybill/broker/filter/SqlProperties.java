/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.filter;

import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/**
 * Those properties of one message that an expression names. Found in one pass over the encoded bytes, made a text or a
 * number at most once each, and only when they are asked for, so the cost is bounded by the size of the properties,
 * whatever the expression is. Of one thread.
 */
final class SqlProperties {
    /** What a text is read as. */
    enum As {
        INTEGER,
        LONG,
        DOUBLE;

        /** An Integer, Long or Double, or {@link SqlNode#FAILED}. */
        Object parse(String text) {
            try {
                return switch (this) {
                    case INTEGER -> (Object) Integer.valueOf(text);
                    case LONG -> (Object) Long.valueOf(text);
                    case DOUBLE -> (Object) Double.valueOf(text);
                };
            } catch (NumberFormatException e) {
                return SqlNode.FAILED;
            }
        }
    }

    private static final int KINDS = As.values().length;

    private final ByteBuffer buffer;
    /** Start in the buffer and length of each value; length 0 = not there. */
    private final int[] starts;

    private final int[] lengths;
    private final String[] texts;
    /** By index and what it was read as; made when first asked for. */
    private Object[] numbers;

    SqlProperties(ByteBuffer buffer, int at, byte[][] names) {
        this.buffer = buffer;
        starts = new int[names.length];
        lengths = new int[names.length];
        texts = new String[names.length];
        if (names.length > 0) {
            find(StoredMessage.propertiesIndex(buffer, at), StoredMessage.propertiesLength(buffer, at), names);
        }
    }

    private void find(int from, int length, byte[][] names) {
        int limit = from + length;
        for (int at = from; at < limit; ) {
            int middle = -1;
            int end = at;
            for (; end < limit; end++) {
                byte b = buffer.get(end);
                if (b == MessageProperties.PROPERTY_SEPARATOR) {
                    break;
                }
                if (b == MessageProperties.NAME_VALUE_SEPARATOR && middle < 0) {
                    middle = end;
                }
            }
            if (middle > at && middle < end - 1) {
                int index = indexOf(names, at, middle - at);
                if (index >= 0) { // of equal names the last one holds
                    starts[index] = middle + 1;
                    lengths[index] = end - middle - 1;
                }
            }
            at = end + 1;
        }
    }

    private int indexOf(byte[][] names, int at, int length) {
        for (int i = 0; i < names.length; i++) {
            if (names[i].length == length && isAt(at, names[i])) {
                return i;
            }
        }
        return -1;
    }

    private boolean isAt(int at, byte[] wanted) {
        for (int i = 0; i < wanted.length; i++) {
            if (buffer.get(at + i) != wanted[i]) {
                return false;
            }
        }
        return true;
    }

    boolean has(int index) {
        return lengths[index] > 0;
    }

    /** Null if the message has no such property. */
    String text(int index) {
        if (texts[index] == null && has(index)) {
            byte[] bytes = new byte[lengths[index]];
            buffer.get(starts[index], bytes);
            texts[index] = new String(bytes, StandardCharsets.UTF_8);
        }
        return texts[index];
    }

    boolean isOneOf(int index, byte[][] wanted) {
        for (byte[] one : wanted) {
            if (one.length == lengths[index] && isAt(starts[index], one)) {
                return true;
            }
        }
        return false;
    }

    /** The property, which is there, as a number, or {@link SqlNode#FAILED}. */
    Object number(int index, As as) {
        if (numbers == null) {
            numbers = new Object[texts.length * KINDS];
        }
        int slot = index * KINDS + as.ordinal();
        if (numbers[slot] == null) {
            numbers[slot] = as.parse(text(index));
        }
        return numbers[slot];
    }
}
