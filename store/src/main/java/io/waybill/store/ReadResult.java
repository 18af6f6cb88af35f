/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import java.nio.ByteBuffer;
import java.util.List;

/**
 * What a read of a queue found.
 *
 * @param nextOffset where to go on reading
 * @param minOffset of the queue at the time of the read
 * @param maxOffset of the queue at the time of the read, exclusive
 * @param slices whole stored messages, one or several back to back per slice; read-only. A slice stays valid as long as it
 *     is held
 * @param count of messages in the slices
 * @param bytes in the slices
 * @param cold whether the data came through the disk and was checked
 * @param damage for DAMAGED the file, offset and finding; else null
 */
public record ReadResult(
        Status status,
        long nextOffset,
        long minOffset,
        long maxOffset,
        List<ByteBuffer> slices,
        int count,
        long bytes,
        boolean cold,
        String damage) {
    public enum Status {
        /** At least one message. */
        FOUND,
        /** Messages were there, the filter took none; go on at nextOffset. */
        NO_MATCH,
        /** The offset is the queue's end: nothing yet. */
        END,
        /** The offset is before the oldest kept message; nextOffset is the oldest. */
        BELOW_MIN,
        /** The offset is past the queue's end; nextOffset is the end. */
        ABOVE_MAX,
        /** The queue holds no message; nextOffset is where the next one will be. */
        EMPTY,
        /** The next message cannot be read intact. Nothing behind it is served by this call. */
        DAMAGED
    }

    static ReadResult nothing(Status status, long nextOffset, long minOffset, long maxOffset) {
        return new ReadResult(status, nextOffset, minOffset, maxOffset, List.of(), 0, 0, false, null);
    }
}
