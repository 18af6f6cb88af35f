/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Comparator;
import java.util.HashSet;
import java.util.HexFormat;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.Consumer;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All views of one store. At any moment they are the fold of the log from its oldest position to {@link #applied}; the
 * backend holds them exactly as of one earlier position, {@link #checkpoint}. In between only memory changes.
 *
 * <p>Three roles, each one thread at a time: the <em>applier</em> applies entries and swaps generations; the
 * <em>duty thread</em> writes a swapped generation; readers are any threads and see what was applied before they
 * asked. Readers look in the current generation, then in the one being written, then in the backend. Nothing here waits for
 * another thread.
 */
public final class Views implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Views.class);
    private static final byte[] MARK_KEY = {'m', 'a', 'r', 'k'};
    private static final int VERSION = 5;

    // What an entry costs in memory until it is written, roughly.
    private static final long MESSAGE_BYTES = 48;
    private static final long KEY_BYTES = 16;
    private static final long ROW_BYTES = 256;
    private static final long STEP_BYTES = 64;
    /** Unique keys that are gathered at a time. */
    static final int MOST_UNIQUES = 10_000;

    /** What is recorded with a checkpoint, besides the views: {@code version 1 | the components, 8 each}. */
    private record Mark(Checkpoint checkpoint, long openHalves, long pendingDue, long droppedTo) {
        byte[] encode() {
            return new Packer(64)
                    .i8(VERSION)
                    .i64(checkpoint.position())
                    .i64(checkpoint.frameIndex())
                    .i64(checkpoint.epoch())
                    .i64(checkpoint.storeTimeMillis())
                    .i64(checkpoint.oldestPosition())
                    .i64(openHalves)
                    .i64(pendingDue)
                    .i64(droppedTo)
                    .done();
        }

        static Mark decode(byte[] value) {
            if (value == null) {
                return new Mark(Checkpoint.EMPTY, 0, 0, -1);
            }
            Unpacker unpacker = new Unpacker(value, 0);
            int version = unpacker.i8();
            if (version != VERSION) {
                throw new ViewsDamaged("the views have version " + version + ", known is " + VERSION);
            }
            Checkpoint checkpoint =
                    new Checkpoint(unpacker.i64(), unpacker.i64(), unpacker.i64(), unpacker.i64(), unpacker.i64());
            return new Mark(checkpoint, unpacker.i64(), unpacker.i64(), unpacker.i64());
        }
    }

    private final ViewsBackend backend;
    private final Table progressTable;
    private final Table catalogTable;
    private final Table dueTable;
    private final Table transactionsTable;
    private final Table uniqueTable;
    private final Table journalTable;

    private final ConsumeQueues queues;
    private final KeyIndex keys;
    private final DueIndex dueIndex;
    private final DueMessages dueMessages;
    private final Transactions transactions;
    private final ProgressTable progress;
    private final CatalogTable catalog;
    private final PopStates pops;
    private final UniqueKeys uniques;
    private final Journal journal;

    /** Up to where the log may have been dropped; -1 if nothing says so. */
    private volatile long droppedTo;

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

    private volatile boolean closed;

    private Views(ViewsBackend backend) {
        this.backend = backend;
        Mark mark = Mark.decode(backend.get(Family.META, MARK_KEY));
        applied = mark.checkpoint;
        written = mark.checkpoint;
        flushed = mark.checkpoint;
        progressTable = new Table(backend, Family.PROGRESS);
        catalogTable = new Table(backend, Family.CATALOG);
        dueTable = new Table(backend, Family.DUE);
        transactionsTable = new Table(backend, Family.TRANSACTIONS);
        uniqueTable = new Table(backend, Family.UNIQUE);
        journalTable = new Table(backend, Family.JOURNAL);
        long oldest = mark.checkpoint.oldestPosition();
        queues = new ConsumeQueues(backend, oldest);
        keys = new KeyIndex(backend);
        dueIndex = new DueIndex(dueTable);
        dueMessages = new DueMessages(backend, dueTable, dueIndex, mark.pendingDue, oldest);
        transactions = new Transactions(backend, transactionsTable, dueIndex, mark.openHalves, oldest);
        progress = new ProgressTable(progressTable);
        catalog = new CatalogTable(catalogTable);
        pops = new PopStates(backend);
        uniques = new UniqueKeys(backend, uniqueTable);
        journal = new Journal(backend, journalTable, oldest);
        droppedTo = mark.droppedTo;
    }

    /**
     * Opens what the backend holds. A backend that cannot be read is emptied, with a line in the log: folding the log
     * from its oldest position makes it again.
     *
     * @throws ViewsDamaged if it can neither be opened nor emptied
     */
    public static Views open(ViewsBackend backend) {
        try {
            return tryOpen(backend);
        } catch (ViewsDamaged e) {
            LOG.warn("the views cannot be read and will be rebuilt from the log: {}", e.getMessage());
            backend.deleteAll();
            return tryOpen(backend);
        }
    }

    private static Views tryOpen(ViewsBackend backend) {
        backend.open();
        try {
            return new Views(backend);
        } catch (RuntimeException e) {
            backend.close();
            throw e;
        }
    }

    /** Up to where the backend holds everything. Recovery applies what follows. Any thread. */
    public Checkpoint checkpoint() {
        return written;
    }

    /** Up to where the backend holds everything durably: after a power cut the checkpoint is here or later. Any thread. */
    public Checkpoint flushedCheckpoint() {
        return flushed;
    }

    /** Roughly the memory of what was applied since the last {@link #prepareCheckpoint}. Any thread. */
    public long gatheredBytes() {
        return gatheredBytes;
    }

    /** Roughly the memory of all that no checkpoint holds. Any thread. */
    public long unwrittenBytes() {
        return gatheredBytes + writingBytes;
    }

    /** Up to where the log may have been dropped, by its own word; -1 if it does not say. Any thread. */
    public long droppedTo() {
        return droppedTo;
    }

    /** All below the position may be missing. Applier only. */
    public void saidDropped(long upTo) {
        droppedTo = Math.max(droppedTo, upTo);
    }

    /** Up to where entries were applied. Any thread. */
    public Checkpoint applied() {
        return applied;
    }

    // ---- applier

    /**
     * Applies the entries of confirmed frames, in log order, each once.
     *
     * @param upToPosition the end of the last frame; everything below counts as applied, with entries or without
     * @throws IllegalStateException if the entries do not follow from what was applied before: a bug or a damaged log. The
     *     views must then be closed
     * @throws ViewsDamaged if the backend fails
     */
    public void apply(
            List<? extends Entry> entries, long upToPosition, long frameIndex, long epoch, long storeTimeMillis) {
        Checkpoint before = applied;
        if (upToPosition < before.position()) {
            throw new IllegalStateException(
                    "asked to apply up to " + upToPosition + ", but " + before.position() + " is applied");
        }
        dirty = true;
        long weight = 0;
        for (int i = 0, count = entries.size(); i < count; i++) {
            Entry entry = entries.get(i);
            if (entry instanceof Entry.VisibleMessage message) {
                keys.message(message);
                queues.message(message);
                weight += MESSAGE_BYTES + (message.keys() == null ? 0 : KEY_BYTES * (long) message.keys().length);
            } else {
                applyControl(entry);
                weight += controlBytes(entry);
            }
        }
        gatheredBytes += weight;
        dueIndex.publish();
        applied = new Checkpoint(
                upToPosition,
                frameIndex,
                epoch,
                Math.max(storeTimeMillis, before.storeTimeMillis()),
                before.oldestPosition());
    }

    /** Each row of a table is a node, a key and a value. */
    private static long controlBytes(Entry entry) {
        if (entry instanceof Entry.Progress record) {
            return ROW_BYTES * record.entries().size();
        }
        if (entry instanceof Entry.Catalog record) {
            return ROW_BYTES + (record.value() == null ? 0 : record.value().length);
        }
        if (entry instanceof Entry.Pop pop) {
            long bytes = 0;
            for (PopDelta delta : pop.deltas()) {
                bytes += ROW_BYTES + STEP_BYTES * delta.changes().size();
            }
            return bytes;
        }
        if (entry instanceof Entry.PopRestated restated) {
            return ROW_BYTES + 2 * STEP_BYTES * restated.state().items();
        }
        if (entry instanceof Entry.Due due) {
            return ROW_BYTES * (3 + (due.keys() == null ? 0 : due.keys().length));
        }
        if (entry instanceof Entry.Journal record) {
            return ROW_BYTES * (1 + record.entries().size());
        }
        return 3 * ROW_BYTES;
    }

    private void applyControl(Entry entry) {
        if (entry instanceof Entry.Half half) {
            transactions.half(half);
        } else if (entry instanceof Entry.Decided decided) {
            transactions.decided(decided);
            uniques.ended(decided.handle(), decided.outcome() == Decision.ROLLBACK);
        } else if (entry instanceof Entry.Checked checked) {
            transactions.checked(checked);
        } else if (entry instanceof Entry.Answered answered) {
            transactions.answered(answered);
        } else if (entry instanceof Entry.Conflict record) {
            transactions.conflict(record.conflict());
        } else if (entry instanceof Entry.Published published) {
            transactions.published(published.record());
        } else if (entry instanceof Entry.Due due) {
            dueMessages.due(due);
        } else if (entry instanceof Entry.Fired fired) {
            dueMessages.fired(fired);
            uniques.ended(fired.handle(), false);
        } else if (entry instanceof Entry.Cancelled cancelled) {
            dueMessages.cancelled(cancelled);
            uniques.ended(cancelled.handle(), true);
        } else if (entry instanceof Entry.Rescheduled rescheduled) {
            dueMessages.rescheduled(rescheduled);
        } else if (entry instanceof Entry.Progress record) {
            progress.progress(record);
        } else if (entry instanceof Entry.Catalog record) {
            catalog.catalog(record);
            if (record.kind() == CatalogKind.TOPIC && record.value() == null) {
                queues.hide(record.name());
            } else if (record.kind() == CatalogKind.DELETED_TOPIC && record.value() == null) {
                queues.show(record.name());
            }
        } else if (entry instanceof Entry.Pop pop) {
            pops.pop(pop);
        } else if (entry instanceof Entry.PopRestated restated) {
            pops.restated(restated);
        } else if (entry instanceof Entry.Unique unique) {
            uniques.unique(unique);
        } else if (entry instanceof Entry.Journal record) {
            journal.journal(record);
        } else if (entry instanceof Entry.Dropped dropped) {
            saidDropped(dropped.upTo());
        } else if (entry instanceof Entry.QueueBase base) {
            queues.base(base);
        } else {
            throw new IllegalStateException("no view takes " + entry);
        }
    }

    /**
     * The log below the position is gone, or goes after the next flushed checkpoint: entries of that part disappear from
     * queues and keys, decisions from the transactions. Never goes back. Applier only; cheap.
     */
    public void trimBefore(long position) {
        Checkpoint before = applied;
        if (position > before.oldestPosition()) {
            queues.trimBefore(position);
            transactions.trimBefore(position);
            dueMessages.trimBefore(position);
            journal.trimBefore(position);
            applied = new Checkpoint(
                    before.position(), before.frameIndex(), before.epoch(), before.storeTimeMillis(), position);
            dirty = true;
        }
    }

    /**
     * Closes the current generation, so that {@link #writeCheckpoint} can write it. Applier only; the cost does not
     * depend on what changed.
     *
     * @return false, and nothing is done, if nothing changed or the last generation is not written yet
     */
    public boolean prepareCheckpoint() {
        if (!dirty || prepared != null) {
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
        prepared = new Mark(applied, transactions.openCount(), dueMessages.count(), droppedTo);
        return true;
    }

    /** The key time of the last record of a unique key; 0 if there is none. */
    public long keyTimeMillis() {
        return uniques.timeMillis();
    }

    private List<Table> tables() {
        return List.of(progressTable, catalogTable, dueTable, transactionsTable, uniqueTable, journalTable);
    }

    // ---- duty thread

    /**
     * Writes the generation closed by {@link #prepareCheckpoint}, if there is one, as one atomic batch; then makes all
     * that was written durable if asked.
     *
     * @throws ViewsDamaged if the backend fails (a full disk, for one); nothing is lost, and the next call tries again
     */
    public void writeCheckpoint(boolean flush) {
        Mark mark = prepared;
        if (mark != null) {
            long oldest = mark.checkpoint.oldestPosition();
            try (Batch batch = backend.newBatch()) {
                if (oldest > written.oldestPosition()) {
                    queues.clean(batch, oldest);
                    transactions.clean(batch, oldest);
                    dueMessages.clean(batch, oldest);
                    journal.clean(batch, oldest);
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
            queues.written();
            keys.written();
            pops.written();
            for (Table table : tables()) {
                table.written();
            }
            written = mark.checkpoint;
            writingBytes = 0;
            prepared = null;
        }
        Checkpoint durable = written;
        if (flush && !durable.equals(flushed)) {
            backend.flush();
            flushed = durable;
        }
    }

    // ---- readers

    /** Everything that would be lost with the log below a position. Not on the applier: it may read much. */
    public Carried pendingBefore(long position) {
        // Unique keys alone can be more than the memory holds: their beginning is enough, it is asked again for the
        // rest.
        return new Carried(
                transactions.below(position),
                dueMessages.below(position),
                progress.below(position),
                catalog.below(position),
                pops.below(position),
                uniques.below(position, MOST_UNIQUES),
                queues.basesBelow(position));
    }

    /** The queue; one that was never written to is empty and starts at 0. */
    public QueueView queue(String topic, int queueId) {
        return queues.view(topic, queueId);
    }

    /** All queues that ever had a message or a base, sorted. */
    public List<QueueKey> queues() {
        return sorted(queues.names(null));
    }

    /** The queues of a topic that ever had a message or a base, sorted. */
    public List<QueueKey> queuesOf(String topic) {
        return sorted(queues.names(Objects.requireNonNull(topic)));
    }

    private static List<QueueKey> sorted(List<QueueKey> names) {
        names.sort(Comparator.comparing(QueueKey::topic).thenComparing(QueueKey::queueId));
        return names;
    }

    /**
     * Where messages stand that may carry a key: a hash found them, so the caller verifies topic and key at each position.
     * Newest first, each once. Ask again with {@code beforePosition} = the last one returned for more.
     *
     * @param fromMillis only narrows the search, as toMillis (inclusive) does: the caller verifies store times too
     * @param beforePosition exclusive; Long.MAX_VALUE for all
     */
    public long[] keyPositions(String topic, String key, long fromMillis, long toMillis, long beforePosition, int max) {
        return keys.find(topic, key, fromMillis, toMillis, applied.oldestPosition(), beforePosition, max);
    }

    /** Handles of delayed messages that wait and carry the key, ascending. */
    public List<Long> pendingByKey(String topic, String key) {
        return dueMessages.byKey(topic, key);
    }

    /** The keys of a delayed message that waits; null if it does not. */
    public String[] keysOfDue(long handle) {
        return dueMessages.keys(handle);
    }

    /** Delayed messages with the key that were called back, in handle order. */
    public List<EndedDue> cancelledByKey(String topic, String key) {
        return dueMessages.cancelledByKey(topic, key);
    }

    /** How a delayed message was called back; null if it was not, or the record is no longer in the log. */
    public EndedDue cancelled(long handle) {
        return dueMessages.cancelled(handle);
    }

    /** The checks of a transaction, oldest first, as long as the log keeps their records. */
    public List<CheckEvent> checksOf(long handle) {
        return transactions.checksOf(handle);
    }

    /** Waiting delayed messages of a topic. */
    public long pendingDueCount(String topic) {
        return dueMessages.count(topic);
    }

    /** Visits the holders of unique keys whose record stands below a position, in the order of the log, until the visitor has enough. */
    public void visitUniquesBelow(long position, Predicate<KeyHolder> visitor) {
        uniques.visitBelow(position, visitor);
    }

    /** Who holds a unique key; null if nobody does. Its time may be past. Costs next to nothing where none was ever held. */
    public KeyHolder holder(String topic, String key) {
        return uniques.get(topic, key);
    }

    /** A copy of the pop state of a key; null if there is none. */
    public PopState popState(PopKey key) {
        return pops.fold(key).state();
    }

    /** As popState, with the record it began with; to be folded on. */
    public PopFold popFold(PopKey key) {
        return pops.fold(key);
    }

    /** Of all pop states, sorted. */
    public List<PopKey> popKeys() {
        return pops.below(Long.MAX_VALUE);
    }

    /** What happened to the message at an offset, in the order of the log. */
    public List<JournalEntry> journalOf(String topic, int queueId, long offset, int max) {
        return journal.of(topic, queueId, offset, max);
    }

    /** The open transaction of a handle, or null. */
    public PendingHalf half(long handle) {
        return transactions.get(handle);
    }

    /** Open transactions in handle order. */
    public List<PendingHalf> openHalves(int max) {
        return transactions.first(max);
    }

    public long openHalfCount() {
        return transactions.openCount();
    }

    /** How a transaction ended; null if it is open, never was, or the record is no longer in the log. */
    public DecisionRecord decisionOf(long handle) {
        return transactions.decisionOf(handle);
    }

    /** Where the message of a rolled back transaction stands; null if the log no longer keeps it. */
    public RolledBack rolledBack(long handle) {
        return transactions.rolledBack(handle);
    }

    /** How the message of a rolled back transaction was delivered after all, or null. */
    public PublishRecord published(long handle) {
        return transactions.published(handle);
    }

    /** The late decision of this kind on a transaction, or null. */
    public DecisionConflict conflict(long handle, Decision late) {
        return transactions.conflict(handle, late);
    }

    /** The late decisions on a transaction. */
    public List<DecisionConflict> conflictsOf(long handle) {
        return transactions.conflictsOf(handle);
    }

    /** Late decisions in the order of handles, until the visitor has enough. */
    public void visitConflicts(Predicate<DecisionConflict> visitor) {
        transactions.visitConflicts(visitor);
    }

    /** The waiting delayed message of a handle, or null. */
    public PendingDue due(long handle) {
        return dueMessages.get(handle);
    }

    /** Waiting delayed messages in handle order. */
    public List<PendingDue> pendingDue(int max) {
        return dueMessages.first(max);
    }

    public long pendingDueCount() {
        return dueMessages.count();
    }

    /** At most {@code max} items of either kind that are due at or before an instant, earliest first. */
    public DueBatch dueUpTo(long nowMillis, int max) {
        return dueIndex.upTo(nowMillis, max);
    }

    /** When the next item of either kind is due; Long.MAX_VALUE if there is none. Costs one volatile read. */
    public long nextDueMillis() {
        return dueIndex.nextDueMillis();
    }

    /** What the applier runs after {@link #nextDueMillis} moved to an earlier time; quick, and must not call back. One at most. */
    public void onDueEarlier(Runnable wake) {
        dueIndex.onEarlier(wake);
    }

    /** Committed offset; -1 if there is none. */
    public long progress(String group, String topic, int queueId) {
        return progress.get(group, topic, queueId);
    }

    public List<ProgressEntry> progressOf(String group) {
        return progress.of(group);
    }

    /** How many offsets are committed. Looks at all of them. */
    public int progressCount() {
        return progress.count();
    }

    public List<ProgressEntry> progressAll() {
        return progress.below(Long.MAX_VALUE);
    }

    /** Groups with a committed offset in the topic. Looks at all progress. */
    public Set<String> groupsWithProgress(String topic) {
        return progress.groups(topic);
    }

    /** The value, or null. */
    public byte[] catalog(CatalogKind kind, String name) {
        return catalog.get(kind, name);
    }

    /** By name. */
    public Map<String, byte[]> catalogAll(CatalogKind kind) {
        return catalog.all(kind);
    }

    /**
     * Compares with the views of a fresh fold of the same log, which was told the same oldest position. Only while
     * neither is applied to.
     *
     * @return null if they are equal, else a sentence that names the first difference
     */
    public String difference(Views other) {
        String found = queueDifference(other);
        if (found == null) {
            found = keyDifference(other);
        }
        for (int i = 0; found == null && i < tables().size(); i++) {
            found = tableDifference(tables().get(i), other.tables().get(i));
        }
        if (found == null) {
            found = pops.difference(other.pops);
        }
        if (found == null && openHalfCount() != other.openHalfCount()) {
            found = "open halves: " + openHalfCount() + " here, " + other.openHalfCount() + " there";
        }
        if (found == null && pendingDueCount() != other.pendingDueCount()) {
            found = "waiting delayed messages: " + pendingDueCount() + " here, " + other.pendingDueCount() + " there";
        }
        if (found == null && !dueMessages.counts().equals(other.dueMessages.counts())) {
            found = "waiting delayed messages of topics: " + dueMessages.counts() + " here, "
                    + other.dueMessages.counts() + " there";
        }
        if (found == null && nextDueMillis() != other.nextDueMillis()) {
            found = "next due: " + nextDueMillis() + " here, " + other.nextDueMillis() + " there";
        }
        return found;
    }

    private String queueDifference(Views other) {
        Set<QueueKey> names = new HashSet<>(queues());
        names.addAll(other.queues());
        for (QueueKey key : sorted(new ArrayList<>(names))) {
            QueueView here = queue(key.topic(), key.queueId());
            QueueView there = other.queue(key.topic(), key.queueId());
            if (here.min() != there.min() || here.max() != there.max()) {
                return "queue " + key + ": offsets " + here.min() + " to " + here.max() + " here, " + there.min()
                        + " to " + there.max() + " there";
            }
            for (long from = here.min(); from < here.max(); from += Block.ENTRIES) {
                long[][] left = entries(here, from);
                long[][] right = entries(there, from);
                for (int i = 0; i < Math.max(left.length, right.length); i++) {
                    long[] a = i < left.length ? left[i] : null;
                    long[] b = i < right.length ? right[i] : null;
                    if (!Arrays.equals(a, b)) {
                        return "queue " + key + " at offset " + (from + i) + ": " + Arrays.toString(a) + " here, "
                                + Arrays.toString(b) + " there";
                    }
                }
            }
        }
        return null;
    }

    private static long[][] entries(QueueView queue, long from) {
        List<long[]> entries = new ArrayList<>();
        queue.visit(from, from + Block.ENTRIES, (offset, position, size, frameDelta, tagsCode, storeTimeMillis) -> {
            entries.add(new long[] {offset, position, size, frameDelta, tagsCode, storeTimeMillis});
            return true;
        });
        return entries.toArray(new long[0][]);
    }

    private String keyDifference(Views other) {
        long oldest = applied.oldestPosition();
        List<long[]> left = keys.all(oldest);
        List<long[]> right = other.keys.all(oldest);
        for (int i = 0; i < Math.max(left.size(), right.size()); i++) {
            long[] a = i < left.size() ? left.get(i) : null;
            long[] b = i < right.size() ? right.get(i) : null;
            if (!Arrays.equals(a, b)) {
                return "key entry " + i + " (position, hash): " + Arrays.toString(a) + " here, " + Arrays.toString(b)
                        + " there";
            }
        }
        return null;
    }

    private String tableDifference(Table here, Table there) {
        String[] found = new String[1];
        here.scan(new byte[0], null, (key, value) -> {
            if (isKept(here.family(), key, value)) {
                byte[] otherValue = there.get(key);
                if (!Arrays.equals(value, otherValue)) {
                    found[0] = difference(here.family(), key, value, otherValue);
                }
            }
            return found[0] == null;
        });
        if (found[0] == null) {
            there.scan(new byte[0], null, (key, value) -> {
                if (isKept(here.family(), key, value) && here.get(key) == null) {
                    found[0] = difference(here.family(), key, null, value);
                }
                return found[0] == null;
            });
        }
        return found[0];
    }

    private boolean isKept(Family family, byte[] key, byte[] value) {
        return switch (family) {
            case TRANSACTIONS -> transactions.isKept(key, value);
            case DUE -> dueMessages.isKept(key, value);
            case JOURNAL -> journal.isKept(key);
            case UNIQUE -> uniques.isKept(key, value);
            default -> true;
        };
    }

    private static String difference(Family family, byte[] key, byte[] here, byte[] there) {
        return family.tableName + " " + hex(key) + ": " + hex(here) + " here, " + hex(there) + " there";
    }

    private static String hex(byte[] bytes) {
        return bytes == null ? "nothing" : HexFormat.of().formatHex(bytes);
    }

    /** Says everything but the key hashes, a line each, in the same order for equal views. */
    public void dump(Consumer<String> line) {
        line.accept("applied " + applied);
        for (QueueKey key : queues()) {
            QueueView queue = queue(key.topic(), key.queueId());
            line.accept("queue " + key.topic() + "/" + key.queueId() + " min " + queue.min() + " max " + queue.max());
        }
        openHalves(Integer.MAX_VALUE).forEach(half -> line.accept("open " + half));
        transactions.decisions().forEach(decision -> line.accept("decided " + decision));
        visitConflicts(conflict -> {
            line.accept("late " + conflict);
            return true;
        });
        pendingDue(Integer.MAX_VALUE).forEach(due -> line.accept("waiting " + due));
        progressAll().forEach(entry -> line.accept("progress " + entry));
        popKeys().forEach(key -> line.accept("pop " + key + " " + popState(key)));
        for (CatalogKind kind : CatalogKind.values()) {
            catalogAll(kind)
                    .forEach((name, value) -> line.accept(
                            "catalog " + kind + " " + name + " " + new String(value, StandardCharsets.UTF_8)));
        }
    }

    /** Queues that are objects in memory now. */
    int liveQueueCount() {
        return queues.liveCount();
    }

    /** Closes the backend. What no checkpoint wrote is not kept, what none flushed may be. Readers then fail. Idempotent. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            backend.close();
        }
    }
}
