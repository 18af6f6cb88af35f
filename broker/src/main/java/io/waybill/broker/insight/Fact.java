/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

import io.waybill.protocol.json.MemberName;
import java.util.Collection;

/**
 * The facts that findings give as evidence, by type and in the order of the causes: each has one name and one type on the wire, whatever the
 * cause. docs/wire-protocol.md says which come with which cause, and has the same list.
 */
enum Fact {
    LAST_CLIENT(FactType.TEXT),
    SUBSCRIPTION(FactType.TEXT),
    TAGS(FactType.TEXT),
    LAST_OWNER(FactType.TEXT),
    OWNER(FactType.TEXT),
    CLIENT(FactType.TEXT),
    FAILING_MESSAGE(FactType.TEXT),
    FAILING_KEY(FactType.TEXT),
    GIVEN_BACK_BY(FactType.TEXT),
    UNLESS(FactType.TEXT),
    PRODUCER_GROUP(FactType.TEXT),
    LAST_CHECK_CLIENT(FactType.TEXT),
    LAST_CHECK_ANSWER(FactType.TEXT),
    BY(FactType.TEXT),
    LAST_MESSAGE_ID(FactType.TEXT),
    REASON(FactType.TEXT),
    STATE(FactType.TEXT),
    KEY(FactType.TEXT),
    ORIGIN_TOPIC(FactType.TEXT),
    ACKNOWLEDGED_BY(FactType.TEXT),
    DELIVERED_TO(FactType.TEXT),
    MOVED_BY(FactType.TEXT),
    ASKED(FactType.TEXT),
    LATE_COMMIT_BY(FactType.TEXT),
    LATE_COMMIT_MESSAGE(FactType.TEXT),

    MEMBERS(FactType.NUMBER),
    IN_FLIGHT(FactType.NUMBER),
    MESSAGES_BEFORE(FactType.NUMBER),
    WITHOUT_TOPIC_COUNT(FactType.NUMBER),
    COMMITTED_OFFSET(FactType.NUMBER),
    READ_QUEUE_NUMS(FactType.NUMBER),
    DELIVERIES(FactType.NUMBER),
    LOCK_HELD_MILLIS(FactType.NUMBER),
    FAILING_OFFSET(FactType.NUMBER),
    BEHIND_IT(FactType.NUMBER),
    TRY(FactType.NUMBER),
    MAX_TRIES(FactType.NUMBER),
    CHECKS(FactType.NUMBER),
    PRODUCERS_CONNECTED(FactType.NUMBER),
    LATE_COMMITS(FactType.NUMBER),
    LATE_ROLLBACKS(FactType.NUMBER),
    TRIES(FactType.NUMBER),
    MESSAGES(FactType.NUMBER),
    GOES_ON_AT(FactType.NUMBER),
    RATE(FactType.NUMBER),
    SECONDS_AT_LEAST(FactType.NUMBER),
    PERM(FactType.NUMBER),
    AHEAD_MILLIS(FactType.NUMBER),
    LOG_BEGINS_AT_POSITION(FactType.NUMBER),

    LAST_PULL(FactType.TIME),
    STORED_AT(FactType.TIME),
    OWNER_SINCE(FactType.TIME),
    IN_FLIGHT_SINCE(FactType.TIME),
    SINCE(FactType.TIME),
    INVISIBLE_UNTIL(FactType.TIME),
    DELIVER_TIME(FactType.TIME),
    FAILING_SINCE(FactType.TIME),
    TRANSACTION_OPEN_SINCE(FactType.TIME),
    NEXT_CHECK(FactType.TIME),
    GIVEN_UP_AT(FactType.TIME),
    LAST_AT(FactType.TIME),
    DEAD_SINCE(FactType.TIME),
    QUARANTINED_SINCE(FactType.TIME),
    SET_ASIDE_AT(FactType.TIME),
    OLDEST_SINCE(FactType.TIME),
    ACKNOWLEDGED_AT(FactType.TIME),
    DELIVERED_AT(FactType.TIME),
    MOVED_AT(FactType.TIME),
    ROLLED_BACK_AT(FactType.TIME),
    CANCELLED_AT(FactType.TIME),

    GROUP_EXISTS(FactType.FLAG),
    ASKS_FOR_MORE(FactType.FLAG),
    CONSUME_ENABLE(FactType.FLAG),
    CONSUME_BROADCAST_ENABLE(FactType.FLAG),

    SUBSCRIBED_TO(FactType.NAMES),
    WITHOUT_TOPIC(FactType.NAMES),
    ADDRESSES(FactType.NAMES);

    /** How the value of a fact is written. */
    enum FactType {
        TEXT(String.class),
        NUMBER(Number.class),
        /** Wall-clock milliseconds. */
        TIME(Long.class),
        FLAG(Boolean.class),
        /** An array of texts. */
        NAMES(Collection.class);

        private final Class<?> values;

        FactType(Class<?> values) {
            this.values = values;
        }
    }

    private final FactType type;

    Fact(FactType type) {
        this.type = type;
    }

    FactType type() {
        return type;
    }

    String wireName() {
        return MemberName.of(this);
    }

    boolean takes(Object value) {
        return type.values.isInstance(value);
    }
}
