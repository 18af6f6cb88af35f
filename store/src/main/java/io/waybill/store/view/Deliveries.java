/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.DeliveryEvent;
import io.waybill.store.record.DeliveryEvents;
import io.waybill.store.record.Packer;
import io.waybill.store.record.Unpacker;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * What happened to runs of messages, as long as the log keeps the records.
 *
 * <pre>
 *   0 | topic | queueId 4 | from 8 | position of the record 8 | index 4 -> to 8 | kind 1 | first 8 | last 8 | group | client
 *   1 | position of the record 8 -> count varint, each: topic | queueId 4 | from 8
 * </pre>
 */
public final class Deliveries {
    private static final int ENTRY = 0;
    private static final int RECORD = 1;

    private record FoundDelivery(long position, int index, DeliveryEvent entry) {}

    private final ViewsBackend backend;
    private final Table table;
    private volatile long oldestPosition;

    Deliveries(ViewsBackend backend, Table table, long oldestPosition) {
        this.backend = backend;
        this.table = table;
        this.oldestPosition = oldestPosition;
    }

    private static Packer queue(String topic, int queueId) {
        return new Packer(64).i8(ENTRY).text(topic).i32(queueId);
    }

    private static byte[] key(String topic, int queueId, long from, long position, int index) {
        return queue(topic, queueId).i64(from).i64(position).i32(index).done();
    }

    private static byte[] record(long position) {
        return new Packer(9).i8(RECORD).i64(position).done();
    }

    // ---- applier

    void fold(DeliveryEvents record) {
        Packer all =
                new Packer(64 * record.entries().size()).varint(record.entries().size());
        int index = 0;
        for (DeliveryEvent entry : record.entries()) {
            table.putNew(
                    key(entry.topic(), entry.queueId(), entry.fromOffset(), record.position(), index++),
                    new Packer(64)
                            .i64(entry.toOffset())
                            .i8(entry.kind().code())
                            .i64(entry.firstMillis())
                            .i64(entry.lastMillis())
                            .text(entry.group())
                            .text(entry.client())
                            .done());
            all.text(entry.topic()).i32(entry.queueId()).i64(entry.fromOffset());
        }
        table.putNew(record(record.position()), all.done());
    }

    void trimBefore(long position) {
        oldestPosition = position;
    }

    // ---- duty thread

    /** Deletes the entries of records below a position. Before the table's own changes, in the same batch. */
    void clean(ViewBatch batch, long oldest) {
        backend.scan(Family.DELIVERIES, record(0), record(Math.max(0, oldest)), (key, value) -> {
            long position = new Unpacker(key, 1).i64();
            Unpacker all = new Unpacker(value, 0);
            long count = all.varint();
            for (int index = 0; index < count; index++) {
                batch.delete(Family.DELIVERIES, key(all.text(), all.i32(), all.i64(), position, index));
            }
            batch.delete(Family.DELIVERIES, key);
            return true;
        });
    }

    // ---- readers

    /** Whether a pair of the table still counts: what stands below the oldest position waits for its deletion. */
    boolean isKept(byte[] key) {
        int at = key[0] == RECORD ? 1 : key.length - 12;
        return new Unpacker(key, at).i64() >= oldestPosition;
    }

    /** Those that cover an offset, in the order of the log. */
    public List<DeliveryEvent> of(String topic, int queueId, long offset, int max) {
        List<FoundDelivery> found = new ArrayList<>();
        byte[] from = queue(topic, queueId)
                .i64(Math.max(0, offset - DeliveryEvent.MAX_SPAN + 1))
                .done();
        byte[] to = queue(topic, queueId).i64(offset + 1).done();
        table.scan(from, to, (key, value) -> {
            Unpacker unpacker = new Unpacker(value, 0);
            long toOffset = unpacker.i64();
            Unpacker place = new Unpacker(key, key.length - 20);
            long fromOffset = place.i64();
            long position = place.i64();
            if (toOffset > offset && position >= oldestPosition) {
                DeliveryEvent.DeliveryKind kind = DeliveryEvent.DeliveryKind.ofCode(unpacker.i8());
                long first = unpacker.i64();
                long last = unpacker.i64();
                String group = unpacker.text();
                DeliveryEvent entry = new DeliveryEvent(
                        kind, group, topic, queueId, fromOffset, toOffset, unpacker.text(), first, last);
                found.add(new FoundDelivery(position, place.i32(), entry));
            }
            return true;
        });
        found.sort(Comparator.comparingLong(FoundDelivery::position).thenComparing(FoundDelivery::index));
        return found.stream().limit(Math.max(0, max)).map(FoundDelivery::entry).toList();
    }
}
