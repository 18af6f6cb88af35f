/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;

/**
 * A whole pop state, restated: it is so, whatever was before. Must not be changed.
 *
 * <pre>
 *   13 POP_STATE   group text, topic text, queueId 4, the bytes of {@link PopState#encode()}
 * </pre>
 */
public final class PopSnapshot implements ControlRecord {
    private final long position;
    private final PopKey key;
    private final PopState state;
    private final byte[] encoded;

    private PopSnapshot(long position, PopKey key, PopState state, byte[] encoded) {
        this.position = position;
        this.key = key;
        this.state = state;
        this.encoded = encoded;
    }

    public PopSnapshot(long position, PopKey key, PopState state) {
        this(position, key, state, state.encode());
    }

    static PopSnapshot read(RecordReader in) {
        PopKey key = new PopKey(in.text(), in.text(), in.i32());
        byte[] bytes = in.rest();
        return new PopSnapshot(in.position(), key, PopState.decode(bytes), bytes);
    }

    @Override
    public long position() {
        return position;
    }

    public PopKey key() {
        return key;
    }

    public PopState state() {
        return state;
    }

    @Override
    public RecordKind kind() {
        return RecordKind.POP_STATE;
    }

    @Override
    public int fieldBytes() {
        return Texts.size(key.group()) + Texts.size(key.topic()) + 4 + encoded.length;
    }

    @Override
    public void writeFields(ByteBuffer to) {
        Texts.put(to, key.group());
        Texts.put(to, key.topic());
        to.putInt(key.queueId()).put(encoded);
    }

    @Override
    public PopSnapshot at(long atPosition, long storeTimeMillis) {
        return new PopSnapshot(atPosition, key, state, encoded);
    }

    @Override
    public long viewBytes() {
        return ROW_BYTES + 2 * PopState.STEP_BYTES * state.items();
    }

    @Override
    public String toString() {
        return "PopSnapshot[position=" + position + ", key=" + key + ", state=" + state + "]";
    }
}
