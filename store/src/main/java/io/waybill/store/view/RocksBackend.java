/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.platform.Files;
import io.waybill.platform.OpenMode;
import java.io.IOException;
import java.io.UncheckedIOException;
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
 */
final class RocksBackend extends ViewsBackend {
    private static final Logger LOG = LoggerFactory.getLogger(RocksBackend.class);
    private static final String DIRECTORY = "views";
    /** Its presence says that a read found damage: the next open starts from nothing. */
    private static final String DAMAGE_MARK = "views.damaged";

    private static final long BLOCK_CACHE_BYTES = 8L << 20;
    private static final long WRITE_BUFFER_BYTES = 4L << 20;
    private static final long ARENA_BLOCK_BYTES = 64L << 10;
    private static final int OPEN_FILES = 128;
    private static final double BLOOM_BITS_PER_KEY = 10;

    private final Files files;
    private final ReadWriteLock lock = new ReentrantReadWriteLock();
    private final List<ColumnFamilyHandle> handles = new ArrayList<>();
    /** To be closed in reverse order. */
    private final Deque<AbstractNativeReference> natives = new ArrayDeque<>();

    private RocksDB db;
    private ReadOptions reads;
    private WriteOptions writes;

    RocksBackend(Files files) {
        this.files = files;
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
                throw new IllegalStateException("the views in " + DIRECTORY + " are open already");
            }
            if (files.exists(DAMAGE_MARK)) {
                throw new ViewsDamaged("damage was found when they were last open");
            }
            files.createDirectories(DIRECTORY);
            RocksLibrary.load(files);
            openDatabase();
        } catch (IOException e) {
            throw new UncheckedIOException("the directory of the views cannot be used", e);
        } finally {
            lock.writeLock().unlock();
        }
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
        try {
            db = RocksDB.open(options, files.hostPath(DIRECTORY).toString(), descriptors, handles);
        } catch (RocksDBException e) {
            closeAll();
            if (isDamage(e)) {
                throw new ViewsDamaged("RocksDB in " + DIRECTORY + ": " + e.getMessage(), e);
            }
            throw new IllegalStateException("RocksDB in " + DIRECTORY + " cannot be opened: " + e.getMessage(), e);
        }
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
                throw new IllegalStateException("the views in " + DIRECTORY + " are open");
            }
            if (files.exists(DIRECTORY)) {
                for (String name : files.list(DIRECTORY)) {
                    files.delete(DIRECTORY + "/" + name);
                }
                files.delete(DIRECTORY);
            }
            // Last: a crash before this deletes again.
            if (files.exists(DAMAGE_MARK)) {
                files.delete(DAMAGE_MARK);
            }
            files.forceDirectory("");
        } catch (IOException e) {
            throw new UncheckedIOException("the directory of the views cannot be deleted", e);
        } finally {
            lock.writeLock().unlock();
        }
    }

    /** The lock to release; the database is open while it is held. */
    private Lock opened() {
        Lock held = lock.readLock();
        held.lock();
        if (db == null) {
            held.unlock();
            throw new IllegalStateException("the views are closed");
        }
        return held;
    }

    private ViewsDamaged failed(String what, Family family, RocksDBException e) {
        if (e.getStatus() != null && e.getStatus().getCode() == Status.Code.Corruption && !files.exists(DAMAGE_MARK)) {
            try {
                files.open(DAMAGE_MARK, OpenMode.CREATE_NEW).close();
                files.forceDirectory("");
            } catch (IOException another) {
                LOG.warn("damage of the views cannot be marked: {}", another.toString());
            }
        }
        return new ViewsDamaged(
                "RocksDB in " + DIRECTORY + (family == null ? "" : ", " + family.tableName) + ": " + what + " failed: "
                        + e.getMessage(),
                e);
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
    Batch newBatch() {
        return new Changes();
    }

    @Override
    void write(Batch batch) {
        Lock held = opened();
        try {
            db.write(writes, ((Changes) batch).batch);
        } catch (RocksDBException e) {
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
        } catch (RocksDBException e) {
            throw failed("a flush", null, e);
        } finally {
            held.unlock();
        }
    }

    private final class Changes extends Batch {
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
