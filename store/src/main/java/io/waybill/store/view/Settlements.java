/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import io.waybill.store.record.RecordKind;
import io.waybill.store.record.Settlement;
import io.waybill.store.record.StateRecord;
import io.waybill.store.record.Unpacker;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Predicate;

/**
 * Which messages of set-aside queues are settled, and how; ranges of a queue do not overlap. What is said of messages that the log no longer holds is not
 * rewritten by retention, and goes with the log.
 */
public final class Settlements extends StateRecords<Settlement> {
    /** Offsets looked at first for one that begins before a range. */
    private static final int FIRST_STRETCH = 8;

    private static final int STRETCH_FACTOR = 8;

    private final ConsumeQueues queues;
    private final ViewsBackend backend;
    private volatile long oldestPosition;

    Settlements(ViewsBackend backend, Table table, ConsumeQueues queues, long oldestPosition) {
        super(table, RecordKind.SETTLED);
        this.backend = backend;
        this.queues = queues;
        this.oldestPosition = oldestPosition;
    }

    // ---- applier

    @Override
    void fold(StateRecord record) {
        Settlement settlement = (Settlement) record;
        if (settlement.how() == Settlement.How.FORGOTTEN) {
            removeAll(Settlement.keysOf(settlement.topic(), settlement.queueId()));
        } else {
            super.fold(settlement);
        }
    }

    void trimBefore(long position) {
        oldestPosition = position;
    }

    // ---- duty thread

    /** Deletes what is said by records below a position. Before the table's own changes, in the same batch. */
    void clean(ViewBatch batch, long oldest) {
        byte kind = (byte) RecordKind.SETTLED.code();
        backend.scan(Family.STATE, new byte[] {kind}, new byte[] {(byte) (kind + 1)}, (key, value) -> {
            if (new Unpacker(value, 0).i64() < oldest) {
                batch.delete(Family.STATE, key);
            }
            return true;
        });
    }

    /** Whether a pair of the table still counts: what stands below the oldest position waits for its deletion. */
    @Override
    boolean isKept(byte[] value) {
        return new Unpacker(value, 0).i64() >= oldestPosition;
    }

    /** Of those to be written again: their record stands below a position, and some of their messages are kept. */
    @Override
    List<Settlement> below(long position) {
        List<Settlement> found = new ArrayList<>();
        for (Settlement settlement : super.below(position)) {
            if (settlement.position() >= oldestPosition
                    && settlement.toOffset()
                            > queues.view(settlement.topic(), settlement.queueId())
                                    .firstKept()) {
                found.add(settlement);
            }
        }
        return found;
    }

    // ---- readers

    /** Visits those of a queue that end behind an offset, by offset, until the visitor has enough. */
    public void from(String topic, int queueId, long offset, Predicate<Settlement> visitor) {
        Settlement first = at(topic, queueId, offset);
        if (first != null && !visitor.test(first)) {
            return;
        }
        Settlement point = point(topic, queueId, first == null ? offset : first.toOffset());
        visit(
                point.key(),
                point.keyAt(Long.MAX_VALUE),
                settlement -> settlement.position() < oldestPosition || visitor.test(settlement));
    }

    /** The one that covers an offset, or null. */
    public Settlement at(String topic, int queueId, long offset) {
        return overlapping(point(topic, queueId, offset));
    }

    /** A range of one message, to ask by; no matter of which kind. */
    private static Settlement point(String topic, int queueId, long offset) {
        return new Settlement(
                Settlement.SetAsideKind.DEAD_LETTER, topic, queueId, offset, offset + 1, Settlement.How.DISCARDED, "");
    }

    /**
     * The first one that covers some message of the range; null if none is settled. The writer of the log asks for each
     * settlement it is given, so this must not look at all that is settled nearby.
     */
    public Settlement overlapping(Settlement range) {
        Settlement before = lastBefore(range);
        if (before != null && before.overlaps(range)) {
            return before;
        }
        Settlement[] found = new Settlement[1];
        visit(range.keyAt(range.fromOffset()), range.keyAt(range.toOffset()), settlement -> {
            found[0] = settlement.position() >= oldestPosition ? settlement : null;
            return found[0] == null;
        });
        return found[0];
    }

    /**
     * The last one that begins before the range and may reach into it: only this one can, since they do not overlap.
     * Looked for in ever longer stretches backwards, because where every message is settled by itself there are
     * thousands.
     */
    private Settlement lastBefore(Settlement range) {
        long lowest = Math.max(0, range.fromOffset() - Settlement.MAX_SPAN + 1);
        Settlement[] last = new Settlement[1];
        long to = range.fromOffset();
        for (long stretch = FIRST_STRETCH; to > lowest && last[0] == null; stretch *= STRETCH_FACTOR) {
            long from = Math.max(lowest, to - stretch);
            visit(range.keyAt(from), range.keyAt(to), settlement -> {
                if (settlement.position() >= oldestPosition) {
                    last[0] = settlement;
                }
                return true;
            });
            to = from;
        }
        return last[0];
    }
}
