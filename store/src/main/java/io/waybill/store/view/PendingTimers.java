/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.CancelledTimer;
import io.waybill.store.record.DelayedMessage;
import io.waybill.store.record.Packer;
import io.waybill.store.record.PendingTimer;
import io.waybill.store.record.TimerCancelled;
import io.waybill.store.record.TimerFired;
import io.waybill.store.record.TimerRescheduled;
import io.waybill.store.record.Unpacker;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;

/**
 * Delayed messages that wait, by handle and by the hashes of their keys, and how many of each topic; and those that were
 * called back, as long as the log keeps the record of that.
 *
 * <pre>
 *   0 ...                     {@link DueIndex}
 *   1 | handle 8              -> position 8 | size 4 | frameDelta 4 | dueMillis 8 | storeTime 8 | queueId 4 | topic | keys
 *   2 | key hash 8 | handle 8 -> nothing
 *   3 | handle 8              -> position of the record 8 | at 8 | by | topic | keys
 *   4 | key hash 8 | handle 8 -> position of the record 8
 *   5 | topic                 -> count 8
 *   keys: count varint, texts
 * </pre>
 */
public final class PendingTimers {
    private static final int WAITING = 1;
    private static final int BY_KEY = 2;
    private static final int CANCELLED = 3;
    private static final int CANCELLED_BY_KEY = 4;
    private static final int COUNT = 5;
    private static final byte[] NOTHING = new byte[0];
    private static final String[] NO_KEYS = {};

    private record TimerRow(PendingTimer due, String[] keys) {
        byte[] encode() {
            Packer packer = new Packer(128)
                    .i64(due.position())
                    .i32(due.size())
                    .i32(due.frameDelta())
                    .i64(due.dueMillis())
                    .i64(due.storeTimeMillis())
                    .i32(due.queueId())
                    .text(due.topic());
            texts(packer, keys);
            return packer.done();
        }

        static PendingTimer due(long handle, Unpacker unpacker) {
            long position = unpacker.i64();
            int size = unpacker.i32();
            int frameDelta = unpacker.i32();
            long dueMillis = unpacker.i64();
            long storeTimeMillis = unpacker.i64();
            int queueId = unpacker.i32();
            return new PendingTimer(
                    handle, position, size, frameDelta, dueMillis, storeTimeMillis, unpacker.text(), queueId);
        }

        static TimerRow decode(long handle, byte[] value) {
            Unpacker unpacker = new Unpacker(value, 0);
            return new TimerRow(due(handle, unpacker), texts(unpacker));
        }

        DueItem item() {
            return new DueItem(due.dueMillis(), due.handle(), DueItem.DueAction.DELIVER);
        }

        Set<Long> hashes() {
            return PendingTimers.hashes(due.topic(), keys);
        }
    }

    private final ViewsBackend backend;
    private final Table table;
    private final DueIndex index;
    private volatile long count;
    private volatile long oldestPosition;
    private final Map<String, Long> countOfTopic = new ConcurrentHashMap<>();
    /** Applier only: topics whose count in the table is old. */
    private final Set<String> recounted = new HashSet<>();

    PendingTimers(ViewsBackend backend, Table table, DueIndex index, long count, long oldestPosition) {
        this.backend = backend;
        this.table = table;
        this.index = index;
        this.count = count;
        this.oldestPosition = oldestPosition;
        table.scanPrefix(new byte[] {COUNT}, (key, value) -> {
            countOfTopic.put(new Unpacker(key, 1).text(), new Unpacker(value, 0).i64());
            return true;
        });
    }

    private static void texts(Packer packer, String[] texts) {
        packer.varint(texts.length);
        for (String text : texts) {
            packer.text(text);
        }
    }

    private static String[] texts(Unpacker unpacker) {
        List<String> texts = new ArrayList<>(2);
        for (long i = unpacker.varint(); i > 0; i--) {
            texts.add(unpacker.text());
        }
        return texts.toArray(NO_KEYS);
    }

    private static Set<Long> hashes(String topic, String[] keys) {
        Set<Long> hashes = new LinkedHashSet<>();
        for (String key : keys) {
            hashes.add(KeyIndex.hash(topic, key));
        }
        return hashes;
    }

    private static String[] known(String[] keys) {
        return keys == null
                ? NO_KEYS
                : Arrays.stream(keys).filter(Objects::nonNull).distinct().toArray(String[]::new);
    }

    private static byte[] key(int kind, long handle) {
        return new Packer(9).i8(kind).i64(handle).done();
    }

    private static byte[] byKey(int kind, long hash, long handle) {
        return new Packer(17).i8(kind).i64(hash).i64(handle).done();
    }

    private TimerRow find(long handle) {
        byte[] value = table.get(key(WAITING, handle));
        return value == null ? null : TimerRow.decode(handle, value);
    }

    // ---- applier

    void due(DelayedMessage entry) {
        boolean isNew = entry.handle() == entry.position();
        TimerRow old = isNew ? null : find(entry.handle());
        TimerRow waiting = new TimerRow(
                new PendingTimer(
                        entry.handle(),
                        entry.position(),
                        entry.size(),
                        entry.frameDelta(),
                        entry.dueMillis(),
                        entry.storeTimeMillis(),
                        entry.topic(),
                        entry.queueId()),
                known(entry.keys()));
        if (old != null) {
            // Only moved: readers must find it all the while.
            index.remove(old.item());
        } else {
            count(entry.topic(), 1);
        }
        put(waiting, isNew);
        for (long hash : waiting.hashes()) {
            byte[] key = byKey(BY_KEY, hash, entry.handle());
            if (isNew) {
                table.putNew(key, NOTHING);
            } else {
                table.put(key, NOTHING);
            }
        }
    }

    private void count(String topic, long by) {
        count += by;
        countOfTopic.merge(topic, by, (a, b) -> a + b == 0 ? null : a + b);
        recounted.add(topic);
    }

    private void put(TimerRow waiting, boolean isNew) {
        byte[] key = key(WAITING, waiting.due.handle());
        if (isNew) {
            table.putNew(key, waiting.encode());
        } else {
            table.put(key, waiting.encode());
        }
        index.add(waiting.item(), isNew);
    }

    private void remove(TimerRow waiting) {
        long handle = waiting.due.handle();
        table.remove(key(WAITING, handle));
        for (long hash : waiting.hashes()) {
            table.remove(byKey(BY_KEY, hash, handle));
        }
        index.remove(waiting.item());
        count(waiting.due.topic(), -1);
    }

    /** Fired. Unknown handles are the past of a trimmed log. */
    void fired(TimerFired entry) {
        end(entry.handle());
    }

    private void end(long handle) {
        TimerRow waiting = find(handle);
        if (waiting != null) {
            remove(waiting);
        }
    }

    void cancelled(TimerCancelled entry) {
        end(entry.handle());
        String[] keys = known(entry.keys());
        Packer packer = new Packer(128)
                .i64(entry.position())
                .i64(entry.atMillis())
                .text(entry.by() == null ? "" : entry.by())
                .text(entry.topic());
        texts(packer, keys);
        table.put(key(CANCELLED, entry.handle()), packer.done());
        byte[] position = new Packer(8).i64(entry.position()).done();
        for (long hash : hashes(entry.topic(), keys)) {
            table.put(byKey(CANCELLED_BY_KEY, hash, entry.handle()), position);
        }
    }

    void rescheduled(TimerRescheduled entry) {
        TimerRow waiting = find(entry.handle());
        if (waiting != null) {
            PendingTimer due = waiting.due;
            index.remove(waiting.item());
            put(
                    new TimerRow(
                            new PendingTimer(
                                    due.handle(),
                                    due.position(),
                                    due.size(),
                                    due.frameDelta(),
                                    entry.dueMillis(),
                                    due.storeTimeMillis(),
                                    due.topic(),
                                    due.queueId()),
                            waiting.keys),
                    false);
        }
    }

    void trimBefore(long position) {
        oldestPosition = position;
    }

    /** Before the table is swapped. */
    void saveCounts() {
        for (String topic : recounted) {
            byte[] key = new Packer(64).i8(COUNT).text(topic).done();
            Long now = countOfTopic.get(topic);
            if (now == null) {
                table.remove(key);
            } else {
                table.put(key, new Packer(8).i64(now).done());
            }
        }
        recounted.clear();
    }

    // ---- duty thread

    /** Deletes cancellations whose records stand below a position. Before the table's own changes, in the same batch. */
    void clean(ViewBatch batch, long oldest) {
        // A cancellation stands behind its message, so handles at or above the position need no look.
        backend.scan(Family.DUE, key(CANCELLED, 0), key(CANCELLED, Math.max(0, oldest)), (key, value) -> {
            Unpacker unpacker = new Unpacker(value, 0);
            if (unpacker.i64() < oldest) {
                long handle = new Unpacker(key, 1).i64();
                unpacker.i64();
                unpacker.text();
                String topic = unpacker.text();
                for (long hash : hashes(topic, texts(unpacker))) {
                    batch.delete(Family.DUE, byKey(CANCELLED_BY_KEY, hash, handle));
                }
                batch.delete(Family.DUE, key);
            }
            return true;
        });
    }

    // ---- readers

    public long count() {
        return count;
    }

    public long count(String topic) {
        return countOfTopic.getOrDefault(topic, 0L);
    }

    Map<String, Long> counts() {
        return new HashMap<>(countOfTopic);
    }

    /**
     * Whether a pair of the table still counts: cancellations below the oldest position wait for their deletion, and the
     * counts here are newer than those in the table.
     */
    boolean isKept(byte[] key, byte[] value) {
        return switch (key[0]) {
            case CANCELLED, CANCELLED_BY_KEY -> new Unpacker(value, 0).i64() >= oldestPosition;
            case COUNT -> false;
            default -> true;
        };
    }

    public PendingTimer get(long handle) {
        byte[] value = table.get(key(WAITING, handle));
        return value == null ? null : TimerRow.due(handle, new Unpacker(value, 0));
    }

    /** The keys of one that waits; null if it does not. */
    public String[] keys(long handle) {
        TimerRow waiting = find(handle);
        return waiting == null ? null : waiting.keys;
    }

    /** In handle order. */
    public List<PendingTimer> first(int max) {
        List<PendingTimer> found = new ArrayList<>();
        if (max > 0) {
            table.scanPrefix(new byte[] {WAITING}, (key, value) -> {
                found.add(TimerRow.due(new Unpacker(key, 1).i64(), new Unpacker(value, 0)));
                return found.size() < max;
            });
        }
        return found;
    }

    /** Those whose message stands below a position. */
    List<PendingTimer> below(long position) {
        List<PendingTimer> found = new ArrayList<>();
        table.scan(key(WAITING, 0), key(WAITING, Math.max(0, position)), (key, value) -> {
            PendingTimer due = TimerRow.due(new Unpacker(key, 1).i64(), new Unpacker(value, 0));
            if (due.position() < position) {
                found.add(due);
            }
            return true;
        });
        return found;
    }

    private List<Long> handles(int kind, String topic, String key) {
        long hash = KeyIndex.hash(topic, key);
        List<Long> handles = new ArrayList<>();
        table.scan(byKey(kind, hash, 0), byKey(kind, hash, Long.MAX_VALUE), (bytes, value) -> {
            handles.add(new Unpacker(bytes, 9).i64());
            return true;
        });
        return handles;
    }

    /** Handles of those of the topic that carry the key, ascending; the texts are compared. */
    public List<Long> byKey(String topic, String key) {
        List<Long> found = new ArrayList<>();
        for (long handle : handles(BY_KEY, topic, key)) {
            TimerRow waiting = find(handle);
            if (waiting != null
                    && waiting.due.topic().equals(topic)
                    && Arrays.asList(waiting.keys).contains(key)) {
                found.add(handle);
            }
        }
        return found;
    }

    /** How a message was called back; null if it was not, or the record is no longer in the log. */
    public CancelledTimer cancelled(long handle) {
        return cancelled(handle, null, null);
    }

    public List<CancelledTimer> cancelledByKey(String topic, String key) {
        List<CancelledTimer> found = new ArrayList<>();
        for (long handle : handles(CANCELLED_BY_KEY, topic, key)) {
            CancelledTimer ended = cancelled(handle, topic, key);
            if (ended != null) {
                found.add(ended);
            }
        }
        return found;
    }

    private CancelledTimer cancelled(long handle, String topic, String key) {
        byte[] value = table.get(key(CANCELLED, handle));
        if (value == null) {
            return null;
        }
        Unpacker unpacker = new Unpacker(value, 0);
        if (unpacker.i64() < oldestPosition) {
            return null;
        }
        CancelledTimer ended = new CancelledTimer(handle, unpacker.i64(), unpacker.text());
        boolean isWanted = key == null
                || unpacker.text().equals(topic)
                        && Arrays.asList(texts(unpacker)).contains(key);
        return isWanted ? ended : null;
    }
}
