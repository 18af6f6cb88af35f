/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.CatalogRecord;
import io.waybill.store.record.CheckAnswer;
import io.waybill.store.record.CheckRecord;
import io.waybill.store.record.ClosingMark;
import io.waybill.store.record.ConsumerOffsets;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionConflict;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.DelayedMessage;
import io.waybill.store.record.DeliveryEvents;
import io.waybill.store.record.HalfMessage;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.PopSnapshot;
import io.waybill.store.record.PopSteps;
import io.waybill.store.record.PublishRecord;
import io.waybill.store.record.QueueBase;
import io.waybill.store.record.RecordKind;
import io.waybill.store.record.StateRecord;
import io.waybill.store.record.TimerCancelled;
import io.waybill.store.record.TimerFired;
import io.waybill.store.record.TimerRescheduled;
import io.waybill.store.record.UniqueKeyClaim;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;

/**
 * The views over one backend, each with what it folds: a record goes to the view that takes its kind, a checkpoint and a trim go
 * to all of them. What always holds: the tables are swapped and written together with the views that stand in them, so a
 * checkpoint is of one moment. What was applied, up to where, and what was missed is the {@link Fold}'s.
 */
final class ViewSet {
    final ConsumeQueues queues;
    final KeyIndex keys;
    final DueIndex dueIndex;
    final PendingTimers dueMessages;
    final Transactions transactions;
    final OffsetTable offsets;
    final CatalogTable catalog;
    final PopStates pops;
    final UniqueKeys uniques;
    final Deliveries deliveries;
    final Settlements settlements;
    /** What stands in plain tables: those of the backend with the changes in front, whichever view changes them. */
    final List<Table> tables;
    /** One for each kind of state record. */
    private final Map<RecordKind, StateRecords<?>> states = new EnumMap<>(RecordKind.class);

    /** As of the checkpoint that the backend holds. */
    ViewSet(ViewsBackend backend, FoldMark mark) {
        Table offsetsTable = new Table(backend, Family.OFFSETS);
        Table catalogTable = new Table(backend, Family.CATALOG);
        Table dueTable = new Table(backend, Family.DUE);
        Table transactionsTable = new Table(backend, Family.TRANSACTIONS);
        Table uniqueTable = new Table(backend, Family.UNIQUE);
        Table deliveriesTable = new Table(backend, Family.DELIVERIES);
        Table stateTable = new Table(backend, Family.STATE);
        tables = List.of(
                offsetsTable, catalogTable, dueTable, transactionsTable, uniqueTable, deliveriesTable, stateTable);
        long oldest = mark.checkpoint().oldestPosition();
        queues = new ConsumeQueues(backend, oldest);
        keys = new KeyIndex(backend);
        dueIndex = new DueIndex(dueTable);
        dueMessages = new PendingTimers(backend, dueTable, dueIndex, mark.pendingDue(), oldest);
        transactions = new Transactions(backend, transactionsTable, dueIndex, mark.openHalves(), oldest);
        offsets = new OffsetTable(offsetsTable);
        catalog = new CatalogTable(catalogTable);
        pops = new PopStates(backend);
        uniques = new UniqueKeys(backend, uniqueTable);
        deliveries = new Deliveries(backend, deliveriesTable, oldest);
        settlements = new Settlements(backend, stateTable, queues, oldest);
        for (RecordKind kind : RecordKind.values()) {
            if (StateRecord.class.isAssignableFrom(kind.type())) {
                states.put(kind, new StateRecords<>(stateTable, kind));
            }
        }
        states.put(RecordKind.SETTLED, settlements);
    }

    // ---- applier

    /**
     * Any record but a visible message, which two views take, and one that is said of the log itself.
     *
     * @throws IllegalStateException if it does not follow from what was folded before
     */
    void fold(LogRecord entry) {
        if (entry instanceof HalfMessage half) {
            transactions.half(half);
        } else if (entry instanceof DecisionRecord decided) {
            transactions.decided(decided);
            uniques.ended(decided.handle(), decided.outcome() == Decision.ROLLBACK);
        } else if (entry instanceof CheckRecord checked) {
            transactions.checked(checked);
        } else if (entry instanceof CheckAnswer answered) {
            transactions.answered(answered);
        } else if (entry instanceof DecisionConflict conflict) {
            transactions.conflict(conflict);
        } else if (entry instanceof PublishRecord published) {
            transactions.published(published);
        } else if (entry instanceof DelayedMessage due) {
            dueMessages.due(due);
        } else if (entry instanceof TimerFired fired) {
            dueMessages.fired(fired);
            uniques.ended(fired.handle(), false);
        } else if (entry instanceof TimerCancelled cancelled) {
            dueMessages.cancelled(cancelled);
            uniques.ended(cancelled.handle(), true);
        } else if (entry instanceof TimerRescheduled rescheduled) {
            dueMessages.rescheduled(rescheduled);
        } else if (entry instanceof ConsumerOffsets record) {
            offsets.fold(record);
        } else if (entry instanceof CatalogRecord record) {
            catalog.catalog(record);
            if (record.of() == CatalogKind.TOPIC && record.value() == null) {
                queues.hide(record.name());
            } else if (record.of() == CatalogKind.DELETED_TOPIC && record.value() == null) {
                queues.show(record.name());
            }
        } else if (entry instanceof PopSteps pop) {
            pops.pop(pop);
        } else if (entry instanceof PopSnapshot restated) {
            pops.restated(restated);
        } else if (entry instanceof UniqueKeyClaim unique) {
            uniques.unique(unique);
        } else if (entry instanceof DeliveryEvents record) {
            deliveries.fold(record);
        } else if (entry instanceof StateRecord record) {
            states.get(record.kind()).fold(record);
        } else if (entry instanceof QueueBase base) {
            queues.base(base);
        } else if (!(entry instanceof ClosingMark)) {
            throw new IllegalStateException("no view takes " + entry);
        }
    }

    void trimBefore(long position) {
        queues.trimBefore(position);
        transactions.trimBefore(position);
        dueMessages.trimBefore(position);
        deliveries.trimBefore(position);
        settlements.trimBefore(position);
    }

    /** Closes the generation of each of them; the last one must have been written. */
    void swap() {
        dueMessages.saveCounts();
        uniques.closed();
        queues.swap();
        keys.swap();
        pops.swap();
        for (Table table : tables) {
            table.swap();
        }
    }

    // ---- duty thread

    /** Puts the closed generation into the batch; what stands below {@code oldest} is deleted if that has risen. */
    void write(ViewBatch batch, long oldest, boolean hasRisen) {
        if (hasRisen) {
            queues.clean(batch, oldest);
            transactions.clean(batch, oldest);
            dueMessages.clean(batch, oldest);
            deliveries.clean(batch, oldest);
            settlements.clean(batch, oldest);
        }
        uniques.clean(batch);
        queues.write(batch, oldest);
        keys.write(batch, oldest);
        pops.write(batch);
        for (Table table : tables) {
            table.write(batch);
        }
    }

    /** The batch is in the backend. */
    void written() {
        queues.written();
        keys.written();
        pops.written();
        for (Table table : tables) {
            table.written();
        }
    }

    // ---- any thread

    StateRecords<?> states(RecordKind kind) {
        return states.get(kind);
    }

    /** State records below a position that must be written again before it goes. */
    List<StateRecord> statesBelow(long position) {
        List<StateRecord> found = new ArrayList<>();
        states.values().forEach(records -> found.addAll(records.below(position)));
        return found;
    }
}
