/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.Checkpoint;
import io.waybill.store.record.FoldedLog;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.QueueKey;
import io.waybill.store.record.RecordKind;
import io.waybill.store.record.StateRecord;
import io.waybill.store.record.ViewsDamaged;
import java.util.List;
import java.util.Objects;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * All views of one store. At any moment they are the fold of the log from its oldest position to {@link #applied}; the
 * backend holds them exactly as of one earlier position, {@link #checkpoint}. In between only memory changes
 * (ADR 0002, 0011).
 *
 * <p>Three roles, each one thread at a time: the <em>applier</em> applies entries and swaps generations; the
 * <em>duty thread</em> writes a swapped generation; readers are any threads and see what was applied before they
 * asked. Readers look in the current generation, then in the one being written, then in the backend. Nothing here waits for
 * another thread.
 *
 * <p>A read of what is damaged or lost is refused with {@link ViewsDamaged}, never answered with less. Another fold, made beside
 * this one, then takes its place ({@link #adopt}); what was handed out before keeps reading the old one.
 */
public final class Views implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Views.class);
    /** Unique keys that are gathered at a time. */
    static final int MOST_UNIQUES = 10_000;

    private volatile Fold fold;
    private volatile boolean closed;
    private volatile Runnable dueEarlier = () -> {};
    private volatile Runnable onDamage = () -> {};
    /** How far the fold is that will take this one's place, for people; empty if there is none. */
    private volatile String progress = "";

    private final ViewsOfLog forLog = new ViewsOfLog(this);
    private final DueSchedule schedule = new DueSchedule(this);

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

    /** These views as the log sees them: what it is applied to, judged by and rewritten from. */
    public FoldedLog forLog() {
        return forLog;
    }

    // ---- health

    /**
     * Why these views must be made again, in a sentence; null if they need not. Until then reads of what is damaged are refused,
     * all others are right, and checkpoints end. Any thread.
     */
    String damage() {
        Fold seen = fold;
        String loss = seen.loss();
        return loss == null ? seen.backend.damage() : loss;
    }

    /** Why no checkpoint can be written now; null if one can, as far as known. Any thread. */
    String unwritable() {
        return fold.backend.unwritable();
    }

    /** Whether what the backend holds is sound, so that reading it again is enough. Any thread. */
    boolean isBackendSound() {
        return fold.backend.damage() == null;
    }

    /** Run when {@link #damage} has found something, by any thread; quick. One at most. */
    void onDamage(Runnable wake) {
        onDamage = wake;
        fold.onDamage(wake);
    }

    /** Queues that missed a message. Any thread. */
    List<QueueKey> lostQueues() {
        return fold.views.queues.lost();
    }

    /** What a refused reader is told besides. Any thread. */
    void progress(String howFar) {
        progress = howFar;
    }

    /** Empty views over an empty backend beside this one. Duty thread. */
    Views beside() {
        return open(fold.backend.beside());
    }

    /**
     * The views as of the last checkpoint, over the same backend: for when only memory went wrong. Duty thread.
     *
     * @throws ViewsDamaged if the backend fails, or may still lose that checkpoint
     */
    Views reread() {
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
    Runnable adopt(Views fresh) {
        Fold old = fold;
        Fold now = fresh.fold;
        if (now.applied().position() != old.applied().position()) {
            throw new IllegalStateException("views up to " + now.applied().position() + " cannot replace views up to "
                    + old.applied().position());
        }
        now.views.dueIndex.onEarlier(dueEarlier);
        now.onDamage(onDamage);
        fold = now;
        progress = "";
        dueEarlier.run();
        return old.backend == now.backend ? () -> {} : old.backend::retire;
    }

    /** Empties the backend: whatever it holds is not of this log. Only while nobody else uses these views. */
    void startOver() {
        ViewsBackend backend = fold.backend;
        backend.close();
        backend.deleteAll();
        backend.open();
        fold = new Fold(backend);
        fold.onDamage(onDamage);
    }

    /** The views that are read, unless that one of them must not be. */
    ViewSet reading(Family family) {
        Fold seen = fold;
        String loss = seen.loss(family);
        if (loss != null) {
            throw new ViewsDamaged(loss + howFar());
        }
        return seen.views;
    }

    /** The fold as it is, for those who compare. */
    Fold fold() {
        return fold;
    }

    /** For refusals: that it passes, and how far it is. */
    String howFar() {
        String now = progress;
        return now.isEmpty() ? "; it is rebuilt from the log, try again later" : "; " + now + ", try again later";
    }

    /** Up to where the backend holds everything. Recovery applies what follows. Any thread. */
    Checkpoint checkpoint() {
        return fold.written();
    }

    /** Up to where the backend holds everything durably: after a power cut the checkpoint is here or later. Any thread. */
    Checkpoint flushedCheckpoint() {
        return fold.flushed();
    }

    /** Roughly the memory of what was applied since the last {@link #prepareCheckpoint}. Any thread. */
    long gatheredBytes() {
        return fold.gatheredBytes();
    }

    /** Roughly the memory of all that no checkpoint holds. Any thread. */
    long unwrittenBytes() {
        return fold.unwrittenBytes();
    }

    /** Up to where the log may be dropped, by its own word; as of a DROPPED record that was applied. Any thread. */
    long droppedTo() {
        return fold.applied().oldestPosition();
    }

    /** Up to where entries were applied. Any thread. */
    Checkpoint applied() {
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
    void apply(
            List<? extends LogRecord> entries, long upToPosition, long frameIndex, long epoch, long storeTimeMillis) {
        apply(entries, new Checkpoint(upToPosition, frameIndex, epoch, storeTimeMillis, 0));
    }

    /** The same; of the checkpoint, the oldest position does not count. */
    void apply(List<? extends LogRecord> entries, Checkpoint upTo) {
        fold.apply(entries, upTo);
    }

    /** As apply, but never throws: what cannot take an entry is lost, and {@link #damage} says so. For a log that serves. */
    void applyOrLose(List<? extends LogRecord> entries, Checkpoint upTo) {
        fold.applyOrLose(entries, upTo);
    }

    /**
     * What applying a DROPPED record does: the log below the position goes after the next flushed checkpoint, and entries of
     * that part disappear from queues and keys, decisions from the transactions. Never goes back. Applier only; cheap.
     */
    void trimBefore(long position) {
        fold.trimBefore(position);
    }

    /**
     * Closes the current generation, so that {@link #writeCheckpoint} can write it. Applier only; the cost does not
     * depend on what changed.
     *
     * @return false, and nothing is done, if nothing changed or the last generation is not written yet
     */
    boolean prepareCheckpoint() {
        return fold.prepareCheckpoint();
    }

    // ---- duty thread

    /**
     * Writes the generation closed by {@link #prepareCheckpoint}, if there is one, as one atomic batch; then makes all
     * that was written durable if asked.
     *
     * @throws ViewsDamaged if the backend fails (a full disk, for one); nothing is lost, and the next call tries again
     */
    void writeCheckpoint(boolean flush) {
        fold.writeCheckpoint(flush);
    }

    // ---- readers

    /** The queues of visible messages. */
    public ConsumeQueues consumeQueues() {
        return reading(Family.QUEUE).queues;
    }

    /** Half messages, decisions and checks. */
    public Transactions transactions() {
        return reading(Family.TRANSACTIONS).transactions;
    }

    /** Delayed messages. */
    public PendingTimers timers() {
        return reading(Family.DUE).dueMessages;
    }

    /** What is due when, of both kinds. Stays the same over a rebuild. */
    public DueSchedule schedule() {
        return schedule;
    }

    public UniqueKeys uniqueKeys() {
        return reading(Family.UNIQUE).uniques;
    }

    public OffsetTable offsets() {
        return reading(Family.OFFSETS).offsets;
    }

    public CatalogTable catalog() {
        return reading(Family.CATALOG).catalog;
    }

    public PopStates pops() {
        return reading(Family.POP).pops;
    }

    public Deliveries deliveries() {
        return reading(Family.DELIVERIES).deliveries;
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

    /** At most {@code max} items of either kind that are due at or before an instant, earliest first. */
    DueBatch dueUpTo(long nowMillis, int max) {
        return reading(Family.DUE).dueIndex.upTo(nowMillis, max);
    }

    /** When the next item of either kind is due; Long.MAX_VALUE if there is none. Costs one volatile read. */
    long nextDueMillis() {
        return fold.views.dueIndex.nextDueMillis();
    }

    /** What the applier runs after {@link #nextDueMillis} moved to an earlier time; quick, and must not call back. One at most. */
    void onDueEarlier(Runnable wake) {
        dueEarlier = Objects.requireNonNull(wake);
        fold.views.dueIndex.onEarlier(wake);
    }

    /** Queues that are objects in memory now. */
    int liveQueueCount() {
        return fold.views.queues.liveCount();
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
