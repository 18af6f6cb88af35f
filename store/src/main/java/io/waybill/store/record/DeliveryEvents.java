/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * What happened to runs of messages.
 *
 * <pre>
 *   16 DELIVERIES   n 4, n x (kind 1, group text, topic text, queueId 4, from 8, to 8, client text, firstMillis 8, lastMillis 8)
 * </pre>
 */
public record DeliveryEvents(long position, List<DeliveryEvent> entries) implements ControlRecord {
    static DeliveryEvents read(RecordReader in) {
        int n = in.i32();
        List<DeliveryEvent> entries = new ArrayList<>(Math.max(0, Math.min(n, in.remaining() / 40 + 1)));
        for (int i = 0; i < n; i++) {
            DeliveryEvent.DeliveryKind what = DeliveryEvent.DeliveryKind.ofCode(in.i8());
            if (what == null) {
                throw UnreadableRecord.newer("unknown kind of delivery event");
            }
            entries.add(new DeliveryEvent(
                    what, in.text(), in.text(), in.i32(), in.i64(), in.i64(), in.text(), in.i64(), in.i64()));
        }
        return new DeliveryEvents(in.position(), entries);
    }

    @Override
    public RecordKind kind() {
        return RecordKind.DELIVERIES;
    }

    @Override
    public int fieldBytes() {
        int bytes = 4;
        for (DeliveryEvent entry : entries) {
            bytes += 1
                    + Texts.size(entry.group())
                    + Texts.size(entry.topic())
                    + 4
                    + 8
                    + 8
                    + Texts.size(entry.client())
                    + 8
                    + 8;
        }
        return bytes;
    }

    @Override
    public void writeFields(ByteBuffer to) {
        to.putInt(entries.size());
        for (DeliveryEvent entry : entries) {
            to.put((byte) entry.kind().code());
            Texts.put(to, entry.group());
            Texts.put(to, entry.topic());
            to.putInt(entry.queueId()).putLong(entry.fromOffset()).putLong(entry.toOffset());
            Texts.put(to, entry.client());
            to.putLong(entry.firstMillis()).putLong(entry.lastMillis());
        }
    }

    @Override
    public DeliveryEvents at(long atPosition, long storeTimeMillis) {
        return new DeliveryEvents(atPosition, entries);
    }

    @Override
    public long viewBytes() {
        return ROW_BYTES * (1 + entries.size());
    }
}
