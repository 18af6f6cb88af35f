/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.setaside;

import io.waybill.protocol.Names;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.QueueRange;
import io.waybill.store.QueueStore;
import io.waybill.store.ReadResult;
import io.waybill.store.SettlementStore;
import io.waybill.store.log.Completion;
import io.waybill.store.record.Settlement;
import io.waybill.store.record.Settlement.How;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.function.Predicate;

/**
 * Messages that were set aside, as they are now, and which of them are settled: the dead letters of a group, the
 * messages of its quarantined keys, or the transactions whose checks ran out.
 *
 * <p>What always holds: a message stays where it is when it is settled. What became of it is a SETTLED record, written
 * in one frame with the copy that is delivered instead, and the store refuses to settle a message twice. So a crash
 * loses no copy and makes none twice, and two operators need no lock (ADR 0033).
 *
 * <p>The range of messages is a snapshot. What is settled is read as it is asked for, {@value #MOST_KEPT} settlements at
 * a time, since a queue may have millions: ask at ascending offsets. One thread; may read the disk.
 */
public final class SetAsideQueue {
    /** Settlements that are in memory at a time. */
    static final int MOST_KEPT = 1_024;

    private static final int READ_COUNT = 32;
    private static final int READ_BYTES = 1 << 20;

    private final QueueStore queues;
    private final SettlementStore settlements;
    private final Settlement.SetAsideKind kind;
    private final String topic;
    private final int queueId;
    private final long min;
    private final long max;

    /** By first offset, those that end behind {@link #keptFrom} and begin before {@link #keptTo}. */
    private final TreeMap<Long, Settlement> kept = new TreeMap<>();

    private long keptFrom;
    private long keptTo;

    private SetAsideQueue(
            QueueStore queues, SettlementStore settlements, Settlement.SetAsideKind kind, String topic, int queueId) {
        this.queues = queues;
        this.settlements = settlements;
        this.kind = kind;
        this.topic = topic;
        this.queueId = queueId;
        QueueRange range = queues.offsetRange(topic, queueId);
        this.min = range.minOffset();
        this.max = range.maxOffset();
    }

    /** The dead letters of a group. */
    public static SetAsideQueue ofDeadLetters(QueueStore queues, SettlementStore settlements, String group) {
        return new SetAsideQueue(
                queues, settlements, Settlement.SetAsideKind.DEAD_LETTER, Names.deadLetterTopic(group), 0);
    }

    /** The messages of a group's quarantined keys. */
    public static SetAsideQueue ofQuarantine(QueueStore queues, SettlementStore settlements, String group) {
        return new SetAsideQueue(
                queues, settlements, Settlement.SetAsideKind.QUARANTINE, Names.quarantineTopic(group), 0);
    }

    /** Any queue of a topic of set-aside messages; the broker itself uses queue 0 only. */
    public static SetAsideQueue of(
            QueueStore queues, SettlementStore settlements, Settlement.SetAsideKind kind, String topic, int queueId) {
        return new SetAsideQueue(queues, settlements, kind, topic, queueId);
    }

    /** Offsets of messages that are kept: the first one. */
    public long min() {
        return min;
    }

    /** Behind the last one. */
    public long max() {
        return max;
    }

    long total() {
        return max - min;
    }

    /** Messages nobody has settled. Looks at all settlements. */
    long open() {
        long[] finished = new long[1];
        settlements.visit(topic, queueId, min, one -> {
            finished[0] += Math.max(0, Math.min(one.toOffset(), max) - Math.max(one.fromOffset(), min));
            return one.toOffset() < max;
        });
        return total() - finished[0];
    }

    boolean holds(long offset) {
        return offset >= min && offset < max;
    }

    /** What became of the message at an offset; null while it is not settled. */
    public Settlement settlementAt(long offset) {
        if (offset < keptFrom || offset >= keptTo) {
            keep(offset);
        }
        Map.Entry<Long, Settlement> at = kept.floorEntry(offset);
        return at != null && offset < at.getValue().toOffset() ? at.getValue() : null;
    }

    private void keep(long from) {
        kept.clear();
        keptFrom = from;
        keptTo = Long.MAX_VALUE;
        settlements.visit(topic, queueId, from, one -> {
            kept.put(one.fromOffset(), one);
            boolean isFull = kept.size() == MOST_KEPT;
            keptTo = isFull ? one.toOffset() : keptTo;
            return !isFull;
        });
    }

    /** How many settlements are in memory. */
    int kept() {
        return kept.size();
    }

    /** Whether a message is settled by now, at any offset: one question to the store. */
    boolean isSettled(long offset) {
        return settlements.settlementOf(topic, queueId, offset) != null;
    }

    /** The first message that is not settled; {@link #max} when all are. */
    public long firstOpen() {
        long offset = min;
        for (Settlement at = settlementAt(offset); at != null && offset < max; at = settlementAt(offset)) {
            offset = at.toOffset();
        }
        return Math.min(offset, max);
    }

    /** Offsets of messages from one on, oldest first. */
    List<Long> offsets(long from, int most, boolean withSettled) {
        List<Long> found = new ArrayList<>();
        for (long offset = Math.max(from, min); offset < max && found.size() < most; offset++) {
            if (withSettled || settlementAt(offset) == null) {
                found.add(offset);
            }
        }
        return found;
    }

    /**
     * Hands out the messages at ascending offsets, without those that cannot be read, as long as {@code each} says true. Their first byte has index 0.
     * Holds a little more than a mebibyte of them at a time.
     */
    void read(List<Long> offsets, Predicate<ByteBuffer> each) {
        int next = 0;
        while (next < offsets.size()) {
            long wanted = offsets.get(next);
            ReadResult read = queues.readQueue(topic, queueId, wanted, READ_COUNT, READ_BYTES, null, null);
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

    /** One message, or null if it cannot be read. */
    ByteBuffer read(long offset) {
        return read(queues, topic, queueId, offset);
    }

    /** One message of any queue, its first byte at index 0; null if it cannot be read. */
    public static ByteBuffer read(QueueStore queues, String topic, int queueId, long offset) {
        ReadResult read = queues.readQueue(topic, queueId, offset, 1, READ_BYTES, null, null);
        for (ByteBuffer slice : read.slices()) {
            int at = slice.position();
            if (StoredMessage.queueOffset(slice, at) == offset) {
                return slice.slice(at, StoredMessage.totalSize(slice, at));
            }
        }
        return null;
    }

    /** Hands out every message that is not settled, oldest first; see {@link #read}. */
    public void readOpen(Predicate<ByteBuffer> each) {
        for (long offset = firstOpen(); offset < max; ) {
            ReadResult read = queues.readQueue(topic, queueId, offset, 1_024, READ_BYTES, null, null);
            for (ByteBuffer slice : read.slices()) {
                for (int at = slice.position(); at < slice.limit(); at += StoredMessage.totalSize(slice, at)) {
                    if (settlementAt(StoredMessage.queueOffset(slice, at)) == null
                            && !each.test(slice.slice(at, StoredMessage.totalSize(slice, at)))) {
                        return;
                    }
                }
            }
            offset = Math.max(offset + 1, read.nextOffset());
        }
    }

    /** Settles one message together with the copies it becomes: both or neither; refused when it is settled already. */
    void settle(long offset, How how, String by, List<MessageDraft> copies, Completion done) {
        settlements.settle(copies, ranges(kind, topic, queueId, List.of(offset), how, by), done);
    }

    /** What settles messages of a queue, with adjacent ones in one range. */
    public static List<Settlement> ranges(
            Settlement.SetAsideKind kind, String topic, int queueId, Collection<Long> offsets, How how, String by) {
        List<Settlement> ranges = new ArrayList<>();
        long from = -1;
        long to = -1;
        for (long offset : new TreeSet<>(offsets)) {
            if (from >= 0 && (offset != to || to - from == Settlement.MAX_SPAN)) {
                ranges.add(new Settlement(kind, topic, queueId, from, to, how, by));
                from = -1;
            }
            from = from < 0 ? offset : from;
            to = offset + 1;
        }
        if (from >= 0) {
            ranges.add(new Settlement(kind, topic, queueId, from, to, how, by));
        }
        return ranges;
    }
}
