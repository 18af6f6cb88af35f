/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;

/**
 * Says nothing. Closes the log, so that every frame before it is proved durable.
 *
 * <pre>
 *   11 MARK   epoch 8
 * </pre>
 */
public record ClosingMark(long position, long epoch) implements ControlRecord {
    static ClosingMark read(RecordReader in) {
        return new ClosingMark(in.position(), in.i64());
    }

    @Override
    public RecordKind kind() {
        return RecordKind.MARK;
    }

    @Override
    public int fieldBytes() {
        return 8;
    }

    @Override
    public void writeFields(ByteBuffer to) {
        to.putLong(epoch);
    }

    @Override
    public ClosingMark at(long atPosition, long storeTimeMillis) {
        return new ClosingMark(atPosition, epoch);
    }

    @Override
    public long viewBytes() {
        return 0;
    }
}
