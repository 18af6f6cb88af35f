/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.CatalogRecord;
import io.waybill.store.record.ConsumerOffsets;
import io.waybill.store.record.DeliveryEvents;
import io.waybill.store.record.Dropped;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.PopSnapshot;
import io.waybill.store.record.PopSteps;
import io.waybill.store.record.QueueBase;
import io.waybill.store.record.StateRecord;
import io.waybill.store.record.UniqueKeyClaim;
import io.waybill.store.record.VisibleMessage;
import java.util.EnumMap;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which views have missed a record, so that they must not be read, written or applied to again until others take their place.
 * What always holds: a loss is never taken back, and a record that a view has missed is noted before its frame counts as applied.
 * If there is not even the memory to say which view it was, all are lost. Changed by the applier only, read by any thread.
 *
 * <p>Of the queues it knows only whether all of them are lost: {@link ConsumeQueues} knows of single ones.
 */
final class Losses {
    private static final Logger LOG = LoggerFactory.getLogger(Losses.class);
    private static final String MISSED = "the views missed a change";

    /** Run when there is one more. */
    private final Runnable wake;
    /** Whole views that missed an entry, and why; never changed in place. */
    private volatile Map<Family, String> lost = Map.of();
    /** Something was missed and it could not be told what, for want of memory: nothing is read. */
    private volatile boolean missed;

    Losses(Runnable wake) {
        this.wake = wake;
    }

    /** Why something must not be read, in a sentence; null if all views may be. */
    String any() {
        Map<Family, String> seen = lost;
        if (missed) {
            return MISSED;
        }
        return seen.isEmpty() ? null : seen.values().iterator().next();
    }

    /** Why this view must not be read; null if it may. */
    String of(Family family) {
        Map<Family, String> seen = lost;
        if (missed) {
            return MISSED;
        }
        return seen.isEmpty() ? null : seen.get(family);
    }

    // ---- applier

    /** Nobody knows what was missed. */
    void loseAll() {
        missed = true;
        wake.run();
    }

    /** The views of the entry, or the due times without one; everything if there is no memory to say that. */
    void loseAtLeast(LogRecord entryOrNull, Throwable why) {
        try {
            if (entryOrNull == null) {
                lose(Family.DUE, why);
            } else {
                lose(entryOrNull, why);
            }
        } catch (RuntimeException | Error again) {
            loseAll();
        }
    }

    /** The view that a record goes to; of those with several, the one that stands for them. */
    static Family familyOf(LogRecord entry) {
        if (entry instanceof ConsumerOffsets) {
            return Family.OFFSETS;
        }
        if (entry instanceof CatalogRecord) {
            return Family.CATALOG;
        }
        if (entry instanceof PopSteps || entry instanceof PopSnapshot) {
            return Family.POP;
        }
        if (entry instanceof DeliveryEvents) {
            return Family.DELIVERIES;
        }
        if (entry instanceof StateRecord) {
            return Family.STATE;
        }
        if (entry instanceof UniqueKeyClaim) {
            return Family.UNIQUE;
        }
        if (entry instanceof VisibleMessage || entry instanceof QueueBase) {
            return Family.QUEUE;
        }
        if (entry instanceof Dropped) {
            return Family.META;
        }
        return Family.DUE;
    }

    private void lose(LogRecord entry, Throwable why) {
        Family family = familyOf(entry);
        lose(family, why);
        if (family == Family.DUE || family == Family.UNIQUE) {
            // What waits, what is undecided and the keys they hold know of each other.
            lose(Family.DUE, why);
            lose(Family.TRANSACTIONS, why);
            lose(Family.UNIQUE, why);
        } else if (family == Family.CATALOG) {
            lose(Family.QUEUE, why);
        } else if (entry instanceof VisibleMessage) {
            lose(Family.KEYS, why);
        }
    }

    private void lose(Family family, Throwable why) {
        if (of(family) == null) {
            LOG.warn(
                    "the view {} missed a confirmed change and must not be read until it is rebuilt",
                    family.tableName,
                    why);
            Map<Family, String> more = new EnumMap<>(Family.class);
            more.putAll(lost);
            more.put(family, "the view " + family.tableName + " missed a change: " + why.getMessage());
            lost = more;
            wake.run();
        }
    }
}
