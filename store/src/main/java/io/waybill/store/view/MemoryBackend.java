/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.platform.RandomSource;
import io.waybill.store.record.ViewsDamaged;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Deque;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicLong;
import java.util.concurrent.locks.ReadWriteLock;
import java.util.concurrent.locks.ReentrantReadWriteLock;

/**
 * The backend for simulation: sorted maps, and for each batch since the last flush what it replaced, so that a crash can
 * undo it. Safe for concurrent use; crash and deleteAll only when the views on it are closed or abandoned.
 */
public final class MemoryBackend extends ViewsBackend {
    /** What stood under a key before a batch; null if nothing. */
    private record Replaced(Family family, byte[] key, byte[] value) {}

    private final ReadWriteLock lock = new ReentrantReadWriteLock();
    private final List<TreeMap<byte[], byte[]>> tables = new ArrayList<>();
    /** One list for each unflushed batch, newest first. */
    private final Deque<List<Replaced>> unflushed = new ArrayDeque<>();

    private final AtomicLong reads = new AtomicLong();
    private volatile boolean failNextWrite;
    private volatile Family damagedFamily;
    private volatile boolean failing;
    private volatile boolean alone;
    /** What was made beside it; once this one is retired, or the process ended, it is what is there. */
    private volatile MemoryBackend beside;

    MemoryBackend() {
        for (int i = 0; i < Family.values().length; i++) {
            tables.add(new TreeMap<>(Arrays::compareUnsigned));
        }
    }

    /** How many values were asked for so far, those of a scan as one. */
    public long reads() {
        return reads.get();
    }

    /** The next checkpoint fails, and nothing of it is kept. */
    public void failNextWrite() {
        failNextWrite = true;
    }

    /** Whatever is read of a table from now on is found to be damaged, for as long as this object is the one in use. */
    public void damage(String tableName) {
        for (Family family : Family.values()) {
            if (family.tableName.equals(tableName)) {
                damagedFamily = family;
                return;
            }
        }
        throw new IllegalArgumentException("no table has the name " + tableName);
    }

    /** From now on no read and no write succeeds, or all do again; nothing is damaged. */
    public void fail(boolean now) {
        failing = now;
    }

    /** Whether there is no room for another one beside it. */
    public void alone(boolean now) {
        alone = now;
    }

    /** The one in use: this one, or what took its place. */
    public MemoryBackend inUse() {
        MemoryBackend next = beside;
        return next == null ? this : next.inUse();
    }

    /** Loses everything since the last flush, as a power cut would. */
    public void crash() {
        if (beside != null) {
            beside.crash();
        }
        lock.writeLock().lock();
        try {
            while (!unflushed.isEmpty()) {
                undo(unflushed.pop());
            }
        } finally {
            lock.writeLock().unlock();
        }
    }

    /** Loses some of the last batches, none of them flushed: RocksDB may have written more than it was asked to. */
    public void crash(RandomSource random) {
        if (beside != null) {
            beside.crash(random);
        }
        lock.writeLock().lock();
        try {
            int lost = random.nextInt(unflushed.size() + 1);
            for (int i = 0; i < lost; i++) {
                undo(unflushed.pop());
            }
            unflushed.clear();
        } finally {
            lock.writeLock().unlock();
        }
    }

    private void undo(List<Replaced> batch) {
        for (int i = batch.size() - 1; i >= 0; i--) {
            Replaced replaced = batch.get(i);
            if (replaced.value() == null) {
                table(replaced.family()).remove(replaced.key());
            } else {
                table(replaced.family()).put(replaced.key(), replaced.value());
            }
        }
    }

    @Override
    public void deleteAll() {
        lock.writeLock().lock();
        try {
            tables.forEach(Map::clear);
            unflushed.clear();
            beside = null;
            damagedFamily = null;
        } finally {
            lock.writeLock().unlock();
        }
    }

    private TreeMap<byte[], byte[]> table(Family family) {
        return tables.get(family.ordinal());
    }

    @Override
    void open() {
        trusted();
        MemoryBackend next = inUse();
        if (next != this) {
            lock.writeLock().lock();
            try {
                beside = null;
                damagedFamily = null;
                for (int i = 0; i < tables.size(); i++) {
                    tables.set(i, next.tables.get(i));
                }
                unflushed.clear();
                unflushed.addAll(next.unflushed);
            } finally {
                lock.writeLock().unlock();
            }
        }
        refuseDamage(Family.META);
    }

    @Override
    void close() {}

    @Override
    ViewsBackend beside() {
        if (alone) {
            throw new ViewsDamaged("there is no room for another backend");
        }
        MemoryBackend next = new MemoryBackend();
        beside = next;
        return next;
    }

    @Override
    void retire() {
        tables.forEach(Map::clear);
    }

    private void refuseDamage(Family family) {
        if (family == damagedFamily) {
            throw damaged("the table " + family.tableName + " was told to be damaged");
        }
        if (failing) {
            throw new ViewsDamaged("the backend was told to fail");
        }
    }

    @Override
    byte[] get(Family family, byte[] key) {
        reads.incrementAndGet();
        refuseDamage(family);
        lock.readLock().lock();
        try {
            return table(family).get(key);
        } finally {
            lock.readLock().unlock();
        }
    }

    @Override
    void scan(Family family, byte[] from, byte[] to, PairVisitor visitor) {
        reads.incrementAndGet();
        visit(family, from, to, false, visitor);
    }

    @Override
    void scanDown(Family family, byte[] from, byte[] floor, PairVisitor visitor) {
        visit(family, floor, from, true, visitor);
    }

    /** Copies pages of pairs out of the lock, so that a visitor may call back; a scan is as of one moment for each page. */
    private void visit(Family family, byte[] low, byte[] high, boolean down, PairVisitor visitor) {
        refuseDamage(family);
        byte[] last = null;
        int page = 16;
        while (true) {
            List<Map.Entry<byte[], byte[]>> pairs = new ArrayList<>(page);
            lock.readLock().lock();
            try {
                TreeMap<byte[], byte[]> table = table(family);
                byte[] start = last == null ? low : last;
                Map<byte[], byte[]> range = down
                        ? (last == null ? table.subMap(low, true, high, true) : table.subMap(low, true, last, false))
                                .descendingMap()
                        : (high == null
                                ? table.tailMap(start, last == null)
                                : table.subMap(start, last == null, high, false));
                for (Map.Entry<byte[], byte[]> pair : range.entrySet()) {
                    pairs.add(Map.entry(pair.getKey(), pair.getValue()));
                    if (pairs.size() == page) {
                        break;
                    }
                }
            } finally {
                lock.readLock().unlock();
            }
            for (Map.Entry<byte[], byte[]> pair : pairs) {
                if (!visitor.pair(pair.getKey(), pair.getValue())) {
                    return;
                }
                last = pair.getKey();
            }
            if (pairs.size() < page) {
                return;
            }
            page = Math.min(4096, page * 4);
        }
    }

    @Override
    ViewBatch newBatch() {
        return new MemoryBatch();
    }

    @Override
    void write(ViewBatch batch) {
        if (failNextWrite || failing) {
            failNextWrite = false;
            throw new ViewsDamaged("the write was told to fail");
        }
        List<Replaced> replaced = new ArrayList<>();
        lock.writeLock().lock();
        try {
            for (TableWrite change : ((MemoryBatch) batch).changes) {
                TreeMap<byte[], byte[]> table = table(change.family());
                if (change.to() != null) {
                    Map<byte[], byte[]> range = table.subMap(change.key(), true, change.to(), false);
                    range.forEach((key, value) -> replaced.add(new Replaced(change.family(), key, value)));
                    range.clear();
                } else {
                    byte[] old = change.value() == null
                            ? table.remove(change.key())
                            : table.put(change.key(), change.value());
                    replaced.add(new Replaced(change.family(), change.key(), old));
                }
            }
            unflushed.push(replaced);
        } finally {
            lock.writeLock().unlock();
        }
    }

    @Override
    void flush() {
        lock.writeLock().lock();
        try {
            unflushed.clear();
        } finally {
            lock.writeLock().unlock();
        }
    }

    /** A put, a delete (no value) or a delete of a range (with its end). */
    private record TableWrite(Family family, byte[] key, byte[] to, byte[] value) {}

    private static final class MemoryBatch extends ViewBatch {
        private final List<TableWrite> changes = new ArrayList<>();

        @Override
        void put(Family family, byte[] key, byte[] value) {
            changes.add(new TableWrite(family, key, null, value));
        }

        @Override
        void delete(Family family, byte[] key) {
            changes.add(new TableWrite(family, key, null, null));
        }

        @Override
        void deleteRange(Family family, byte[] from, byte[] to) {
            changes.add(new TableWrite(family, from, to, null));
        }
    }
}
