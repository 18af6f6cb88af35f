/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * Which client of a group holds an ordered queue. Written when the holder changes, not when it renews (ADR 0027).
 *
 * <pre>
 *   20 LOCK   group text, topic text, queueId 4, clientId text, isShared 1, atMillis 8
 * </pre>
 *
 * @param position where the record stands; -1 before it is written
 * @param atMillis store time of the change; 0 before it is written
 * @param clientId empty if nobody holds the queue
 * @param isShared whether two processes were seen with this client id
 */
public record QueueLock(
        long position, long atMillis, String group, String topic, int queueId, String clientId, boolean isShared)
        implements StateRecord {
    public QueueLock {
        Objects.requireNonNull(group, "group");
        Objects.requireNonNull(topic, "topic");
        Objects.requireNonNull(clientId, "clientId");
    }

    /** To be written. */
    public QueueLock(String group, String topic, int queueId, String clientId, boolean isShared) {
        this(-1, 0, group, topic, queueId, clientId, isShared);
    }

    static QueueLock read(RecordReader in) {
        String group = in.text();
        String topic = in.text();
        int queueId = in.i32();
        String clientId = in.text();
        boolean isShared = in.flag();
        return new QueueLock(in.position(), in.i64(), group, topic, queueId, clientId, isShared);
    }

    @Override
    public RecordKind kind() {
        return RecordKind.LOCK;
    }

    @Override
    public int fieldBytes() {
        return Texts.size(group) + Texts.size(topic) + 4 + Texts.size(clientId) + 1 + 8;
    }

    @Override
    public void writeFields(ByteBuffer to) {
        Texts.put(to, group);
        Texts.put(to, topic);
        to.putInt(queueId);
        Texts.put(to, clientId);
        to.put((byte) (isShared ? 1 : 0)).putLong(atMillis);
    }

    @Override
    public QueueLock at(long atPosition, long storeTimeMillis) {
        return new QueueLock(
                atPosition, atMillis == 0 ? storeTimeMillis : atMillis, group, topic, queueId, clientId, isShared);
    }

    /** Of all locks of a group: a prefix of their keys. */
    public static byte[] keysOf(String group) {
        return new Packer(64).text(group).done();
    }

    public static byte[] key(String group, String topic, int queueId) {
        return new Packer(64).text(group).text(topic).i32(queueId).done();
    }

    @Override
    public byte[] key() {
        return key(group, topic, queueId);
    }

    @Override
    public boolean isRemoval() {
        return clientId.isEmpty();
    }
}
