/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import io.waybill.platform.FileLock;
import io.waybill.platform.Files;
import io.waybill.platform.Platform;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.store.log.CommitLog;
import io.waybill.store.log.Completion;
import io.waybill.store.log.LogInspection;
import io.waybill.store.log.LogStats;
import io.waybill.store.log.Positions;
import io.waybill.store.log.StoreException;
import io.waybill.store.log.StoreFormat;
import io.waybill.store.log.StoreSettings;
import io.waybill.store.log.StoreState;
import io.waybill.store.log.StoredListener;
import io.waybill.store.log.VisibleListener;
import io.waybill.store.record.CancelledTimer;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.CheckEvent;
import io.waybill.store.record.CheckReason;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionConflict;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.DeliveryEvent;
import io.waybill.store.record.PendingHalf;
import io.waybill.store.record.PendingTimer;
import io.waybill.store.record.PopDelta;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopState;
import io.waybill.store.record.PublishRecord;
import io.waybill.store.record.QueueKey;
import io.waybill.store.record.RolledBack;
import io.waybill.store.record.UniqueKey;
import io.waybill.store.record.ViewsDamaged;
import io.waybill.store.view.Boundary;
import io.waybill.store.view.DueBatch;
import io.waybill.store.view.Views;
import io.waybill.store.view.ViewsBackend;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
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
 * <p>What is in it is behind narrow doors, one for each thing a feature may need; here is only opening and closing.
 *
 * <p>Changes return at once; the {@link Completion} is called exactly once, by the thread that confirmed the change (perhaps
 * the caller, before the method returns), and must not block. Every method may be called from any thread.
 */
public final class Store implements AutoCloseable {
    private static final Logger LOG = LoggerFactory.getLogger(Store.class);

    private final FileLock lock;
    private final Views views;
    private final CommitLog log;
    private final QueueStore queues;
    private final MessageStore messages;
    private final TransactionStore transactions;
    private final ConflictStore conflicts;
    private final TimerStore timers;
    private final OffsetStore offsets;
    private final CatalogStore catalog;
    private final PopStore pops;
    private final DeliveryStore deliveries;
    private final LockStore locks;
    private final SettlementStore settlements;
    private final StoreStatus status;
    private final StoreClock clock;
    private final Lock closing = new ReentrantLock();

    private Store(FileLock lock, Views views, CommitLog log) {
        this.lock = lock;
        this.views = views;
        this.log = log;
        QueueReader reader = new QueueReader(views, log.reader());
        queues = new QueueStore(views, log, reader);
        messages = new MessageStore(views, log, reader);
        transactions = new TransactionStore(views, log, reader);
        conflicts = new ConflictStore(views, log, reader);
        timers = new TimerStore(views, log, messages);
        offsets = new OffsetStore(views, log);
        catalog = new CatalogStore(views, log);
        pops = new PopStore(views, log);
        deliveries = new DeliveryStore(views, log);
        locks = new LockStore(views, log);
        settlements = new SettlementStore(views, log);
        status = new StoreStatus(views, log);
        clock = new StoreClock(log.time());
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
            CommitLog log = CommitLog.open(files, platform, settings, views.forLog());
            try {
                log.lead(log.epoch() + 1);
            } catch (StoreException | RuntimeException | Error e) {
                closeQuietly(log::close, e);
                throw e;
            }
            return new Store(lock, views, log);
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
        long oldest = LogInspection.oldestPosition(files, 0);
        if (views.forLog().checkpoint().position() == 0
                || views.forLog().checkpoint().position() >= oldest) {
            return views;
        }
        LOG.warn("the views are older than the log, which starts at {}: they are rebuilt", oldest);
        views.close();
        backend.deleteAll();
        return Views.open(backend);
    }

    // ---- the doors: a feature takes only those it uses

    /** Visible messages by queue and offset. */
    public QueueStore queues() {
        return queues;
    }

    /** Single messages: append, and find by position or key. */
    public MessageStore messages() {
        return messages;
    }

    /** Half messages, checks and decisions. */
    public TransactionStore transactions() {
        return transactions;
    }

    /** What came after the decision on a transaction. */
    public ConflictStore conflicts() {
        return conflicts;
    }

    /** Delayed messages, and what is due. */
    public TimerStore timers() {
        return timers;
    }

    /** Committed offsets of consumer groups. */
    public OffsetStore offsets() {
        return offsets;
    }

    /** Topics, groups and settings. */
    public CatalogStore catalog() {
        return catalog;
    }

    /** Pop states. */
    public PopStore pops() {
        return pops;
    }

    /** What happened to messages, for people. */
    public DeliveryStore deliveries() {
        return deliveries;
    }

    /** Who holds ordered queues. */
    public LockStore locks() {
        return locks;
    }

    /** What became of set-aside messages. */
    public SettlementStore settlements() {
        return settlements;
    }

    /** How the store is. */
    public StoreStatus status() {
        return status;
    }

    /** The times of the store. */
    public StoreClock clock() {
        return clock;
    }

    // ---- the same methods under their old names, until every caller takes a door

    public void put(MessageDraft message, Completion done) {
        messages.append(message, done);
    }

    public void putBatch(List<MessageDraft> sameQueue, Completion done) {
        messages.appendBatch(sameQueue, done);
    }

    public void put(UniqueKey unique, MessageDraft message, Completion done) {
        messages.appendUnique(unique, message, done);
    }

    public void putBatch(List<MessageDraft> sameQueue, List<UniqueKey> unique, Completion done) {
        messages.appendUniqueBatch(sameQueue, unique, done);
    }

    public void putHalf(
            UniqueKey unique,
            MessageDraft message,
            String producerGroup,
            String sender,
            long firstCheckMillis,
            Completion done) {
        transactions.appendHalf(unique, message, producerGroup, sender, firstCheckMillis, done);
    }

    public void putHalf(
            UniqueKey unique, MessageDraft message, String producerGroup, long firstCheckMillis, Completion done) {
        transactions.appendHalf(unique, message, producerGroup, "", firstCheckMillis, done);
    }

    public void putDue(UniqueKey unique, MessageDraft message, long dueMillis, Completion done) {
        timers.appendTimer(unique, message, dueMillis, done);
    }

    public void putHalf(MessageDraft message, String producerGroup, long firstCheckMillis, Completion done) {
        transactions.appendHalf(null, message, producerGroup, "", firstCheckMillis, done);
    }

    public void putDue(MessageDraft message, long dueMillis, Completion done) {
        timers.appendTimer(null, message, dueMillis, done);
    }

    public void decide(
            long handle,
            Decision outcome,
            boolean fromCheck,
            String by,
            MessageDraft finalCopy,
            long dueMillis,
            Completion done) {
        transactions.decide(handle, outcome, fromCheck, by, finalCopy, dueMillis, done);
    }

    public void fire(long handle, MessageDraft copy, Completion done) {
        timers.fire(handle, copy, done);
    }

    public void cancel(long handle, String by, Completion done) {
        timers.cancel(handle, by, done);
    }

    public void reschedule(long handle, long dueMillis, Completion done) {
        timers.reschedule(handle, dueMillis, done);
    }

    public void checked(
            long handle,
            int count,
            long nextCheckMillis,
            String client,
            CheckReason reason,
            String sender,
            Completion done) {
        transactions.recordCheck(handle, count, nextCheckMillis, client, reason, sender, done);
    }

    public void checked(long handle, int count, long nextCheckMillis, String client, Completion done) {
        transactions.recordCheck(handle, count, nextCheckMillis, client, CheckReason.NONE, "", done);
    }

    public void conflict(DecisionConflict conflict, Completion done) {
        conflicts.recordConflict(conflict, done);
    }

    public void publish(long handle, String by, UniqueKey unique, MessageDraft copy, long dueMillis, Completion done) {
        conflicts.publish(handle, by, unique, copy, dueMillis, done);
    }

    public void checkAnswered(long handle, String client, String answer, Completion done) {
        transactions.recordCheckAnswer(handle, client, answer, done);
    }

    public void pop(List<PopDelta> deltas, Completion done) {
        pops.recordPops(deltas, done);
    }

    public void putAndPop(List<MessageDraft> visible, List<PopDelta> deltas, Completion done) {
        pops.appendAndRecordPops(visible, deltas, done);
    }

    public void journal(List<DeliveryEvent> entries, Completion done) {
        deliveries.recordDeliveries(entries, done);
    }

    public void commitProgress(List<ConsumerOffset> entries, Completion done) {
        offsets.commitOffsets(entries, done);
    }

    public void putCatalog(CatalogKind kind, String name, byte[] valueOrNullToDelete, Completion done) {
        catalog.putCatalog(kind, name, valueOrNullToDelete, done);
    }

    public QueueRange range(String topic, int queueId) {
        return queues.offsetRange(topic, queueId);
    }

    public QueueRange keptRange(String topic, int queueId) {
        return queues.keptOffsetRange(topic, queueId);
    }

    public List<QueueKey> queuesOf(String topic) {
        return queues.queuesOf(topic);
    }

    public ReadResult read(
            String topic,
            int queueId,
            long offset,
            int maxCount,
            int maxBytes,
            EntryFilter filter,
            MessageFilter text) {
        return queues.readQueue(topic, queueId, offset, maxCount, maxBytes, filter, text);
    }

    public ReadResult read(
            String topic,
            int queueId,
            long offset,
            long toOffset,
            int maxCount,
            int maxBytes,
            EntryFilter filter,
            MessageFilter text) {
        return queues.readQueueUpTo(topic, queueId, offset, toOffset, maxCount, maxBytes, filter, text);
    }

    public boolean isHot(String topic, int queueId, long offset) {
        return queues.isHot(topic, queueId, offset);
    }

    public long logBytesSince(String topic, int queueId, long offset) {
        return queues.logBytesSince(topic, queueId, offset);
    }

    public long offsetByTime(String topic, int queueId, long timeMillis, Boundary boundary) {
        return queues.offsetByTime(topic, queueId, timeMillis, boundary);
    }

    public long storeTimeOf(String topic, int queueId, long offset) {
        return queues.storeTimeOf(topic, queueId, offset);
    }

    public long earliestStoreTime(String topic, int queueId) {
        return queues.earliestStoreTime(topic, queueId);
    }

    public ByteBuffer readAt(long position) {
        return messages.readAt(position);
    }

    public ByteBuffer onceStored(long position) {
        return messages.readUnverified(position);
    }

    public ByteBuffer readPending(long handle) {
        return messages.readPending(handle);
    }

    public List<ByteBuffer> byKey(String topic, String key, int max, long fromMillis, long toMillis) {
        return messages.findByKey(topic, key, max, fromMillis, toMillis);
    }

    public List<ByteBuffer> byKey(
            String topic,
            String key,
            int max,
            long maxBytes,
            long fromMillis,
            long toMillis,
            Predicate<ByteBuffer> test) {
        return messages.findByKey(topic, key, max, maxBytes, fromMillis, toMillis, test);
    }

    public void visitByKey(String topic, String key, long fromMillis, long toMillis, Predicate<ByteBuffer> visitor) {
        messages.visitByKey(topic, key, fromMillis, toMillis, visitor);
    }

    public ByteBuffer newestByKey(String topic, String key, long fromMillis, Predicate<ByteBuffer> test) {
        return messages.findNewestByKey(topic, key, fromMillis, 0, test);
    }

    public ByteBuffer newestByKey(
            String topic, String key, long fromMillis, long fromPosition, Predicate<ByteBuffer> test) {
        return messages.findNewestByKey(topic, key, fromMillis, fromPosition, test);
    }

    public List<Long> pendingByUniqueKey(String topic, String uniqueKey) {
        return timers.handlesByUniqueKey(topic, uniqueKey);
    }

    public List<Long> pendingByKey(String topic, String key) {
        return timers.handlesByKey(topic, key);
    }

    public List<CancelledTimer> cancelledByKey(String topic, String key) {
        return timers.cancelledByKey(topic, key);
    }

    public CancelledTimer cancelled(long handle) {
        return timers.cancelledTimer(handle);
    }

    public PendingHalf half(long handle) {
        return transactions.openHalf(handle);
    }

    public List<PendingHalf> openHalves(int max) {
        return transactions.openHalves(max);
    }

    public long openHalfCount() {
        return transactions.openHalfCount();
    }

    public DecisionRecord decisionOf(long handle) {
        return transactions.decisionOf(handle);
    }

    public ByteBuffer readDecided(long handle) {
        return transactions.readDecided(handle);
    }

    public ByteBuffer readRolledBack(long handle) {
        return conflicts.readRolledBack(handle);
    }

    public RolledBack rolledBack(long handle) {
        return conflicts.rolledBackHalf(handle);
    }

    public PublishRecord published(long handle) {
        return conflicts.publicationOf(handle);
    }

    public ByteBuffer readPublished(long handle) {
        return conflicts.readPublished(handle);
    }

    public List<DecisionConflict> conflictsOf(long handle) {
        return conflicts.conflictsOf(handle);
    }

    public void visitConflicts(Predicate<DecisionConflict> visitor) {
        conflicts.visitConflicts(visitor);
    }

    public List<CheckEvent> checksOf(long handle) {
        return transactions.checksOf(handle);
    }

    public PendingTimer due(long handle) {
        return timers.pendingTimer(handle);
    }

    public List<PendingTimer> pendingDue(int max) {
        return timers.pendingTimers(max);
    }

    public long pendingDueCount() {
        return timers.pendingTimerCount();
    }

    public long pendingDueCount(String topic) {
        return timers.pendingTimerCount(topic);
    }

    public DueBatch dueUpTo(long nowMillis, int max) {
        return timers.dueUpTo(nowMillis, max);
    }

    public long nextDueMillis() {
        return timers.nextDueMillis();
    }

    public long progress(String group, String topic, int queueId) {
        return offsets.committedOffset(group, topic, queueId);
    }

    public List<ConsumerOffset> progressOf(String group) {
        return offsets.offsetsOf(group);
    }

    public int progressCount() {
        return offsets.offsetCount();
    }

    public List<ConsumerOffset> progressAll() {
        return offsets.allOffsets();
    }

    public Set<String> groupsWithProgress(String topic) {
        return offsets.groupsWithOffsets(topic);
    }

    public byte[] catalog(CatalogKind kind, String name) {
        return catalog.catalogValue(kind, name);
    }

    public Map<String, byte[]> catalogAll(CatalogKind kind) {
        return catalog.catalogValues(kind);
    }

    public PopState popState(PopKey key) {
        return pops.popState(key);
    }

    public List<PopKey> popKeys() {
        return pops.popKeys();
    }

    public List<DeliveryEvent> journalOf(String topic, int queueId, long offset, int max) {
        return deliveries.deliveriesOf(topic, queueId, offset, max);
    }

    public void onVisible(VisibleListener listener) {
        queues.onVisible(listener);
    }

    public void onStored(StoredListener counter) {
        messages.onStored(counter);
    }

    public void onDueEarlier(Runnable wake) {
        timers.onDueEarlier(wake);
    }

    public void onFrozen(Runnable told) {
        status.onFrozen(told);
    }

    public Positions positions() {
        return status.positions();
    }

    public StoreState state() {
        return status.state();
    }

    public String viewsTrouble() {
        return status.viewsTrouble();
    }

    public long viewsRebuilds() {
        return status.viewsRebuilds();
    }

    public long oldestPosition() {
        return status.oldestPosition();
    }

    public LogStats stats() {
        return status.statistics();
    }

    public long keyTimeMillis() {
        return clock.keyTimeMillis();
    }

    public long aheadMillis() {
        return clock.aheadMillis();
    }

    public long nowMillis() {
        return clock.nowMillis();
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
