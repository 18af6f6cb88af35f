/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.EndTransactionHeader;
import io.waybill.protocol.header.ResetOffsetHeader;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.message.Message;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Staged causes why a message is not consumed, and whether the doctor names them. */
class DoctorTest {
    private static final String G = "shipping";

    private final TestBroker broker = new TestBroker();
    private final InsightDialogue dialogue = new InsightDialogue(broker);

    @BeforeEach
    void aTopic() {
        broker.send("orders", 1, "first", "UNIQ_KEY", "m0", "TAGS", "PAID", "KEYS", "order-0");
    }

    @AfterEach
    void close() {
        broker.close();
    }

    private long send(int queueId, String id, String... more) {
        String[] properties = new String[more.length + 2];
        properties[0] = "UNIQ_KEY";
        properties[1] = id;
        System.arraycopy(more, 0, properties, 2, more.length);
        return broker.send("orders", queueId, "body of " + id, properties).number("queueOffset");
    }

    /** @param facts names and values of evidence; a value of null must not be there */
    private static void expect(JsonObject finding, String cause, String subCause, Object... facts) {
        assertThat(finding.getString("cause")).as(finding.toString()).isEqualTo(cause);
        assertThat(finding.getString("subCause")).as(finding.toString()).isEqualTo(subCause);
        for (int i = 0; i < facts.length; i += 2) {
            String expected = facts[i + 1] == null ? null : facts[i + 1].toString();
            assertThat(fact(finding, facts[i].toString()))
                    .as(finding.toString())
                    .isEqualTo(expected);
        }
    }

    private static String fact(JsonObject finding, String name) {
        Object value = finding.getObject("evidence").get(name);
        return value == null ? null : value.toString();
    }

    @Test
    void nobodyIsConnected() {
        expect(dialogue.cause(G, "m0"), "NOBODY_CONNECTED", "NO_GROUP", "groupExists", false);
        FakeConnection gone = dialogue.join(G, "c1", "orders", "*");
        long pulled = broker.store.clock().nowMillis();
        dialogue.pull(gone, G, "orders", 0, 0, 1);
        broker.gone(gone);
        JsonObject finding = dialogue.cause(G, "m0");
        expect(finding, "NOBODY_CONNECTED", "NO_MEMBER", "lastClient", "c1", "lastPull", pulled);
        assertThat(fact(finding, "groupExists")).isEqualTo("true");
        expect(dialogue.doctor(G, "").get(0), "NOBODY_CONNECTED", "NO_MEMBER");
    }

    @Test
    void nobodySubscribes() {
        dialogue.join(G, "c1", "bills", "*");
        JsonObject finding = dialogue.cause(G, "m0");
        expect(finding, "NOT_SUBSCRIBED", null, "subscribedTo", "[\"bills\"]", "members", 1);
        assertThat(finding.getString("topic")).isEqualTo("orders");
        expect(dialogue.doctor(G, ",\"topic\":\"orders\"").get(0), "NOT_SUBSCRIBED", null);
    }

    @Test
    void theFilterExcludesIt() {
        FakeConnection client = dialogue.join(G, "c1", "orders", "SENT || LATE");
        JsonObject ahead = dialogue.cause(G, "m0");
        expect(ahead, "FILTERED_OUT", "AHEAD", "subscription", "SENT || LATE", "tags", "PAID");
        dialogue.commit(client, G, "orders", 1, 1);
        expect(dialogue.cause(G, "m0"), "FILTERED_OUT", "PASSED_OVER");
        assertThat(fact(ahead, "tags")).isEqualTo("PAID");
    }

    @Test
    void theQueueIsOwnedBySomebodyWhoDoesNotConsume() {
        FakeConnection client = dialogue.join(G, "c1", "orders", "*");
        long owned = broker.store.clock().nowMillis();
        dialogue.pull(client, G, "orders", 1, 0, 32);
        broker.pass(120_000);
        send(1, "late");
        JsonObject finding = dialogue.cause(G, "late");
        expect(finding, "QUEUE_OWNED", "ONE_READER", "inFlight", 1, "asksForMore", false, "lastPull", owned);
        expect(finding, "QUEUE_OWNED", "ONE_READER", "messagesBefore", 0, "committedOffset", -1);
        assertThat(finding.getString("topic")).isEqualTo("orders");
        assertThat(fact(finding, "owner")).isEqualTo("c1");
        assertThat(fact(finding, "ownerSince")).isEqualTo(Long.toString(owned));
        assertThat(fact(finding, "inFlightSince")).isEqualTo(Long.toString(owned));
        assertThat(finding.getInt("queueId", -1)).isEqualTo(1);
        JsonObject held = dialogue.cause(G, "m0");
        expect(held, "IN_FLIGHT", "PULLED", "client", "c1", "since", owned);
        assertThat(broker.store.clock().nowMillis()).isEqualTo(owned + 120_000);
        assertThat(dialogue.answer(RequestCode.DOCTOR, "{\"group\":\"" + G + "\"}")
                        .getLong("nowMillis", 0))
                .as("what times are compared with")
                .isEqualTo(owned + 120_000);
        assertThat(dialogue.doctor(G, "")).extracting(f -> f.getString("cause")).containsExactly("IN_FLIGHT");
    }

    @Test
    void noMemberReadsTheQueue() {
        dialogue.join(G, "c1", "orders", "*");
        expect(dialogue.cause(G, "m0"), "QUEUE_OWNED", "NO_READER", "members", 1, "lastOwner", null);
        assertThat(dialogue.cause(G, "m0").getInt("queueId", -1)).isEqualTo(1);
    }

    @Test
    void anOrderedQueueStandsStillAtAFailingMessage() {
        FakeConnection client = dialogue.join(G, "c1", "orders", "*");
        dialogue.lock(client, G, "c1", "orders", 1);
        dialogue.pull(client, G, "orders", 1, 0, 1);
        send(1, "behind");
        expect(dialogue.cause(G, "behind"), "QUEUE_OWNED", "ONE_READER"); // a moment ago: it may still be at work
        broker.pass(30_000);
        dialogue.lock(client, G, "c1", "orders", 1);
        JsonObject finding = dialogue.cause(G, "behind");
        expect(finding, "LOCKED_BY_FAILING", null, "failingOffset", 0, "client", "c1", "failingKey", "order-0");
        expect(finding, "LOCKED_BY_FAILING", null, "lockHeldMillis", 30_000, "deliveries", 1);
        assertThat(fact(finding, "failingMessage")).isEqualTo("m0");
        assertThat(fact(finding, "behindIt")).isEqualTo("1");
        JsonObject itself = dialogue.cause(G, "m0");
        expect(itself, "LOCKED_BY_FAILING", null, "failingOffset", 0);
        assertThat(itself.getLong("offset", -1))
                .as("it is the failing one itself")
                .isZero();
        assertThat(finding.getLong("offset", -1)).isEqualTo(1);
    }

    @Test
    void itIsInRetry() {
        FakeConnection client = dialogue.join(G, "c1", "orders", "*");
        Message first = dialogue.pull(client, G, "orders", 1, 0, 1).get(0);
        assertThat(dialogue.sendBack(client, G, first.position(), 0, 16).result())
                .isZero();
        dialogue.commit(client, G, "orders", 1, 1);
        long due = broker.clock.wallMillis() + 10_000;
        JsonObject finding = dialogue.cause(G, "m0");
        expect(finding, "IN_RETRY", "MESSAGE", "try", 1, "maxTries", 16);
        assertThat(finding.getString("uniqueKey")).isEqualTo("m0");
        assertThat(fact(finding, "deliverTime")).isEqualTo(Long.toString(due));
        assertThat(fact(finding, "givenBackBy")).contains("c1");
        expect(dialogue.doctor(G, "").get(0), "IN_RETRY", "TOPIC_TOTAL", "messages", 1);
        assertThat(dialogue.doctor(G, "").get(0).getString("topic")).isEqualTo("orders");
        broker.gone(client);
        assertThat(dialogue.doctor(G, ",\"messageId\":\"m0\""))
                .extracting(f -> f.getString("cause"))
                .containsExactly("IN_RETRY", "NOBODY_CONNECTED");
    }

    @Test
    void itIsDelayed() {
        dialogue.join(G, "c1", "orders", "*");
        long due = broker.clock.wallMillis() + 3_600_000;
        send(0, "d1", "TIMER_DELIVER_MS", Long.toString(due), "WAYBILL_UNLESS", "orders|k|PAID", "KEYS", "k7");
        JsonObject finding = dialogue.cause(G, "d1");
        expect(finding, "DELAYED", "MESSAGE", "unless", "orders|k|PAID");
        assertThat(due - broker.store.clock().nowMillis()).isEqualTo(3_600_000);
        assertThat(fact(finding, "deliverTime")).isEqualTo(Long.toString(due));
        expect(dialogue.doctor(G, ",\"key\":\"k7\"").get(0), "DELAYED", "MESSAGE");
        broker.pass(3_600_000);
        dialogue.join(G, "c2", "orders", "*");
        expect(dialogue.cause(G, "d1"), "QUEUE_OWNED", "NO_READER");
    }

    @Test
    void itsTransactionIsOpen() {
        dialogue.join(G, "c1", "orders", "*");
        send(0, "h1", "TRAN_MSG", "true", "PGROUP", "tellers");
        JsonObject finding = dialogue.cause(G, "h1");
        expect(finding, "HALF", "OPEN", "producerGroup", "tellers", "producersConnected", 0);
        assertThat(fact(finding, "checks")).isEqualTo("0");
        assertThat(Long.parseLong(fact(finding, "nextCheck"))).isGreaterThan(broker.clock.wallMillis());
        assertThat(finding.getString("uniqueKey")).isEqualTo("h1");
    }

    @Test
    void itsServiceCommittedTooLate() {
        dialogue.join(G, "c1", "orders", "*");
        send(0, "h3", "TRAN_MSG", "true", "PGROUP", "tellers");
        long handle = broker.store.transactions().openHalves(1).get(0).handle();
        for (int decision : new int[] {12, 8}) {
            broker.ask(
                    broker.connect(),
                    Command.request(RequestCode.END_TRANSACTION)
                            .header(new EndTransactionHeader(
                                    "orders", "tellers", 0, handle, decision, false, "h3", "h3", "broker-a"))
                            .build());
        }
        JsonObject finding = dialogue.cause(G, "h3");
        expect(finding, "NOT_FOUND", "ROLLED_BACK", "lateCommitMessage", "h3");
        assertThat(fact(finding, "lateCommitBy")).isNotBlank();
        JsonObject topic = dialogue.doctor(G, "").stream()
                .filter(f -> f.getString("cause").equals("TRANSACTION_CONFLICT"))
                .findFirst()
                .orElseThrow();
        expect(topic, "TRANSACTION_CONFLICT", null, "lateCommits", 1, "lateRollbacks", 0, "producerGroup", "tellers");
        assertThat(topic.getString("topic")).isEqualTo("orders");
        assertThat(dialogue.ask(
                                RequestCode.DECIDE_TRANSACTION,
                                "{\"id\":\"h3\",\"decision\":\"PUBLISH\",\"reason\":\"paid\"}")
                        .result())
                .isZero();
        assertThat(dialogue.doctor(G, "")).extracting(f -> f.getString("cause")).doesNotContain("TRANSACTION_CONFLICT");
    }

    @Test
    void itsTransactionWasRolledBack() {
        dialogue.join(G, "c1", "orders", "*");
        send(0, "h2", "TRAN_MSG", "true", "PGROUP", "tellers");
        assertThat(dialogue.ask(
                                RequestCode.DECIDE_TRANSACTION,
                                "{\"id\":\"h2\",\"decision\":\"ROLLBACK\",\"reason\":\"no\"}")
                        .result())
                .isZero();
        expect(dialogue.cause(G, "h2"), "NOT_FOUND", "ROLLED_BACK", "lateCommitBy", null);
        assertThat(fact(dialogue.cause(G, "h2"), "by")).isNotBlank();
        assertThat(dialogue.cause(G, "h2").getString("uniqueKey")).isEqualTo("h2");
    }

    @Test
    void itIsADeadLetter() {
        FakeConnection client = dialogue.join(G, "c1", "orders", "*");
        Message first = dialogue.pull(client, G, "orders", 1, 0, 1).get(0);
        dialogue.sendBack(client, G, first.position(), -1, 16);
        dialogue.commit(client, G, "orders", 1, 1);
        JsonObject finding = dialogue.cause(G, "m0");
        expect(finding, "DEAD_LETTER", "OPEN");
        assertThat(fact(finding, "reason")).contains("asked for by the consumer");
        assertThat(fact(finding, "state")).isEqualTo("OPEN");
        assertThat(finding.getLong("offset", -1)).as("of the dead letter").isZero();
        assertThat(dialogue.ask(
                                RequestCode.SETTLE_DEAD,
                                "{\"group\":\"" + G + "\",\"offsets\":[0],\"action\":\"REDRIVE\",\"by\":\"ops\"}")
                        .result())
                .isZero();
        expect(dialogue.cause(G, "m0"), "QUEUE_OWNED", "ONE_READER", "owner", "c1");
    }

    @Test
    void itWasConsumed() {
        FakeConnection client = dialogue.join(G, "c1", "orders", "*");
        dialogue.pull(client, G, "orders", 1, 0, 1);
        broker.pass(5_000);
        dialogue.commit(client, G, "orders", 1, 1);
        JsonObject finding = dialogue.cause(G, "m0");
        expect(finding, "CONSUMED", "MESSAGE");
        assertThat(fact(finding, "acknowledgedBy")).isEqualTo("c1");
        assertThat(fact(finding, "deliveredTo")).isEqualTo("c1");
        broker.restart();
        expect(dialogue.cause(G, "m0"), "CONSUMED", "MESSAGE", "acknowledgedBy", "c1");
        expect(dialogue.doctor(G, ",\"key\":\"order-0\"").get(0), "CONSUMED", "MESSAGE");
    }

    @Test
    void theGroupIsBeyondItByAReset() {
        FakeConnection client = dialogue.join(G, "c1", "orders", "*");
        dialogue.pull(client, G, "orders", 0, 0, 1);
        broker.gone(client);
        Asked reset = broker.ask(Command.request(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET)
                .header(new ResetOffsetHeader("orders", G, -1, true, -1, -1))
                .build());
        assertThat(reset.result()).as(reset.remark()).isZero();
        JsonObject finding = dialogue.cause(G, "m0");
        expect(finding, "BEYOND_OFFSET", "PASSED", "goesOnAt", 1, "deliveredTo", null);
        assertThat(fact(finding, "committedOffset")).isEqualTo("1");
    }

    @Test
    void theGroupIsRateLimited() {
        FakeConnection client = dialogue.join(G, "c1", "orders", "*");
        settings("{\"groupName\":\"" + G + "\",\"consumeEnable\":true,\"attributes\":{\"waybill.rate\":\"2\"}}");
        dialogue.pull(client, G, "orders", 1, 0, 1);
        for (int i = 1; i < 12; i++) {
            send(1, "r" + i);
        }
        JsonObject finding = dialogue.cause(G, "r11");
        expect(finding, "RATE_LIMITED", null, "rate", 2, "secondsAtLeast", 5);
        assertThat(fact(finding, "messagesBefore")).isEqualTo("10");
    }

    private void settings(String json) {
        Asked put = dialogue.ask(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, json);
        assertThat(put.result()).as(put.remark()).isZero();
    }

    @Test
    void consumingIsForbidden() {
        dialogue.join(G, "c1", "orders", "*");
        settings("{\"groupName\":\"" + G + "\",\"consumeEnable\":false}");
        expect(dialogue.cause(G, "m0"), "CONSUME_DISABLED", "GROUP", "consumeEnable", false);
        expect(dialogue.doctor(G, "").get(0), "CONSUME_DISABLED", "GROUP");
        settings("{\"groupName\":\"" + G + "\",\"consumeEnable\":true}");
        Asked put = broker.ask(Command.request(RequestCode.UPDATE_AND_CREATE_TOPIC)
                .field("topic", "orders")
                .field("defaultTopic", "TBW102")
                .field("readQueueNums", 4)
                .field("writeQueueNums", 4)
                .field("perm", 2)
                .field("topicFilterType", "SINGLE_TAG")
                .field("topicSysFlag", 0)
                .field("order", false)
                .build());
        assertThat(put.result()).as(put.remark()).isZero();
        expect(dialogue.cause(G, "m0"), "CONSUME_DISABLED", "TOPIC", "perm", 2);
    }

    @Test
    void itIsNotKnown() {
        dialogue.join(G, "c1", "orders", "*");
        expect(dialogue.cause(G, "nothing-of-this-name"), "NOT_FOUND", "UNKNOWN", "asked", "nothing-of-this-name");
        expect(dialogue.cause(G, "7F00000100002A9F0000000000FFFFFF"), "NOT_FOUND", "UNKNOWN");
        expect(dialogue.doctor(G, ",\"key\":\"no-key\"").get(0), "NOT_FOUND", "UNKNOWN", "asked", "no-key");
        expect(dialogue.doctor(G, ",\"topic\":\"no-topic\"").get(0), "NOT_FOUND", "NO_TOPIC");
    }

    @Test
    void itWasPoppedAndNotAcknowledged() {
        FakeConnection client = dialogue.join(G, "c1", "orders", "*");
        long now = broker.store.clock().nowMillis();
        Asked popped = dialogue.pop(client, G, "orders", 1, 1, 30_000, false);
        send(1, "next");
        JsonObject finding = dialogue.cause(G, "m0");
        expect(finding, "IN_FLIGHT", "POPPED", "client", "c1", "deliveries", 1, "since", now);
        assertThat(fact(finding, "invisibleUntil")).isEqualTo(Long.toString(now + 30_000));
        expect(dialogue.cause(G, "next"), "QUEUE_OWNED", "POPS");
        broker.pass(30_001);
        expect(dialogue.cause(G, "m0"), "QUEUE_OWNED", "POPS");
        Asked again = dialogue.pop(client, G, "orders", 1, 1, 30_000, false);
        expect(dialogue.cause(G, "m0"), "IN_FLIGHT", "POPPED", "deliveries", 2);
        assertThat(popped.result()).isZero();
        dialogue.ack(client, G, again, TestBroker.messages(again).get(0));
        expect(dialogue.cause(G, "m0"), "CONSUMED", "MESSAGE", "acknowledgedBy", "c1");
        JsonObject row = dialogue.backlog(G, "orders");
        assertThat(row.getLong("ready", -1)).isEqualTo(1);
        assertThat(row.getLong("inFlight", -1)).isZero();
    }

    @Test
    void anOrderedPopStandsStillAtAFailingMessage() {
        settings("{\"groupName\":\"" + G + "\",\"consumeEnable\":true,\"consumeMessageOrderly\":true}");
        FakeConnection client = dialogue.join(G, "c1", "orders", "*");
        send(1, "behind");
        dialogue.pop(client, G, "orders", 1, 1, 10_000, true);
        broker.pass(10_001);
        dialogue.pop(client, G, "orders", 1, 1, 10_000, true);
        expect(dialogue.cause(G, "behind"), "LOCKED_BY_FAILING", null, "failingOffset", 0, "deliveries", 2);
    }

    @Test
    void nothingIsWrong() {
        FakeConnection client = dialogue.join(G, "c1", "orders", "*");
        dialogue.pull(client, G, "orders", 1, 0, 1);
        dialogue.commit(client, G, "orders", 1, 1);
        List<JsonObject> findings = dialogue.doctor(G, "");
        assertThat(findings).hasSize(1);
        expect(findings.get(0), "CONSUMED", "EVERYTHING");
    }

    @Test
    void theWorstQueueComesFirst() {
        FakeConnection client = dialogue.join(G, "c1", "orders", "*");
        broker.pass(1_000);
        send(0, "n0");
        send(2, "n2");
        dialogue.pull(client, G, "orders", 0, 0, 32);
        List<JsonObject> findings = dialogue.doctor(G, "");
        assertThat(findings).extracting(f -> f.getInt("queueId", -1)).containsExactly(1, 0, 2);
        assertThat(findings)
                .extracting(f -> f.getString("cause"))
                .containsExactly("QUEUE_OWNED", "IN_FLIGHT", "QUEUE_OWNED");
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "{}",
                "[]",
                "{\"group\":\"a b\"}",
                "{\"group\":\"g\",\"topic\":\"a/b\"}",
                "{\"group\":\"g\",\"messageId\":\"x\",\"key\":\"y\"}"
            })
    void wrongInputIsRefusedByField(String json) {
        Asked asked = dialogue.ask(RequestCode.DOCTOR, json);
        assertThat(asked.result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
        assertThat(asked.remark()).isNotBlank();
    }

    @Test
    void itsKeyIsInQuarantine() {
        FakeConnection client = dialogue.join(G, "c1", "orders", "*");
        quarantine("QUARANTINE", "reason\":\"address unknown\",\"by\":\"kim");
        JsonObject ahead = dialogue.cause(G, "m0");
        expect(ahead, "QUARANTINED", "KEY", "key", "order-0", "reason", "address unknown", "originTopic", "orders");

        send(1, "other", "KEYS", "order-1");
        assertThat(dialogue.pull(client, G, "orders", 1, 0, 32)).hasSize(1);
        dialogue.commit(client, G, "orders", 1, 2);
        broker.pass(60_000);
        JsonObject quarantined = dialogue.cause(G, "m0");
        expect(quarantined, "QUARANTINED", "SET_ASIDE", "key", "order-0", "originTopic", "orders");
        assertThat(fact(quarantined, "setAsideAt")).isNotNull();
        assertThat(fact(quarantined, "reason")).isEqualTo("address unknown");
        expect(dialogue.cause(G, "other"), "CONSUMED", "MESSAGE");
        JsonObject row = dialogue.backlog(G, "orders");
        assertThat(row.getLong("quarantined", -1)).isEqualTo(1);
        assertThat(row.getLong("ready", -1)).isZero();
        assertThat(dialogue.doctor(G, "")).extracting(f -> f.getString("cause")).containsExactly("QUARANTINED");

        broker.restart();
        client = dialogue.join(G, "c1", "orders", "*");
        expect(dialogue.cause(G, "m0"), "QUARANTINED", "SET_ASIDE", "reason", "address unknown");
        quarantine("RELEASE", "by\":\"kim");
        row = dialogue.backlog(G, "orders");
        assertThat(row.getLong("quarantined", 0)).isZero();
        assertThat(row.getLong("retrying", -1)).isEqualTo(1);
        assertThat(dialogue.pull(client, G, "%RETRY%" + G, 0, 0, 32)).hasSize(1);
        expect(dialogue.cause(G, "m0"), "IN_FLIGHT", "PULLED", "client", "c1");
        dialogue.commit(client, G, "%RETRY%" + G, 0, 1);
        broker.pass(1_000);
        expect(dialogue.cause(G, "m0"), "CONSUMED", "MESSAGE");
    }

    @Test
    void itWasThrownAwayWithItsKey() {
        FakeConnection client = dialogue.join(G, "c1", "orders", "*");
        quarantine("QUARANTINE", "by\":\"kim");
        assertThat(dialogue.pull(client, G, "orders", 1, 0, 32)).isEmpty();
        dialogue.commit(client, G, "orders", 1, 1);
        quarantine("DISCARD", "by\":\"kim");
        broker.pass(1_000);
        JsonObject finding = dialogue.cause(G, "m0");
        expect(finding, "QUARANTINED", "DISCARDED", "key", "order-0");
        assertThat(fact(finding, "setAsideAt")).isNotNull();
        assertThat(dialogue.backlog(G).getObject("total").getLong("quarantined", 0))
                .isZero();
    }

    private void quarantine(String action, String more) {
        dialogue.answer(
                RequestCode.QUARANTINE,
                "{\"group\":\"" + G + "\",\"topic\":\"orders\",\"key\":\"order-0\",\"action\":\"" + action + "\",\""
                        + more + "\"}");
    }
}
