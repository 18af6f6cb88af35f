/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/**
 * Writes the fields of backend keys and values. Fixed integers are big-endian, so that byte order is numeric order (for
 * values of one sign); text is a 2-byte length and UTF-8; varints have 7 bits a byte, low first.
 */
public final class Packer {
    private byte[] bytes;
    private int size;

    public Packer(int capacity) {
        bytes = new byte[capacity];
    }

    private void room(int more) {
        if (size + more > bytes.length) {
            bytes = Arrays.copyOf(bytes, Math.max(size + more, bytes.length * 2));
        }
    }

    public Packer i8(int value) {
        room(1);
        bytes[size++] = (byte) value;
        return this;
    }

    public Packer i32(int value) {
        room(4);
        for (int shift = 24; shift >= 0; shift -= 8) {
            bytes[size++] = (byte) (value >>> shift);
        }
        return this;
    }

    public Packer i64(long value) {
        room(8);
        for (int shift = 56; shift >= 0; shift -= 8) {
            bytes[size++] = (byte) (value >>> shift);
        }
        return this;
    }

    public Packer varint(long value) {
        room(10);
        long rest = value;
        while ((rest & ~0x7FL) != 0) {
            bytes[size++] = (byte) (rest | 0x80);
            rest >>>= 7;
        }
        bytes[size++] = (byte) rest;
        return this;
    }

    /** Numbers near zero, of both signs, in few bytes. */
    public Packer zigzag(long value) {
        return varint(value << 1 ^ value >> 63);
    }

    public Packer text(String text) {
        byte[] utf8 = text.getBytes(StandardCharsets.UTF_8);
        if (utf8.length > 0xFFFF) {
            throw new IllegalArgumentException("text of " + utf8.length + " bytes, limit 65535");
        }
        i8(utf8.length >>> 8).i8(utf8.length);
        return raw(utf8);
    }

    public Packer raw(byte[] more) {
        room(more.length);
        System.arraycopy(more, 0, bytes, size, more.length);
        size += more.length;
        return this;
    }

    public int size() {
        return size;
    }

    public byte[] done() {
        return size == bytes.length ? bytes : Arrays.copyOf(bytes, size);
    }

    /** The smallest key above all that start with the prefix. The prefix is not all 0xFF. */
    public static byte[] behind(byte[] prefix) {
        for (int i = prefix.length - 1; i >= 0; i--) {
            if (prefix[i] != (byte) 0xFF) {
                byte[] next = Arrays.copyOf(prefix, i + 1);
                next[i]++;
                return next;
            }
        }
        throw new IllegalArgumentException("no key is above the prefix");
    }
}
