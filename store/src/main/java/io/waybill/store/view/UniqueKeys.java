/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.FirstMessage;
import io.waybill.store.record.Packer;
import io.waybill.store.record.UniqueKey;
import io.waybill.store.record.UniqueKeyClaim;
import io.waybill.store.record.UniqueKeyOwner;
import io.waybill.store.record.Unpacker;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/**
 * Unique keys and the messages that hold them. A key whose time is past counts as free, whether or not its row is still
 * there; so does one whose half message was rolled back or whose delayed message was called back.
 *
 * <pre>
 *   0 | topic | key                -> until 8 | position of the record 8 | position 8 | queueOffset 8 | queueId 4 | storeTime 8
 *   1 | position of the record 8   -> topic | key
 *   2 | handle 8                   -> topic | key       of a half or delayed message
 *   3                              -> key time of the last record 8
 * </pre>
 *
 * The key time stands in the records and only grows, so that every fold of the same log forgets the same keys.
 */
public final class UniqueKeys {
    private static final int HOLDER = 0;
    private static final int BY_POSITION = 1;
    private static final int BY_HANDLE = 2;
    private static final int TIME = 3;
    private static final byte[] TIME_KEY = {TIME};
    /** Rows deleted with one checkpoint. */
    private static final int MAX_CLEANED = 20_000;

    private final ViewsBackend backend;
    private final Table table;
    /** Whether there may be rows: without, nothing costs anything. */
    private volatile boolean used;
    /** Of the last record; what expired before is not there any more. */
    private volatile long timeMillis;
    /** The same as of the generation that is written next. */
    private volatile long closedMillis;

    UniqueKeys(ViewsBackend backend, Table table) {
        this.backend = backend;
        this.table = table;
        backend.scan(Family.UNIQUE, new byte[0], null, (key, value) -> {
            used = true;
            return false;
        });
        byte[] time = used ? table.get(TIME_KEY) : null;
        timeMillis = time == null ? 0 : new Unpacker(time, 0).i64();
        closedMillis = timeMillis;
    }

    private static byte[] name(String topic, String key) {
        return new Packer(96).i8(HOLDER).text(topic).text(key).done();
    }

    private static byte[] number(int kind, long number) {
        return new Packer(9).i8(kind).i64(number).done();
    }

    private static UniqueKeyOwner decode(String topic, String key, byte[] value) {
        Unpacker unpacker = new Unpacker(value, 0);
        UniqueKey unique = new UniqueKey(topic, key, unpacker.i64());
        long position = unpacker.i64();
        FirstMessage first = new FirstMessage(unpacker.i64(), unpacker.i64(), unpacker.i32(), unpacker.i64());
        return new UniqueKeyOwner(unique, first, position);
    }

    // ---- applier

    void unique(UniqueKeyClaim entry) {
        used = true;
        UniqueKey unique = entry.key();
        FirstMessage first = entry.first();
        byte[] name = new Packer(96).text(unique.topic()).text(unique.key()).done();
        table.put(
                name(unique.topic(), unique.key()),
                new Packer(44)
                        .i64(unique.untilMillis())
                        .i64(entry.position())
                        .i64(first.position())
                        .i64(first.queueOffset())
                        .i32(first.queueId())
                        .i64(first.storeTimeMillis())
                        .done());
        table.putNew(number(BY_POSITION, entry.position()), name);
        if (entry.atMillis() > timeMillis) {
            timeMillis = entry.atMillis();
            table.put(TIME_KEY, new Packer(8).i64(timeMillis).done());
        }
        if (first.queueOffset() < 0) {
            table.put(number(BY_HANDLE, first.position()), name);
        }
    }

    /** A half or delayed message ended: its key is free again, or kept for good. */
    void ended(long handle, boolean free) {
        if (!used) {
            return;
        }
        byte[] byHandle = number(BY_HANDLE, handle);
        byte[] name = table.get(byHandle);
        if (name == null) {
            return;
        }
        table.remove(byHandle);
        Unpacker unpacker = new Unpacker(name, 0);
        UniqueKeyOwner holder = get(unpacker.text(), unpacker.text());
        if (free && holder != null && holder.first().position() == handle) {
            table.remove(name(holder.key().topic(), holder.key().key()));
            table.remove(number(BY_POSITION, holder.position()));
        }
    }

    /** The key time of the last record; 0 if there is none. */
    long timeMillis() {
        return timeMillis;
    }

    /** A generation is closed and will be written. */
    void closed() {
        closedMillis = timeMillis;
    }

    // ---- duty thread

    /**
     * Deletes rows whose time is past, in the order of the log, up to the first that still counts. Before the table's own
     * changes, in the same batch.
     */
    void clean(ViewBatch batch) {
        long past = closedMillis;
        if (!used) {
            return;
        }
        int[] cleaned = new int[1];
        backend.scan(Family.UNIQUE, number(BY_POSITION, 0), new byte[] {BY_POSITION + 1}, (key, value) -> {
            Unpacker name = new Unpacker(value, 0);
            String topic = name.text();
            String text = name.text();
            byte[] row = backend.get(Family.UNIQUE, name(topic, text));
            UniqueKeyOwner holder = row == null ? null : decode(topic, text, row);
            if (holder != null && holder.position() == new Unpacker(key, 1).i64()) {
                if (holder.key().untilMillis() > past) {
                    return false;
                }
                batch.delete(Family.UNIQUE, name(topic, text));
                if (holder.first().queueOffset() < 0) {
                    batch.delete(Family.UNIQUE, number(BY_HANDLE, holder.first().position()));
                }
            }
            batch.delete(Family.UNIQUE, key);
            return ++cleaned[0] < MAX_CLEANED;
        });
    }

    // ---- readers

    /** Null if there is none; its time may be past. */
    public UniqueKeyOwner get(String topic, String key) {
        if (!used) {
            return null;
        }
        byte[] value = table.get(name(topic, key));
        return value == null ? null : decode(topic, key, value);
    }

    /** The first of those whose record stands below a position and whose time is not past, in the order of the log. */
    List<UniqueKeyOwner> below(long position, int most) {
        List<UniqueKeyOwner> found = new ArrayList<>();
        visitBelow(position, holder -> {
            found.add(holder);
            return found.size() < most;
        });
        return found;
    }

    /** All of them, until the visitor has enough. */
    void visitBelow(long position, Predicate<UniqueKeyOwner> visitor) {
        long past = timeMillis;
        if (used) {
            table.scan(number(BY_POSITION, 0), number(BY_POSITION, Math.max(0, position)), (key, value) -> {
                Unpacker name = new Unpacker(value, 0);
                UniqueKeyOwner holder = get(name.text(), name.text());
                boolean counts = holder != null
                        && holder.position() == new Unpacker(key, 1).i64()
                        && holder.key().untilMillis() > past;
                return !counts || visitor.test(holder);
            });
        }
    }

    /** Whether a pair of the table still counts. */
    boolean isKept(byte[] key, byte[] value) {
        if (key[0] == TIME) {
            return false; // a log whose records are all dropped has none
        }
        boolean isHolder = key[0] == HOLDER;
        Unpacker name = isHolder ? new Unpacker(key, 1) : new Unpacker(value, 0);
        String topic = name.text();
        String text = name.text();
        UniqueKeyOwner holder = isHolder ? decode(topic, text, value) : get(topic, text);
        if (holder == null || holder.key().untilMillis() <= timeMillis) {
            return false;
        }
        long number = isHolder ? 0 : new Unpacker(key, 1).i64();
        return isHolder
                || number
                        == (key[0] == BY_POSITION
                                ? holder.position()
                                : holder.first().position());
    }
}
