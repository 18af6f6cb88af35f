/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import io.waybill.protocol.message.StoredMessage;
import java.nio.ByteBuffer;

/**
 * A delayed message. An earlier one of the same handle is restated: it moves to this position and due time.
 *
 * <pre>
 *   2 DELAYED   handle 8, dueMillis 8, stored message
 * </pre>
 *
 * @param keys unique key and KEYS tokens; null or empty if none; null elements are skipped
 */
public record DelayedMessage(
        long position,
        int size,
        int frameDelta,
        long handle,
        long dueMillis,
        String topic,
        int queueId,
        String[] keys,
        long storeTimeMillis)
        implements PendingMessage {
    public static final int BYTES_BEFORE = HEADER + 8 + 8;

    /** To be written. */
    public DelayedMessage(long dueMillis, String topic, int queueId, String[] keys) {
        this(-1, 0, 0, 0, dueMillis, topic, queueId, keys, 0);
    }

    /** The stored message to be written again. */
    public static DelayedMessage of(long dueMillis, ByteBuffer message) {
        int at = message.position();
        return new DelayedMessage(
                dueMillis,
                StoredMessage.topic(message, at),
                StoredMessage.queueId(message, at),
                StoredMessage.indexTerms(message, at).all());
    }

    static DelayedMessage read(RecordReader in) {
        long handle = in.i64();
        long dueMillis = in.i64();
        MessagePlace place = in.message();
        return new DelayedMessage(dueMillis, in.topic(), in.queueId(), in.keys()).at(handle, place);
    }

    @Override
    public RecordKind kind() {
        return RecordKind.DELAYED;
    }

    @Override
    public int fieldBytes() {
        return BYTES_BEFORE - HEADER;
    }

    @Override
    public void writeFields(ByteBuffer to) {
        to.putLong(handle).putLong(dueMillis);
    }

    @Override
    public DelayedMessage at(long handleThere, MessagePlace place) {
        return new DelayedMessage(
                place.position(),
                place.size(),
                place.frameDelta(),
                handleThere,
                dueMillis,
                topic,
                queueId,
                keys,
                place.storeTimeMillis());
    }

    @Override
    public long viewBytes() {
        return ROW_BYTES * (3 + (keys == null ? 0 : keys.length));
    }
}
