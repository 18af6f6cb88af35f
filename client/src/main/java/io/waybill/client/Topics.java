/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Set;

/** Topics: their names, queues and attributes. Reached by {@link Admin#topics()}; each call asks the servers anew and waits. */
public interface Topics {
    /** Attribute: how long a key of a message is unique, such as {@code 7d} or {@code 12h}; without it repeated keys are stored. */
    String DEDUP = "waybill.dedup";

    /** Attribute: NORMAL, FIFO, DELAY, TRANSACTION, PRIORITY or MIXED. */
    String MESSAGE_TYPE = "message.type";

    /** Names of the topics, sorted, without those of the system, retries and dead letters. */
    List<String> names();

    /** Names of all topics known to the name server, sorted. */
    List<String> allNames();

    /** @throws WaybillException of kind NOT_FOUND */
    TopicDescription describe(String topic);

    /** The groups that consume a topic or have progress in it, sorted. */
    List<String> groups(String topic);

    /**
     * Creates a topic with this many queues on every broker, or changes the number.
     *
     * @throws WaybillException of kind REFUSED if queues would go away that hold messages which a group has not read
     */
    void create(String topic, int queues);

    /** The same; with {@code force} queues go away whatever they hold. */
    void create(String topic, int queues, boolean force);

    /** The attributes of a topic, such as {@link #DEDUP}; empty if it has none. */
    Map<String, String> attributes(String topic);

    /**
     * Changes single attributes of a topic at every broker that keeps it; number of queues and permissions stay.
     *
     * @param set these get these values
     * @param remove these are removed
     */
    void changeAttributes(String topic, Map<String, String> set, Set<String> remove);

    /**
     * Deletes a topic and its messages, at every broker and at the name server. {@link #restore} brings it back until retention drops the messages.
     *
     * @throws WaybillException of kind REFUSED if it is in use: messages that a group has not read, connected consumers, delayed messages
     */
    void delete(String topic);

    /** The same; with {@code force} also a topic that is in use. */
    void delete(String topic, boolean force);

    /** The topics that were deleted and of which messages are still kept, sorted by broker and name. */
    List<DeletedTopic> deleted();

    /**
     * Brings a deleted topic back at every broker that still keeps messages of it.
     *
     * @return how many messages can be read again
     * @throws WaybillException of kind NOT_FOUND if none does
     */
    long restore(String topic);

    /**
     * A topic.
     *
     * @param name its name
     * @param queues its queues, sorted
     * @param messages messages kept in all queues
     */
    record TopicDescription(String name, List<QueueState> queues, long messages) {}

    /**
     * A queue of a topic.
     *
     * @param queue the queue
     * @param minOffset the oldest offset kept
     * @param maxOffset the offset the next message gets
     * @param lastStored when the newest message was stored, or null if there is none
     */
    record QueueState(MessageQueue queue, long minOffset, long maxOffset, Instant lastStored) {}

    /**
     * A topic that was deleted at a broker.
     *
     * @param name its name
     * @param broker the broker that keeps its messages
     * @param messages that can still be restored there
     * @param deletedAt when it was deleted
     * @param by the address that asked for it
     */
    record DeletedTopic(String name, String broker, long messages, Instant deletedAt, String by) {}
}
