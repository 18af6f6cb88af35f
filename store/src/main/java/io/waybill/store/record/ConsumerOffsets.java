/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Consumer offsets, those committed last.
 *
 * <pre>
 *   8 OFFSETS   n 4, n x (group text, topic text, queueId 4, offset 8)
 * </pre>
 */
public record ConsumerOffsets(long position, List<ConsumerOffset> entries) implements ControlRecord {
    static ConsumerOffsets read(RecordReader in) {
        int n = in.i32();
        List<ConsumerOffset> entries = new ArrayList<>(Math.max(0, Math.min(n, in.remaining() / 16 + 1)));
        for (int i = 0; i < n; i++) {
            entries.add(new ConsumerOffset(in.text(), in.text(), in.i32(), in.i64()));
        }
        return new ConsumerOffsets(in.position(), entries);
    }

    @Override
    public RecordKind kind() {
        return RecordKind.OFFSETS;
    }

    @Override
    public int fieldBytes() {
        int bytes = 4;
        for (ConsumerOffset entry : entries) {
            bytes += Texts.size(entry.group()) + Texts.size(entry.topic()) + 4 + 8;
        }
        return bytes;
    }

    @Override
    public void writeFields(ByteBuffer to) {
        to.putInt(entries.size());
        for (ConsumerOffset entry : entries) {
            Texts.put(to, entry.group());
            Texts.put(to, entry.topic());
            to.putInt(entry.queueId()).putLong(entry.offset());
        }
    }

    @Override
    public ConsumerOffsets at(long atPosition, long storeTimeMillis) {
        return new ConsumerOffsets(atPosition, entries);
    }

    @Override
    public long viewBytes() {
        return ROW_BYTES * entries.size();
    }
}
