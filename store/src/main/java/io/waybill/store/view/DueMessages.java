/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import java.util.ArrayList;
import java.util.List;

/**
 * Delayed messages that wait, by handle and by the hash of their unique key.
 *
 * <pre>
 *   0 ...                  {@link DueIndex}
 *   1 | handle 8           -> position 8 | size 4 | frameDelta 4 | dueMillis 8 | storeTime 8 | key hash 8 (-1: none)
 *   2 | key hash 8 | handle 8 -> nothing
 * </pre>
 */
final class DueMessages {
    private static final int WAITING = 1;
    private static final int BY_KEY = 2;
    private static final byte[] NOTHING = new byte[0];

    private record Waiting(PendingDue due, long keyHash) {
        byte[] encode() {
            return new Packer(40)
                    .i64(due.position())
                    .i32(due.size())
                    .i32(due.frameDelta())
                    .i64(due.dueMillis())
                    .i64(due.storeTimeMillis())
                    .i64(keyHash)
                    .text(due.topic())
                    .i32(due.queueId())
                    .done();
        }

        static Waiting decode(long handle, byte[] value) {
            Unpacker unpacker = new Unpacker(value, 0);
            long position = unpacker.i64();
            int size = unpacker.i32();
            int frameDelta = unpacker.i32();
            long dueMillis = unpacker.i64();
            long storeTimeMillis = unpacker.i64();
            long keyHash = unpacker.i64();
            return new Waiting(
                    new PendingDue(
                            handle,
                            position,
                            size,
                            frameDelta,
                            dueMillis,
                            storeTimeMillis,
                            unpacker.text(),
                            unpacker.i32()),
                    keyHash);
        }

        DueItem item() {
            return new DueItem(due.dueMillis(), due.handle(), DueItem.Kind.DELIVER);
        }
    }

    private final Table table;
    private final DueIndex index;
    private volatile long count;

    DueMessages(Table table, DueIndex index, long count) {
        this.table = table;
        this.index = index;
        this.count = count;
    }

    static byte[] key(long handle) {
        return new Packer(9).i8(WAITING).i64(handle).done();
    }

    private static byte[] byKey(long hash, long handle) {
        return new Packer(17).i8(BY_KEY).i64(hash).i64(handle).done();
    }

    private Waiting find(long handle) {
        byte[] value = table.get(key(handle));
        return value == null ? null : Waiting.decode(handle, value);
    }

    // ---- applier

    void due(Entry.Due entry) {
        boolean isNew = entry.handle() == entry.position();
        Waiting old = isNew ? null : find(entry.handle());
        long hash = entry.uniqueKey() == null ? -1 : KeyIndex.hash(entry.topic(), entry.uniqueKey());
        Waiting waiting = new Waiting(
                new PendingDue(
                        entry.handle(),
                        entry.position(),
                        entry.size(),
                        entry.frameDelta(),
                        entry.dueMillis(),
                        entry.storeTimeMillis(),
                        entry.topic(),
                        entry.queueId()),
                hash);
        if (old != null) {
            remove(old);
        }
        put(waiting, isNew);
        if (hash >= 0) {
            if (isNew) {
                table.putNew(byKey(hash, entry.handle()), NOTHING);
            } else {
                table.put(byKey(hash, entry.handle()), NOTHING);
            }
        }
        count++;
    }

    private void put(Waiting waiting, boolean isNew) {
        byte[] key = key(waiting.due.handle());
        if (isNew) {
            table.putNew(key, waiting.encode());
        } else {
            table.put(key, waiting.encode());
        }
        index.add(waiting.item(), isNew);
    }

    private void remove(Waiting waiting) {
        table.remove(key(waiting.due.handle()));
        if (waiting.keyHash >= 0) {
            table.remove(byKey(waiting.keyHash, waiting.due.handle()));
        }
        index.remove(waiting.item());
        count--;
    }

    /** Fired or cancelled. Unknown handles are the past of a trimmed log. */
    void ended(long handle) {
        Waiting waiting = find(handle);
        if (waiting != null) {
            remove(waiting);
        }
    }

    void rescheduled(Entry.Rescheduled entry) {
        Waiting waiting = find(entry.handle());
        if (waiting != null) {
            PendingDue due = waiting.due;
            index.remove(waiting.item());
            put(
                    new Waiting(
                            new PendingDue(
                                    due.handle(),
                                    due.position(),
                                    due.size(),
                                    due.frameDelta(),
                                    entry.dueMillis(),
                                    due.storeTimeMillis(),
                                    due.topic(),
                                    due.queueId()),
                            waiting.keyHash),
                    false);
        }
    }

    // ---- readers

    long count() {
        return count;
    }

    PendingDue get(long handle) {
        Waiting waiting = find(handle);
        return waiting == null ? null : waiting.due;
    }

    /** In handle order. */
    List<PendingDue> first(int max) {
        List<PendingDue> found = new ArrayList<>();
        if (max > 0) {
            table.scanPrefix(new byte[] {WAITING}, (key, value) -> {
                found.add(Waiting.decode(new Unpacker(key, 1).i64(), value).due);
                return found.size() < max;
            });
        }
        return found;
    }

    /** Those whose message stands below a position. */
    List<PendingDue> below(long position) {
        List<PendingDue> found = new ArrayList<>();
        table.scan(key(0), key(Math.max(0, position)), (key, value) -> {
            PendingDue due = Waiting.decode(new Unpacker(key, 1).i64(), value).due;
            if (due.position() < position) {
                found.add(due);
            }
            return true;
        });
        return found;
    }

    List<Long> byUniqueKey(String topic, String uniqueKey) {
        long hash = KeyIndex.hash(topic, uniqueKey);
        List<Long> handles = new ArrayList<>();
        table.scan(byKey(hash, 0), byKey(hash, Long.MAX_VALUE), (key, value) -> {
            handles.add(new Unpacker(key, 9).i64());
            return true;
        });
        return handles;
    }
}
