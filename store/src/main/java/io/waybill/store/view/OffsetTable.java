/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.ConsumerOffsets;
import io.waybill.store.record.Packer;
import io.waybill.store.record.Unpacker;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;

/** Committed offsets: {@code group | topic | queueId 4 -> offset 8 | position of the record 8}. */
public final class OffsetTable {
    private final Table table;

    OffsetTable(Table table) {
        this.table = table;
    }

    private static byte[] key(String group, String topic, int queueId) {
        return new Packer(64).text(group).text(topic).i32(queueId).done();
    }

    /** Applier only. */
    void fold(ConsumerOffsets record) {
        for (ConsumerOffset entry : record.entries()) {
            byte[] key = key(entry.group(), entry.topic(), entry.queueId());
            if (entry.offset() < 0) {
                table.remove(key);
            } else {
                table.put(
                        key,
                        new Packer(16)
                                .i64(entry.offset())
                                .i64(record.position())
                                .done());
            }
        }
    }

    public long get(String group, String topic, int queueId) {
        byte[] value = table.get(key(group, topic, queueId));
        return value == null ? -1 : new Unpacker(value, 0).i64();
    }

    public List<ConsumerOffset> of(String group) {
        byte[] prefix = new Packer(64).text(group).done();
        return find(prefix, Packer.behind(prefix), Long.MAX_VALUE);
    }

    public List<ConsumerOffset> all() {
        return below(Long.MAX_VALUE);
    }

    /** Those whose latest record stands below a position. */
    List<ConsumerOffset> below(long position) {
        return find(new byte[0], null, position);
    }

    public int count() {
        int[] count = new int[1];
        table.scan(new byte[0], null, (key, value) -> {
            count[0]++;
            return true;
        });
        return count[0];
    }

    public TreeSet<String> groups(String topic) {
        TreeSet<String> groups = new TreeSet<>();
        for (ConsumerOffset entry : below(Long.MAX_VALUE)) {
            if (entry.topic().equals(topic)) {
                groups.add(entry.group());
            }
        }
        return groups;
    }

    private List<ConsumerOffset> find(byte[] from, byte[] to, long below) {
        List<ConsumerOffset> found = new ArrayList<>();
        table.scan(from, to, (key, value) -> {
            Unpacker name = new Unpacker(key, 0);
            Unpacker state = new Unpacker(value, 0);
            ConsumerOffset entry = new ConsumerOffset(name.text(), name.text(), name.i32(), state.i64());
            if (state.i64() < below) {
                found.add(entry);
            }
            return true;
        });
        return found;
    }
}
