/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.frame;

import java.util.Arrays;

/** A growing byte array with the few writes JSON needs. Public for the body writer; not thread-safe. */
public final class Utf8Sink {
    private static final byte[] HEX = {'0', '1', '2', '3', '4', '5', '6', '7', '8', '9', 'a', 'b', 'c', 'd', 'e', 'f'};
    private static final int MAX_LONG_DIGITS = 20;

    private byte[] bytes;
    private int size;

    public Utf8Sink(int capacity) {
        this.bytes = new byte[capacity];
    }

    /** The array behind it; only the first {@link #size} bytes mean something. */
    byte[] array() {
        return bytes;
    }

    public int size() {
        return size;
    }

    public byte[] toByteArray() {
        return size == bytes.length ? bytes : Arrays.copyOf(bytes, size);
    }

    public void put(char ascii) {
        room(1);
        bytes[size++] = (byte) ascii;
    }

    public void put(byte[] source, int from, int length) {
        room(length);
        System.arraycopy(source, from, bytes, size, length);
        size += length;
    }

    /** A text known to be ASCII without anything to escape. */
    public void putAscii(String text) {
        int length = text.length();
        room(length);
        for (int i = 0; i < length; i++) {
            bytes[size + i] = (byte) text.charAt(i);
        }
        size += length;
    }

    public void putLong(long value) {
        room(MAX_LONG_DIGITS);
        if (value < 0) {
            bytes[size++] = '-';
        }
        int digits = 1;
        for (long rest = value / 10; rest != 0; rest /= 10) {
            digits++;
        }
        long rest = value;
        for (int i = digits - 1; i >= 0; i--) {
            bytes[size + i] = (byte) ('0' + Math.abs((int) (rest % 10)));
            rest /= 10;
        }
        size += digits;
    }

    /** The inside of a JSON string. */
    public void putEscaped(String text) {
        int length = text.length();
        room(length);
        for (int i = 0; i < length; i++) {
            char c = text.charAt(i);
            if (c >= 0x20 && c < 0x7F && c != '"' && c != '\\') {
                bytes[size++] = (byte) c;
                continue;
            }
            // Everything left may still need six bytes, but grows only when it does.
            room(6 + length - i);
            if (c < 0x80) {
                putEscape(c);
            } else if (Character.isHighSurrogate(c) && i + 1 < length && Character.isLowSurrogate(text.charAt(i + 1))) {
                size = JsonText.putUtf8(bytes, size, Character.toCodePoint(c, text.charAt(++i)));
            } else {
                size = JsonText.putUtf8(bytes, size, Character.isSurrogate(c) ? '?' : c);
            }
        }
    }

    /** The inside of a JSON string from bytes that are UTF-8 already. */
    public void putEscaped(byte[] utf8, int from, int length) {
        room(length);
        for (int i = from; i < from + length; i++) {
            byte c = utf8[i];
            if (c < 0 || (c >= 0x20 && c < 0x7F && c != '"' && c != '\\')) {
                bytes[size++] = c;
            } else {
                room(6 + from + length - i);
                putEscape((char) c);
            }
        }
    }

    private void putEscape(char c) {
        bytes[size++] = '\\';
        switch (c) {
            case '"', '\\' -> bytes[size++] = (byte) c;
            case '\n' -> bytes[size++] = 'n';
            case '\r' -> bytes[size++] = 'r';
            case '\t' -> bytes[size++] = 't';
            default -> {
                bytes[size++] = 'u';
                bytes[size++] = '0';
                bytes[size++] = '0';
                bytes[size++] = HEX[c >> 4];
                bytes[size++] = HEX[c & 0xF];
            }
        }
    }

    private void room(int more) {
        if (bytes.length - size < more) {
            bytes = Arrays.copyOf(bytes, Math.max(bytes.length * 2, size + more));
        }
    }
}
