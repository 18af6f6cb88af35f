/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.platform.Files;
import io.waybill.platform.OpenMode;
import io.waybill.platform.StoreFile;
import io.waybill.store.record.ViewsDamaged;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.concurrent.locks.Lock;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;
import org.rocksdb.AbstractNativeReference;
import org.rocksdb.BlockBasedTableConfig;
import org.rocksdb.BloomFilter;
import org.rocksdb.Cache;
import org.rocksdb.ColumnFamilyDescriptor;
import org.rocksdb.ColumnFamilyHandle;
import org.rocksdb.ColumnFamilyOptions;
import org.rocksdb.CompressionType;
import org.rocksdb.DBOptions;
import org.rocksdb.Filter;
import org.rocksdb.FlushOptions;
import org.rocksdb.IndexType;
import org.rocksdb.InfoLogLevel;
import org.rocksdb.LRUCache;
import org.rocksdb.ReadOptions;
import org.rocksdb.RocksDB;
import org.rocksdb.RocksDBException;
import org.rocksdb.RocksIterator;
import org.rocksdb.Status;
import org.rocksdb.WriteBatch;
import org.rocksdb.WriteOptions;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * RocksDB without its write-ahead log: the CommitLog is one already. Flushes are atomic over all column families, so what a
 * crash leaves is the state after some batch. Lean on purpose: values are compact already, and the hot ends of all
 * views are in our own memory.
 *
 * <p>Native handles must not be used after close: every call holds the read lock, close the write lock.
 *
 * <p>Where it lies: in {@code views}, or after a rebuild in {@code views.N}. The highest number counts, whatever is in the others:
 * a rebuild that was cut short is a fold of the log up to its checkpoint as any other is. The next open gives it the plain name.
 *
 * <p>What RocksDB cannot write (no room, no descriptors, a disk that fails for a while) it does not write for ever: it must be
 * opened anew. That is done here, once a file can be written again; without room to open it, it is opened for reading.
 */
final class RocksBackend extends ViewsBackend {
    private static final Logger LOG = LoggerFactory.getLogger(RocksBackend.class);
    private static final String DIRECTORY = "views";
    /** Its presence beside the directory says that a read found damage: the next open starts from nothing. */
    private static final String DAMAGE_MARK = ".damaged";
    /** Written, forced and deleted before RocksDB is closed and opened anew. */
    private static final String PROBE = "views-probe";

    private static final long BLOCK_CACHE_BYTES = 8L << 20;
    private static final long WRITE_BUFFER_BYTES = 4L << 20;
    private static final long ARENA_BLOCK_BYTES = 64L << 10;
    private static final int OPEN_FILES = 128;
    private static final double BLOOM_BITS_PER_KEY = 10;

    private final Files files;
    /** 0 for the plain name; chosen by open unless this one was made beside another. */
    private int number;

    private boolean isBeside;
    private final ReadWriteLock lock = new ReentrantReadWriteLock();
    private final List<ColumnFamilyHandle> handles = new ArrayList<>();
    /** To be closed in reverse order. */
    private final Deque<AbstractNativeReference> natives = new ArrayDeque<>();

    private RocksDB db;
    private ReadOptions reads;
    private WriteOptions writes;

    /** Why RocksDB is closed, or open for reading only; null while it can be written. Changed under the write lock. */
    private volatile String unwritable;
    /** Writes that failed one after the other. Duty thread. */
    private int failures;

    private volatile boolean retired;

    RocksBackend(Files files) {
        this.files = files;
    }

    private String directory() {
        return name(number);
    }

    private static String name(int number) {
        return number == 0 ? DIRECTORY : DIRECTORY + "." + number;
    }

    /** The number in a directory's name; -1 if it is none of ours. */
    private static int numberOf(String name) {
        if (name.equals(DIRECTORY)) {
            return 0;
        }
        return name.matches("views\\.[1-9][0-9]{0,8}") ? Integer.parseInt(name.substring(DIRECTORY.length() + 1)) : -1;
    }

    private <T extends AbstractNativeReference> T keep(T reference) {
        natives.push(reference);
        return reference;
    }

    @Override
    void open() {
        lock.writeLock().lock();
        try {
            if (db != null) {
                throw new IllegalStateException("the views in " + directory() + " are open already");
            }
            trusted();
            failures = 0;
            unwritable = null;
            if (!isBeside) {
                choose();
            }
            if (files.exists(directory() + DAMAGE_MARK)) {
                throw new ViewsDamaged("damage was found when they were last open");
            }
            files.createDirectories(directory());
            RocksLibrary.load(files);
            openDatabase();
        } catch (IOException e) {
            throw new UncheckedIOException("the directory of the views cannot be used", e);
        } finally {
            lock.writeLock().unlock();
        }
    }

    /** Finds the newest directory, deletes those it took over from and gives it the plain name. */
    private void choose() throws IOException {
        List<Integer> numbers = new ArrayList<>();
        for (String name : files.list("")) {
            if (numberOf(name) >= 0) {
                numbers.add(numberOf(name));
            }
        }
        numbers.sort(null);
        number = numbers.isEmpty() ? 0 : numbers.get(numbers.size() - 1);
        if (number == 0) {
            return;
        }
        for (int older : numbers.subList(0, numbers.size() - 1)) {
            delete(older);
        }
        // A mark would now be one of the newer.
        if (files.exists(DIRECTORY + DAMAGE_MARK)) {
            files.delete(DIRECTORY + DAMAGE_MARK);
        }
        if (files.exists(directory() + DAMAGE_MARK)) {
            return;
        }
        files.rename(directory(), DIRECTORY);
        files.forceDirectory("");
        number = 0;
    }

    private void delete(int which) throws IOException {
        String directory = name(which);
        if (files.exists(directory)) {
            for (String name : files.list(directory)) {
                files.delete(directory + "/" + name);
            }
            files.delete(directory);
        }
        // Last: a crash before this deletes again.
        if (files.exists(directory + DAMAGE_MARK)) {
            files.delete(directory + DAMAGE_MARK);
        }
        files.forceDirectory("");
    }

    private void openDatabase() {
        Cache cache = keep(new LRUCache(BLOCK_CACHE_BYTES));
        Filter bloom = keep(new BloomFilter(BLOOM_BITS_PER_KEY));
        DBOptions options = keep(new DBOptions())
                .setCreateIfMissing(true)
                .setCreateMissingColumnFamilies(true)
                .setAtomicFlush(true)
                .setMaxOpenFiles(OPEN_FILES)
                .setMaxBackgroundJobs(2)
                .setMaxFileOpeningThreads(1)
                .setDbWriteBufferSize(4 * WRITE_BUFFER_BYTES)
                .setTableCacheNumshardbits(2)
                .setInfoLogLevel(InfoLogLevel.WARN_LEVEL)
                .setKeepLogFileNum(2)
                .setMaxLogFileSize(1 << 20)
                .setStatsDumpPeriodSec(0)
                .setStatsPersistPeriodSec(0)
                .setSkipStatsUpdateOnDbOpen(true)
                .setAvoidUnnecessaryBlockingIO(true);
        List<ColumnFamilyDescriptor> descriptors = new ArrayList<>();
        // RocksDB insists on this one; it stays empty.
        descriptors.add(new ColumnFamilyDescriptor(RocksDB.DEFAULT_COLUMN_FAMILY, familyOptions(cache, bloom)));
        for (Family family : Family.values()) {
            descriptors.add(new ColumnFamilyDescriptor(
                    family.tableName.getBytes(StandardCharsets.US_ASCII), familyOptions(cache, bloom)));
        }
        reads = keep(new ReadOptions());
        writes = keep(new WriteOptions()).setDisableWAL(true);
        String path = files.hostPath(directory()).toString();
        try {
            db = RocksDB.open(options, path, descriptors, handles);
        } catch (RocksDBException e) {
            handles.clear();
            if (!isDamage(e) && !isBusy(e) && files.exists(directory() + "/CURRENT")) {
                openForReading(options, path, descriptors, e);
                return;
            }
            closeAll();
            if (isDamage(e)) {
                throw new ViewsDamaged("RocksDB in " + directory() + ": " + e.getMessage(), e);
            }
            throw new IllegalStateException("RocksDB in " + directory() + " cannot be opened: " + e.getMessage(), e);
        }
    }

    /** Opening for writing writes, opening for reading does not: a full disk must not hide what is there. */
    private void openForReading(
            DBOptions options, String path, List<ColumnFamilyDescriptor> descriptors, RocksDBException why) {
        try {
            db = RocksDB.openReadOnly(options, path, descriptors, handles);
        } catch (RocksDBException e) {
            handles.clear();
            closeAll();
            if (isDamage(e)) {
                throw new ViewsDamaged("RocksDB in " + directory() + ": " + e.getMessage(), e);
            }
            throw new IllegalStateException(
                    "RocksDB in " + directory() + " cannot be opened: " + why.getMessage() + "; nor for reading: "
                            + e.getMessage(),
                    why);
        }
        unwritable = "RocksDB in " + directory() + " cannot be opened for writing: " + why.getMessage();
        LOG.warn("{}; the views are served as of their last checkpoint and what the log holds behind it", unwritable);
    }

    /** Whether another one has it open. */
    private static boolean isBusy(RocksDBException e) {
        String message = String.valueOf(e.getMessage());
        return message.contains("lock hold by current process") || message.contains("temporarily unavailable");
    }

    private ColumnFamilyOptions familyOptions(Cache cache, Filter bloom) {
        return keep(new ColumnFamilyOptions())
                .setWriteBufferSize(WRITE_BUFFER_BYTES)
                .setArenaBlockSize(ARENA_BLOCK_BYTES)
                .setMaxWriteBufferNumber(2)
                .setCompressionType(CompressionType.NO_COMPRESSION)
                .setLevelCompactionDynamicLevelBytes(true)
                .setTableFormatConfig(new BlockBasedTableConfig()
                        .setBlockCache(cache)
                        .setCacheIndexAndFilterBlocks(true)
                        .setPinL0FilterAndIndexBlocksInCache(false)
                        .setIndexType(IndexType.kBinarySearch)
                        .setFilterPolicy(bloom)
                        .setBlockSize(4096)
                        .setFormatVersion(5));
    }

    /** Whether what lies there is broken, rather than busy, forbidden or out of room. */
    private static boolean isDamage(RocksDBException e) {
        Status status = e.getStatus();
        String message = String.valueOf(e.getMessage());
        return status == null
                || status.getCode() == Status.Code.Corruption
                || status.getCode() == Status.Code.InvalidArgument
                || status.getCode() == Status.Code.NotFound
                || status.getCode() == Status.Code.IOError && message.contains("No such file");
    }

    private void closeAll() {
        for (int i = handles.size() - 1; i >= 0; i--) {
            handles.get(i).close();
        }
        handles.clear();
        if (db != null) {
            db.close();
            db = null;
        }
        while (!natives.isEmpty()) {
            natives.pop().close();
        }
    }

    @Override
    void close() {
        lock.writeLock().lock();
        try {
            closeAll();
        } finally {
            lock.writeLock().unlock();
        }
    }

    @Override
    public void deleteAll() {
        lock.writeLock().lock();
        try {
            if (db != null) {
                throw new IllegalStateException("the views in " + directory() + " are open");
            }
            if (isBeside) {
                delete(number);
                return;
            }
            // Up from the oldest: a crash in between must not leave an older one that counts.
            List<Integer> numbers = new ArrayList<>();
            for (String name : files.list("")) {
                String directory =
                        name.endsWith(DAMAGE_MARK) ? name.substring(0, name.length() - DAMAGE_MARK.length()) : name;
                if (numberOf(directory) >= 0 && !numbers.contains(numberOf(directory))) {
                    numbers.add(numberOf(directory));
                }
            }
            numbers.sort(null);
            for (int old : numbers) {
                delete(old);
            }
            number = 0;
        } catch (IOException e) {
            throw new UncheckedIOException("the directory of the views cannot be deleted", e);
        } finally {
            lock.writeLock().unlock();
        }
    }

    @Override
    ViewsBackend beside() {
        RocksBackend next = new RocksBackend(files);
        next.number = number + 1;
        next.isBeside = true;
        try {
            // Of an earlier try in this process.
            next.delete(next.number);
        } catch (IOException e) {
            throw new UncheckedIOException("the directory " + next.directory() + " cannot be emptied", e);
        }
        return next;
    }

    @Override
    void retire() {
        retired = true;
        close();
        lock.writeLock().lock();
        try {
            delete(number);
        } catch (IOException e) {
            LOG.warn("the directory {} cannot be deleted now; the next start does it: {}", directory(), e.toString());
        } finally {
            lock.writeLock().unlock();
        }
    }

    @Override
    void markDamage() {
        String mark = directory() + DAMAGE_MARK;
        try {
            if (!retired && !files.exists(mark)) {
                files.open(mark, OpenMode.CREATE_NEW).close();
                files.forceDirectory("");
            }
        } catch (IOException e) {
            LOG.warn("damage of the views cannot be marked: {}", e.toString());
        }
    }

    /** The lock to release; the database is open while it is held. */
    private Lock opened() {
        Lock held = lock.readLock();
        held.lock();
        if (db == null) {
            held.unlock();
            String why = unwritable;
            if (retired) {
                throw new ViewsDamaged("these views were replaced by rebuilt ones; try again");
            }
            if (why != null) {
                throw new ViewsDamaged(why + "; try again later");
            }
            throw new IllegalStateException("the views are closed");
        }
        return held;
    }

    private ViewsDamaged failed(String what, Family family, RocksDBException e) {
        String text = "RocksDB in " + directory() + (family == null ? "" : ", " + family.tableName) + ": " + what
                + " failed: " + e.getMessage();
        // A sector that cannot be read does not come back; too few descriptors do.
        boolean isUnreadable = family != null && text.contains("Input/output error");
        return isUnreadable || e.getStatus() != null && e.getStatus().getCode() == Status.Code.Corruption
                ? damaged(text, e)
                : new ViewsDamaged(text + "; try again later", e);
    }

    private ColumnFamilyHandle handle(Family family) {
        return handles.get(family.ordinal() + 1);
    }

    @Override
    byte[] get(Family family, byte[] key) {
        Lock held = opened();
        try {
            return db.get(handle(family), reads, key);
        } catch (RocksDBException e) {
            throw failed("a read", family, e);
        } finally {
            held.unlock();
        }
    }

    @Override
    void scan(Family family, byte[] from, byte[] to, PairVisitor visitor) {
        Lock held = opened();
        try (RocksIterator iterator = db.newIterator(handle(family), reads)) {
            for (iterator.seek(from); iterator.isValid(); iterator.next()) {
                byte[] key = iterator.key();
                if (to != null && Arrays.compareUnsigned(key, to) >= 0 || !visitor.pair(key, iterator.value())) {
                    break;
                }
            }
            iterator.status();
        } catch (RocksDBException e) {
            throw failed("a scan", family, e);
        } finally {
            held.unlock();
        }
    }

    @Override
    void scanDown(Family family, byte[] from, byte[] floor, PairVisitor visitor) {
        Lock held = opened();
        try (RocksIterator iterator = db.newIterator(handle(family), reads)) {
            for (iterator.seekForPrev(from); iterator.isValid(); iterator.prev()) {
                byte[] key = iterator.key();
                if (Arrays.compareUnsigned(key, floor) < 0 || !visitor.pair(key, iterator.value())) {
                    break;
                }
            }
            iterator.status();
        } catch (RocksDBException e) {
            throw failed("a scan", family, e);
        } finally {
            held.unlock();
        }
    }

    @Override
    String unwritable() {
        return unwritable;
    }

    @Override
    void beforeWriting() {
        // The first failure may have passed by itself; RocksDB gets over some.
        if (unwritable != null || failures > 1) {
            openAnew();
        }
    }

    @Override
    ViewBatch newBatch() {
        return new RocksBatch();
    }

    /** RocksDB keeps an error of its own threads until it is closed. Nothing is lost: the views keep what it has not flushed. */
    private void openAnew() {
        try {
            probe();
        } catch (IOException e) {
            throw new ViewsDamaged("nothing can be written beside " + directory() + ": " + e.getMessage(), e);
        }
        lock.writeLock().lock();
        try {
            if (db == null && unwritable == null) {
                throw new IllegalStateException("the views are closed");
            }
            closeAll();
            unwritable = null;
            try {
                openDatabase();
            } catch (ViewsDamaged e) {
                unwritable = e.getMessage();
                throw damaged(e.getMessage(), e);
            } catch (IllegalStateException e) {
                unwritable = e.getMessage();
                throw new ViewsDamaged(e.getMessage(), e);
            }
            if (unwritable != null) {
                throw new ViewsDamaged(unwritable);
            }
        } finally {
            lock.writeLock().unlock();
        }
        LOG.info("RocksDB in {} was opened anew and can be written again", directory());
        failures = 0;
    }

    private void probe() throws IOException {
        if (files.exists(PROBE)) {
            files.delete(PROBE);
        }
        try (StoreFile file = files.open(PROBE, OpenMode.CREATE_NEW)) {
            file.write(0, ByteBuffer.allocate(4096));
            file.force();
        }
        files.delete(PROBE);
    }

    @Override
    void write(ViewBatch batch) {
        Lock held = opened();
        try {
            db.write(writes, ((RocksBatch) batch).batch);
        } catch (RocksDBException e) {
            failures++;
            throw failed("a batch", null, e);
        } finally {
            held.unlock();
        }
    }

    @Override
    void flush() {
        Lock held = opened();
        try (FlushOptions options = new FlushOptions().setWaitForFlush(true).setAllowWriteStall(true)) {
            db.flush(options, handles);
            failures = 0;
        } catch (RocksDBException e) {
            failures++;
            throw failed("a flush", null, e);
        } finally {
            held.unlock();
        }
    }

    private final class RocksBatch extends ViewBatch {
        private final WriteBatch batch = new WriteBatch();

        @Override
        void put(Family family, byte[] key, byte[] value) {
            try {
                batch.put(handle(family), key, value);
            } catch (RocksDBException e) {
                throw failed("a batch", family, e);
            }
        }

        @Override
        void delete(Family family, byte[] key) {
            try {
                batch.delete(handle(family), key);
            } catch (RocksDBException e) {
                throw failed("a batch", family, e);
            }
        }

        @Override
        void deleteRange(Family family, byte[] from, byte[] to) {
            try {
                batch.deleteRange(handle(family), from, to);
            } catch (RocksDBException e) {
                throw failed("a batch", family, e);
            }
        }

        @Override
        public void close() {
            batch.close();
        }
    }
}
