/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import io.waybill.protocol.json.MemberName;
import java.time.Instant;
import java.util.Collections;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/**
 * The facts that prove a {@link Groups.Finding}. Each has one type, whatever the cause; a fact that a broker does not know is not there, and asking for it gives
 * null, or an empty list. {@code docs/wire-protocol.md} says which facts come with which cause.
 *
 * @param facts by name, in the order in which the broker tells them: a String, a Long, an {@link Instant}, a Boolean or a list of Strings. A newer broker may name
 *     more than {@link Fact} has.
 */
public record Evidence(Map<String, Object> facts) {
    public Evidence {
        facts = Collections.unmodifiableMap(new LinkedHashMap<>(facts));
    }

    /** What the value of a fact is. */
    public enum FactType {
        /** A name or a sentence: a String. */
        TEXT,
        /** A Long. */
        NUMBER,
        /** An {@link Instant}, by the clock of the broker. */
        TIME,
        /** A Boolean. */
        FLAG,
        /** A list of Strings. */
        NAMES
    }

    /** The facts there are. */
    public enum Fact {
        /** When the group acknowledged it. */
        ACKNOWLEDGED_AT(FactType.TIME),
        /** The client that acknowledged it. */
        ACKNOWLEDGED_BY(FactType.TEXT),
        /** From where the processes that share a client id are connected. */
        ADDRESSES(FactType.NAMES),
        /** By how much the newest stored message is ahead of the broker's clock. */
        AHEAD_MILLIS(FactType.NUMBER),
        /** The id or key that was asked for. */
        ASKED(FactType.TEXT),
        /** Whether the reader of the queue asked for messages within the last minute. */
        ASKS_FOR_MORE(FactType.FLAG),
        /** How many messages stand behind the failing one. */
        BEHIND_IT(FactType.NUMBER),
        /** Who rolled back, gave up or cancelled it. */
        BY(FactType.TEXT),
        /** When its delay was cancelled. */
        CANCELLED_AT(FactType.TIME),
        /** How often the producers of its transaction were asked. */
        CHECKS(FactType.NUMBER),
        /** The client that has it, holds the queue, or gave it up; or the client id that is shared. */
        CLIENT(FactType.TEXT),
        /** The offset of the group; -1 for none. */
        COMMITTED_OFFSET(FactType.NUMBER),
        /** Whether the group may broadcast. */
        CONSUME_BROADCAST_ENABLE(FactType.FLAG),
        /** Whether the group may consume. */
        CONSUME_ENABLE(FactType.FLAG),
        /** When it became a dead letter. */
        DEAD_SINCE(FactType.TIME),
        /** When it is delivered. */
        DELIVER_TIME(FactType.TIME),
        /** When it was handed out. */
        DELIVERED_AT(FactType.TIME),
        /** The client it was handed to. */
        DELIVERED_TO(FactType.TEXT),
        /** How often it, or the failing message, was handed out. */
        DELIVERIES(FactType.NUMBER),
        /** The ordering key of the failing message. */
        FAILING_KEY(FactType.TEXT),
        /** The id of the message the queue stands still at. */
        FAILING_MESSAGE(FactType.TEXT),
        /** Its offset. */
        FAILING_OFFSET(FactType.NUMBER),
        /** When it failed first. */
        FAILING_SINCE(FactType.TIME),
        /** The client at which it failed last. */
        GIVEN_BACK_BY(FactType.TEXT),
        /** When its undecided transaction was given up. */
        GIVEN_UP_AT(FactType.TIME),
        /** The offset at which the group goes on. */
        GOES_ON_AT(FactType.NUMBER),
        /** Whether the broker knows the group. */
        GROUP_EXISTS(FactType.FLAG),
        /** How many messages of the queue are handed out and not acknowledged. */
        IN_FLIGHT(FactType.NUMBER),
        /** Since when the oldest of these, or the failing message, is. */
        IN_FLIGHT_SINCE(FactType.TIME),
        /** When a popped message can be popped again. */
        INVISIBLE_UNTIL(FactType.TIME),
        /** The quarantined ordering key. */
        KEY(FactType.TEXT),
        /** When the last decision came too late. */
        LAST_AT(FactType.TIME),
        /** What the producer answered last. */
        LAST_CHECK_ANSWER(FactType.TEXT),
        /** The producer that was asked last. */
        LAST_CHECK_CLIENT(FactType.TEXT),
        /** The member that was connected last. */
        LAST_CLIENT(FactType.TEXT),
        /** The message of the last late decision. */
        LAST_MESSAGE_ID(FactType.TEXT),
        /** The member that read the queue last, and is gone. */
        LAST_OWNER(FactType.TEXT),
        /** When messages were asked for last. */
        LAST_PULL(FactType.TIME),
        /** Who committed too late what was rolled back. */
        LATE_COMMIT_BY(FactType.TEXT),
        /** The message id by which it can be published after all. */
        LATE_COMMIT_MESSAGE(FactType.TEXT),
        /** How many transactions were committed too late. */
        LATE_COMMITS(FactType.NUMBER),
        /** How many transactions were rolled back too late. */
        LATE_ROLLBACKS(FactType.NUMBER),
        /** How long the lock of the queue has been held. */
        LOCK_HELD_MILLIS(FactType.NUMBER),
        /** Where the log of the broker begins. */
        LOG_BEGINS_AT_POSITION(FactType.NUMBER),
        /** How many retries the group allows. */
        MAX_TRIES(FactType.NUMBER),
        /** How many members are connected. */
        MEMBERS(FactType.NUMBER),
        /** How many messages of the topic wait so. */
        MESSAGES(FactType.NUMBER),
        /** How many messages of the queue come before it. */
        MESSAGES_BEFORE(FactType.NUMBER),
        /** When the offset was moved over it. */
        MOVED_AT(FactType.TIME),
        /** Who moved the offset over it. */
        MOVED_BY(FactType.TEXT),
        /** When the producers are asked next. */
        NEXT_CHECK(FactType.TIME),
        /** Since when the oldest of these messages waits. */
        OLDEST_SINCE(FactType.TIME),
        /** The topic of a quarantined message. */
        ORIGIN_TOPIC(FactType.TEXT),
        /** The member that reads the queue. */
        OWNER(FactType.TEXT),
        /** Since when it does. */
        OWNER_SINCE(FactType.TIME),
        /** The permission of the topic. */
        PERM(FactType.NUMBER),
        /** The group of the producer of a transaction. */
        PRODUCER_GROUP(FactType.TEXT),
        /** How many producers of that group are connected. */
        PRODUCERS_CONNECTED(FactType.NUMBER),
        /** Since when the key is quarantined. */
        QUARANTINED_SINCE(FactType.TIME),
        /** How many messages a second the group may have. */
        RATE(FactType.NUMBER),
        /** How many queues of the topic can be read. */
        READ_QUEUE_NUMS(FactType.NUMBER),
        /** Why it was given up, or its key quarantined: one sentence. */
        REASON(FactType.TEXT),
        /** When its transaction was rolled back. */
        ROLLED_BACK_AT(FactType.TIME),
        /** How long the messages before it take at least, by the rate of the group. */
        SECONDS_AT_LEAST(FactType.NUMBER),
        /** When it was set aside with its key. */
        SET_ASIDE_AT(FactType.TIME),
        /** When it was handed out. */
        SINCE(FactType.TIME),
        /** What an operator did with it: OPEN, REDRIVEN or DISCARDED, as the sub-cause. */
        STATE(FactType.TEXT),
        /** When it was stored. */
        STORED_AT(FactType.TIME),
        /** The topics that the members subscribe to. */
        SUBSCRIBED_TO(FactType.NAMES),
        /** The filter of the group. */
        SUBSCRIPTION(FactType.TEXT),
        /** The tag of the message. */
        TAGS(FactType.TEXT),
        /** Since when its transaction is open. */
        TRANSACTION_OPEN_SINCE(FactType.TIME),
        /** After how many tries it was given up. */
        TRIES(FactType.NUMBER),
        /** How often it has failed. */
        TRY(FactType.NUMBER),
        /** What cancels its delay: topic, key and tag of another message. */
        UNLESS(FactType.TEXT),
        /** The members that do not subscribe to the topic; the first five. */
        WITHOUT_TOPIC(FactType.NAMES),
        /** How many do not. */
        WITHOUT_TOPIC_COUNT(FactType.NUMBER);

        private final FactType type;

        Fact(FactType type) {
            this.type = type;
        }

        public FactType type() {
            return type;
        }

        /** How brokers and {@link Evidence#facts()} name it. */
        public String wireName() {
            return MemberName.of(this);
        }
    }

    /** Null when it is not told; of any fact. */
    public Object value(Fact fact) {
        return facts.get(fact.wireName());
    }

    /** Null when it is not told. */
    public String text(Fact fact) {
        return value(fact) instanceof String text ? text : null;
    }

    /** Null when it is not told. */
    public Long number(Fact fact) {
        return value(fact) instanceof Long number ? number : null;
    }

    /** Null when it is not told. */
    public Instant time(Fact fact) {
        return value(fact) instanceof Instant time ? time : null;
    }

    /** False when it is not told, too. */
    public boolean isSet(Fact fact) {
        return Boolean.TRUE.equals(value(fact));
    }

    /** Empty when they are not told. */
    public List<String> names(Fact fact) {
        return value(fact) instanceof List<?> names
                ? names.stream().map(String::valueOf).toList()
                : List.of();
    }
}
