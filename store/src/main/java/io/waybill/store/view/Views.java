/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.CancelledTimer;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.CheckEvent;
import io.waybill.store.record.Checkpoint;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionConflict;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.DeliveryEvent;
import io.waybill.store.record.FoldedLog;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.PendingHalf;
import io.waybill.store.record.PendingTimer;
import io.waybill.store.record.PopFold;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopState;
import io.waybill.store.record.PublishRecord;
import io.waybill.store.record.QueueKey;
import io.waybill.store.record.RebuildableFold;
import io.waybill.store.record.RecordKind;
import io.waybill.store.record.RewriteSet;
import io.waybill.store.record.RolledBack;
import io.waybill.store.record.Settlement;
import io.waybill.store.record.StateRecord;
import io.waybill.store.record.UniqueKeyOwner;
import io.waybill.store.record.ViewsDamaged;
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
 *
 * <p>A read of what is damaged or lost is refused with {@link ViewsDamaged}, never answered with less. Another fold, made beside
 * this one, then takes its place ({@link #adopt}); what was handed out before keeps reading the old one.
 */
public final class Views implements FoldedLog, AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Views.class);
    /** Unique keys that are gathered at a time. */
    static final int MOST_UNIQUES = 10_000;

    private volatile Fold fold;
    private volatile boolean closed;
    private volatile Runnable dueEarlier = () -> {};
    private volatile Runnable onDamage = () -> {};
    /** How far the fold is that will take this one's place, for people; empty if there is none. */
    private volatile String progress = "";

    private Views(ViewsBackend backend) {
        this.fold = new Fold(backend);
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

    // ---- health

    /**
     * Why these views must be made again, in a sentence; null if they need not. Until then reads of what is damaged are refused,
     * all others are right, and checkpoints end. Any thread.
     */
    @Override
    public String damage() {
        Fold seen = fold;
        String loss = seen.loss();
        return loss == null ? seen.backend.damage() : loss;
    }

    /** Why no checkpoint can be written now; null if one can, as far as known. Any thread. */
    @Override
    public String unwritable() {
        return fold.backend.unwritable();
    }

    /** Whether what the backend holds is sound, so that reading it again is enough. Any thread. */
    @Override
    public boolean isBackendSound() {
        return fold.backend.damage() == null;
    }

    /** Run when {@link #damage} has found something, by any thread; quick. One at most. */
    @Override
    public void onDamage(Runnable wake) {
        onDamage = wake;
        fold.onDamage(wake);
    }

    /** Queues that missed a message. Any thread. */
    @Override
    public List<QueueKey> lostQueues() {
        return fold.queues.lost();
    }

    /** What a refused reader is told besides. Any thread. */
    @Override
    public void progress(String howFar) {
        progress = howFar;
    }

    /** Empty views over an empty backend beside this one. Duty thread. */
    @Override
    public Views beside() {
        return open(fold.backend.beside());
    }

    /**
     * The views as of the last checkpoint, over the same backend: for when only memory went wrong. Duty thread.
     *
     * @throws ViewsDamaged if the backend fails, or may still lose that checkpoint
     */
    @Override
    public Views reread() {
        Fold seen = fold;
        if (seen.backend.unwritable() == null && seen.holdsUnflushed()) {
            // From now on no memory holds what a failed flush left behind, and the next failure may cost the backend
            // that.
            seen.backend.beforeWriting();
            seen.backend.flush();
        }
        return new Views(seen.backend);
    }

    /**
     * Puts other views in the place of these, which must cover the log as far. Applier.
     *
     * @return gives the old backend up, with what it held; for the duty thread, and only once nobody writes to it
     */
    @Override
    public Runnable adopt(RebuildableFold fresh) {
        Fold old = fold;
        Fold now = ((Views) fresh).fold;
        if (now.applied().position() != old.applied().position()) {
            throw new IllegalStateException("views up to " + now.applied().position() + " cannot replace views up to "
                    + old.applied().position());
        }
        now.dueIndex.onEarlier(dueEarlier);
        now.onDamage(onDamage);
        fold = now;
        progress = "";
        dueEarlier.run();
        return old.backend == now.backend ? () -> {} : old.backend::retire;
    }

    /** Empties the backend: whatever it holds is not of this log. Only while nobody else uses these views. */
    @Override
    public void startOver() {
        ViewsBackend backend = fold.backend;
        backend.close();
        backend.deleteAll();
        backend.open();
        fold = new Fold(backend);
        fold.onDamage(onDamage);
    }

    private Fold reading(Family family) {
        Fold seen = fold;
        String loss = seen.loss(family);
        if (loss != null) {
            throw new ViewsDamaged(loss + howFar());
        }
        return seen;
    }

    /** For refusals: that it passes, and how far it is. */
    @Override
    public String howFar() {
        String now = progress;
        return now.isEmpty() ? "; it is rebuilt from the log, try again later" : "; " + now + ", try again later";
    }

    /** Up to where the backend holds everything. Recovery applies what follows. Any thread. */
    @Override
    public Checkpoint checkpoint() {
        return fold.written();
    }

    /** Up to where the backend holds everything durably: after a power cut the checkpoint is here or later. Any thread. */
    @Override
    public Checkpoint flushedCheckpoint() {
        return fold.flushed();
    }

    /** Roughly the memory of what was applied since the last {@link #prepareCheckpoint}. Any thread. */
    @Override
    public long gatheredBytes() {
        return fold.gatheredBytes();
    }

    /** Roughly the memory of all that no checkpoint holds. Any thread. */
    @Override
    public long unwrittenBytes() {
        return fold.unwrittenBytes();
    }

    /** Up to where the log may be dropped, by its own word; as of a DROPPED record that was applied. Any thread. */
    @Override
    public long droppedTo() {
        return fold.applied().oldestPosition();
    }

    /** Up to where entries were applied. Any thread. */
    @Override
    public Checkpoint applied() {
        return fold.applied();
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
            List<? extends LogRecord> entries, long upToPosition, long frameIndex, long epoch, long storeTimeMillis) {
        apply(entries, new Checkpoint(upToPosition, frameIndex, epoch, storeTimeMillis, 0));
    }

    /** The same; of the checkpoint, the oldest position does not count. */
    @Override
    public void apply(List<? extends LogRecord> entries, Checkpoint upTo) {
        fold.apply(entries, upTo);
    }

    /** As apply, but never throws: what cannot take an entry is lost, and {@link #damage} says so. For a log that serves. */
    @Override
    public void applyOrLose(List<? extends LogRecord> entries, Checkpoint upTo) {
        fold.applyOrLose(entries, upTo);
    }

    /**
     * What applying a DROPPED record does: the log below the position goes after the next flushed checkpoint, and entries of
     * that part disappear from queues and keys, decisions from the transactions. Never goes back. Applier only; cheap.
     */
    public void trimBefore(long position) {
        fold.trimBefore(position);
    }

    /**
     * Closes the current generation, so that {@link #writeCheckpoint} can write it. Applier only; the cost does not
     * depend on what changed.
     *
     * @return false, and nothing is done, if nothing changed or the last generation is not written yet
     */
    @Override
    public boolean prepareCheckpoint() {
        return fold.prepareCheckpoint();
    }

    // ---- duty thread

    /**
     * Writes the generation closed by {@link #prepareCheckpoint}, if there is one, as one atomic batch; then makes all
     * that was written durable if asked.
     *
     * @throws ViewsDamaged if the backend fails (a full disk, for one); nothing is lost, and the next call tries again
     */
    @Override
    public void writeCheckpoint(boolean flush) {
        fold.writeCheckpoint(flush);
    }

    // ---- readers

    /** Everything that would be lost with the log below a position. Not on the applier: it may read much. */
    @Override
    public RewriteSet pendingBefore(long position) {
        // Unique keys alone can be more than the memory holds: their beginning is enough, it is asked again for the
        // rest.
        return new RewriteSet(
                reading(Family.TRANSACTIONS).transactions.below(position),
                reading(Family.DUE).dueMessages.below(position),
                reading(Family.PROGRESS).progress.below(position),
                reading(Family.CATALOG).catalog.below(position),
                reading(Family.STATE).statesBelow(position),
                reading(Family.POP).pops.below(position),
                reading(Family.UNIQUE).uniques.below(position, MOST_UNIQUES),
                reading(Family.QUEUE).queues.basesBelow(position));
    }

    /**
     * The last record of each thing of a kind of state records. For use within one call, as all that is handed out here: ask
     * again for the next.
     */
    @SuppressWarnings("unchecked")
    public <R extends StateRecord> StateRecords<R> states(RecordKind kind, Class<R> type) {
        if (kind.type() != type) {
            throw new IllegalArgumentException(kind + " is not of " + type);
        }
        return (StateRecords<R>) reading(Family.STATE).states(kind);
    }

    /** What is settled in set-aside queues. */
    public Settlements settlements() {
        return reading(Family.STATE).settlements;
    }

    /** The first settlement that covers some message of the range; null if none is settled. */
    @Override
    public Settlement settledOverlapping(Settlement range) {
        return settlements().overlapping(range);
    }

    /** Where the last record of the same thing stands; -1 if there is none. */
    @Override
    public long positionOf(StateRecord record) {
        return reading(Family.STATE).states(record.kind()).positionOf(record.key());
    }

    /** The queue; one that was never written to is empty and starts at 0. */
    public QueueView queue(String topic, int queueId) {
        return reading(Family.QUEUE).queues.view(topic, queueId);
    }

    /** The offset that the next message of the queue gets. */
    @Override
    public long nextOffset(String topic, int queueId) {
        return queue(topic, queueId).max();
    }

    /** All queues that ever had a message or a base, sorted. */
    public List<QueueKey> queues() {
        return sorted(reading(Family.QUEUE).queues.names(null));
    }

    /** The queues of a topic that ever had a message or a base, sorted. */
    public List<QueueKey> queuesOf(String topic) {
        return sorted(reading(Family.QUEUE).queues.names(Objects.requireNonNull(topic)));
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
        return reading(Family.KEYS)
                .keys
                .find(topic, key, fromMillis, toMillis, applied().oldestPosition(), beforePosition, max);
    }

    /** Handles of delayed messages that wait and carry the key, ascending. */
    public List<Long> pendingByKey(String topic, String key) {
        return reading(Family.DUE).dueMessages.byKey(topic, key);
    }

    /** The keys of a delayed message that waits; null if it does not. */
    @Override
    public String[] keysOfDue(long handle) {
        return reading(Family.DUE).dueMessages.keys(handle);
    }

    /** Delayed messages with the key that were called back, in handle order. */
    public List<CancelledTimer> cancelledByKey(String topic, String key) {
        return reading(Family.DUE).dueMessages.cancelledByKey(topic, key);
    }

    /** How a delayed message was called back; null if it was not, or the record is no longer in the log. */
    public CancelledTimer cancelled(long handle) {
        return reading(Family.DUE).dueMessages.cancelled(handle);
    }

    /** The checks of a transaction, oldest first, as long as the log keeps their records. */
    public List<CheckEvent> checksOf(long handle) {
        return reading(Family.TRANSACTIONS).transactions.checksOf(handle);
    }

    /** Waiting delayed messages of a topic. */
    public long pendingDueCount(String topic) {
        return reading(Family.DUE).dueMessages.count(topic);
    }

    /** Visits the holders of unique keys whose record stands below a position, in the order of the log, until the visitor has enough. */
    @Override
    public void visitUniquesBelow(long position, Predicate<UniqueKeyOwner> visitor) {
        reading(Family.UNIQUE).uniques.visitBelow(position, visitor);
    }

    /** The key time of the last record of a unique key; 0 if there is none. */
    @Override
    public long keyTimeMillis() {
        return fold.uniques.timeMillis();
    }

    /** Who holds a unique key; null if nobody does. Its time may be past. Costs next to nothing where none was ever held. */
    @Override
    public UniqueKeyOwner holder(String topic, String key) {
        return reading(Family.UNIQUE).uniques.get(topic, key);
    }

    /** A copy of the pop state of a key; null if there is none. */
    @Override
    public PopState popState(PopKey key) {
        return reading(Family.POP).pops.fold(key).state();
    }

    /** As popState, with the record it began with; to be folded on. */
    @Override
    public PopFold popFold(PopKey key) {
        return reading(Family.POP).pops.fold(key);
    }

    /** Of all pop states, sorted. */
    public List<PopKey> popKeys() {
        return reading(Family.POP).pops.below(Long.MAX_VALUE);
    }

    /** What happened to the message at an offset, in the order of the log. */
    public List<DeliveryEvent> journalOf(String topic, int queueId, long offset, int max) {
        return reading(Family.JOURNAL).journal.of(topic, queueId, offset, max);
    }

    /** The open transaction of a handle, or null. */
    @Override
    public PendingHalf half(long handle) {
        return reading(Family.TRANSACTIONS).transactions.get(handle);
    }

    /** Open transactions in handle order. */
    public List<PendingHalf> openHalves(int max) {
        return reading(Family.TRANSACTIONS).transactions.first(max);
    }

    public long openHalfCount() {
        return reading(Family.TRANSACTIONS).transactions.openCount();
    }

    /** How a transaction ended; null if it is open, never was, or the record is no longer in the log. */
    @Override
    public DecisionRecord decisionOf(long handle) {
        return reading(Family.TRANSACTIONS).transactions.decisionOf(handle);
    }

    /** Where the message of a rolled back transaction stands; null if the log no longer keeps it. */
    @Override
    public RolledBack rolledBack(long handle) {
        return reading(Family.TRANSACTIONS).transactions.rolledBack(handle);
    }

    /** How the message of a rolled back transaction was delivered after all, or null. */
    @Override
    public PublishRecord published(long handle) {
        return reading(Family.TRANSACTIONS).transactions.published(handle);
    }

    /** The late decision of this kind on a transaction, or null. */
    @Override
    public DecisionConflict conflict(long handle, Decision late) {
        return reading(Family.TRANSACTIONS).transactions.conflict(handle, late);
    }

    /** The late decisions on a transaction. */
    public List<DecisionConflict> conflictsOf(long handle) {
        return reading(Family.TRANSACTIONS).transactions.conflictsOf(handle);
    }

    /** Late decisions in the order of handles, until the visitor has enough. */
    public void visitConflicts(Predicate<DecisionConflict> visitor) {
        reading(Family.TRANSACTIONS).transactions.visitConflicts(visitor);
    }

    /** The waiting delayed message of a handle, or null. */
    @Override
    public PendingTimer due(long handle) {
        return reading(Family.DUE).dueMessages.get(handle);
    }

    /** Waiting delayed messages in handle order. */
    public List<PendingTimer> pendingDue(int max) {
        return reading(Family.DUE).dueMessages.first(max);
    }

    public long pendingDueCount() {
        return reading(Family.DUE).dueMessages.count();
    }

    /** At most {@code max} items of either kind that are due at or before an instant, earliest first. */
    public DueBatch dueUpTo(long nowMillis, int max) {
        return reading(Family.DUE).dueIndex.upTo(nowMillis, max);
    }

    /** When the next item of either kind is due; Long.MAX_VALUE if there is none. Costs one volatile read. */
    public long nextDueMillis() {
        return fold.dueIndex.nextDueMillis();
    }

    /** What the applier runs after {@link #nextDueMillis} moved to an earlier time; quick, and must not call back. One at most. */
    public void onDueEarlier(Runnable wake) {
        dueEarlier = Objects.requireNonNull(wake);
        fold.dueIndex.onEarlier(wake);
    }

    /** Committed offset; -1 if there is none. */
    @Override
    public long progress(String group, String topic, int queueId) {
        return reading(Family.PROGRESS).progress.get(group, topic, queueId);
    }

    public List<ConsumerOffset> progressOf(String group) {
        return reading(Family.PROGRESS).progress.of(group);
    }

    /** How many offsets are committed. Looks at all of them. */
    public int progressCount() {
        return reading(Family.PROGRESS).progress.count();
    }

    public List<ConsumerOffset> progressAll() {
        return reading(Family.PROGRESS).progress.below(Long.MAX_VALUE);
    }

    /** Groups with a committed offset in the topic. Looks at all reading(Family.PROGRESS).progress. */
    public Set<String> groupsWithProgress(String topic) {
        return reading(Family.PROGRESS).progress.groups(topic);
    }

    /** The value, or null. */
    @Override
    public byte[] catalog(CatalogKind kind, String name) {
        return reading(Family.CATALOG).catalog.get(kind, name);
    }

    /** By name. */
    public Map<String, byte[]> catalogAll(CatalogKind kind) {
        return reading(Family.CATALOG).catalog.all(kind);
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
        for (int i = 0; found == null && i < fold.tables().size(); i++) {
            found = tableDifference(fold.tables().get(i), other.fold.tables().get(i));
        }
        if (found == null) {
            found = fold.pops.difference(other.fold.pops);
        }
        if (found == null && openHalfCount() != other.openHalfCount()) {
            found = "open halves: " + openHalfCount() + " here, " + other.openHalfCount() + " there";
        }
        if (found == null && pendingDueCount() != other.pendingDueCount()) {
            found = "waiting delayed messages: " + pendingDueCount() + " here, " + other.pendingDueCount() + " there";
        }
        if (found == null && !fold.dueMessages.counts().equals(other.fold.dueMessages.counts())) {
            found = "waiting delayed messages of topics: " + fold.dueMessages.counts() + " here, "
                    + other.fold.dueMessages.counts() + " there";
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
        long oldest = applied().oldestPosition();
        List<long[]> left = fold.keys.all(oldest);
        List<long[]> right = other.fold.keys.all(oldest);
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
            case TRANSACTIONS -> fold.transactions.isKept(key, value);
            case DUE -> fold.dueMessages.isKept(key, value);
            case JOURNAL -> fold.journal.isKept(key);
            case STATE -> fold.states(RecordKind.ofCode(key[0])).isKept(value);
            case UNIQUE -> fold.uniques.isKept(key, value);
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
        line.accept("applied " + applied());
        for (QueueKey key : queues()) {
            QueueView queue = queue(key.topic(), key.queueId());
            line.accept("queue " + key.topic() + "/" + key.queueId() + " min " + queue.min() + " max " + queue.max());
        }
        openHalves(Integer.MAX_VALUE).forEach(half -> line.accept("open " + half));
        fold.transactions.decisions().forEach(decision -> line.accept("decided " + decision));
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
        return fold.queues.liveCount();
    }

    /** Closes the backend. What no checkpoint wrote is not kept, what none flushed may be. Readers then fail. Idempotent. */
    @Override
    public void close() {
        if (!closed) {
            closed = true;
            fold.backend.close();
        }
    }
}
