/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.nio.ByteBuffer;
import java.util.List;

/**
 * Steps of pop states.
 *
 * <pre>
 *   12 POP   the bytes of {@link PopDelta#encode}
 * </pre>
 */
public final class PopSteps implements ControlRecord {
    private final long position;
    private final List<PopDelta> deltas;
    /** Made once, by the thread that wants the change. */
    private final byte[] encoded;

    private PopSteps(long position, List<PopDelta> deltas, byte[] encoded) {
        this.position = position;
        this.deltas = deltas;
        this.encoded = encoded;
    }

    public PopSteps(long position, List<PopDelta> deltas) {
        this(position, List.copyOf(deltas), PopDelta.encode(deltas));
    }

    static PopSteps read(RecordReader in) {
        byte[] bytes = in.rest();
        return new PopSteps(in.position(), PopDelta.decode(bytes), bytes);
    }

    @Override
    public long position() {
        return position;
    }

    public List<PopDelta> deltas() {
        return deltas;
    }

    @Override
    public RecordKind kind() {
        return RecordKind.POP;
    }

    @Override
    public int fieldBytes() {
        return encoded.length;
    }

    @Override
    public void writeFields(ByteBuffer to) {
        to.put(encoded);
    }

    @Override
    public PopSteps at(long atPosition, long storeTimeMillis) {
        return new PopSteps(atPosition, deltas, encoded);
    }

    @Override
    public long viewBytes() {
        long bytes = 0;
        for (PopDelta delta : deltas) {
            bytes += ROW_BYTES + PopState.STEP_BYTES * delta.changes().size();
        }
        return bytes;
    }

    @Override
    public String toString() {
        return "PopSteps[position=" + position + ", deltas=" + deltas + "]";
    }
}
