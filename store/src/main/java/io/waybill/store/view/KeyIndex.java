/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.Packer;
import io.waybill.store.record.Unpacker;
import io.waybill.store.record.ViewsDamaged;
import io.waybill.store.record.VisibleMessage;
import java.lang.invoke.MethodHandles;
import java.lang.invoke.VarHandle;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/**
 * Hashes of topic and key -> positions. What was applied since the last checkpoint is a list in memory, searched from
 * its end; a checkpoint writes it as a run sorted by hash, and joins it with the runs before it while they are not much
 * larger. So runs cover ascending spans of the log, there are few small ones, and trimming drops whole runs.
 *
 * <pre>
 *   0 | run 8                          -> count 4 | first position 8 | last position 8 | first time 8 | last time 8
 *   1 | run 8 | first hash 8 | number 4 -> count varint | first position of the run 8, then for each entry, sorted by (hash, position):
 *                                         hash - previous varint (the first: - 0) | position - first position of the run varint
 * </pre>
 *
 * Run numbers ascend with the positions and are never used again.
 */
final class KeyIndex {
    /** Entries of the largest run, 2^18; so an ordinal and a hash of 45 bits fit one long for sorting. */
    private static final int RUN_BITS = 18;

    static final int RUN_LIMIT = 1 << RUN_BITS;
    private static final int BLOCK_ENTRIES = 256;
    private static final int RUN = 0;
    private static final int BLOCK = 1;

    private record Run(long id, int count, long firstPosition, long lastPosition, long firstMillis, long lastMillis) {}

    private record IndexState(Generation current, Generation writing, List<Run> runs) {}

    private final ViewsBackend backend;
    private volatile IndexState state;

    /** Duty thread: the runs as they are after the batch being written. */
    private List<Run> nextRuns;

    /** Duty thread: runs whose blocks the next batch deletes. A reader that still searches them sees the new list of runs in time. */
    private List<Long> garbage = new ArrayList<>();

    private List<Long> nextGarbage = new ArrayList<>();
    private long nextRunId = 1;

    KeyIndex(ViewsBackend backend) {
        this.backend = backend;
        List<Run> runs = new ArrayList<>();
        byte[] prefix = {RUN};
        backend.scan(Family.KEYS, prefix, Packer.behind(prefix), (key, value) -> {
            Unpacker unpacker = new Unpacker(value, 0);
            runs.add(new Run(
                    new Unpacker(key, 1).i64(),
                    unpacker.i32(),
                    unpacker.i64(),
                    unpacker.i64(),
                    unpacker.i64(),
                    unpacker.i64()));
            return true;
        });
        if (!runs.isEmpty()) {
            nextRunId = runs.get(runs.size() - 1).id() + 1;
        }
        state = new IndexState(new Generation(), new Generation(), List.copyOf(runs));
        findGarbage();
    }

    /** Blocks whose run is gone: a crash came between the batch that joined it and the one that deletes them. */
    private void findGarbage() {
        Set<Long> known = new HashSet<>();
        state.runs.forEach(run -> known.add(run.id()));
        byte[] end = {BLOCK + 1};
        long[] id = {0};
        while (id[0] >= 0) {
            byte[] from = runKey(BLOCK, id[0]);
            id[0] = -1;
            backend.scan(Family.KEYS, from, end, (key, value) -> {
                id[0] = new Unpacker(key, 1).i64();
                return false;
            });
            if (id[0] >= 0) {
                if (!known.contains(id[0])) {
                    garbage.add(id[0]);
                }
                nextRunId = Math.max(nextRunId, ++id[0]);
            }
        }
    }

    /** 45 bits, never negative. */
    static long hash(String topic, String key) {
        long hash = topic.hashCode() * 0x9E3779B97F4A7C15L;
        for (int i = 0; i < key.length(); i++) {
            hash = (hash ^ key.charAt(i)) * 0x100000001B3L;
        }
        hash = (hash ^ hash >>> 32) * 0xD6E8FEB86659FD93L;
        return (hash ^ hash >>> 29) & (1L << 63 - RUN_BITS) - 1;
    }

    // ---- applier

    void message(VisibleMessage message) {
        String[] keys = message.keys();
        if (keys == null) {
            return;
        }
        Generation current = state.current;
        for (String key : keys) {
            if (key != null) {
                current.add(hash(message.topic(), key), message.position(), message.storeTimeMillis());
            }
        }
    }

    void swap() {
        IndexState seen = state;
        state = new IndexState(new Generation(), seen.current, seen.runs);
    }

    /** Entries in the order of their positions. One thread adds; readers look only below the published count. */
    private static final class Generation {
        private static final int CHUNK_ENTRIES = 1024;
        private static final VarHandle COUNT;

        static {
            try {
                COUNT = MethodHandles.lookup().findVarHandle(Generation.class, "count", int.class);
            } catch (ReflectiveOperationException e) {
                throw new ExceptionInInitializerError(e);
            }
        }

        private long[][] chunks = new long[4][];
        /** Written with release after everything else. */
        private volatile int count;

        private long firstMillis;
        private long lastMillis;

        void add(long hash, long position, long storeTimeMillis) {
            int at = count;
            int chunk = at / CHUNK_ENTRIES;
            if (at % CHUNK_ENTRIES == 0) {
                if (chunk == chunks.length) {
                    chunks = Arrays.copyOf(chunks, 2 * chunk);
                }
                chunks[chunk] = new long[2 * CHUNK_ENTRIES];
                if (at == 0) {
                    firstMillis = storeTimeMillis;
                }
            }
            int index = 2 * (at % CHUNK_ENTRIES);
            chunks[chunk][index] = hash;
            chunks[chunk][index + 1] = position;
            lastMillis = storeTimeMillis;
            COUNT.setRelease(this, at + 1);
        }

        long hash(int at) {
            return chunks[at / CHUNK_ENTRIES][2 * (at % CHUNK_ENTRIES)];
        }

        long position(int at) {
            return chunks[at / CHUNK_ENTRIES][2 * (at % CHUNK_ENTRIES) + 1];
        }
    }

    // ---- duty thread

    /** Adds the swapped generation to the batch as one or more runs, and drops runs below the oldest position. */
    void write(ViewBatch batch, long oldest) {
        for (long id : garbage) {
            batch.deleteRange(Family.KEYS, runKey(BLOCK, id), runKey(BLOCK, id + 1));
        }
        nextGarbage = new ArrayList<>();
        IndexState seen = state;
        List<Run> runs = new ArrayList<>();
        for (Run run : seen.runs) {
            if (run.lastPosition() < oldest) {
                delete(batch, run);
            } else {
                runs.add(run);
            }
        }
        Generation writing = seen.writing;
        int total = writing.count;
        for (int from = 0; from < total; from += RUN_LIMIT) {
            int size = Math.min(RUN_LIMIT, total - from);
            Sorted sorted = sort(writing, from, size);
            long firstMillis = writing.firstMillis;
            while (!runs.isEmpty()) {
                Run last = runs.get(runs.size() - 1);
                if (last.count() > 2 * sorted.size() || last.count() + sorted.size() > RUN_LIMIT) {
                    break;
                }
                sorted = merge(read(last), sorted);
                firstMillis = last.firstMillis();
                delete(batch, last);
                runs.remove(runs.size() - 1);
            }
            runs.add(put(batch, sorted, firstMillis, writing.lastMillis));
        }
        nextRuns = List.copyOf(runs);
    }

    void written() {
        IndexState seen = state;
        state = new IndexState(seen.current, new Generation(), nextRuns);
        garbage = nextGarbage;
    }

    private record Sorted(long[] hashes, long[] positions) {
        int size() {
            return hashes.length;
        }
    }

    private static Sorted sort(Generation generation, int from, int size) {
        long[] order = new long[size];
        for (int i = 0; i < size; i++) {
            order[i] = generation.hash(from + i) << RUN_BITS | i;
        }
        Arrays.sort(order);
        long[] hashes = new long[size];
        long[] positions = new long[size];
        for (int i = 0; i < size; i++) {
            hashes[i] = order[i] >>> RUN_BITS;
            positions[i] = generation.position(from + (int) (order[i] & RUN_LIMIT - 1));
        }
        return new Sorted(hashes, positions);
    }

    /** Positions of the older are all below those of the newer. */
    private static Sorted merge(Sorted older, Sorted newer) {
        int size = older.size() + newer.size();
        long[] hashes = new long[size];
        long[] positions = new long[size];
        int o = 0;
        int n = 0;
        for (int i = 0; i < size; i++) {
            if (n == newer.size() || o < older.size() && older.hashes[o] <= newer.hashes[n]) {
                hashes[i] = older.hashes[o];
                positions[i] = older.positions[o++];
            } else {
                hashes[i] = newer.hashes[n];
                positions[i] = newer.positions[n++];
            }
        }
        return new Sorted(hashes, positions);
    }

    private static byte[] runKey(int kind, long id) {
        return new Packer(9).i8(kind).i64(id).done();
    }

    private static byte[] blockKey(long id, long hash, int number) {
        return new Packer(21).i8(BLOCK).i64(id).i64(hash).i32(number).done();
    }

    private void delete(ViewBatch batch, Run run) {
        batch.delete(Family.KEYS, runKey(RUN, run.id()));
        nextGarbage.add(run.id());
    }

    private Run put(ViewBatch batch, Sorted sorted, long firstMillis, long lastMillis) {
        long id = nextRunId++;
        long first = Long.MAX_VALUE;
        long last = Long.MIN_VALUE;
        for (long position : sorted.positions) {
            first = Math.min(first, position);
            last = Math.max(last, position);
        }
        for (int from = 0; from < sorted.size(); from += BLOCK_ENTRIES) {
            int to = Math.min(sorted.size(), from + BLOCK_ENTRIES);
            Packer packer = new Packer(32 + 10 * (to - from)).varint(to - from).i64(first);
            long previous = 0;
            for (int i = from; i < to; i++) {
                packer.varint(sorted.hashes[i] - previous).varint(sorted.positions[i] - first);
                previous = sorted.hashes[i];
            }
            batch.put(Family.KEYS, blockKey(id, sorted.hashes[from], from / BLOCK_ENTRIES), packer.done());
        }
        Run run = new Run(id, sorted.size(), first, last, firstMillis, lastMillis);
        batch.put(
                Family.KEYS,
                runKey(RUN, id),
                new Packer(36)
                        .i32(run.count())
                        .i64(first)
                        .i64(last)
                        .i64(firstMillis)
                        .i64(lastMillis)
                        .done());
        return run;
    }

    private static Sorted decode(byte[] value) {
        Unpacker unpacker = new Unpacker(value, 0);
        int count = (int) unpacker.varint();
        if (count < 1 || count > BLOCK_ENTRIES) {
            throw new ViewsDamaged("key block with count " + count);
        }
        long base = unpacker.i64();
        long[] hashes = new long[count];
        long[] positions = new long[count];
        long hash = 0;
        for (int i = 0; i < count; i++) {
            hash += unpacker.varint();
            hashes[i] = hash;
            positions[i] = base + unpacker.varint();
        }
        return new Sorted(hashes, positions);
    }

    private Sorted read(Run run) {
        long[] hashes = new long[run.count()];
        long[] positions = new long[run.count()];
        int[] filled = new int[1];
        backend.scan(Family.KEYS, runKey(BLOCK, run.id()), runKey(BLOCK, run.id() + 1), (key, value) -> {
            Sorted block = decode(value);
            if (filled[0] + block.size() > hashes.length) {
                throw backend.damaged("key run " + run.id() + " has more than its " + run.count() + " entries");
            }
            System.arraycopy(block.hashes, 0, hashes, filled[0], block.size());
            System.arraycopy(block.positions, 0, positions, filled[0], block.size());
            filled[0] += block.size();
            return true;
        });
        if (filled[0] != run.count()) {
            throw backend.damaged("key run " + run.id() + " has " + filled[0] + " of " + run.count() + " entries");
        }
        return new Sorted(hashes, positions);
    }

    // ---- readers

    /** Positions in [oldest, before) found so far, newest first and each once. */
    private static final class FoundPositions {
        private final long oldest;
        private final long before;
        private long[] positions;
        private int count;

        FoundPositions(long oldest, long before, int max) {
            this.oldest = oldest;
            this.before = before;
            this.positions = new long[Math.min(max, 16)];
        }

        /** Takes a position below all before it; returns whether to go on. */
        boolean add(long position, int max) {
            if (position >= oldest && position < before && (count == 0 || positions[count - 1] != position)) {
                if (count == positions.length) {
                    positions = Arrays.copyOf(positions, Math.min(max, 4 * count));
                }
                positions[count++] = position;
            }
            return count < max;
        }
    }

    long[] find(String topic, String key, long fromMillis, long toMillis, long oldest, long before, int max) {
        if (max <= 0) {
            return new long[0];
        }
        long hash = hash(topic, key);
        while (true) {
            IndexState seen = state;
            FoundPositions found = new FoundPositions(oldest, before, max);
            search(seen, hash, fromMillis, toMillis, found, max);
            // Checkpoints may have joined runs meanwhile, and deleted what was searched.
            if (state.runs == seen.runs) {
                return Arrays.copyOf(found.positions, found.count);
            }
        }
    }

    private void search(IndexState seen, long hash, long fromMillis, long toMillis, FoundPositions found, int max) {
        if (!search(seen.current, hash, fromMillis, toMillis, found, max)
                || !search(seen.writing, hash, fromMillis, toMillis, found, max)) {
            return;
        }
        for (int i = seen.runs.size() - 1; i >= 0; i--) {
            Run run = seen.runs.get(i);
            boolean mayHold = run.firstPosition() < found.before
                    && run.lastPosition() >= found.oldest
                    && run.firstMillis() <= toMillis
                    && run.lastMillis() >= fromMillis;
            if (mayHold && !search(run, hash, found, max)) {
                return;
            }
        }
    }

    private static boolean search(
            Generation generation, long hash, long fromMillis, long toMillis, FoundPositions found, int max) {
        int count = generation.count;
        if (count == 0 || generation.firstMillis > toMillis || generation.lastMillis < fromMillis) {
            return true;
        }
        for (int i = count - 1; i >= 0; i--) {
            if (generation.hash(i) == hash && !found.add(generation.position(i), max)) {
                return false;
            }
        }
        return true;
    }

    private boolean search(Run run, long hash, FoundPositions found, int max) {
        boolean[] goOn = {true};
        backend.scanDown(Family.KEYS, blockKey(run.id(), hash, -1), runKey(BLOCK, run.id()), (key, value) -> {
            Sorted block = decode(value);
            for (int i = block.size() - 1; i >= 0 && block.hashes[i] >= hash; i--) {
                if (block.hashes[i] == hash && !found.add(block.positions[i], max)) {
                    goOn[0] = false;
                    return false;
                }
            }
            return block.hashes[0] == hash;
        });
        return goOn[0];
    }

    /** All entries at or above a position, as sorted strings of numbers would be: ascending (position, hash), each once. */
    List<long[]> all(long oldest) {
        IndexState seen = state;
        List<long[]> entries = new ArrayList<>();
        for (Run run : seen.runs) {
            Sorted sorted = read(run);
            for (int i = 0; i < sorted.size(); i++) {
                entries.add(new long[] {sorted.positions[i], sorted.hashes[i]});
            }
        }
        for (Generation generation : List.of(seen.writing, seen.current)) {
            for (int i = 0; i < generation.count; i++) {
                entries.add(new long[] {generation.position(i), generation.hash(i)});
            }
        }
        entries.removeIf(entry -> entry[0] < oldest);
        entries.sort(Arrays::compare);
        List<long[]> once = new ArrayList<>(entries.size());
        for (long[] entry : entries) {
            if (once.isEmpty() || !Arrays.equals(once.get(once.size() - 1), entry)) {
                once.add(entry);
            }
        }
        return once;
    }
}
