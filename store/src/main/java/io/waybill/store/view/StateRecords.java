/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.Packer;
import io.waybill.store.record.RecordKind;
import io.waybill.store.record.RecordReader;
import io.waybill.store.record.StateRecord;
import io.waybill.store.record.Unpacker;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.function.Predicate;

/**
 * The last record of each thing, of one kind of {@link StateRecord}s:
 *
 * <pre>
 *   kind 1 | key of the record -> position 8 | the fields as in the log
 * </pre>
 */
public class StateRecords<R extends StateRecord> {
    private static final int PLACE = 8;

    private final Table table;
    private final RecordKind kind;
    private final byte[] prefix;

    StateRecords(Table table, RecordKind kind) {
        this.table = table;
        this.kind = kind;
        this.prefix = new byte[] {(byte) kind.code()};
    }

    private byte[] key(byte[] recordKey) {
        return new Packer(1 + recordKey.length).raw(prefix).raw(recordKey).done();
    }

    @SuppressWarnings("unchecked")
    private R record(byte[] value) {
        ByteBuffer bytes = ByteBuffer.wrap(value);
        long position = bytes.getLong();
        return (R) kind.read(new RecordReader(bytes, kind.version(), position, 0, 0));
    }

    // ---- applier

    void fold(StateRecord record) {
        byte[] key = key(record.key());
        if (record.isRemoval()) {
            table.remove(key);
        } else {
            ByteBuffer value = ByteBuffer.allocate(PLACE + record.fieldBytes());
            value.putLong(record.position());
            record.writeFields(value);
            table.put(key, value.array());
        }
    }

    /** Removes all whose keys begin so. */
    final void removeAll(byte[] keyPrefix) {
        List<byte[]> keys = new ArrayList<>();
        table.scanPrefix(key(keyPrefix), (key, value) -> keys.add(key));
        keys.forEach(table::remove);
    }

    // ---- readers

    /** The last record of a key; null if there is none. */
    public R get(byte[] recordKey) {
        byte[] value = table.get(key(recordKey));
        return value == null ? null : record(value);
    }

    /** Whether a pair of the table still counts. */
    boolean isKept(byte[] value) {
        return true;
    }

    /** Where the last record of a key stands; -1 if there is none. */
    long positionOf(byte[] recordKey) {
        byte[] value = table.get(key(recordKey));
        return value == null ? -1 : new Unpacker(value, 0).i64();
    }

    /** Visits those whose keys begin so, by key, until the visitor has enough. */
    public void visit(byte[] keyPrefix, Predicate<R> visitor) {
        table.scanPrefix(key(keyPrefix), (key, value) -> visitor.test(record(value)));
    }

    /** Visits those from a key (inclusive) to another (exclusive), by key, until the visitor has enough. */
    public void visit(byte[] fromKey, byte[] toKey, Predicate<R> visitor) {
        table.scan(key(fromKey), key(toKey), (key, value) -> visitor.test(record(value)));
    }

    /** Those whose keys begin so, by key; with an empty prefix all. */
    public List<R> all(byte[] keyPrefix) {
        List<R> found = new ArrayList<>();
        visit(keyPrefix, found::add);
        return found;
    }

    /** The first ones behind a key, by key. */
    public List<R> behind(byte[] recordKey, int max) {
        List<R> found = new ArrayList<>();
        if (max > 0) {
            byte[] from = key(recordKey);
            table.scan(from, Packer.behind(prefix), (key, value) -> {
                if (!Arrays.equals(key, from)) {
                    found.add(record(value));
                }
                return found.size() < max;
            });
        }
        return found;
    }

    /** How many there are. Looks at all. */
    public int count() {
        int[] count = new int[1];
        table.scanPrefix(prefix, (key, value) -> {
            count[0]++;
            return true;
        });
        return count[0];
    }

    /** Those whose record stands below a position. */
    List<R> below(long position) {
        List<R> found = new ArrayList<>();
        table.scanPrefix(prefix, (key, value) -> {
            if (new Unpacker(value, 0).i64() < position) {
                found.add(record(value));
            }
            return true;
        });
        return found;
    }
}
