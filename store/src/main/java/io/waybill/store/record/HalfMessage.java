/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;
import java.util.Objects;

/**
 * A half message. An earlier one of the same handle is restated: it moves to this position and keeps its checks; whether it waits is stated anew by
 * the record of a check behind it.
 *
 * <pre>
 *   1 HALF   handle 8, nextCheckMillis 8, producerGroup text, sender text, stored message
 * </pre>
 *
 * @param sender the client id of who sent it; empty if not known
 */
public record HalfMessage(
        long position,
        int size,
        int frameDelta,
        long handle,
        String producerGroup,
        String sender,
        long firstCheckMillis,
        long storeTimeMillis)
        implements PendingMessage {
    public HalfMessage {
        Objects.requireNonNull(producerGroup, "producerGroup");
        sender = sender == null ? "" : sender;
    }

    /** To be written. */
    public HalfMessage(String producerGroup, String sender, long firstCheckMillis) {
        this(-1, 0, 0, 0, producerGroup == null ? "" : producerGroup, sender, firstCheckMillis, 0);
    }

    static HalfMessage read(RecordReader in) {
        long handle = in.i64();
        long nextCheckMillis = in.i64();
        HalfMessage half = new HalfMessage(in.text(), in.text(), nextCheckMillis);
        return half.at(handle, in.message());
    }

    @Override
    public RecordKind kind() {
        return RecordKind.HALF;
    }

    @Override
    public int fieldBytes() {
        return 8 + 8 + Texts.size(producerGroup) + Texts.size(sender);
    }

    @Override
    public void writeFields(ByteBuffer to) {
        to.putLong(handle).putLong(firstCheckMillis);
        Texts.put(to, producerGroup);
        Texts.put(to, sender);
    }

    @Override
    public HalfMessage at(long handleThere, MessagePlace place) {
        return new HalfMessage(
                place.position(),
                place.size(),
                place.frameDelta(),
                handleThere,
                producerGroup,
                sender,
                firstCheckMillis,
                place.storeTimeMillis());
    }
}
