/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.retry;

import io.waybill.protocol.Names;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.QueueRange;
import io.waybill.store.ReadResult;
import io.waybill.store.Store;
import io.waybill.store.record.PopChange;
import io.waybill.store.record.PopDelta;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopState;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/**
 * The dead letters of one group as they are now, and which of them are settled. A letter stays where it is when it is settled: what is settled is the pop
 * state of {@link Names#DESK_GROUP} in its topic, and what of that was thrown away is the state of {@link Names#DISCARD_GROUP}.
 *
 * <p>A snapshot; may read the disk.
 */
final class DeadLetterQueue {
    enum State {
        OPEN,
        REDRIVEN,
        DISCARDED
    }

    private static final int READ_COUNT = 32;
    private static final int READ_BYTES = 1 << 20;

    private final Store store;
    private final String topic;
    private final long min;
    private final long max;
    private final PopState settled;
    private final PopState discarded;

    DeadLetterQueue(Store store, String group) {
        this.store = store;
        this.topic = Names.deadLetterTopic(group);
        PopState known = store.popState(key(Names.DESK_GROUP));
        PopState thrown = store.popState(key(Names.DISCARD_GROUP));
        QueueRange range = store.range(topic, 0);
        this.min = range.minOffset();
        this.max = range.maxOffset();
        this.settled = known == null ? new PopState(0) : known;
        this.discarded = thrown == null ? new PopState(0) : thrown;
    }

    private PopKey key(String deskGroup) {
        return new PopKey(deskGroup, topic, 0);
    }

    /** Letters that are kept. */
    long total() {
        return max - min;
    }

    /** Letters nobody has settled. */
    long open() {
        long finished = Math.max(0, settled.base() - min);
        for (long[] range : settled.ackedRanges()) {
            finished += Math.max(0, range[1] - Math.max(range[0], min));
        }
        return total() - finished;
    }

    boolean holds(long offset) {
        return offset >= min && offset < max;
    }

    State stateOf(long offset) {
        if (!settled.isAcked(offset)) {
            return State.OPEN;
        }
        return discarded.isAcked(offset) ? State.DISCARDED : State.REDRIVEN;
    }

    /** Offsets of letters from one on, oldest first. */
    List<Long> offsets(long from, int most, boolean withSettled) {
        List<Long> found = new ArrayList<>();
        for (long offset = Math.max(from, min); offset < max && found.size() < most; offset++) {
            if (withSettled || !settled.isAcked(offset)) {
                found.add(offset);
            }
        }
        return found;
    }

    /**
     * Hands out the letters at ascending offsets, without those that cannot be read, as long as {@code each} says true. Their first byte has index 0. Holds
     * a little more than a mebibyte of them at a time.
     */
    void read(List<Long> offsets, Predicate<ByteBuffer> each) {
        int next = 0;
        while (next < offsets.size()) {
            long wanted = offsets.get(next);
            ReadResult read = store.read(topic, 0, wanted, READ_COUNT, READ_BYTES, null, null);
            for (ByteBuffer slice : read.slices()) {
                for (int at = 0; at < slice.limit(); at += StoredMessage.totalSize(slice, at)) {
                    long offset = StoredMessage.queueOffset(slice, at);
                    while (next < offsets.size() && offsets.get(next) < offset) {
                        next++;
                    }
                    if (next < offsets.size() && offsets.get(next) == offset) {
                        if (!each.test(slice.slice(at, StoredMessage.totalSize(slice, at)))) {
                            return;
                        }
                        next++;
                    }
                }
            }
            if (next < offsets.size() && offsets.get(next) == wanted) {
                next++; // gone or damaged
            }
        }
    }

    /** One letter, or null if it cannot be read. */
    ByteBuffer read(long offset) {
        ByteBuffer[] found = new ByteBuffer[1];
        read(List.of(offset), letter -> {
            found[0] = letter;
            return false;
        });
        return found[0];
    }

    /** What settles a letter. */
    List<PopDelta> settlement(long offset, boolean discard) {
        List<PopDelta> deltas = new ArrayList<>();
        deltas.add(new PopDelta(key(Names.DESK_GROUP), steps(offset)));
        if (discard) {
            deltas.add(new PopDelta(key(Names.DISCARD_GROUP), steps(offset)));
        }
        return deltas;
    }

    private static List<PopChange> steps(long offset) {
        // Start says nothing where there is a state.
        return List.of(new PopChange.Start(0), new PopChange.Ack(offset, offset + 1));
    }
}
