/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.time.Instant;
import java.util.OptionalLong;

/**
 * Where a pull consumer reads. Moving changes only what its next poll returns; the group's progress stays until {@link PullConsumer#commit()}. Reached by
 * {@link PullConsumer#positions()}.
 */
public interface QueuePositions {
    /** Moves the position of an assigned queue. */
    void seek(MessageQueue queue, long offset);

    /** Moves the position of an assigned queue to the first message stored at this time or later, else to its end. Returns the new position. */
    long seek(MessageQueue queue, Instant time);

    /** Moves all assigned queues of a topic to the first message stored at this time or later. */
    void seek(String topic, Instant time);

    /** Moves the position of an assigned queue to the oldest message kept. */
    void seekToBegin(MessageQueue queue);

    /** Moves the position of an assigned queue behind the newest message. */
    void seekToEnd(MessageQueue queue);

    /** The offset of the next message {@link PullConsumer#poll} will return from this assigned queue. */
    long of(MessageQueue queue);

    /** The group's progress at the broker, empty if none. */
    OptionalLong committed(MessageQueue queue);

    /** The offset of the oldest message kept. */
    long minOffset(MessageQueue queue);

    /** The offset the next message will get. */
    long maxOffset(MessageQueue queue);
}
