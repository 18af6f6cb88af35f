/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import io.waybill.protocol.message.IndexTerms;
import io.waybill.protocol.message.StoredMessage;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;

/** Reads the fields of one record in their order. Reading past its end is a {@link java.nio.BufferUnderflowException}. */
public final class RecordReader {
    private final ByteBuffer bytes;
    private final int version;
    private final long position;
    private final long storeTimeMillis;
    /** Where the frame begins in the buffer. */
    private final int frameAt;

    private final int fieldsAt;
    private int messageAt;
    private IndexTerms terms;

    /**
     * @param fields from its position to its limit the fields, and the message behind them if there is one
     * @param position of the record
     * @param storeTimeMillis of its frame
     * @param frameAt where the frame begins in the buffer; only its messages need it
     */
    public RecordReader(ByteBuffer fields, int version, long position, long storeTimeMillis, int frameAt) {
        this.bytes = fields;
        this.fieldsAt = fields.position();
        this.frameAt = frameAt;
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

    /** The message behind the fields, whose layout is verified. The last step. */
    MessagePlace message() {
        messageAt = bytes.position();
        String wrong = StoredMessage.verifyLayout(bytes, messageAt, bytes.limit());
        if (wrong != null) {
            throw UnreadableRecord.wrong(wrong);
        }
        terms = StoredMessage.indexTerms(bytes, messageAt);
        return new MessagePlace(
                position + HeadedRecord.HEADER + (messageAt - fieldsAt),
                bytes.limit() - messageAt,
                messageAt - frameAt,
                StoredMessage.storeTimestamp(bytes, messageAt));
    }

    // Of the message, once it was taken.

    String topic() {
        return StoredMessage.topic(bytes, messageAt);
    }

    int queueId() {
        return StoredMessage.queueId(bytes, messageAt);
    }

    String[] keys() {
        return terms.all();
    }
}
