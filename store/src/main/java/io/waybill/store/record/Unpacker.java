/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.charset.StandardCharsets;
import java.util.Arrays;

/** Reads what {@link Packer} wrote. Reading past the end is {@link ViewsDamaged}. */
public final class Unpacker {
    private final byte[] bytes;
    private int at;

    public Unpacker(byte[] bytes, int from) {
        this.bytes = bytes;
        this.at = from;
    }

    private int next() {
        if (at >= bytes.length) {
            throw new ViewsDamaged("a value of the views ends after " + bytes.length + " bytes");
        }
        return bytes[at++] & 0xFF;
    }

    public int i8() {
        return next();
    }

    public int i32() {
        return next() << 24 | next() << 16 | next() << 8 | next();
    }

    public long i64() {
        return (long) i32() << 32 | i32() & 0xFFFFFFFFL;
    }

    public long varint() {
        long value = 0;
        int shift = 0;
        int b;
        do {
            b = next();
            value |= (b & 0x7FL) << shift;
            shift += 7;
        } while ((b & 0x80) != 0 && shift < 70);
        return value;
    }

    public long zigzag() {
        long value = varint();
        return value >>> 1 ^ -(value & 1);
    }

    public String text() {
        int length = next() << 8 | next();
        if (at + length > bytes.length) {
            throw new ViewsDamaged("a text of the views ends after " + bytes.length + " bytes");
        }
        String text = new String(bytes, at, length, StandardCharsets.UTF_8);
        at += length;
        return text;
    }

    public byte[] rest() {
        return Arrays.copyOfRange(bytes, at, bytes.length);
    }
}
