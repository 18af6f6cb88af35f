/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.frame;

import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.nio.ByteOrder;
import java.util.Arrays;

/**
 * Scanning and unescaping of JSON text held as UTF-8 bytes, without objects. Shared by the header scanner and the body parser. Raw control
 * characters inside strings are accepted, because clients in other languages send them.
 */
public final class JsonText {
    /** Set in the result of {@link #endOfString} when the string contains an escape. */
    public static final int ESCAPED = 1 << 30;

    private static final VarHandle LONGS = MethodHandles.byteArrayViewVarHandle(long[].class, ByteOrder.nativeOrder());
    private static final long ONES = 0x0101010101010101L;
    private static final long HIGHS = 0x8080808080808080L;
    private static final long QUOTES = ONES * '"';
    private static final long BACKSLASHES = ONES * '\\';

    private JsonText() {}

    /** The index of the first byte from {@code at} on that is no white space, or {@code limit}. */
    public static int skipSpace(byte[] b, int at, int limit) {
        while (at < limit && (b[at] == ' ' || b[at] == '\n' || b[at] == '\r' || b[at] == '\t')) {
            at++;
        }
        return at;
    }

    /**
     * Finds the end of a string.
     *
     * @param at index after the opening quote
     * @return index of the closing quote, with the bit {@link #ESCAPED} set when there are escapes; -1 when the string does not end or an
     *     escape is not one of JSON's
     */
    public static int endOfString(byte[] b, int at, int limit) {
        int escaped = 0;
        while (at < limit) {
            while (limit - at >= Long.BYTES && isPlain((long) LONGS.get(b, at))) {
                at += Long.BYTES;
            }
            if (at == limit) {
                break;
            }
            byte c = b[at];
            if (c == '"') {
                return at | escaped;
            }
            if (c != '\\') {
                at++;
                continue;
            }
            escaped = ESCAPED;
            if (++at >= limit) {
                return -1;
            }
            switch (b[at]) {
                case 'u':
                    if (limit - at < 5 || hex4(b, at + 1) < 0) {
                        return -1;
                    }
                    at += 5;
                    break;
                case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
                    at++;
                    break;
                default:
                    return -1;
            }
        }
        return -1;
    }

    /** The end of a bare word (a number, true, false, null): the first byte that cannot be part of one. */
    public static int endOfWord(byte[] b, int at, int limit) {
        while (at < limit) {
            byte c = b[at];
            boolean part = (c >= '0' && c <= '9')
                    || (c >= 'a' && c <= 'z')
                    || (c >= 'A' && c <= 'Z')
                    || c == '-'
                    || c == '+'
                    || c == '.';
            if (!part) {
                break;
            }
            at++;
        }
        return at;
    }

    /** The UTF-8 bytes of an escaped string that {@link #endOfString} accepted. A lone surrogate becomes a question mark. */
    public static byte[] unescape(byte[] b, int from, int length) {
        byte[] out = new byte[length];
        int size = 0;
        int limit = from + length;
        for (int at = from; at < limit; ) {
            byte c = b[at++];
            if (c != '\\') {
                out[size++] = c;
                continue;
            }
            c = b[at++];
            if (c == 'u') {
                int unit = hex4(b, at);
                at += 4;
                int low = -1;
                if (Character.isHighSurrogate((char) unit) && limit - at >= 6 && b[at] == '\\' && b[at + 1] == 'u') {
                    low = hex4(b, at + 2);
                }
                if (low >= 0 && Character.isLowSurrogate((char) low)) {
                    at += 6;
                    size = putUtf8(out, size, Character.toCodePoint((char) unit, (char) low));
                } else {
                    size = putUtf8(out, size, Character.isSurrogate((char) unit) ? '?' : unit);
                }
            } else {
                out[size++] = plain(c);
            }
        }
        return size == length ? out : Arrays.copyOf(out, size);
    }

    /** Writes one code point; the target has room for four bytes. Returns the next index. */
    static int putUtf8(byte[] out, int at, int codePoint) {
        if (codePoint < 0x80) {
            out[at++] = (byte) codePoint;
        } else if (codePoint < 0x800) {
            out[at++] = (byte) (0xC0 | codePoint >> 6);
            out[at++] = (byte) (0x80 | codePoint & 0x3F);
        } else if (codePoint < 0x10000) {
            out[at++] = (byte) (0xE0 | codePoint >> 12);
            out[at++] = (byte) (0x80 | codePoint >> 6 & 0x3F);
            out[at++] = (byte) (0x80 | codePoint & 0x3F);
        } else {
            out[at++] = (byte) (0xF0 | codePoint >> 18);
            out[at++] = (byte) (0x80 | codePoint >> 12 & 0x3F);
            out[at++] = (byte) (0x80 | codePoint >> 6 & 0x3F);
            out[at++] = (byte) (0x80 | codePoint & 0x3F);
        }
        return at;
    }

    /** True when none of eight bytes is a quote or a backslash. */
    private static boolean isPlain(long eight) {
        long quotes = eight ^ QUOTES;
        long backslashes = eight ^ BACKSLASHES;
        return (((quotes - ONES) & ~quotes | (backslashes - ONES) & ~backslashes) & HIGHS) == 0;
    }

    private static byte plain(byte escape) {
        return switch (escape) {
            case 'b' -> '\b';
            case 'f' -> '\f';
            case 'n' -> '\n';
            case 'r' -> '\r';
            case 't' -> '\t';
            default -> escape;
        };
    }

    private static int hex4(byte[] b, int at) {
        int value = 0;
        for (int i = at; i < at + 4; i++) {
            int digit = b[i] >= 0 ? Character.digit(b[i], 16) : -1;
            if (digit < 0) {
                return -1;
            }
            value = value << 4 | digit;
        }
        return value;
    }
}
