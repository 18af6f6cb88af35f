/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;

/**
 * All below a position may be missing from now on: retention dropped it, or is about to. Forced before a segment is deleted.
 *
 * <pre>
 *   17 DROPPED   upTo 8
 * </pre>
 */
public record Dropped(long position, long upTo) implements ControlRecord {
    static Dropped read(RecordReader in) {
        return new Dropped(in.position(), in.i64());
    }

    @Override
    public RecordKind kind() {
        return RecordKind.DROPPED;
    }

    @Override
    public int fieldBytes() {
        return 8;
    }

    @Override
    public void writeFields(ByteBuffer to) {
        to.putLong(upTo);
    }

    @Override
    public Dropped at(long atPosition, long storeTimeMillis) {
        return new Dropped(atPosition, upTo);
    }
}
