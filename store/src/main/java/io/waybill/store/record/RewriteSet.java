/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.util.List;
import java.util.Map;

/**
 * What would be lost if the log below a position were dropped, as the views know it now: its latest record stands below
 * that position. Appended again (halves with their handle, {@code firstCheckMillis = nextCheckMillis} and, if there
 * were checks, a CHECKED record behind it), the log above the position folds to the same views. Of the unique keys it is the
 * first ten thousand.
 */
public record RewriteSet(
        List<PendingHalf> halves,
        List<PendingTimer> dues,
        List<ConsumerOffset> progress,
        List<CatalogRecord> catalog,
        List<StateRecord> states,
        List<PopKey> pops,
        List<UniqueKeyOwner> uniques,
        Map<QueueKey, Long> queueBases) {
    public boolean isEmpty() {
        return halves.isEmpty()
                && dues.isEmpty()
                && progress.isEmpty()
                && catalog.isEmpty()
                && states.isEmpty()
                && pops.isEmpty()
                && uniques.isEmpty()
                && queueBases.isEmpty();
    }
}
