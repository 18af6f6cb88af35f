/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import io.waybill.platform.FileLock;
import io.waybill.platform.Files;
import io.waybill.platform.Platform;
import io.waybill.protocol.message.IndexTerms;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.log.CommitLog;
import io.waybill.store.log.Completion;
import io.waybill.store.log.LogStats;
import io.waybill.store.log.Positions;
import io.waybill.store.log.StoreException;
import io.waybill.store.log.StoreFormat;
import io.waybill.store.log.StoreSettings;
import io.waybill.store.log.StoreState;
import io.waybill.store.log.StoredListener;
import io.waybill.store.log.VisibleListener;
import io.waybill.store.view.Boundary;
import io.waybill.store.view.CatalogKind;
import io.waybill.store.view.CheckEvent;
import io.waybill.store.view.CheckReason;
import io.waybill.store.view.Decision;
import io.waybill.store.view.DecisionConflict;
import io.waybill.store.view.DecisionRecord;
import io.waybill.store.view.DueBatch;
import io.waybill.store.view.EndedDue;
import io.waybill.store.view.JournalEntry;
import io.waybill.store.view.PendingDue;
import io.waybill.store.view.PendingHalf;
import io.waybill.store.view.PopDelta;
import io.waybill.store.view.PopKey;
import io.waybill.store.view.PopState;
import io.waybill.store.view.ProgressEntry;
import io.waybill.store.view.PublishRecord;
import io.waybill.store.view.QueueKey;
import io.waybill.store.view.QueueView;
import io.waybill.store.view.RolledBack;
import io.waybill.store.view.UniqueKey;
import io.waybill.store.view.Views;
import io.waybill.store.view.ViewsBackend;
import io.waybill.store.view.ViewsDamaged;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One log and its views. What always holds: a change whose outcome is {@link io.waybill.store.log.Stored} is in the log,
 * kept by the promise of the flush mode, and readable; nothing that is readable can be lost again; after a crash the store
 * opens with every acknowledged change and possibly some whole frames of changes that were not acknowledged.
 *
 * <p>Changes return at once; the {@link Completion} is called exactly once, by the thread that confirmed the change (perhaps
 * the caller, before the method returns), and must not block. Every method may be called from any thread.
 */
public final class Store implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Store.class);

    /** Of messages found by key and kept in memory at once, unless the caller wants less. */
    public static final long MOST_BYTES_BY_KEY = 8 << 20;

    private static final int KEY_PAGE = 64;

    private final FileLock lock;
    private final Views views;
    private final CommitLog log;
    private final QueueReader reader;
    private final Lock closing = new ReentrantLock();

    private Store(FileLock lock, Views views, CommitLog log) {
        this.lock = lock;
        this.views = views;
        this.log = log;
        this.reader = new QueueReader(views, log);
    }

    /**
     * Opens the store in this directory, or makes one. Replays the log from the views' checkpoint, verifies it and cuts what
     * a crash left torn. The store starts its duties on the platform and closes them itself.
     *
     * @throws io.waybill.store.log.StoreDamaged if confirmed bytes are wrong or missing
     * @throws io.waybill.store.log.StoreTooNew if a newer program wrote here; then nothing is changed
     * @throws StoreException if another process holds the directory or it cannot be read or written
     */
    public static Store open(Files files, Platform platform, StoreSettings settings, ViewsBackend backend)
            throws StoreException {
        FileLock lock;
        try {
            lock = files.lock("lock");
        } catch (IOException e) {
            throw new StoreException("the store's directory cannot be locked: " + e.getMessage(), e);
        }
        Views views = null;
        try {
            // Before anything is touched, the views too: what a newer program wrote must not be taken for damage.
            StoreFormat.check(files);
            try {
                views = openViews(files, backend);
            } catch (IllegalStateException | UncheckedIOException e) {
                String why = e instanceof UncheckedIOException u ? u.getCause().getMessage() : e.getMessage();
                throw new StoreException("the views cannot be opened: " + why, e);
            }
            return new Store(lock, views, CommitLog.open(files, platform, settings, views));
        } catch (IOException e) {
            closeQuietly(lock, e);
            throw new StoreException("the store's directory cannot be read: " + e.getMessage(), e);
        } catch (ViewsDamaged e) {
            closeQuietly(views, e);
            closeQuietly(lock, e);
            throw new StoreException(
                    "the views cannot be opened; delete them, the log rebuilds them: " + e.getMessage(), e);
        } catch (StoreException | RuntimeException | Error e) {
            closeQuietly(views, e);
            closeQuietly(lock, e);
            throw e;
        }
    }

    private static Views openViews(Files files, ViewsBackend backend) throws IOException {
        Views views = Views.open(backend);
        long oldest = CommitLog.oldestPosition(files);
        if (views.checkpoint().position() == 0 || views.checkpoint().position() >= oldest) {
            return views;
        }
        LOG.warn("the views are older than the log, which starts at {}: they are rebuilt", oldest);
        views.close();
        backend.deleteAll();
        return Views.open(backend);
    }

    // ---- changes

    /** Makes a message visible in its queue. */
    public void put(MessageDraft message, Completion done) {
        log.put(message, done);
    }

    /** Makes messages of one queue visible, all or none, at consecutive offsets; the list must not be empty. */
    public void putBatch(List<MessageDraft> sameQueue, Completion done) {
        log.putBatch(sameQueue, done);
    }

    /**
     * As the plain one, unless another message of the topic holds the key and its time is not past: then it is refused as
     * DUPLICATE with the {@link io.waybill.store.view.FirstStored} of that one. The key is held until its time, whatever happens
     * to the message, except that a rollback or a cancellation sets it free.
     *
     * @param unique null for none
     */
    public void put(UniqueKey unique, MessageDraft message, Completion done) {
        log.put(unique, message, done);
    }

    /**
     * Makes those messages of one queue visible whose key is not held, all or none of them, at consecutive offsets. The outcome is
     * a {@link io.waybill.store.log.BatchStored}; of two with the same key the first one is stored.
     *
     * @param unique parallel to the messages; null elements for messages that have no key
     */
    public void putBatch(List<MessageDraft> sameQueue, List<UniqueKey> unique, Completion done) {
        log.putBatch(sameQueue, unique, done);
    }

    /**
     * Keeps a message invisible until it is decided; a first check is due at the given store time.
     *
     * @param unique a key it must be the only one to hold, see {@link #put(UniqueKey, MessageDraft, Completion)}; null for none
     * @param sender the client id of who sent it; empty if not known
     */
    public void putHalf(
            UniqueKey unique,
            MessageDraft message,
            String producerGroup,
            String sender,
            long firstCheckMillis,
            Completion done) {
        log.putHalf(unique, message, producerGroup, sender, firstCheckMillis, done);
    }

    /** The same of an unknown sender. */
    public void putHalf(
            UniqueKey unique, MessageDraft message, String producerGroup, long firstCheckMillis, Completion done) {
        log.putHalf(unique, message, producerGroup, "", firstCheckMillis, done);
    }

    /** A delayed message with a unique key, see {@link #put(UniqueKey, MessageDraft, Completion)}. */
    public void putDue(UniqueKey unique, MessageDraft message, long dueMillis, Completion done) {
        log.putDue(unique, message, dueMillis, done);
    }

    /** A half message without a key, of an unknown sender. */
    public void putHalf(MessageDraft message, String producerGroup, long firstCheckMillis, Completion done) {
        log.putHalf(null, message, producerGroup, "", firstCheckMillis, done);
    }

    /** Keeps a message invisible until the broker fires it, when it is due. */
    public void putDue(MessageDraft message, long dueMillis, Completion done) {
        log.putDue(message, dueMillis, done);
    }

    /**
     * Ends a half message. The first decision wins: a later one is refused as ALREADY_DECIDED with the prior one.
     *
     * @param by who decided, for people
     * @param finalCopy for COMMIT the visible copy, for ROLLBACK null, for EXHAUSTED null or what is put aside for people. Its
     *     preparedTransactionOffset becomes the handle
     * @param dueMillis for COMMIT: 0 = visible now, else the copy is kept as a delayed message and its new handle is returned
     */
    public void decide(
            long handle,
            Decision outcome,
            boolean fromCheck,
            String by,
            MessageDraft finalCopy,
            long dueMillis,
            Completion done) {
        log.decide(handle, outcome, fromCheck, by, finalCopy, dueMillis, done);
    }

    /** Makes a delayed message visible as this copy. Refused: NOT_FOUND when fired or cancelled, NOT_DUE when moved to later. */
    public void fire(long handle, MessageDraft copy, Completion done) {
        log.fire(handle, copy, done);
    }

    /** Calls a delayed message back. Refused as NOT_FOUND when it is visible or called back already. */
    public void cancel(long handle, String by, Completion done) {
        log.cancel(handle, by, done);
    }

    /** Gives a delayed message another due time. */
    public void reschedule(long handle, long dueMillis, Completion done) {
        log.reschedule(handle, dueMillis, done);
    }

    /**
     * Records that {@code count} checks of a half message were delivered so far and when the next is due.
     *
     * @param client who was asked; empty if nobody was, then the history has no event of it
     * @param reason why that one, or nobody
     * @param sender the client id of who sent the half message, if that was learnt; else empty
     */
    public void checked(
            long handle,
            int count,
            long nextCheckMillis,
            String client,
            CheckReason reason,
            String sender,
            Completion done) {
        log.checked(handle, count, nextCheckMillis, client, reason, sender, done);
    }

    /** The same without a reason. */
    public void checked(long handle, int count, long nextCheckMillis, String client, Completion done) {
        log.checked(handle, count, nextCheckMillis, client, CheckReason.NONE, "", done);
    }

    /**
     * Records that a decision came too late; its position and time are set by the store. Refused as ALREADY_DECIDED when an equal one of the same
     * transaction is known.
     */
    public void conflict(DecisionConflict conflict, Completion done) {
        log.conflict(conflict, done);
    }

    /**
     * Delivers the message of a rolled back transaction after all. Refused as ALREADY_DECIDED with the {@link PublishRecord} of the first time or the
     * {@link DecisionRecord} that is no rollback, as NOT_FOUND when the log no longer keeps the message, as DUPLICATE when another message holds its key.
     *
     * @param by who wants it, and why, for people
     * @param unique the key it claims again, or null
     * @param copy the visible copy; its preparedTransactionOffset becomes the handle
     * @param dueMillis 0 = visible now, else the copy is kept as a delayed message
     */
    public void publish(long handle, String by, UniqueKey unique, MessageDraft copy, long dueMillis, Completion done) {
        log.publish(handle, by, unique, copy, dueMillis, done);
    }

    /** Records what a client said when it was asked; decides nothing. Refused as NOT_FOUND when neither it nor its decision is known. */
    public void checkAnswered(long handle, String client, String answer, Completion done) {
        log.checkAnswered(handle, client, answer, done);
    }

    /** Records steps of pop states, all or none. Each state begins with a Start or a Reset. */
    public void pop(List<PopDelta> deltas, Completion done) {
        log.pop(deltas, done);
    }

    /**
     * Makes messages visible and records steps of pop states, all or none. The messages may be of different queues, or none.
     * {@link io.waybill.store.log.Stored} of the first.
     */
    public void putAndPop(List<MessageDraft> visible, List<PopDelta> deltas, Completion done) {
        log.putAndPop(visible, deltas, done);
    }

    /** Records what happened to messages, for people; trimmed with the log. */
    public void journal(List<JournalEntry> entries, Completion done) {
        log.journal(entries, done);
    }

    /** Records consumer offsets, all or none; a negative offset removes one. */
    public void commitProgress(List<ProgressEntry> entries, Completion done) {
        log.commitProgress(entries, done);
    }

    /**
     * Sets a topic, group, setting or deleted topic; null deletes it. With a topic all messages of its queues are hidden; their offsets go on. With the
     * entry of a deleted topic those that are still kept are shown again.
     */
    public void putCatalog(CatalogKind kind, String name, byte[] valueOrNullToDelete, Completion done) {
        log.putCatalog(kind, name, valueOrNullToDelete, done);
    }

    // ---- queues

    /** The offsets that can be read now; 0 to 0 for a queue never written. */
    public QueueRange range(String topic, int queueId) {
        QueueView queue = views.queue(topic, queueId);
        return new QueueRange(queue.min(), queue.max());
    }

    /** The same with what is hidden since the topic was deleted. */
    public QueueRange keptRange(String topic, int queueId) {
        QueueView queue = views.queue(topic, queueId);
        return new QueueRange(queue.firstKept(), queue.max());
    }

    /** Every queue that ever had a message. */
    public List<QueueKey> queues() {
        return views.queues();
    }

    /** The queues of a topic that ever had a message. */
    public List<QueueKey> queuesOf(String topic) {
        return views.queuesOf(topic);
    }

    /**
     * Reads a queue from an offset. May block on the disk unless {@link #isHot}.
     *
     * @param maxBytes stop before it would be passed, but return at least one message
     * @param filter by tags code, null = all
     * @param text by the stored message, null = all
     */
    public ReadResult read(
            String topic,
            int queueId,
            long offset,
            int maxCount,
            int maxBytes,
            EntryFilter filter,
            MessageFilter text) {
        return read(topic, queueId, offset, Long.MAX_VALUE, maxCount, maxBytes, filter, text);
    }

    /** The same, and no message at or behind {@code toOffset}. */
    public ReadResult read(
            String topic,
            int queueId,
            long offset,
            long toOffset,
            int maxCount,
            int maxBytes,
            EntryFilter filter,
            MessageFilter text) {
        return reader.read(topic, queueId, offset, toOffset, maxCount, maxBytes, filter, text);
    }

    /** Whether a read at this offset is served from memory. A heuristic: what is hot may have cooled a moment later. */
    public boolean isHot(String topic, int queueId, long offset) {
        return reader.isHot(topic, queueId, offset);
    }

    /**
     * Bytes of the log from a visible message to its end: little for what was stored lately. {@link Long#MAX_VALUE} if no message
     * stands at the offset. May block on the disk.
     */
    public long logBytesSince(String topic, int queueId, long offset) {
        long position = views.queue(topic, queueId).positionOf(offset);
        return position < 0 ? Long.MAX_VALUE : Math.max(0, positions().applied() - position);
    }

    /** By store time; see {@link Boundary}. */
    public long offsetByTime(String topic, int queueId, long timeMillis, Boundary boundary) {
        return views.queue(topic, queueId).offsetByTime(timeMillis, boundary);
    }

    /** Store time of the message at an offset; -1 if there is none. May block on the disk. */
    public long storeTimeOf(String topic, int queueId, long offset) {
        return views.queue(topic, queueId).storeTimeOf(offset);
    }

    /** Store time of the oldest readable message; -1 if there is none. */
    public long earliestStoreTime(String topic, int queueId) {
        QueueView queue = views.queue(topic, queueId);
        return queue.storeTimeOf(queue.min());
    }

    // ---- single messages

    /**
     * The stored message at a position, visible or pending; verified. Null if none starts there or it cannot be read intact.
     * The index of its first byte is 0. May block on the disk.
     */
    public ByteBuffer readAt(long position) {
        return reader.readAt(position);
    }

    /**
     * A message as it was first stored at a position, also a half or delayed one that was decided, delivered or called back since. For tools
     * that tell what was: its own lengths and checksum fit, its frame is not verified. Null if there is none. May block on the disk.
     */
    public ByteBuffer onceStored(long position) {
        return log.claimed(position);
    }

    /** The stored message of an open half or of a pending delayed message, wherever it stands now; null if not pending. */
    public ByteBuffer readPending(long handle) {
        PendingHalf half = views.half(handle);
        if (half != null) {
            return reader.readVerified(half.position(), half.size(), half.frameDelta());
        }
        PendingDue due = views.due(handle);
        return due == null ? null : reader.readVerified(due.position(), due.size(), due.frameDelta());
    }

    /**
     * Visible messages of a topic with this unique key or KEYS word, newest first, by store time. The string is compared, so no
     * other message is returned. As many as fit into {@link #MOST_BYTES_BY_KEY}, but at least one. May block on the disk.
     */
    public List<ByteBuffer> byKey(String topic, String key, int max, long fromMillis, long toMillis) {
        return byKey(topic, key, max, MOST_BYTES_BY_KEY, fromMillis, toMillis, message -> true);
    }

    /**
     * The same, of those that pass the test. One message is in memory beside those that are returned, whatever is passed over.
     *
     * @param maxBytes stop before it would be passed, but return at least one message
     */
    public List<ByteBuffer> byKey(
            String topic,
            String key,
            int max,
            long maxBytes,
            long fromMillis,
            long toMillis,
            Predicate<ByteBuffer> test) {
        List<ByteBuffer> found = new ArrayList<>();
        long[] bytes = {0};
        visitByKey(topic, key, fromMillis, toMillis, message -> {
            if (!test.test(message)) {
                return true;
            }
            bytes[0] += message.remaining();
            if (!found.isEmpty() && bytes[0] > maxBytes) {
                return false;
            }
            found.add(message);
            return found.size() < max;
        });
        return found;
    }

    /** Shows the messages one after the other, newest first, until the visitor says no; it need not keep them. */
    public void visitByKey(String topic, String key, long fromMillis, long toMillis, Predicate<ByteBuffer> visitor) {
        long before = Long.MAX_VALUE;
        while (true) {
            long[] positions = views.keyPositions(topic, key, fromMillis, toMillis, before, KEY_PAGE);
            for (long position : positions) {
                ByteBuffer message = reader.readAt(position);
                if (message != null && isAbout(message, topic, key, fromMillis, toMillis) && !visitor.test(message)) {
                    return;
                }
            }
            if (positions.length < KEY_PAGE) {
                return;
            }
            before = positions[positions.length - 1];
        }
    }

    /**
     * The newest visible message of a topic with this unique key or KEYS word that passes the test, stored at the given time or later; null if
     * there is none. May block on the disk.
     *
     * @throws UncheckedIOException if a message that may be the one cannot be read: then nobody knows
     */
    public ByteBuffer newestByKey(String topic, String key, long fromMillis, Predicate<ByteBuffer> test) {
        return newestByKey(topic, key, fromMillis, 0, test);
    }

    /**
     * The same among the messages that stand in the log from a position on: for who has looked at those before it.
     *
     * @throws UncheckedIOException if a message that may be the one cannot be read: then nobody knows
     */
    public ByteBuffer newestByKey(
            String topic, String key, long fromMillis, long fromPosition, Predicate<ByteBuffer> test) {
        long before = Long.MAX_VALUE;
        while (true) {
            long[] positions = views.keyPositions(topic, key, fromMillis, Long.MAX_VALUE, before, 64);
            for (long position : positions) {
                if (position < fromPosition) {
                    return null;
                }
                ByteBuffer message = reader.readAt(position);
                if (message == null && position >= log.oldestPosition()) {
                    throw new UncheckedIOException(
                            new IOException("the message at log position " + position + " cannot be read"));
                }
                if (message != null && isAbout(message, topic, key, fromMillis, Long.MAX_VALUE) && test.test(message)) {
                    return message;
                }
            }
            if (positions.length < 64) {
                return null;
            }
            before = positions[positions.length - 1];
        }
    }

    private boolean isAbout(ByteBuffer message, String topic, String key, long fromMillis, long toMillis) {
        long time = StoredMessage.storeTimestamp(message, 0);
        if (time < fromMillis || time > toMillis || !StoredMessage.topicEquals(message, 0, topic)) {
            return false;
        }
        QueueView queue = views.queue(topic, StoredMessage.queueId(message, 0));
        if (StoredMessage.queueOffset(message, 0) < queue.min()) {
            return false; // hidden since the topic was deleted
        }
        IndexTerms terms = StoredMessage.indexTerms(message, 0);
        return key.equals(terms.uniqueKey()) || Arrays.asList(terms.keys()).contains(key);
    }

    // ---- transactions and due times

    /** Handles of pending delayed messages with this unique key. */
    public List<Long> pendingByUniqueKey(String topic, String uniqueKey) {
        List<Long> handles = new ArrayList<>();
        for (long handle : views.pendingByKey(topic, uniqueKey)) {
            ByteBuffer message = readPending(handle);
            if (message != null
                    && StoredMessage.topicEquals(message, 0, topic)
                    && uniqueKey.equals(StoredMessage.indexTerms(message, 0).uniqueKey())) {
                handles.add(handle);
            }
        }
        return handles;
    }

    /** Handles of pending delayed messages with this unique key or KEYS word, oldest first. */
    public List<Long> pendingByKey(String topic, String key) {
        return views.pendingByKey(topic, key);
    }

    /** Delayed messages with this unique key or KEYS word that were called back, as long as the log keeps that; oldest first. */
    public List<EndedDue> cancelledByKey(String topic, String key) {
        return views.cancelledByKey(topic, key);
    }

    /** How a delayed message was called back; null if it was not, or the log no longer keeps it. */
    public EndedDue cancelled(long handle) {
        return views.cancelled(handle);
    }

    /** Null if it is not open. */
    public PendingHalf half(long handle) {
        return views.half(handle);
    }

    /** Open half messages, oldest first. */
    public List<PendingHalf> openHalves(int max) {
        return views.openHalves(max);
    }

    public long openHalfCount() {
        return views.openHalfCount();
    }

    /** The decision of a half message, as long as the log keeps it; else null. */
    public DecisionRecord decisionOf(long handle) {
        return views.decisionOf(handle);
    }

    /**
     * The message a decision made visible: of a COMMIT, or what was put aside. Null after a ROLLBACK, while a commit is delayed, and
     * when the log no longer keeps it. May block on the disk.
     */
    public ByteBuffer readDecided(long handle) {
        DecisionRecord decision = views.decisionOf(handle);
        ByteBuffer message = decision == null ? null : reader.readAt(CommitLog.behind(decision));
        return message != null && StoredMessage.preparedTransactionOffset(message, 0) == handle ? message : null;
    }

    /** The half message of a transaction that was rolled back, as long as the log keeps it; else null. May block on the disk. */
    public ByteBuffer readRolledBack(long handle) {
        RolledBack half = views.rolledBack(handle);
        return half == null ? null : reader.readVerified(half.position(), half.size(), half.frameDelta());
    }

    /** Where that half message stands; null if the log no longer keeps it. */
    public RolledBack rolledBack(long handle) {
        return views.rolledBack(handle);
    }

    /** How a rolled back message was delivered after all; null if it was not, or the log no longer keeps that. */
    public PublishRecord published(long handle) {
        return views.published(handle);
    }

    /** The message a publication made visible; null while it is delayed, and when the log no longer keeps it. May block on the disk. */
    public ByteBuffer readPublished(long handle) {
        PublishRecord published = views.published(handle);
        ByteBuffer message = published == null ? null : reader.readAt(CommitLog.behind(published));
        return message != null && StoredMessage.preparedTransactionOffset(message, 0) == handle ? message : null;
    }

    /** The decisions on a transaction that came too late, as long as the log keeps them. */
    public List<DecisionConflict> conflictsOf(long handle) {
        return views.conflictsOf(handle);
    }

    /** Shows the decisions that came too late, in the order of their half messages, until the visitor has enough. */
    public void visitConflicts(Predicate<DecisionConflict> visitor) {
        views.visitConflicts(visitor);
    }

    /** The checks of a half message, oldest first, also after its decision, as long as the log keeps their records. */
    public List<CheckEvent> checksOf(long handle) {
        return views.checksOf(handle);
    }

    /** Null if it is not pending. */
    public PendingDue due(long handle) {
        return views.due(handle);
    }

    /** Pending delayed messages. */
    public List<PendingDue> pendingDue(int max) {
        return views.pendingDue(max);
    }

    public long pendingDueCount() {
        return views.pendingDueCount();
    }

    /** Of one topic. */
    public long pendingDueCount(String topic) {
        return views.pendingDueCount(topic);
    }

    /** What has to be done up to this time, deliveries and checks, earliest first. Items stay until they are acted on. */
    public DueBatch dueUpTo(long nowMillis, int max) {
        return views.dueUpTo(nowMillis, max);
    }

    /** The time of the next due item of either kind; Long.MAX_VALUE if there is none. */
    public long nextDueMillis() {
        return views.nextDueMillis();
    }

    // ---- progress and catalog

    /** -1 if none. */
    public long progress(String group, String topic, int queueId) {
        return views.progress(group, topic, queueId);
    }

    public List<ProgressEntry> progressOf(String group) {
        return views.progressOf(group);
    }

    /** How many offsets are committed. Looks at all of them. */
    public int progressCount() {
        return views.progressCount();
    }

    public List<ProgressEntry> progressAll() {
        return views.progressAll();
    }

    public Set<String> groupsWithProgress(String topic) {
        return views.groupsWithProgress(topic);
    }

    /** Null if none. */
    public byte[] catalog(CatalogKind kind, String name) {
        return views.catalog(kind, name);
    }

    public Map<String, byte[]> catalogAll(CatalogKind kind) {
        return views.catalogAll(kind);
    }

    // ---- pop states and journal

    /** A copy; null if there is none. */
    public PopState popState(PopKey key) {
        return views.popState(key);
    }

    /** Of all pop states, sorted by group, topic and queue. */
    public List<PopKey> popKeys() {
        return views.popKeys();
    }

    /** What is known of the message at an offset, oldest record first, as long as the log keeps it. */
    public List<JournalEntry> journalOf(String topic, int queueId, long offset, int max) {
        return views.journalOf(topic, queueId, offset, max);
    }

    // ---- listeners and state

    /** Calls the listener, by the applying thread, after messages became readable: once per queue and frame. */
    public void onVisible(VisibleListener listener) {
        log.onVisible(listener);
    }

    /** Calls the listener, by the applying thread, with what became readable: at least once per topic and frame. */
    public void onStored(StoredListener counter) {
        log.onStored(counter);
    }

    /** Runs this, by the applying thread, when {@link #nextDueMillis} moved earlier. */
    public void onDueEarlier(Runnable wake) {
        views.onDueEarlier(wake);
    }

    /** Runs this once the store takes no more changes after a failed write or force; at once if that is so. It must not block. */
    public void onFrozen(Runnable told) {
        log.onFrozen(told);
    }

    public Positions positions() {
        return log.positions();
    }

    public StoreState state() {
        return log.state();
    }

    /** What is wrong with the views, in a sentence for people; empty if nothing is. No message is lost by it. */
    public String viewsTrouble() {
        return log.viewsTrouble();
    }

    /** How often the views were made again since the store was opened. */
    public long viewsRebuilds() {
        return log.viewsRebuilds();
    }

    /** The first position the log still holds. */
    public long oldestPosition() {
        return log.oldestPosition();
    }

    public LogStats stats() {
        return log.stats();
    }

    /** The time by which unique keys expire: it passes evenly, whatever the wall clock does. */
    public long keyTimeMillis() {
        return log.keyTimeMillis();
    }

    /** How far the store's newest time is ahead of the clock, which was ahead when it was written; 0 if it is not. */
    public long aheadMillis() {
        return log.aheadMillis();
    }

    /** The store time: the wall clock, but never earlier than what is in the log. */
    public long nowMillis() {
        return log.nowMillis();
    }

    /** Refuses new changes, confirms what was taken, writes the views and closes everything. Idempotent; a second caller waits. */
    @Override
    public void close() throws StoreException {
        closing.lock();
        try {
            closeOnce();
        } finally {
            closing.unlock();
        }
    }

    private void closeOnce() throws StoreException {
        StoreException failure = null;
        try {
            log.close();
        } catch (StoreException e) {
            failure = e;
        }
        try {
            views.close();
            lock.close();
        } catch (Exception e) {
            if (failure == null) {
                failure = new StoreException("closing the store: " + e.getMessage(), e);
            }
        }
        if (failure != null) {
            throw failure;
        }
    }

    private static void closeQuietly(AutoCloseable held, Throwable cause) {
        try {
            if (held != null) {
                held.close();
            }
        } catch (Exception e) {
            cause.addSuppressed(e);
        }
    }
}
