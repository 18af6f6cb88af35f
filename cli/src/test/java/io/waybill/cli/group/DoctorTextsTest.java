/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.group;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.Evidence;
import io.waybill.client.Evidence.Fact;
import io.waybill.client.Evidence.FactType;
import io.waybill.client.Groups.Cause;
import io.waybill.client.Groups.Finding;
import io.waybill.client.Groups.SubCause;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.MethodSource;

/** What the doctor says of each cause, word by word; the evidence is what the broker gives in DoctorTest. */
class DoctorTextsTest {
    private static final Instant NOW = Instant.parse("2026-11-22T20:44:45.900Z");
    private static final String MEMBERS = "waybill group members shipping";
    private static final String START = "start a consumer of the group; who is connected: " + MEMBERS;
    private static final String LOOK_AT_C1 =
            "look what the client does (a stuck handler, a slow database): " + MEMBERS + " --client c1 --stacks";
    private static final String ENABLE = "switch it on again: waybill group settings shipping --enabled true";
    private static final String DECIDE_H1 =
            "ask the owners of the producer, or decide by hand: waybill tx commit h1 --reason TEXT, waybill tx rollback"
                    + " h1 --reason TEXT; every check: waybill tx show h1";
    private static final String QUARANTINE_AFTER =
            "; or let the group step aside for such keys: waybill group settings shipping --quarantine-after 5";
    private static final String CONSUMED =
            "look into the log of that client at that time; the whole story: waybill message trace m0";
    private static final String RESET_M0 =
            "to read it all the same: waybill replay orders --from 2026-11-22T20:40:00Z --into shipping-again; or take"
                    + " the whole group back: waybill group reset shipping --topic orders --to 2026-11-22T20:40:00Z";
    private static final String REREAD_M0 = "change the subscription, or send it with another tag; to read it all the"
            + " same: waybill replay orders --from 2026-11-22T20:40:00Z --into shipping-check";
    private static final String RELEASE =
            "mend the cause, then: waybill quarantine release shipping order-0 --topic orders";

    private record Row(Finding finding, String sentence, String advice) {
        @Override
        public String toString() {
            return finding.causeName() + ": " + sentence;
        }
    }

    private static Instant before(long seconds) {
        return NOW.minusSeconds(seconds);
    }

    /** At the place of a message; {@code more} are facts and values. */
    private static Finding found(
            Cause cause, SubCause subCause, String topic, int queueId, long offset, Object... more) {
        Map<String, Object> facts = new LinkedHashMap<>();
        for (int i = 0; i < more.length; i += 2) {
            Fact fact = (Fact) more[i];
            Object value = more[i + 1] instanceof Integer number ? (Object) number.longValue() : more[i + 1];
            assertThat(fact.type())
                    .isEqualTo(
                            value instanceof String
                                    ? FactType.TEXT
                                    : value instanceof Long
                                            ? FactType.NUMBER
                                            : value instanceof Instant
                                                    ? FactType.TIME
                                                    : value instanceof Boolean ? FactType.FLAG : FactType.NAMES);
            facts.put(fact.wireName(), value);
        }
        return new Finding(
                "broker-a",
                NOW,
                cause,
                subCause,
                cause + (subCause == null ? "" : "/" + subCause),
                topic,
                queueId,
                offset,
                cause == Cause.HALF ? "h1" : "m0",
                new Evidence(facts));
    }

    /** Of the message m0 in queue 1 of orders. */
    private static Finding m0(Cause cause, SubCause subCause, Object... facts) {
        return found(cause, subCause, "orders", 1, 0, facts);
    }

    private static Finding ofTopic(Cause cause, SubCause subCause, Object... facts) {
        return found(cause, subCause, "orders", -1, -1, facts);
    }

    static Stream<Row> rows() {
        return Stream.of(
                        members(), queues(), ordered(), waiting(), transactions(), settled(), behind(), group(), gone())
                .flatMap(List::stream);
    }

    private static List<Row> members() {
        return List.of(
                new Row(
                        m0(Cause.NOBODY_CONNECTED, SubCause.NO_GROUP, Fact.GROUP_EXISTS, false),
                        "There is no group shipping here, and nobody is connected for it.",
                        START),
                new Row(
                        m0(Cause.NOBODY_CONNECTED, SubCause.NO_MEMBER, Fact.GROUP_EXISTS, true),
                        "Nobody is connected for group shipping.",
                        START),
                new Row(
                        m0(
                                Cause.NOBODY_CONNECTED,
                                SubCause.NO_MEMBER,
                                Fact.GROUP_EXISTS,
                                true,
                                Fact.LAST_CLIENT,
                                "c1",
                                Fact.LAST_PULL,
                                before(3_725)),
                        "Nobody is connected for group shipping; the last was c1 on 2026-11-22T19:42:40Z, 1 h 2 min ago.",
                        START),
                new Row(
                        m0(Cause.NOT_SUBSCRIBED, null, Fact.MEMBERS, 1, Fact.SUBSCRIBED_TO, List.of("bills", "mails")),
                        "1 members are connected, and none subscribes to orders; they subscribe to bills, mails.",
                        "subscribe the consumers of the group to orders; who is connected: " + MEMBERS),
                new Row(
                        m0(Cause.NOT_SUBSCRIBED, null, Fact.MEMBERS, 2, Fact.SUBSCRIBED_TO, List.of()),
                        "2 members are connected, and none subscribes to orders; they subscribe to nothing.",
                        "subscribe the consumers of the group to orders; who is connected: " + MEMBERS),
                new Row(
                        m0(
                                Cause.FILTERED_OUT,
                                SubCause.AHEAD,
                                Fact.SUBSCRIPTION,
                                "SENT || LATE",
                                Fact.TAGS,
                                "PAID",
                                Fact.STORED_AT,
                                Instant.parse("2026-11-22T20:40:00.999Z")),
                        "The group does not want it: it subscribes to 'SENT || LATE', the message has tag 'PAID'.",
                        REREAD_M0),
                new Row(
                        m0(
                                Cause.FILTERED_OUT,
                                SubCause.PASSED_OVER,
                                Fact.SUBSCRIPTION,
                                "SENT",
                                Fact.STORED_AT,
                                Instant.parse("2026-11-22T20:40:00Z")),
                        "The group does not want it: it subscribes to 'SENT', the message has no tag and was passed over.",
                        REREAD_M0),
                new Row(
                        m0(Cause.RATE_LIMITED, null, Fact.RATE, 2, Fact.MESSAGES_BEFORE, 10, Fact.SECONDS_AT_LEAST, 5),
                        "The group gets at most 2 messages per second from this broker (waybill.rate), and 10 are before"
                                + " it in its queue alone: at least 5 s to go.",
                        "wait, or raise the limit: waybill group settings shipping --rate N"),
                new Row(
                        ofTopic(Cause.CONSUME_DISABLED, SubCause.GROUP, Fact.CONSUME_ENABLE, false),
                        "Consuming is switched off for the group (consumeEnable is false).",
                        ENABLE),
                new Row(
                        ofTopic(Cause.CONSUME_DISABLED, SubCause.TOPIC, Fact.PERM, 2),
                        "Topic orders does not allow reading (perm is 2).",
                        "let the topic be read again: waybill topic settings orders"),
                new Row(
                        ofTopic(Cause.CONSUME_DISABLED, SubCause.BROADCAST, Fact.CONSUME_BROADCAST_ENABLE, false),
                        "The members of the group want to broadcast and may not (consumeBroadcastEnable is false).",
                        ENABLE));
    }

    private static List<Row> queues() {
        Object[] owner = {Fact.OWNER, "c1", Fact.COMMITTED_OFFSET, -1, Fact.MESSAGES_BEFORE, 0};
        return List.of(
                new Row(
                        found(Cause.QUEUE_REMOVED, null, "orders", 5, 0, Fact.READ_QUEUE_NUMS, 4),
                        "It stands in queue 5, and topic orders has only 4 to read since it was made smaller: no consumer"
                                + " asks for that queue.",
                        "give the topic its queues back until they are read: waybill topic create orders --queues 6"),
                new Row(
                        m0(
                                Cause.QUEUE_OWNED,
                                SubCause.POPS,
                                Fact.MEMBERS,
                                1,
                                Fact.IN_FLIGHT,
                                3,
                                Fact.MESSAGES_BEFORE,
                                2),
                        "The group pops: whoever of its 1 members asks next for queue 1 of orders goes on there; 3 messages"
                                + " of it are in hand, 2 are before this one.",
                        START),
                new Row(
                        m0(Cause.QUEUE_OWNED, SubCause.NO_READER, Fact.MEMBERS, 1, Fact.MESSAGES_BEFORE, 0),
                        "No member reads queue 1 of orders: 1 are connected, and none has asked for this queue since the"
                                + " broker started.",
                        START),
                new Row(
                        m0(Cause.QUEUE_OWNED, SubCause.NO_READER, Fact.MEMBERS, 2, Fact.LAST_OWNER, "c1"),
                        "No member reads queue 1 of orders: 2 are connected, and c1, which read it last, is gone.",
                        START),
                new Row(
                        m0(
                                Cause.QUEUE_OWNED,
                                SubCause.NO_READER,
                                Fact.MEMBERS,
                                2,
                                Fact.WITHOUT_TOPIC_COUNT,
                                1,
                                Fact.WITHOUT_TOPIC,
                                List.of("b")),
                        "No member reads queue 1 of orders: 2 are connected, and none has asked for this queue since the"
                                + " broker started. Of these, [b] do not subscribe to orders, and clients share out its"
                                + " queues among all members: what falls to them the broker brings to the others through"
                                + " %RETRY%shipping.",
                        START),
                new Row(
                        m0(
                                Cause.QUEUE_OWNED,
                                SubCause.NO_READER,
                                Fact.MEMBERS,
                                9,
                                Fact.WITHOUT_TOPIC_COUNT,
                                8,
                                Fact.WITHOUT_TOPIC,
                                List.of("b", "c", "d", "e", "f")),
                        "No member reads queue 1 of orders: 9 are connected, and none has asked for this queue since the"
                                + " broker started. Of these, [b, c, d, e, f] and 3 more do not subscribe to orders, and"
                                + " clients share out its queues among all members: what falls to them the broker brings"
                                + " to the others through %RETRY%shipping.",
                        START),
                new Row(
                        m0(
                                Cause.QUEUE_OWNED,
                                SubCause.ONE_READER,
                                with(
                                        owner,
                                        Fact.OWNER_SINCE,
                                        before(120),
                                        Fact.LAST_PULL,
                                        before(120),
                                        Fact.ASKS_FOR_MORE,
                                        false,
                                        Fact.IN_FLIGHT,
                                        1,
                                        Fact.IN_FLIGHT_SINCE,
                                        before(120))),
                        "c1 owns queue 1 of orders since 2026-11-22T20:42:45Z, has 1 messages in hand, the oldest since"
                                + " 2026-11-22T20:42:45Z, 2 min 0 s ago; it has not asked for more since"
                                + " 2026-11-22T20:42:45Z, 2 min 0 s ago. 0 messages are before this one.",
                        LOOK_AT_C1),
                new Row(
                        m0(
                                Cause.QUEUE_OWNED,
                                SubCause.ONE_READER,
                                with(owner, Fact.LAST_PULL, before(1), Fact.ASKS_FOR_MORE, true, Fact.IN_FLIGHT, 0)),
                        "c1 owns queue 1 of orders and has nothing in hand; it still asks for more. 0 messages are before"
                                + " this one.",
                        LOOK_AT_C1),
                new Row(
                        m0(
                                Cause.QUEUE_OWNED,
                                SubCause.ONE_READER,
                                with(owner, Fact.ASKS_FOR_MORE, false, Fact.IN_FLIGHT, 7)),
                        "c1 owns queue 1 of orders, has 7 messages in hand. 0 messages are before this one.",
                        LOOK_AT_C1),
                new Row(
                        m0(
                                Cause.IN_FLIGHT,
                                SubCause.POPPED,
                                Fact.CLIENT,
                                "c1",
                                Fact.SINCE,
                                before(10),
                                Fact.INVISIBLE_UNTIL,
                                NOW.plusSeconds(20),
                                Fact.DELIVERIES,
                                2),
                        "c1 popped it on 2026-11-22T20:44:35Z, 10 s ago (delivery 2) and has not acknowledged it; it can be"
                                + " popped again at 2026-11-22T20:45:05Z.",
                        LOOK_AT_C1),
                new Row(
                        m0(
                                Cause.IN_FLIGHT,
                                SubCause.POPPED,
                                Fact.SINCE,
                                before(10),
                                Fact.INVISIBLE_UNTIL,
                                NOW.plusSeconds(20),
                                Fact.DELIVERIES,
                                1),
                        "A client popped it on 2026-11-22T20:44:35Z, 10 s ago (delivery 1) and has not acknowledged it; it"
                                + " can be popped again at 2026-11-22T20:45:05Z.",
                        START),
                new Row(
                        m0(
                                Cause.IN_FLIGHT,
                                SubCause.PULLED,
                                Fact.CLIENT,
                                "c1",
                                Fact.SINCE,
                                before(120),
                                Fact.COMMITTED_OFFSET,
                                -1),
                        "c1 has it since 2026-11-22T20:42:45Z, 2 min 0 s ago and has not acknowledged it.",
                        LOOK_AT_C1),
                new Row(
                        m0(Cause.IN_FLIGHT, SubCause.PULLED, Fact.CLIENT, "c1", Fact.COMMITTED_OFFSET, 0),
                        "c1 has it and has not acknowledged it.",
                        LOOK_AT_C1));
    }

    private static List<Row> ordered() {
        Object[] failing = {
            Fact.CLIENT, "c1", Fact.FAILING_OFFSET, 0, Fact.FAILING_MESSAGE, "m0", Fact.FAILING_KEY, "order-0"
        };
        return List.of(
                new Row(
                        found(
                                Cause.LOCKED_BY_FAILING,
                                null,
                                "orders",
                                1,
                                1,
                                with(
                                        failing,
                                        Fact.LOCK_HELD_MILLIS,
                                        30_000,
                                        Fact.IN_FLIGHT_SINCE,
                                        before(30),
                                        Fact.DELIVERIES,
                                        1,
                                        Fact.BEHIND_IT,
                                        1)),
                        "Queue 1 is consumed in order and stands still at offset 0: c1 holds the queue since"
                                + " 2026-11-22T20:44:15Z and has message m0 (key order-0) in hand since"
                                + " 2026-11-22T20:44:15Z, 30 s ago without progress.",
                        "mend the handler or the message: waybill message trace m0" + QUARANTINE_AFTER),
                new Row(
                        m0(Cause.LOCKED_BY_FAILING, null, with(failing, Fact.DELIVERIES, 2)),
                        "Queue 1 is consumed in order and stands still at offset 0, which is this message: c1 holds the"
                                + " queue and has message m0 (key order-0), handed out 2 times without progress.",
                        "mend the handler or the message: waybill message trace m0" + QUARANTINE_AFTER),
                new Row(
                        found(Cause.LOCKED_BY_FAILING, null, "orders", 1, 3, Fact.FAILING_OFFSET, 2),
                        "Queue 1 is consumed in order and stands still at offset 2: a client holds the queue and has the"
                                + " message at offset 2 without progress.",
                        "mend the handler or the message: waybill message trace ..." + QUARANTINE_AFTER));
    }

    private static List<Row> waiting() {
        Instant soon = NOW.plusSeconds(10);
        return List.of(
                new Row(
                        m0(
                                Cause.IN_RETRY,
                                SubCause.MESSAGE,
                                Fact.DELIVER_TIME,
                                soon,
                                Fact.TRY,
                                1,
                                Fact.MAX_TRIES,
                                16,
                                Fact.GIVEN_BACK_BY,
                                "c1"),
                        "It failed 1 times, last at c1, and is delivered again at 2026-11-22T20:44:55Z, 10 s from now"
                                + " (try 1 of 16).",
                        "nothing, it is delivered again by itself; its story: waybill message trace m0"),
                new Row(
                        m0(Cause.IN_RETRY, SubCause.MESSAGE, Fact.DELIVER_TIME, soon, Fact.TRY, 17, Fact.MAX_TRIES, 16),
                        "It failed 17 times, and is delivered again at 2026-11-22T20:44:55Z, 10 s from now.",
                        "nothing, it is delivered again by itself; its story: waybill message trace m0"),
                new Row(
                        m0(Cause.IN_RETRY, SubCause.MESSAGE, Fact.DELIVER_TIME, soon, Fact.TRY, 3),
                        "It failed 3 times, and is delivered again at 2026-11-22T20:44:55Z, 10 s from now.",
                        "nothing, it is delivered again by itself; its story: waybill message trace m0"),
                new Row(
                        ofTopic(Cause.IN_RETRY, SubCause.TOPIC_TOTAL, Fact.MESSAGES, 1, Fact.OLDEST_SINCE, before(9)),
                        "1 messages of orders failed and wait to be delivered again.",
                        "their number over time: waybill group backlog shipping"),
                new Row(
                        ofTopic(
                                Cause.DELAYED,
                                SubCause.MESSAGE,
                                Fact.DELIVER_TIME,
                                NOW.plusSeconds(3_600),
                                Fact.STORED_AT,
                                NOW,
                                Fact.UNLESS,
                                "orders|k|PAID"),
                        "It is delayed until 2026-11-22T21:44:45Z, 1 h 0 min from now, unless a message comes that fits"
                                + " 'orders|k|PAID'.",
                        "wait, or have it at once: waybill timer reschedule --topic orders --message m0 --in 1s; or call it"
                                + " back: waybill timer cancel --topic orders --message m0"),
                new Row(
                        ofTopic(
                                Cause.DELAYED,
                                SubCause.MESSAGE,
                                Fact.DELIVER_TIME,
                                NOW.plus(Duration.ofHours(50)),
                                Fact.STORED_AT,
                                NOW),
                        "It is delayed until 2026-11-24T22:44:45Z, 2 d 2 h from now.",
                        "wait, or have it at once: waybill timer reschedule --topic orders --message m0 --in 1s; or call it"
                                + " back: waybill timer cancel --topic orders --message m0"),
                new Row(
                        ofTopic(Cause.DELAYED, SubCause.TOPIC_TOTAL, Fact.MESSAGES, 4),
                        "4 messages for orders are delayed.",
                        "list them: waybill timer list --topic orders"));
    }

    private static List<Row> transactions() {
        Object[] open = {
            Fact.TRANSACTION_OPEN_SINCE, before(61), Fact.PRODUCER_GROUP, "tellers", Fact.NEXT_CHECK, NOW.plusSeconds(5)
        };
        return List.of(
                new Row(
                        ofTopic(Cause.HALF, SubCause.OPEN, with(open, Fact.CHECKS, 0, Fact.PRODUCERS_CONNECTED, 0)),
                        "Its transaction is open since 2026-11-22T20:43:44Z, 1 min 1 s ago: producer group tellers was not"
                                + " asked yet, next check at 2026-11-22T20:44:50Z; nobody of that group is connected.",
                        DECIDE_H1),
                new Row(
                        ofTopic(Cause.HALF, SubCause.OPEN, with(open, Fact.CHECKS, 3, Fact.PRODUCERS_CONNECTED, 1)),
                        "Its transaction is open since 2026-11-22T20:43:44Z, 1 min 1 s ago: producer group tellers was"
                                + " asked 3 times without a decision, next check at 2026-11-22T20:44:50Z.",
                        DECIDE_H1),
                new Row(
                        m0(Cause.HALF, SubCause.GIVEN_UP, Fact.GIVEN_UP_AT, before(4), Fact.BY, "nobody answered"),
                        "Its transaction was never decided and was given up on 2026-11-22T20:44:41Z, 4 s ago (nobody"
                                + " answered).",
                        DECIDE_H1),
                new Row(
                        m0(Cause.HALF, SubCause.GIVEN_UP, Fact.GIVEN_UP_AT, before(4)),
                        "Its transaction was never decided and was given up on 2026-11-22T20:44:41Z, 4 s ago.",
                        DECIDE_H1),
                new Row(
                        ofTopic(Cause.HALF, SubCause.TOPIC_TOTAL, Fact.MESSAGES, 2),
                        "2 messages for orders wait for the decision of their transaction.",
                        "list them: waybill tx list --topic orders"),
                new Row(
                        ofTopic(
                                Cause.TRANSACTION_CONFLICT,
                                null,
                                Fact.LATE_COMMITS,
                                1,
                                Fact.LATE_ROLLBACKS,
                                2,
                                Fact.LAST_AT,
                                before(5),
                                Fact.LAST_MESSAGE_ID,
                                "h3",
                                Fact.PRODUCER_GROUP,
                                "tellers"),
                        "Of 3 transactions of orders service and queue disagree: 1 were committed by their service after"
                                + " the queue had dropped the message, 2 rolled back after it was delivered.",
                        "list them: waybill tx list --conflicts --topic orders"));
    }

    private static List<Row> settled() {
        Object[] dead = {
            Fact.DEAD_SINCE, before(44), Fact.REASON, "asked for by the consumer", Fact.TRIES, 3, Fact.CLIENT, "c1"
        };
        String since =
                "It is a dead letter of the group since 2026-11-22T20:44:01Z, 44 s ago after 3 tries: asked for by"
                        + " the consumer";
        Object[] key = {Fact.KEY, "order-0", Fact.QUARANTINED_SINCE, before(60), Fact.ORIGIN_TOPIC, "orders"};
        return List.of(
                new Row(
                        found(Cause.DEAD_LETTER, SubCause.OPEN, "%DLQ%shipping", 0, 7, with(dead, Fact.STATE, "OPEN")),
                        since + ".",
                        "mend the cause, then: waybill dlq redrive shipping 7; or give it up: waybill dlq discard shipping 7"
                                + " --reason TEXT"),
                new Row(
                        m0(Cause.DEAD_LETTER, SubCause.REDRIVEN, with(dead, Fact.STATE, "REDRIVEN")),
                        since + "; it was sent again by hand.",
                        null),
                new Row(
                        m0(Cause.DEAD_LETTER, SubCause.DISCARDED, with(dead, Fact.STATE, "DISCARDED")),
                        since + "; it was discarded by hand.",
                        null),
                new Row(
                        ofTopic(Cause.DEAD_LETTER, SubCause.TOPIC_TOTAL, Fact.MESSAGES, 5),
                        "5 messages of orders are dead letters that nobody settled.",
                        "list them: waybill dlq list shipping"),
                new Row(
                        m0(Cause.QUARANTINED, SubCause.KEY, with(key, Fact.REASON, "address unknown")),
                        "Its key order-0 is in quarantine since 2026-11-22T20:43:45Z, 1 min 0 s ago: address unknown",
                        RELEASE),
                new Row(
                        found(
                                Cause.QUARANTINED,
                                SubCause.SET_ASIDE,
                                "%QUAR%shipping",
                                0,
                                0,
                                with(key, Fact.REASON, "address unknown", Fact.SET_ASIDE_AT, before(59))),
                        "Its key order-0 is in quarantine; it was put aside on 2026-11-22T20:43:46Z, 59 s ago: address"
                                + " unknown",
                        RELEASE),
                new Row(
                        found(
                                Cause.QUARANTINED,
                                SubCause.SET_ASIDE,
                                "%QUAR%shipping",
                                0,
                                0,
                                with(key, Fact.SET_ASIDE_AT, before(59))),
                        "Its key order-0 is in quarantine; it was put aside on 2026-11-22T20:43:46Z, 59 s ago.",
                        RELEASE),
                new Row(
                        m0(
                                Cause.QUARANTINED,
                                SubCause.DISCARDED,
                                Fact.KEY,
                                "order-0",
                                Fact.STATE,
                                "DISCARDED",
                                Fact.SET_ASIDE_AT,
                                before(59)),
                        "It was put aside on 2026-11-22T20:43:46Z, 59 s ago with its key order-0 and discarded by hand.",
                        "the whole story: waybill message trace m0"),
                new Row(
                        ofTopic(Cause.QUARANTINED, SubCause.TOPIC_TOTAL, Fact.MESSAGES, 5),
                        "5 messages of orders lie in quarantine.",
                        "list them: waybill quarantine list shipping"));
    }

    private static List<Row> behind() {
        Object[] stored = {
            Fact.COMMITTED_OFFSET, 1, Fact.GOES_ON_AT, 1, Fact.STORED_AT, Instant.parse("2026-11-22T20:40:00.500Z")
        };
        return List.of(
                new Row(
                        m0(
                                Cause.CONSUMED,
                                SubCause.MESSAGE,
                                Fact.COMMITTED_OFFSET,
                                1,
                                Fact.ACKNOWLEDGED_BY,
                                "c1",
                                Fact.ACKNOWLEDGED_AT,
                                before(5),
                                Fact.DELIVERED_TO,
                                "c2",
                                Fact.DELIVERED_AT,
                                before(10)),
                        "The group has consumed it: c2 got it on 2026-11-22T20:44:35Z, c1 acknowledged it on"
                                + " 2026-11-22T20:44:40Z, 5 s ago.",
                        CONSUMED),
                new Row(
                        m0(
                                Cause.CONSUMED,
                                SubCause.MESSAGE,
                                Fact.ACKNOWLEDGED_BY,
                                "c1",
                                Fact.ACKNOWLEDGED_AT,
                                before(5)),
                        "The group has consumed it: c1 acknowledged it on 2026-11-22T20:44:40Z, 5 s ago.",
                        CONSUMED),
                new Row(
                        m0(Cause.CONSUMED, SubCause.MESSAGE),
                        "The group has acknowledged it; by whom is no longer known.",
                        CONSUMED),
                new Row(
                        ofTopic(Cause.CONSUMED, SubCause.EVERYTHING),
                        "The group has consumed everything that is there for it.",
                        "if one message is missed, ask for it: waybill doctor group shipping --message ID"),
                new Row(
                        m0(
                                Cause.BEYOND_OFFSET,
                                SubCause.MOVED,
                                with(stored, Fact.MOVED_BY, "kim", Fact.MOVED_AT, before(5))),
                        "The group is past it and never got it: kim moved the offset over it on 2026-11-22T20:44:40Z, 5 s"
                                + " ago.",
                        RESET_M0),
                new Row(
                        m0(Cause.BEYOND_OFFSET, SubCause.PASSED, stored),
                        "The group is past it: it goes on at offset 1 of queue 1, and nothing says that it was ever handed"
                                + " out or acknowledged. The offset was reset, or the group started behind it.",
                        RESET_M0),
                new Row(
                        m0(
                                Cause.BEYOND_OFFSET,
                                SubCause.PASSED,
                                with(stored, Fact.DELIVERED_TO, "c1", Fact.DELIVERED_AT, before(5))),
                        "The group is past it: it goes on at offset 1 of queue 1, and it was handed to c1 on"
                                + " 2026-11-22T20:44:40Z and nothing says that it was acknowledged. The offset was reset,"
                                + " or the group started behind it.",
                        RESET_M0));
    }

    private static List<Row> group() {
        return List.of(
                new Row(
                        found(
                                Cause.CLIENT_ID_SHARED,
                                null,
                                null,
                                -1,
                                -1,
                                Fact.CLIENT,
                                "c1",
                                Fact.ADDRESSES,
                                List.of("10.0.0.1:5", "10.0.0.2:5")),
                        "2 processes use the client id c1 (10.0.0.1:5, 10.0.0.2:5): they count as one member, and each reads"
                                + " the queues of that one; in order, one of them works and the others wait.",
                        "give each process an instance name of its own, in containers too; then start them again"),
                new Row(
                        found(Cause.CLOCK_AHEAD, null, null, -1, -1, Fact.AHEAD_MILLIS, 600_500),
                        "The broker's newest message is stamped 2026-11-22T20:44:45Z, 10 minutes ahead of its clock: the"
                                + " clock was ahead once, and store times never go back. Replay, reset and search by time"
                                + " are wrong for what came since.",
                        "set the machine's clock right if it is behind; else wait until it has caught up, or go on in a new"
                                + " data directory; until then use offsets instead of times"));
    }

    private static List<Row> gone() {
        Object[] rolledBack = {Fact.ROLLED_BACK_AT, before(5), Fact.BY, "kim: no"};
        String sentence =
                "Its transaction was rolled back on 2026-11-22T20:44:40Z, 5 s ago by kim: no: nobody ever gets it.";
        return List.of(
                new Row(
                        found(Cause.NOT_FOUND, SubCause.NO_TOPIC, "no-topic", -1, -1),
                        "There is no topic no-topic on this broker.",
                        "check the name: waybill topic list"),
                new Row(
                        found(
                                Cause.NOT_FOUND,
                                SubCause.UNKNOWN,
                                null,
                                -1,
                                -1,
                                Fact.ASKED,
                                "m9",
                                Fact.LOG_BEGINS_AT_POSITION,
                                0),
                        "No message 'm9' is known to this broker: it was never stored here, or retention has removed it.",
                        "check the id and the topic; what every broker knows: waybill message trace m9"),
                new Row(
                        ofTopic(Cause.NOT_FOUND, SubCause.ROLLED_BACK, rolledBack),
                        sentence,
                        "the whole story: waybill message trace m0"),
                new Row(
                        ofTopic(
                                Cause.NOT_FOUND,
                                SubCause.ROLLED_BACK,
                                with(rolledBack, Fact.LATE_COMMIT_BY, "c1", Fact.LATE_COMMIT_MESSAGE, "h3")),
                        sentence,
                        "its service committed, too late: waybill tx publish h3 --reason TEXT delivers it after all"),
                new Row(
                        ofTopic(Cause.NOT_FOUND, SubCause.CANCELLED, Fact.CANCELLED_AT, before(5), Fact.BY, "kim"),
                        "It was delayed and called back on 2026-11-22T20:44:40Z, 5 s ago (kim): nobody ever gets it.",
                        "send it again if that was wrong"),
                new Row(
                        ofTopic(Cause.NOT_FOUND, SubCause.REMOVED),
                        "It was stored here once and is gone: retention has removed it.",
                        "check the id and the topic; what every broker knows: waybill message trace m0"));
    }

    private static Object[] with(Object[] facts, Object... more) {
        return Stream.of(facts, more).flatMap(Arrays::stream).toArray();
    }

    @ParameterizedTest
    @MethodSource("rows")
    void eachCauseHasItsWords(Row row) {
        DoctorTexts.Words words = DoctorTexts.of(row.finding(), "shipping");
        assertThat(words.sentence()).isEqualTo(row.sentence());
        assertThat(words.advice()).isEqualTo(row.advice());
    }

    /** The page says what a broker can answer; nothing of it is without a row here. */
    @Test
    void everyCauseOfTheProtocolIsHere() throws IOException {
        TreeSet<String> here = new TreeSet<>();
        rows().forEach(row -> here.add(row.finding().causeName()));
        TreeSet<String> answers = new TreeSet<>();
        String page = Files.readString(Path.of("../docs/wire-protocol.md"));
        String table = page.substring(page.indexOf("*Doctor.*"), page.indexOf("Types of the facts"));
        List<String> causes = List.of();
        for (String line : table.split("\n")) {
            String[] cells = line.split("\\|");
            if (cells.length > 2 && !line.contains("---") && !cells[1].contains("Cause")) {
                causes = cells[1].isBlank() ? causes : names(cells[1]);
                List<String> subCauses = names(cells[2]);
                for (String cause : causes) {
                    if (subCauses.isEmpty()) {
                        answers.add(cause);
                    }
                    subCauses.forEach(subCause -> answers.add(cause + "/" + subCause));
                }
            }
        }
        assertThat(answers).hasSizeGreaterThan(30);
        assertThat(here).isEqualTo(answers);
        for (Cause cause : Cause.values()) {
            assertThat(here).as(cause.name()).anyMatch(name -> cause == Cause.OTHER || name.startsWith(cause.name()));
        }
    }

    private static List<String> names(String cell) {
        List<String> names = new ArrayList<>();
        for (Matcher name = Pattern.compile("\\b[A-Z][A-Z_]{2,}\\b").matcher(cell); name.find(); ) {
            names.add(name.group());
        }
        return names;
    }

    /** Facts that a broker leaves out, and sub-causes it does not name, break nothing. */
    @ParameterizedTest
    @EnumSource(Cause.class)
    void whatIsNotToldBreaksNothing(Cause cause) {
        for (SubCause subCause : SubCause.values()) {
            DoctorTexts.Words words = DoctorTexts.of(m0(cause, subCause), "shipping");
            assertThat(words.sentence()).isNotBlank().doesNotContain("null");
        }
        Finding newer = m0(cause, SubCause.OTHER);
        assertThat(DoctorTexts.of(newer, "shipping").sentence()).isNotBlank();
        assertThat(DoctorTexts.of(m0(cause, null), "shipping").sentence()).isNotBlank();
    }

    @Test
    void aCauseOfANewerBrokerIsNamed() {
        Finding newer = new Finding(
                "broker-a",
                NOW,
                Cause.OTHER,
                SubCause.OTHER,
                "TIRED/MONDAY",
                null,
                -1,
                -1,
                null,
                new Evidence(Map.of()));
        assertThat(DoctorTexts.of(newer, "shipping"))
                .isEqualTo(new DoctorTexts.Words(
                        "The broker names a cause that this command does not know: TIRED/MONDAY.",
                        "ask with the waybill command of the broker's version"));
    }
}
