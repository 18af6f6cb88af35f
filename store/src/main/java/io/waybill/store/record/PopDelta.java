/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

import java.util.ArrayList;
import java.util.List;
import java.util.Objects;

/** What changes in one pop state, in this order. */
public record PopDelta(PopKey key, List<PopChange> changes) {
    public PopDelta {
        Objects.requireNonNull(key, "key");
        changes = List.copyOf(changes);
    }

    // The numbers in the log.
    private static final int START = 1;
    private static final int TAKE = 2;
    private static final int ACK = 3;
    private static final int RESET = 4;
    private static final int DROP = 5;
    /** Far more than anyone takes at once; a guard of memory. */
    private static final int MAX_RUN = 1 << 20;

    /**
     * The bytes of a POP record.
     *
     * <pre>
     *   count, each: group text | topic text | queueId 4 | count, each:
     *     1 START base | 2 TAKE offset, count, popTime, deadline - popTime, deliveries | 3 ACK from, length | 4 RESET base | 5 DROP
     *   (kinds 1 byte, else varints; those of a TAKE behind its count are zigzag)
     * </pre>
     */
    public static byte[] encode(List<PopDelta> deltas) {
        Packer packer = new Packer(128).varint(deltas.size());
        for (PopDelta delta : deltas) {
            packer.text(delta.key.group()).text(delta.key.topic()).i32(delta.key.queueId());
            List<PopChange> changes = delta.changes;
            int runs = 0;
            for (int i = 0; i < changes.size(); i = runEnd(changes, i)) {
                runs++;
            }
            packer.varint(runs);
            int end;
            for (int i = 0; i < changes.size(); i = end) {
                end = runEnd(changes, i);
                encode(packer, changes.get(i), end - i);
            }
        }
        return packer.done();
    }

    /** Behind the steps that are one in the bytes: takes of offsets in a row at the same time. */
    private static int runEnd(List<PopChange> changes, int from) {
        int end = from + 1;
        if (changes.get(from) instanceof PopChange.Take first) {
            while (end < changes.size()
                    && changes.get(end) instanceof PopChange.Take next
                    && next.offset() == first.offset() + (end - from)
                    && next.popTimeMillis() == first.popTimeMillis()
                    && next.deadlineMillis() == first.deadlineMillis()
                    && next.deliveries() == first.deliveries()
                    && end - from < MAX_RUN) {
                end++;
            }
        }
        return end;
    }

    private static void encode(Packer packer, PopChange change, int count) {
        if (change instanceof PopChange.Take take) {
            packer.i8(TAKE)
                    .varint(take.offset())
                    .varint(count)
                    .zigzag(take.popTimeMillis())
                    .zigzag(take.deadlineMillis() - take.popTimeMillis())
                    .zigzag(take.deliveries());
        } else if (change instanceof PopChange.Ack ack) {
            packer.i8(ACK).varint(ack.from()).varint(ack.to() - ack.from());
        } else if (change instanceof PopChange.Start start) {
            packer.i8(START).varint(start.base());
        } else if (change instanceof PopChange.Reset reset) {
            packer.i8(RESET).varint(reset.base());
        } else {
            packer.i8(DROP);
        }
    }

    /**
     * Reads what {@link #encode} wrote.
     *
     * @throws ViewsDamaged if it is something else
     */
    public static List<PopDelta> decode(byte[] bytes) {
        Unpacker unpacker = new Unpacker(bytes, 0);
        List<PopDelta> deltas = new ArrayList<>();
        for (long i = unpacker.varint(); i > 0; i--) {
            PopKey key = new PopKey(unpacker.text(), unpacker.text(), unpacker.i32());
            List<PopChange> changes = new ArrayList<>();
            for (long k = unpacker.varint(); k > 0; k--) {
                decode(unpacker, changes);
            }
            deltas.add(new PopDelta(key, changes));
        }
        return deltas;
    }

    private static void decode(Unpacker unpacker, List<PopChange> into) {
        int kind = unpacker.i8();
        switch (kind) {
            case START -> into.add(new PopChange.Start(unpacker.varint()));
            case TAKE -> {
                long offset = unpacker.varint();
                long count = unpacker.varint();
                if (count > MAX_RUN) {
                    throw new ViewsDamaged("a take of " + count + " messages, limit " + MAX_RUN);
                }
                long popTime = unpacker.zigzag();
                long deadline = popTime + unpacker.zigzag();
                int deliveries = (int) unpacker.zigzag();
                for (int n = 0; n < count; n++) {
                    into.add(new PopChange.Take(offset + n, popTime, deadline, deliveries));
                }
            }
            case ACK -> {
                long from = unpacker.varint();
                into.add(new PopChange.Ack(from, from + unpacker.varint()));
            }
            case RESET -> into.add(new PopChange.Reset(unpacker.varint()));
            case DROP -> into.add(new PopChange.Drop());
            default -> throw new ViewsDamaged("a pop change of kind " + kind);
        }
    }
}
