/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.store.record.LogRecord;
import java.util.ArrayList;

/**
 * A frame that was handed to the carrier and waits to be confirmed, with what must then be applied and who must then be told. Without
 * entries it is a barrier: answers that are true only once everything before it is confirmed.
 */
final class WrittenFrame {
    final ArrayList<LogRecord> entries = new ArrayList<>();
    final ArrayList<LogWrite> changes = new ArrayList<>();
    final ArrayList<QueueState.Touched> touched = new ArrayList<>(2);
    /** The one handed over after this one. A chain takes no memory when a frame is added, after its bytes were written. */
    volatile WrittenFrame next;

    /** False for a barrier. */
    boolean hasBytes;

    /** The segment that the frame must stand in. */
    long segmentStart;

    long segmentEnd;

    long base;
    int checksum;
    long end;
    long index;
    long epoch;
    long storeTimeMillis;

    boolean isEmpty() {
        return changes.isEmpty() && !hasBytes;
    }
}
