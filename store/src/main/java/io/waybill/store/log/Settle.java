/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import io.waybill.store.record.Settlement;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;

/**
 * Settles set-aside messages, together with what they become again. What always holds: nothing is settled twice.
 *
 * <p>It is judged in the writer's role, where everybody waits for it: frames in flight are walked once, however many
 * ranges there are.
 */
final class Settle extends LogWrite {
    private static final Comparator<Settlement> BY_PLACE = Comparator.comparing(Settlement::topic)
            .thenComparingInt(Settlement::queueId)
            .thenComparingLong(Settlement::fromOffset);

    /** By place; they do not overlap. */
    private final List<Settlement> ranges;

    private final int size;
    private final LogWrite becomes;

    /** @param becomes the copies, or the new half; null for nothing */
    Settle(List<Settlement> ranges, LogWrite becomes, Completion done) {
        super(done);
        if (ranges.isEmpty()) {
            throw new IllegalArgumentException("nothing is settled");
        }
        List<Settlement> ordered = new ArrayList<>(ranges);
        ordered.sort(BY_PLACE);
        for (int i = 1; i < ordered.size(); i++) {
            if (ordered.get(i).overlaps(ordered.get(i - 1))) {
                throw new IllegalArgumentException(ordered.get(i) + " overlaps with " + ordered.get(i - 1));
            }
        }
        this.ranges = List.copyOf(ordered);
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
        Settlement[] inFlight = saidInFlight(pending);
        for (int i = 0; i < inFlight.length; i++) {
            Settlement range = ranges.get(i);
            Settlement prior = inFlight[i];
            if (prior == null) {
                prior = pending.views().settledOverlapping(range);
            } else {
                pending.consulted();
            }
            if (prior != null && !prior.isRemoval()) {
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

    /** What frames in flight say of each range, the last word counting; null where they say nothing. */
    private Settlement[] saidInFlight(Pending pending) {
        Settlement[] said = new Settlement[ranges.size()];
        pending.inFlight().forEach(record -> {
            if (record instanceof Settlement other) {
                note(said, other);
            }
        });
        return said;
    }

    private void note(Settlement[] said, Settlement other) {
        // A removal spans the whole queue, so it overlaps with each range of it.
        for (int i = firstBehind(other); i < said.length && ranges.get(i).overlaps(other); i++) {
            said[i] = other;
        }
    }

    /** The first range that ends behind the place where another one begins. */
    private int firstBehind(Settlement other) {
        int low = 0;
        int high = ranges.size();
        while (low < high) {
            int middle = (low + high) >>> 1;
            Settlement range = ranges.get(middle);
            boolean isBefore = range.isOfQueue(other.topic(), other.queueId())
                    ? range.toOffset() <= other.fromOffset()
                    : BY_PLACE.compare(range, other) < 0;
            low = isBefore ? middle + 1 : low;
            high = isBefore ? high : middle;
        }
        return low;
    }

    @Override
    Outcome encode(FrameBuilder frame, Pending pending) {
        Outcome made = becomes == null ? null : becomes.encode(frame, pending);
        Stored settled = WriteRecords.add(ranges, frame, pending);
        return made == null ? settled : made;
    }
}
