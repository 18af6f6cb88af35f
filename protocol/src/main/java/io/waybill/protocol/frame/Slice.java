/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.frame;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * A piece of header bytes: one key or one value as it stands on the wire. Valid only inside the visit it was handed to, since the next field
 * reuses it.
 */
public final class Slice {
    private static final long LONG_LIMIT = Long.MIN_VALUE / 10;

    private byte[] array;
    private int from;
    private int length;
    private boolean escaped;

    Slice() {}

    void set(byte[] bytes, int start, int size, boolean hasEscapes) {
        this.array = bytes;
        this.from = start;
        this.length = size;
        this.escaped = hasEscapes;
    }

    void copyFrom(Slice other) {
        set(other.array, other.from, other.length, other.escaped);
    }

    /** Bytes on the wire, before unescaping. */
    public int length() {
        return length;
    }

    public boolean isEmpty() {
        return length == 0;
    }

    /** The byte at an index of the raw form. */
    public byte at(int index) {
        return array[from + index];
    }

    public boolean equalsAscii(String text) {
        if (escaped) {
            return toString().equals(text);
        }
        if (length != text.length()) {
            return false;
        }
        for (int i = 0; i < length; i++) {
            if (array[from + i] != text.charAt(i)) {
                return false;
            }
        }
        return true;
    }

    /** The value as a decimal int.
     *
     * @throws BadField naming {@code field} when it is not one
     */
    public int toInt(String field) {
        long value = toLong(field);
        if (value != (int) value) {
            throw new BadField(field, "a whole number of 32 bits", toString());
        }
        return (int) value;
    }

    /** The value as a decimal long.
     *
     * @throws BadField naming {@code field} when it is not one
     */
    public long toLong(String field) {
        int at = from;
        int limit = from + length;
        boolean negative = length > 0 && array[at] == '-';
        if (length > 0 && (negative || array[at] == '+')) {
            at++;
        }
        if (at == limit) {
            throw new BadField(field, "a whole number", toString());
        }
        // Counted downwards, since the negative range is the larger one.
        long value = 0;
        for (; at < limit; at++) {
            int digit = array[at] - '0';
            if (digit < 0 || digit > 9) {
                throw new BadField(field, "a whole number", toString());
            }
            if (value < LONG_LIMIT || (value == LONG_LIMIT && digit > (negative ? 8 : 7))) {
                throw new BadField(field, "a whole number of 64 bits", toString());
            }
            value = value * 10 - digit;
        }
        return negative ? value : -value;
    }

    /** True for {@code true} in any case and 1, false for {@code false}, 0 and nothing.
     *
     * @throws BadField naming {@code field} for anything else
     */
    public boolean toBoolean(String field) {
        switch (length) {
            case 0:
                return false;
            case 1:
                if (array[from] == '0' || array[from] == '1') {
                    return array[from] == '1';
                }
                break;
            case 4:
                if (sameLetters("true")) {
                    return true;
                }
                break;
            case 5:
                if (sameLetters("false")) {
                    return false;
                }
                break;
            default:
                break;
        }
        throw new BadField(field, "true or false", toString());
    }

    /** The text, unescaped. */
    @Override
    public String toString() {
        return escaped
                ? new String(copyBytesUnescaped(), StandardCharsets.UTF_8)
                : new String(array, from, length, StandardCharsets.UTF_8);
    }

    /** The text as UTF-8, unescaped, in an array of its own. */
    public byte[] copyBytesUnescaped() {
        return escaped ? JsonText.unescape(array, from, length) : Arrays.copyOfRange(array, from, from + length);
    }

    private boolean sameLetters(String lower) {
        for (int i = 0; i < lower.length(); i++) {
            if ((array[from + i] | 0x20) != lower.charAt(i)) {
                return false;
            }
        }
        return true;
    }
}
