/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;

/**
 * A delayed message became visible; its copy stands behind the record in the same frame.
 *
 * <pre>
 *   4 FIRED   handle 8
 * </pre>
 */
public record TimerFired(long position, long handle) implements ControlRecord {
    static TimerFired read(RecordReader in) {
        return new TimerFired(in.position(), in.i64());
    }

    @Override
    public RecordKind kind() {
        return RecordKind.FIRED;
    }

    @Override
    public int fieldBytes() {
        return 8;
    }

    @Override
    public void writeFields(ByteBuffer to) {
        to.putLong(handle);
    }

    @Override
    public TimerFired at(long atPosition, long storeTimeMillis) {
        return new TimerFired(atPosition, handle);
    }
}
