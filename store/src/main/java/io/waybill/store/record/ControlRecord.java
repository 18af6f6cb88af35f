/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;

/**
 * A record with a header, as every one but a plain stored message is:
 *
 * <pre>
 *   0        4        8      10     12
 *   +--------+--------+------+------+----------------+-----------------------------+
 *   | size   | WBR1   | kind | ver  | fields         | a stored message, if any    |
 *   +--------+--------+------+------+----------------+-----------------------------+
 * </pre>
 *
 * The size counts the whole record. Integers are big-endian; text is a 2-byte length and UTF-8. Everything a kind is stands in its file: the drawing of
 * its fields, {@link #fieldBytes}, {@link #writeFields}, a static {@code read} that {@link RecordKind} names, and {@link #at}.
 */
public interface ControlRecord extends LogRecord {
    int MAGIC = 0x57425231; // WBR1
    int HEADER = 12;
    /** What a row of a table takes in memory until it is written, roughly: a node, a key and a value. */
    long ROW_BYTES = 256;

    RecordKind kind();

    /** The bytes of its fields. */
    int fieldBytes();

    /** Writes exactly {@link #fieldBytes}. */
    void writeFields(ByteBuffer to);

    /**
     * The record as it stands in the log.
     *
     * @param atPosition where it stands
     * @param storeTimeMillis of its frame; a record that is rewritten keeps the time it has
     */
    ControlRecord at(long atPosition, long storeTimeMillis);

    /** Bytes without a message behind the fields. */
    default int size() {
        return HEADER + fieldBytes();
    }

    /** The half or delayed message it is about; 0 if it is about none. */
    default long handle() {
        return 0;
    }

    /** What the views gather in memory for it, roughly. */
    default long viewBytes() {
        return 3 * ROW_BYTES;
    }
}
