/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;

/**
 * A delayed message has another due time.
 *
 * <pre>
 *   6 RESCHEDULED   handle 8, dueMillis 8
 * </pre>
 */
public record TimerRescheduled(long position, long handle, long dueMillis) implements ControlRecord {
    static TimerRescheduled read(RecordReader in) {
        return new TimerRescheduled(in.position(), in.i64(), in.i64());
    }

    @Override
    public RecordKind kind() {
        return RecordKind.RESCHEDULED;
    }

    @Override
    public int fieldBytes() {
        return 8 + 8;
    }

    @Override
    public void writeFields(ByteBuffer to) {
        to.putLong(handle).putLong(dueMillis);
    }

    @Override
    public TimerRescheduled at(long atPosition, long storeTimeMillis) {
        return new TimerRescheduled(atPosition, handle, dueMillis);
    }
}
