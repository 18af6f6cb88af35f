/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * A message holds a unique key; also restated, with what was first said of the message (ADR 0014).
 *
 * <pre>
 *   15 UNIQUE   topic text, key text, untilMillis 8, position 8, queueOffset 8, queueId 4, storeTimeMillis 8, atMillis 8
 * </pre>
 *
 * @param atMillis the key time when it was written
 */
public record UniqueKeyClaim(long position, UniqueKey key, FirstMessage first, long atMillis) implements ControlRecord {
    public UniqueKeyClaim {
        Objects.requireNonNull(key, "key");
        Objects.requireNonNull(first, "first");
    }

    static UniqueKeyClaim read(RecordReader in) {
        UniqueKey key = new UniqueKey(in.text(), in.text(), in.i64());
        FirstMessage first = new FirstMessage(in.i64(), in.i64(), in.i32(), in.i64());
        return new UniqueKeyClaim(in.position(), key, first, in.i64());
    }

    @Override
    public RecordKind kind() {
        return RecordKind.UNIQUE;
    }

    /** The bytes of the whole record of a key, whichever message it is of. */
    public static int sizeOf(UniqueKey key) {
        return HEADER + Texts.size(key.topic()) + Texts.size(key.key()) + 8 + 8 + 8 + 4 + 8 + 8;
    }

    @Override
    public int fieldBytes() {
        return sizeOf(key) - HEADER;
    }

    @Override
    public void writeFields(ByteBuffer to) {
        Texts.put(to, key.topic());
        Texts.put(to, key.key());
        to.putLong(key.untilMillis())
                .putLong(first.position())
                .putLong(first.queueOffset())
                .putInt(first.queueId())
                .putLong(first.storeTimeMillis())
                .putLong(atMillis);
    }

    @Override
    public UniqueKeyClaim at(long atPosition, long storeTimeMillis) {
        return new UniqueKeyClaim(atPosition, key, first, atMillis);
    }
}
