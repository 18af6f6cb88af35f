/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.offset;

import io.waybill.protocol.Names;
import io.waybill.store.QueueRange;
import io.waybill.store.QueueStore;
import io.waybill.store.StoreClock;
import io.waybill.store.view.Boundary;
import java.util.concurrent.TimeUnit;

/**
 * Where a group goes on in a queue that it has no offset of.
 *
 * <p>What always holds: everybody who has to know asks here, so that a pop begins where a pull of the same group would,
 * and a backlog counts from there. In this order:
 *
 * <pre>
 *   the queue is a group's own retry queue         the oldest message: each of them is one the group has to handle
 *   the queue is young                             the oldest message, whatever is asked for
 *   FIRST                                          the oldest message
 *   TIMESTAMP                                      the first message of the last half hour, as clients begin by default
 *   LAST                                           the end
 * </pre>
 *
 * <p>A queue is young while it has its very first message, and that was stored lately: a group that starts together
 * with the producer of a new topic would else miss what was sent before its first request came. Lately goes by the
 * bytes of the log since then, not by what is in memory: neither a checkpoint nor a restart changes the answer.
 */
public final class StartOffsets {
    /** The first message of a young queue has at most this behind it in the log. */
    private static final long YOUNG_BYTES = 256L << 20;

    /** Where a client that starts by a time begins unless it is configured otherwise. */
    static final long FROM_TIME_MILLIS = TimeUnit.MINUTES.toMillis(30);

    private final QueueStore queues;
    private final StoreClock clock;
    private final long youngBytes;

    StartOffsets(QueueStore queues, StoreClock clock) {
        this(queues, clock, YOUNG_BYTES);
    }

    StartOffsets(QueueStore queues, StoreClock clock, long youngBytes) {
        this.queues = queues;
        this.clock = clock;
        this.youngBytes = youngBytes;
    }

    /** The first offset. Blocks on the disk if {@link #mayBlock} says so. */
    public long of(String topic, int queueId, ConsumeFrom from, QueueRange range) {
        if (from == ConsumeFrom.FIRST || Names.isRetry(topic) || isYoung(topic, queueId, range)) {
            return range.minOffset();
        }
        if (from == ConsumeFrom.LAST) {
            return range.maxOffset();
        }
        return queues.offsetByTime(topic, queueId, clock.nowMillis() - FROM_TIME_MILLIS, Boundary.LOWER);
    }

    /** Whether the answer may have to be read from the disk. */
    public boolean mayBlock(String topic, ConsumeFrom from, QueueRange range) {
        return from != ConsumeFrom.FIRST
                && !Names.isRetry(topic)
                && (from == ConsumeFrom.TIMESTAMP || keepsItsFirst(range));
    }

    /** Without it a queue is not young, and nobody has to read when it got its first message. */
    static boolean keepsItsFirst(QueueRange range) {
        return range.minOffset() == 0 && range.maxOffset() > 0;
    }

    /** Whether a group begins at the oldest message, whatever it asks for. May block on the disk. */
    boolean isYoung(String topic, int queueId, QueueRange range) {
        return keepsItsFirst(range) && queues.logBytesSince(topic, queueId, 0) <= youngBytes;
    }
}
