/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.time.Instant;
import java.util.List;
import java.util.Map;

/**
 * How far the groups are, and moving them. Members at work go on from the new offsets; a group at rest begins there. Reached by
 * {@link Admin#offsets()}; each call asks the brokers anew and waits.
 */
public interface GroupOffsets {
    /** How far a group is, in each queue it has progress in. */
    GroupProgress progress(String group);

    /** The first offset stored at this time or later, else the end, of every queue of a topic. Moves nothing. */
    Map<MessageQueue, Long> at(String topic, Instant time);

    /**
     * Moves a group to the first message stored at this time or later, in every queue of the topic.
     *
     * @return the new offsets
     */
    Map<MessageQueue, Long> reset(String group, String topic, Instant time);

    /**
     * Moves a group to the end of a topic: what is there now will not be consumed.
     *
     * @return the new offsets
     */
    Map<MessageQueue, Long> skipBacklog(String group, String topic);

    /**
     * Gives one group the progress of another; both must exist.
     *
     * @param topic only in this topic, or null for all
     */
    void copy(String from, String to, String topic);

    /**
     * How far a group is.
     *
     * @param group the group
     * @param members client ids of the living members, sorted
     * @param queues its queues, sorted
     * @param lag messages not consumed yet in all queues
     */
    record GroupProgress(String group, List<String> members, List<QueueProgress> queues, long lag) {}

    /**
     * How far a group is in a queue.
     *
     * @param queue the queue
     * @param committed the offset the group goes on with
     * @param maxOffset the offset the next message gets
     */
    record QueueProgress(MessageQueue queue, long committed, long maxOffset) {
        /** Messages not consumed yet. */
        public long lag() {
            return Math.max(0, maxOffset - committed);
        }
    }
}
