/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * A reset of a group's offset in a queue that the group's clients have not been notified of yet.
 *
 * <pre>
 *   22 RESET   group text, topic text, queueId 4, offset 8, by text, atMillis 8
 * </pre>
 *
 * @param position where the record stands; -1 before it is written
 * @param atMillis store time of the reset; 0 before it is written
 * @param offset where the group goes on; negative when the reset is over
 * @param by who reset it, for people
 */
public record PendingReset(
        long position, long atMillis, String group, String topic, int queueId, long offset, String by)
        implements StateRecord {
    public PendingReset {
        Objects.requireNonNull(group, "group");
        Objects.requireNonNull(topic, "topic");
        by = by == null ? "" : by;
    }

    /** To be written. */
    public PendingReset(String group, String topic, int queueId, long offset, String by) {
        this(-1, 0, group, topic, queueId, offset, by);
    }

    static PendingReset read(RecordReader in) {
        String group = in.text();
        String topic = in.text();
        int queueId = in.i32();
        long offset = in.i64();
        String by = in.text();
        return new PendingReset(in.position(), in.i64(), group, topic, queueId, offset, by);
    }

    @Override
    public RecordKind kind() {
        return RecordKind.RESET;
    }

    @Override
    public int fieldBytes() {
        return Texts.size(group) + Texts.size(topic) + 4 + 8 + Texts.size(by) + 8;
    }

    @Override
    public void writeFields(ByteBuffer to) {
        Texts.put(to, group);
        Texts.put(to, topic);
        to.putInt(queueId).putLong(offset);
        Texts.put(to, by);
        to.putLong(atMillis);
    }

    @Override
    public PendingReset at(long atPosition, long storeTimeMillis) {
        return new PendingReset(
                atPosition, atMillis == 0 ? storeTimeMillis : atMillis, group, topic, queueId, offset, by);
    }

    @Override
    public byte[] key() {
        return new Packer(64).text(group).text(topic).i32(queueId).done();
    }

    @Override
    public boolean isRemoval() {
        return offset < 0;
    }
}
