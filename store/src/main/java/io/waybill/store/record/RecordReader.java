/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** Reads the fields of one record in their order. Reading past its end is a {@link java.nio.BufferUnderflowException}. */
public final class RecordReader {
    private final ByteBuffer bytes;
    private final int version;
    private final long position;
    private final long storeTimeMillis;

    /**
     * @param fields from its position to its limit the fields, and the message behind them if there is one
     * @param position of the record
     * @param storeTimeMillis of its frame
     */
    public RecordReader(ByteBuffer fields, int version, long position, long storeTimeMillis) {
        this.bytes = fields;
        this.version = version;
        this.position = position;
        this.storeTimeMillis = storeTimeMillis;
    }

    public int version() {
        return version;
    }

    /** Of the record. */
    public long position() {
        return position;
    }

    /** Of the frame. */
    public long storeTimeMillis() {
        return storeTimeMillis;
    }

    public int i8() {
        return bytes.get() & 0xFF;
    }

    public boolean flag() {
        return bytes.get() != 0;
    }

    public int i16() {
        return bytes.getShort() & 0xFFFF;
    }

    public int i32() {
        return bytes.getInt();
    }

    public long i64() {
        return bytes.getLong();
    }

    public String text() {
        byte[] text = new byte[i16()];
        bytes.get(text);
        return new String(text, StandardCharsets.UTF_8);
    }

    /** All that is left. */
    public byte[] rest() {
        byte[] rest = new byte[bytes.remaining()];
        bytes.get(rest);
        return rest;
    }

    public int remaining() {
        return bytes.remaining();
    }
}
