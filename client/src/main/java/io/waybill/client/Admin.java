/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;

/** Questions and changes for tools and scripts. Each call asks the servers anew and waits. Safe for use from any thread. */
public interface Admin {
    /** Topic attribute: how long a key of a message is unique, such as {@code 7d} or {@code 12h}; without it repeated keys are stored. */
    String DEDUP = "waybill.dedup";

    /** Topic attribute: NORMAL, FIFO, DELAY, TRANSACTION, PRIORITY or MIXED. */
    String MESSAGE_TYPE = "message.type";

    /** Transactions and the questions about them. */
    TransactionInspector transactions();

    /** Messages a group has given up. */
    DeadLetters deadLetters();

    /** Delayed messages that wait for their time. */
    DelayedMessages delayed();

    /** Quarantined keys of ordered groups. */
    Quarantine quarantine();

    /** Consumer groups: backlog, doctor, members, settings. */
    Groups groups();

    /** Names of the topics, sorted, without those of the system, retries and dead letters. */
    List<String> topics();

    /** Names of all topics known to the name server, sorted. */
    List<String> allTopics();

    /**
     * Creates a topic with this many queues on every broker, or changes the number.
     *
     * @throws WaybillException of kind REFUSED if queues would go away that hold messages which a group has not read
     */
    void createTopic(String name, int queues);

    /** The same; with {@code force} queues go away whatever they hold. */
    void createTopic(String name, int queues, boolean force);

    /** The attributes of a topic, such as {@link #DEDUP}; empty if it has none. */
    Map<String, String> topicAttributes(String name);

    /**
     * Changes single attributes of a topic at every broker that keeps it; number of queues and permissions stay.
     *
     * @param set these get these values
     * @param remove these are removed
     */
    void changeTopicAttributes(String name, Map<String, String> set, Set<String> remove);

    /**
     * Deletes a topic and its messages, at every broker and at the name server. {@link #restoreTopic} brings it back until retention drops the messages.
     *
     * @throws WaybillException of kind REFUSED if it is in use: messages that a group has not read, connected consumers, delayed messages
     */
    void deleteTopic(String name);

    /** The same; with {@code force} also a topic that is in use. */
    void deleteTopic(String name, boolean force);

    /** The topics that were deleted and of which messages are still kept, sorted by broker and name. */
    List<DeletedTopic> deletedTopics();

    /**
     * Brings a deleted topic back at every broker that still keeps messages of it.
     *
     * @return how many messages can be read again
     * @throws WaybillException of kind NOT_FOUND if none does
     */
    long restoreTopic(String name);

    /** @throws WaybillException of kind NOT_FOUND */
    TopicDescription describe(String topic);

    /** The groups that consume a topic or have progress in it, sorted. */
    List<String> groups(String topic);

    /** How far a group is, in each queue it has progress in. */
    GroupProgress progress(String group);

    /**
     * Moves a group to the first message stored at this time or later, in every queue of the topic; works for groups at work and for groups at rest.
     *
     * @return the new offsets
     */
    Map<MessageQueue, Long> resetGroup(String group, String topic, Instant time);

    /** The first offset stored at this time or later, else the end, of every queue of a topic. */
    Map<MessageQueue, Long> offsetsAt(String topic, Instant time);

    /** Messages of a topic with this key (or message id), oldest first. */
    List<ReceivedMessage> byKey(String topic, String key, int max);

    /** Messages of a topic with this key that were stored in {@code [from, to]}, oldest first. */
    List<ReceivedMessage> byKey(String topic, String key, int max, Instant from, Instant to);

    /** A message by its message id or its stored id. */
    Optional<ReceivedMessage> byId(String topic, String id);

    /**
     * What happened to a message, told by the brokers' own records; one life for each stored copy, empty if none is known.
     *
     * @param topic its topic, or null to let the brokers look everywhere
     * @param id message id or stored id
     */
    List<MessageHistory> trace(String topic, String id);

    /** Like {@link #trace}, of all messages with a business key. */
    List<MessageHistory> traceKey(String topic, String key);

    /** Transactions that wait for a decision, oldest first. */
    List<TransactionState> transactions(int max);

    /** One transaction, open or decided, by its message id. */
    Optional<TransactionState> transaction(String messageId);

    /**
     * Decides an open transaction by hand.
     *
     * @param outcome COMMIT or ROLLBACK
     * @param by who decides; recorded
     * @return its state afterwards
     * @throws WaybillException of kind REFUSED if it was decided already (the sentence says how), NOT_FOUND if there is none
     */
    TransactionState decide(String messageId, Decision outcome, String by);

    /** The brokers of the cluster: name to address of the master. */
    Map<String, String> brokers();

    /**
     * How a broker is.
     *
     * @param figures by name, as GET_BROKER_RUNTIME_INFO gives them; empty if it did not answer
     * @param failure why it did not answer; null if it did
     */
    record BrokerStatus(String name, String address, Map<String, String> figures, String failure) {
        /** Whether it answered and takes messages. */
        public boolean serves() {
            return "true".equals(figures.get("brokerActive"));
        }
    }

    /**
     * Asks every broker how it is; one that does not answer is in the list too.
     *
     * @throws WaybillException of kind UNREACHABLE if no broker is registered
     */
    List<BrokerStatus> status();

    /**
     * A topic.
     *
     * @param name its name
     * @param queues its queues, sorted
     * @param messages messages kept in all queues
     */
    record TopicDescription(String name, List<QueueState> queues, long messages) {}

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

    /**
     * A transaction at the broker. Of a decided one whose message is gone only stage, broker and the decision are known; the rest is null.
     *
     * @param messageId the id of its message
     * @param broker the name of the broker that keeps it
     * @param topic the topic its message will be in
     * @param producerGroup whom the broker asks
     * @param keys business keys of the message
     * @param stage open, or how it was decided
     * @param storedAt when the half message was stored
     * @param checks how often the broker has asked
     * @param nextCheck when it asks next, or null
     * @param decidedAt when it was decided, or null
     * @param decidedBy who decided, or null
     */
    record TransactionState(
            String messageId,
            String broker,
            String topic,
            String producerGroup,
            List<String> keys,
            Stage stage,
            Instant storedAt,
            int checks,
            Instant nextCheck,
            Instant decidedAt,
            String decidedBy) {
        /** Where a transaction stands. */
        public enum Stage {
            /** Waits for a decision. */
            OPEN,
            /** Its message is visible. */
            COMMITTED,
            /** Its message is gone. */
            ROLLED_BACK,
            /** Nobody knew after all checks: its message is set aside and never visible. */
            EXHAUSTED
        }
    }
}
