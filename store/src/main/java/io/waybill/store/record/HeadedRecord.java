/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;

/**
 * A record with a header, as every one but a plain stored message is:
 *
 * <pre>
 *   0        4        8      10     12
 *   +--------+--------+------+------+----------------+------------------------------------+
 *   | size   | WBR1   | kind | ver  | fields         | a stored message (PendingMessage)  |
 *   +--------+--------+------+------+----------------+------------------------------------+
 * </pre>
 *
 * The size counts the whole record. Integers are big-endian; text is a 2-byte length and UTF-8. A handle is the position of the message of a half or
 * delayed message when it was first stored; it stays when the message is rewritten at another position.
 */
public interface HeadedRecord extends LogRecord {
    int MAGIC = 0x57425231; // WBR1
    int HEADER = 12;
    /** What a row of a table takes in memory until it is written, roughly: a node, a key and a value. */
    long ROW_BYTES = 256;

    RecordKind kind();

    /** The bytes of its fields. */
    int fieldBytes();

    /** Writes exactly {@link #fieldBytes}. */
    void writeFields(ByteBuffer to);

    /** The half or delayed message it is about; 0 if it is about none. */
    default long handle() {
        return 0;
    }

    /** What the views gather in memory for it, roughly. */
    default long viewBytes() {
        return 3 * ROW_BYTES;
    }

    /** Writes the header and the fields at the buffer's position. */
    default void write(ByteBuffer to, int size) {
        to.putInt(size).putInt(MAGIC).putShort((short) kind().code()).putShort((short) kind().version());
        writeFields(to);
    }
}
