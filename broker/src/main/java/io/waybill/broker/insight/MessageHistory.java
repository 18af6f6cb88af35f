/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

import io.waybill.store.record.CancelledTimer;
import io.waybill.store.record.DecisionRecord;
import java.util.List;

/**
 * All copies of one message that this broker knows.
 *
 * @param topic where it was sent
 * @param uniqueKey null when it has none
 * @param own copies in its topic, in log order: half, waiting, visible
 * @param ofGroups copies in retry, dead-letter and quarantine topics, in log order
 * @param decided of its transactions that are over, with the handle
 * @param cancelled its delays that were called back
 */
record MessageHistory(
        String topic,
        String uniqueKey,
        List<StoredCopy> own,
        List<StoredCopy> ofGroups,
        List<DecisionRecord> decided,
        List<CancelledTimer> cancelled) {
    boolean isEmpty() {
        return own.isEmpty() && ofGroups.isEmpty() && decided.isEmpty() && cancelled.isEmpty();
    }

    /** What stands for the message when it is named: the last visible copy in its topic, else any. */
    StoredCopy face() {
        StoredCopy face = null;
        for (StoredCopy copy : own) {
            if (face == null || copy.isVisible() || !face.isVisible() && !copy.isGone()) {
                face = copy;
            }
        }
        return face != null ? face : ofGroups.isEmpty() ? null : ofGroups.get(0);
    }
}
