/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.time.Duration;
import java.util.Collection;
import java.util.List;
import java.util.Set;

/**
 * Asks for messages and owns its position. Progress is kept at the broker only by {@link #commit()} (and by {@link #close()} if {@code autoCommit} is
 * on). Positions of newly assigned queues are the group's committed progress, or else where {@code from} says.
 *
 * <p>For one thread at a time; {@link #wakeup()} may be called from any thread.
 */
public interface PullConsumer extends AutoCloseable {
    /** The group given at building. */
    String group();

    /** The queues of a topic, sorted. */
    List<MessageQueue> queues(String topic);

    /** Replaces the queues to read from; positions of queues that stay are kept. */
    void assign(Collection<MessageQueue> queues);

    /** Assigns all queues of a topic and nothing else. */
    default void assign(String topic) {
        assign(queues(topic));
    }

    /** The assigned queues. */
    Set<MessageQueue> assignment();

    /**
     * Gets the next messages, in order within each queue, and moves the positions behind them.
     *
     * @param max the most messages to return
     * @param timeout how long to wait when there is none
     * @return at least one message, or an empty list when the time passed or {@link #wakeup()} was called
     */
    List<ReceivedMessage> poll(int max, Duration timeout);

    /** {@link #poll(int, Duration)} of at most 32. */
    default List<ReceivedMessage> poll(Duration timeout) {
        return poll(32, timeout);
    }

    /** The next {@link #poll} (or the one that waits) returns at once. */
    void wakeup();

    /** Where it reads: asking, and moving to an offset or a time. */
    QueuePositions positions();

    /** Keeps the positions of all assigned queues at the broker as the group's progress; returns when it has them. */
    void commit();

    /** Leaves the group; commits first if {@code autoCommit} is on. */
    @Override
    void close();

    /** Settings of a pull consumer. */
    interface Builder {
        /** Only messages with one of the tags, e.g. {@code "CREATED || PAID"}, of every topic read; all unless set. */
        Builder tags(String expression);

        /** Only messages the filter lets through, of every topic read; all unless set. */
        Builder filter(Filter filter);

        /** Where queues without progress begin; {@link StartFrom#FIRST} unless set. */
        Builder from(StartFrom place);

        /** Commits the positions of finished polls every 5 s and at close; off unless set. A poll counts as finished when the next one begins. */
        Builder autoCommit(boolean on);

        /** Makes the consumer; assign queues next. */
        PullConsumer build();
    }
}
