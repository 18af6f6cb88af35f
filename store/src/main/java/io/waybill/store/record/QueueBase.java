/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;

/**
 * The queue's next offset, restated so that offsets never restart after everything of the queue was dropped.
 *
 * <pre>
 *   10 QUEUE_BASE   topic text, queueId 4, nextOffset 8
 * </pre>
 */
public record QueueBase(long position, String topic, int queueId, long nextOffset) implements ControlRecord {
    static QueueBase read(RecordReader in) {
        return new QueueBase(in.position(), in.text(), in.i32(), in.i64());
    }

    @Override
    public RecordKind kind() {
        return RecordKind.QUEUE_BASE;
    }

    @Override
    public int fieldBytes() {
        return Texts.size(topic) + 4 + 8;
    }

    @Override
    public void writeFields(ByteBuffer to) {
        Texts.put(to, topic);
        to.putInt(queueId).putLong(nextOffset);
    }

    @Override
    public QueueBase at(long atPosition, long storeTimeMillis) {
        return new QueueBase(atPosition, topic, queueId, nextOffset);
    }
}
