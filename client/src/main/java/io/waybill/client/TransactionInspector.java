/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Map;
import java.util.Optional;

/** Transactions and the questions the brokers asked about them. Reached by {@link Admin#transactions()}; each call asks the brokers anew and waits. */
public interface TransactionInspector {
    /** Transactions that wait for a decision, the oldest first. */
    List<TransactionState> list(Query query);

    /** Transactions that wait for a decision, the oldest first, at most so many. */
    default List<TransactionState> list(int max) {
        return list(Query.first(max));
    }

    /** One transaction, open or decided, by its message id, with every question about it. */
    Optional<Details> find(String messageId);

    /** Decisions that came too late, so that service and queue disagree; the newest last, as long as the brokers' logs keep them. */
    List<Conflict> conflicts(Query query);

    /**
     * Delivers the message of a transaction that was rolled back after all, once, as long as the broker keeps it.
     *
     * @param reason why; recorded
     * @param operator who; recorded
     * @return its state afterwards; it stays ROLLED_BACK
     * @throws WaybillException of kind REFUSED if it was delivered already or not rolled back (the sentence says how it stands) or its message is no
     *     longer kept, NOT_FOUND if there is none
     */
    TransactionState publish(String messageId, String reason, String operator);

    /**
     * Decides an open transaction by hand.
     *
     * @param outcome COMMIT or ROLLBACK
     * @param reason why; recorded
     * @param operator who; recorded
     * @return its state afterwards
     * @throws WaybillException of kind REFUSED if it was decided already (the sentence says how), NOT_FOUND if there is none
     */
    TransactionState decide(String messageId, Decision outcome, String reason, String operator);

    /**
     * Opens a transaction again that was given up because nobody knew after all checks: it is checked anew from the first check on.
     *
     * @param reason why; recorded
     * @param operator who; recorded
     * @return its state afterwards
     * @throws WaybillException of kind REFUSED if it was not given up (the sentence says how it stands), NOT_FOUND if there is none
     */
    TransactionState resume(String messageId, String reason, String operator);

    /**
     * Which transactions to list.
     *
     * @param topic only of this topic, or null
     * @param producerGroup only of this group, or null
     * @param minAge only those that wait at least so long, or null
     * @param maxAge only those that wait at most so long, or null
     * @param max at most so many
     */
    record Query(String topic, String producerGroup, Duration minAge, Duration maxAge, int max) {
        /** All of them, up to a number. */
        public static Query first(int max) {
            return new Query(null, null, null, null, max);
        }

        public Query topic(String name) {
            return new Query(name, producerGroup, minAge, maxAge, max);
        }

        public Query producerGroup(String group) {
            return new Query(topic, group, minAge, maxAge, max);
        }

        public Query olderThan(Duration age) {
            return new Query(topic, producerGroup, age, maxAge, max);
        }

        public Query youngerThan(Duration age) {
            return new Query(topic, producerGroup, minAge, age, max);
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

    /**
     * A transaction with its story.
     *
     * @param state where it stands
     * @param sender the id of the client that sent it, which is asked first; null if it is not open or not known
     * @param checks the questions of the broker, the oldest first
     * @param properties the properties of its message; empty if the message is gone
     * @param conflicts decisions that came too late
     * @param publishedAt when its message was delivered although it was rolled back, or null
     * @param publishedBy who wanted that, and why; or null
     */
    record Details(
            TransactionState state,
            String sender,
            List<Check> checks,
            Map<String, String> properties,
            List<Conflict> conflicts,
            Instant publishedAt,
            String publishedBy) {}

    /**
     * A decision that came too late and changed nothing.
     *
     * @param decided what had been decided
     * @param late what came: COMMIT or ROLLBACK
     * @param fromCheck whether it was the answer to a check
     * @param publishedAt when the message was delivered after all, or null
     * @param publishedBy who wanted that, and why; or null
     */
    record Conflict(
            String messageId,
            String broker,
            String topic,
            String producerGroup,
            TransactionState.Stage decided,
            Instant decidedAt,
            String decidedBy,
            Decision late,
            boolean fromCheck,
            Instant lateAt,
            String lateBy,
            Instant publishedAt,
            String publishedBy) {}

    /**
     * One question of the broker.
     *
     * @param at when it was asked
     * @param number the first is 1
     * @param client whom
     * @param why why this client; null if the broker does not say
     * @param answer what it said, or null if it said nothing
     */
    record Check(Instant at, int number, String client, String why, String answer) {}
}
