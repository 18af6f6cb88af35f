/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import io.waybill.protocol.message.IndexTerms;
import io.waybill.protocol.message.StoredMessage;
import java.nio.ByteBuffer;

/**
 * A message that is readable from its queue once applied: a stored message as it is, without a header.
 *
 * @param size the bytes of the stored message
 * @param frameDelta position minus the base of its frame
 * @param keys unique key and KEYS tokens; null or empty if none; null elements are skipped
 */
public record VisibleMessage(
        long position,
        int size,
        int frameDelta,
        String topic,
        int queueId,
        long queueOffset,
        long tagsCode,
        long storeTimeMillis,
        String[] keys)
        implements LogRecord {
    /** The stored message at an index of the buffer; its frame begins at {@code frameAt}. Throws {@link UnreadableRecord}. */
    public static VisibleMessage read(ByteBuffer b, int at, int size, long position, int frameAt) {
        String wrong = StoredMessage.verifyLayout(b, at, at + size);
        if (wrong != null) {
            int magic = b.getInt(at + 4);
            if (magic == StoredMessage.MAGIC_V1 || magic == StoredMessage.MAGIC_V2) {
                throw UnreadableRecord.wrong(wrong);
            }
            throw UnreadableRecord.newer(
                    "magic " + Integer.toHexString(magic) + " is of no kind of record this program reads");
        }
        IndexTerms terms = StoredMessage.indexTerms(b, at);
        return new VisibleMessage(
                position,
                size,
                at - frameAt,
                StoredMessage.topic(b, at),
                StoredMessage.queueId(b, at),
                StoredMessage.queueOffset(b, at),
                terms.tagsCode(),
                StoredMessage.storeTimestamp(b, at),
                terms.all());
    }
}
