/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.CatalogRecord;
import io.waybill.store.record.CheckAnswer;
import io.waybill.store.record.CheckRecord;
import io.waybill.store.record.Checkpoint;
import io.waybill.store.record.ClosingMark;
import io.waybill.store.record.ConsumerOffsets;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionConflict;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.DelayedMessage;
import io.waybill.store.record.DeliveryEvents;
import io.waybill.store.record.Dropped;
import io.waybill.store.record.HalfMessage;
import io.waybill.store.record.HeadedRecord;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.Packer;
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
import io.waybill.store.record.Unpacker;
import io.waybill.store.record.ViewsDamaged;
import io.waybill.store.record.VisibleMessage;
import java.util.ArrayList;
import java.util.EnumMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One fold of the log over one backend: what {@link Views} shows and, when that is damaged, what is made anew beside it.
 * Roles as there. What cannot be applied any more is lost and is never read, written or applied to again, so a fold with a loss
 * is right about all the rest, and its backend is right as of its last checkpoint.
 */
final class Fold {
    private static final Logger LOG = LoggerFactory.getLogger(Fold.class);
    private static final byte[] MARK_KEY = {'m', 'a', 'r', 'k'};
    private static final int VERSION = 9;

    // What an entry costs in memory until it is written, roughly.
    private static final long MESSAGE_BYTES = 48;
    private static final long KEY_BYTES = 16;

    /** What is recorded with a checkpoint, besides the views: {@code version 1 | the components, 8 each}. */
    record Mark(Checkpoint checkpoint, long openHalves, long pendingDue) {
        byte[] encode() {
            return new Packer(96)
                    .i8(VERSION)
                    .i64(checkpoint.position())
                    .i64(checkpoint.frameIndex())
                    .i64(checkpoint.epoch())
                    .i64(checkpoint.storeTimeMillis())
                    .i64(checkpoint.oldestPosition())
                    .i64(checkpoint.frameBase())
                    .i64(checkpoint.frameChecksum())
                    .i64(openHalves)
                    .i64(pendingDue)
                    .done();
        }

        static Mark decode(byte[] value) {
            if (value == null) {
                return new Mark(Checkpoint.EMPTY, 0, 0);
            }
            Unpacker unpacker = new Unpacker(value, 0);
            int version = unpacker.i8();
            if (version != VERSION) {
                throw new ViewsDamaged("the views have version " + version + ", known is " + VERSION);
            }
            Checkpoint checkpoint = new Checkpoint(
                    unpacker.i64(),
                    unpacker.i64(),
                    unpacker.i64(),
                    unpacker.i64(),
                    unpacker.i64(),
                    unpacker.i64(),
                    (int) unpacker.i64());
            return new Mark(checkpoint, unpacker.i64(), unpacker.i64());
        }
    }

    final ViewsBackend backend;
    final Table offsetsTable;
    final Table catalogTable;
    final Table dueTable;
    final Table transactionsTable;
    final Table uniqueTable;
    final Table deliveriesTable;
    final Table stateTable;

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
    /** One for each kind of state record. */
    private final Map<RecordKind, StateRecords<?>> states = new EnumMap<>(RecordKind.class);

    private volatile Checkpoint applied;
    private volatile Checkpoint written;
    private volatile Checkpoint flushed;

    /** Roughly the memory of the current generation; changed by the applier only. */
    private volatile long gatheredBytes;

    /** Of the generation being written; set by the applier, cleared by the duty thread. */
    private volatile long writingBytes;

    /** Applier only: whether there is something that no checkpoint holds. */
    private boolean dirty;

    /** The mark of the swapped generation until it is written; set by the applier, cleared by the duty thread. */
    private volatile Mark prepared;

    /** Whole views that missed an entry, and why; changed by the applier only, never in place. */
    private volatile Map<Family, String> lost = Map.of();

    /** Something was missed and it could not be told what, for want of memory: nothing is read. Set by the applier only. */
    private volatile boolean missed;

    private static final String MISSED = "the views missed a change";

    Fold(ViewsBackend backend) {
        this.backend = backend;
        Mark mark = mark();
        applied = mark.checkpoint;
        written = mark.checkpoint;
        flushed = mark.checkpoint;
        offsetsTable = new Table(backend, Family.OFFSETS);
        catalogTable = new Table(backend, Family.CATALOG);
        dueTable = new Table(backend, Family.DUE);
        transactionsTable = new Table(backend, Family.TRANSACTIONS);
        uniqueTable = new Table(backend, Family.UNIQUE);
        deliveriesTable = new Table(backend, Family.DELIVERIES);
        stateTable = new Table(backend, Family.STATE);
        long oldest = mark.checkpoint.oldestPosition();
        queues = new ConsumeQueues(backend, oldest);
        keys = new KeyIndex(backend);
        dueIndex = new DueIndex(dueTable);
        dueMessages = new PendingTimers(backend, dueTable, dueIndex, mark.pendingDue, oldest);
        transactions = new Transactions(backend, transactionsTable, dueIndex, mark.openHalves, oldest);
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

    private Mark mark() {
        return Mark.decode(backend.get(Family.META, MARK_KEY));
    }

    List<Table> tables() {
        return List.of(
                offsetsTable, catalogTable, dueTable, transactionsTable, uniqueTable, deliveriesTable, stateTable);
    }

    // ---- any thread

    Checkpoint written() {
        return written;
    }

    Checkpoint flushed() {
        return flushed;
    }

    Checkpoint applied() {
        return applied;
    }

    long gatheredBytes() {
        return gatheredBytes;
    }

    long unwrittenBytes() {
        return gatheredBytes + writingBytes;
    }

    /** Why something here must not be read, in a sentence; null if all may be. */
    String loss() {
        Map<Family, String> seen = lost;
        if (missed) {
            return MISSED;
        }
        return seen.isEmpty() ? queues.loss() : seen.values().iterator().next();
    }

    void onDamage(Runnable wake) {
        backend.onDamage(wake);
    }

    /** Why this view must not be read; null if it may. */
    String loss(Family family) {
        Map<Family, String> seen = lost;
        if (missed) {
            return MISSED;
        }
        return seen.isEmpty() ? null : seen.get(family);
    }

    // ---- applier

    /** Strict: what does not fit or cannot be looked up is thrown, and the fold is of no use any more. */
    void apply(List<? extends LogRecord> entries, Checkpoint upTo) {
        begin(upTo);
        long weight = 0;
        for (int i = 0, count = entries.size(); i < count; i++) {
            LogRecord entry = entries.get(i);
            if (entry instanceof VisibleMessage message) {
                keys.message(message);
                queues.message(message);
            } else {
                control(entry);
            }
            weight += bytesOf(entry);
        }
        end(upTo, weight);
    }

    /** The same of a log that serves: a view that cannot take an entry is lost, the others go on. Nothing is thrown. */
    void applyOrLose(List<? extends LogRecord> entries, Checkpoint upTo) {
        Checkpoint before = applied;
        begin(upTo);
        if (before.position() > 0 && upTo.frameIndex() != before.frameIndex() + 1) {
            // Whoever should have applied the frame between had no memory for it.
            missed = true;
            backend.wake();
        }
        long weight = 0;
        for (int i = 0, count = entries.size(); i < count; i++) {
            LogRecord entry = entries.get(i);
            try {
                if (entry instanceof VisibleMessage message) {
                    if (loss(Family.KEYS) == null) {
                        keys.message(message);
                    }
                    if (loss(Family.QUEUE) == null) {
                        queues.messageOrLose(message);
                    }
                } else if (loss(familyOf(entry)) == null) {
                    control(entry);
                }
                weight += bytesOf(entry);
            } catch (RuntimeException | Error e) {
                loseAtLeast(entry, e);
            }
        }
        try {
            end(upTo, weight);
        } catch (RuntimeException | Error e) {
            loseAtLeast(null, e);
        }
    }

    /** The views of the entry, or the due times without one; everything if there is no memory to say that. */
    private void loseAtLeast(LogRecord entryOrNull, Throwable why) {
        try {
            if (entryOrNull == null) {
                lose(Family.DUE, why);
            } else {
                lose(entryOrNull, why);
            }
        } catch (RuntimeException | Error again) {
            missed = true;
            backend.wake();
        }
    }

    private void begin(Checkpoint upTo) {
        if (upTo.position() < applied.position()) {
            throw new IllegalStateException(
                    "asked to apply up to " + upTo.position() + ", but " + applied.position() + " is applied");
        }
        dirty = true;
    }

    private void end(Checkpoint upTo, long weight) {
        Checkpoint before = applied;
        gatheredBytes += weight;
        applied = new Checkpoint(
                upTo.position(),
                upTo.frameIndex(),
                upTo.epoch(),
                Math.max(upTo.storeTimeMillis(), before.storeTimeMillis()),
                before.oldestPosition(),
                upTo.frameBase(),
                upTo.frameChecksum());
        dueIndex.publish();
    }

    private static Family familyOf(LogRecord entry) {
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
        if (loss(family) == null) {
            LOG.warn(
                    "the view {} missed a confirmed change and must not be read until it is rebuilt",
                    family.tableName,
                    why);
            Map<Family, String> more = new EnumMap<>(Family.class);
            more.putAll(lost);
            more.put(family, "the view " + family.tableName + " missed a change: " + why.getMessage());
            lost = more;
            backend.wake();
        }
    }

    private static long bytesOf(LogRecord entry) {
        if (entry instanceof VisibleMessage message) {
            return MESSAGE_BYTES + (message.keys() == null ? 0 : KEY_BYTES * (long) message.keys().length);
        }
        return ((HeadedRecord) entry).viewBytes();
    }

    private void control(LogRecord entry) {
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
        } else if (entry instanceof Dropped dropped) {
            trimBefore(dropped.upTo());
        } else if (entry instanceof QueueBase base) {
            queues.base(base);
        } else if (!(entry instanceof ClosingMark)) {
            throw new IllegalStateException("no view takes " + entry);
        }
    }

    /** State records below a position that must be written again before it goes. */
    List<StateRecord> statesBelow(long position) {
        List<StateRecord> found = new ArrayList<>();
        states.values().forEach(records -> found.addAll(records.below(position)));
        return found;
    }

    StateRecords<?> states(RecordKind kind) {
        return states.get(kind);
    }

    void trimBefore(long position) {
        Checkpoint before = applied;
        if (position > before.oldestPosition()) {
            queues.trimBefore(position);
            transactions.trimBefore(position);
            dueMessages.trimBefore(position);
            deliveries.trimBefore(position);
            settlements.trimBefore(position);
            applied = before.from(position);
            dirty = true;
        }
    }

    boolean prepareCheckpoint() {
        if (!dirty || prepared != null || loss() != null) {
            return false;
        }
        dirty = false;
        dueMessages.saveCounts();
        uniques.closed();
        queues.swap();
        keys.swap();
        pops.swap();
        for (Table table : tables()) {
            table.swap();
        }
        writingBytes = gatheredBytes;
        gatheredBytes = 0;
        prepared = new Mark(applied, transactions.openCount(), dueMessages.count());
        return true;
    }

    // ---- duty thread

    /** Whether the backend holds a checkpoint that was not flushed. */
    boolean holdsUnflushed() {
        return !mark().checkpoint.equals(flushed);
    }

    /** What a failed try left in the backend is told by its mark: it is not written twice, and written again if it is gone. */
    void writeCheckpoint(boolean flush) {
        Mark mark = prepared;
        if (mark == null) {
            if (flush && !written.equals(flushed)) {
                backend.flush();
                flushed = written;
            }
            return;
        }
        backend.beforeWriting();
        if (!mark.equals(mark())) {
            long oldest = mark.checkpoint.oldestPosition();
            try (ViewBatch batch = backend.newBatch()) {
                if (oldest > written.oldestPosition()) {
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
                for (Table table : tables()) {
                    table.write(batch);
                }
                batch.put(Family.META, MARK_KEY, mark.encode());
                backend.write(batch);
            }
        }
        // What the backend may still lose stays in memory: it may have to be opened anew before it can flush.
        if (flush) {
            backend.flush();
        }
        queues.written();
        keys.written();
        pops.written();
        for (Table table : tables()) {
            table.written();
        }
        written = mark.checkpoint;
        if (flush) {
            flushed = written;
        }
        writingBytes = 0;
        prepared = null;
    }
}
