/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.store.record.LogRecord;
import io.waybill.store.record.Settlement;
import java.util.List;

/** Settles set-aside messages, together with what they become again. What always holds: nothing is settled twice. */
final class Settle extends LogWrite {
    private final List<Settlement> ranges;
    private final int size;
    private final LogWrite becomes;

    /** @param becomes the copies, or the new half; null for nothing */
    Settle(List<Settlement> ranges, LogWrite becomes, Completion done) {
        super(done);
        if (ranges.isEmpty()) {
            throw new IllegalArgumentException("nothing is settled");
        }
        this.ranges = List.copyOf(ranges);
        for (int i = 0; i < ranges.size(); i++) {
            for (int k = 0; k < i; k++) {
                if (ranges.get(i).overlaps(ranges.get(k))) {
                    throw new IllegalArgumentException(ranges.get(i) + " overlaps with " + ranges.get(k));
                }
            }
        }
        this.size = WriteRecords.sizeOf(this.ranges);
        this.becomes = becomes;
    }

    @Override
    int size() {
        return size + (becomes == null ? 0 : becomes.size());
    }

    @Override
    long weight() {
        return super.weight() + (becomes == null ? 0 : becomes.weight());
    }

    @Override
    boolean isControl() {
        return becomes == null;
    }

    @Override
    Outcome judge(Pending pending) {
        for (Settlement range : ranges) {
            Settlement prior = priorOf(range, pending);
            if (prior != null) {
                return new Refused(
                        Refused.Reason.ALREADY_DECIDED,
                        "the message at offset " + Math.max(range.fromOffset(), prior.fromOffset()) + " of "
                                + range.topic() + "/" + range.queueId() + " is settled already: " + prior.how()
                                + " by " + prior.by(),
                        prior);
            }
        }
        return becomes == null ? null : becomes.judge(pending);
    }

    private static Settlement priorOf(Settlement range, Pending pending) {
        Settlement[] found = new Settlement[1];
        pending.inFlight().forEach(record -> found[0] = newest(found[0], record, range));
        if (found[0] != null) {
            pending.consulted();
            return found[0].isRemoval() ? null : found[0];
        }
        return pending.views().settledOverlapping(range);
    }

    /** What frames in flight say of the range, the last word counting. */
    private static Settlement newest(Settlement before, LogRecord record, Settlement range) {
        return record instanceof Settlement other
                        && (other.isRemoval() ? other.isOfQueue(range.topic(), range.queueId()) : other.overlaps(range))
                ? other
                : before;
    }

    @Override
    Outcome encode(FrameBuilder frame, Pending pending) {
        Outcome made = becomes == null ? null : becomes.encode(frame, pending);
        Stored settled = WriteRecords.add(ranges, frame, pending);
        return made == null ? settled : made;
    }
}
