/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;

/**
 * That the message of a transaction that was rolled back was delivered after all.
 *
 * <pre>
 *   19 PUBLISHED   handle 8, atMillis 8, by text
 * </pre>
 *
 * @param position where the record stands in the log, with the visible (or delayed) copy behind it in the same frame
 * @param by who wanted it, and why, for people
 */
public record PublishRecord(long handle, long position, long atMillis, String by) implements ControlRecord {
    public PublishRecord {
        by = by == null ? "" : by;
    }

    static PublishRecord read(RecordReader in) {
        return new PublishRecord(in.i64(), in.position(), in.i64(), in.text());
    }

    @Override
    public RecordKind kind() {
        return RecordKind.PUBLISHED;
    }

    @Override
    public int fieldBytes() {
        return 8 + 8 + Texts.size(by);
    }

    @Override
    public void writeFields(ByteBuffer to) {
        to.putLong(handle).putLong(atMillis);
        Texts.put(to, by);
    }

    @Override
    public PublishRecord at(long atPosition, long storeTimeMillis) {
        return new PublishRecord(handle, atPosition, storeTimeMillis, by);
    }
}
