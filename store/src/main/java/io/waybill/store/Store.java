/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import io.waybill.platform.FileLock;
import io.waybill.platform.Files;
import io.waybill.platform.Platform;
import io.waybill.store.log.CommitLog;
import io.waybill.store.log.Completion;
import io.waybill.store.log.LogInspection;
import io.waybill.store.log.StoreException;
import io.waybill.store.log.StoreFormat;
import io.waybill.store.log.StoreSettings;
import io.waybill.store.record.ViewsDamaged;
import io.waybill.store.view.Views;
import io.waybill.store.view.ViewsBackend;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReentrantLock;
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
