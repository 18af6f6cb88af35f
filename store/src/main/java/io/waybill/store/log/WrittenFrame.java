/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.store.view.Entry;
import java.util.ArrayList;
import java.util.List;

/**
 * A frame that was written and waits to be confirmed, with what must then be applied and who must then be told. Without
 * entries it is a barrier: answers that are true only once everything before it is confirmed.
 */
final class WrittenFrame {
    final List<Entry> entries = new ArrayList<>();
    final List<Change> changes = new ArrayList<>();
    final List<QueueState.Touched> touched = new ArrayList<>(2);
    /** False for a barrier. */
    boolean hasBytes;

    long end;
    long index;
    long epoch;
    long storeTimeMillis;

    boolean isEmpty() {
        return changes.isEmpty() && !hasBytes;
    }
}
