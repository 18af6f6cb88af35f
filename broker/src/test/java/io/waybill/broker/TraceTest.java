/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.header.PullHeader;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.message.Message;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** The lives of messages as the broker's own records tell them, also after a restart. */
class TraceTest {
    private static final String G = "shipping";

    private final TestBroker broker = new TestBroker();
    private final InsightDialogue dialogue = new InsightDialogue(broker);

    @AfterEach
    void close() {
        broker.close();
    }

    private String send(String id, String... more) {
        List<String> properties = new ArrayList<>(List.of("UNIQ_KEY", id));
        properties.addAll(List.of(more));
        return broker.send("orders", 1, "body of " + id, properties.toArray(String[]::new))
                .field("msgId");
    }

    private List<JsonObject> told(String id) {
        List<JsonObject> messages = dialogue.trace(id);
        assertThat(messages).hasSize(1);
        List<JsonObject> events = messages.get(0).getArray("events").objects("events");
        assertThat(events).extracting(e -> e.getLong("timestamp", -1)).isSorted();
        assertThat(events).allMatch(e -> !e.getString("sentence").isBlank());
        return events;
    }

    private Message next(FakeConnection client, String group, String topic, int queueId, long offset) {
        return dialogue.pull(client, group, topic, queueId, offset, 1).get(0);
    }

    @Test
    void aPlainMessageIsStoredDeliveredAndAcknowledged() {
        String offsetId = send("m1", "KEYS", "order-1 other");
        FakeConnection client = dialogue.join(G, "c1", "orders", "*");
        broker.pass(1_000);
        next(client, G, "orders", 1, 0);
        broker.pass(1_000);
        dialogue.commit(client, G, "orders", 1, 1);
        FakeConnection audit = dialogue.join("audit", "c2", "orders", "*");
        broker.pass(1_000);
        next(audit, "audit", "orders", 1, 0);
        List<String> story = List.of("STORED", "DELIVERED", "ACKNOWLEDGED", "DELIVERED");
        assertThat(dialogue.events("m1")).isEqualTo(story);
        assertThat(dialogue.events(offsetId)).isEqualTo(story);
        List<JsonObject> events = told("m1");
        assertThat(events.get(1).getString("group")).isEqualTo(G);
        assertThat(events.get(1).getString("client")).isEqualTo("c1");
        assertThat(events.get(3).getString("group")).isEqualTo("audit");
        JsonObject byKey = dialogue.answer(RequestCode.TRACE_MESSAGE, "{\"key\":\"order-1\",\"topic\":\"orders\"}")
                .getArray("messages")
                .objects("messages")
                .get(0);
        assertThat(byKey.getString("uniqueKey")).isEqualTo("m1");
        assertThat(byKey.getString("offsetMsgId")).isEqualTo(offsetId);
        broker.restart();
        assertThat(dialogue.events("m1")).isEqualTo(story);
        assertThat(dialogue.events(offsetId)).isEqualTo(story);
    }

    @Test
    void aDeliveryIsNeverToldBeforeTheMessageWasThere() {
        send("m1");
        FakeConnection client = dialogue.join(G, "c1", "orders", "*");
        next(client, G, "orders", 1, 0);
        for (int later = 1; later < 5; later++) {
            broker.pass(150);
            send("later" + later);
            next(client, G, "orders", 1, later);
        }
        broker.pass(2_000);
        for (int later = 1; later < 5; later++) {
            assertThat(told("later" + later))
                    .extracting(e -> e.getString("event"))
                    .containsExactly("STORED", "DELIVERED");
        }
    }

    @Test
    void aFailingOneIsRetriedDeadLetteredReDrivenAndConsumed() {
        send("m2");
        FakeConnection client = dialogue.join(G, "c1", "orders", "*");
        Message first = next(client, G, "orders", 1, 0);
        broker.pass(1_000);
        dialogue.sendBack(client, G, first.position(), 0, 1);
        broker.pass(1_000);
        dialogue.commit(client, G, "orders", 1, 1);
        assertThat(dialogue.events("m2")).containsExactly("STORED", "DELIVERED", "RETRY", "ACKNOWLEDGED");
        broker.pass(10_000);
        Message again = next(client, G, "%RETRY%" + G, 0, 0);
        broker.pass(1_000);
        dialogue.sendBack(client, G, again.position(), 0, 1);
        broker.pass(1_000);
        dialogue.commit(client, G, "%RETRY%" + G, 0, 1);
        broker.pass(1_000);
        dialogue.answer(
                RequestCode.SETTLE_DEAD,
                "{\"group\":\"" + G + "\",\"offsets\":[0],\"action\":\"REDRIVE\",\"by\":\"olga\"}");
        broker.pass(1_000);
        next(client, G, "orders", 1, 1);
        broker.pass(1_000);
        dialogue.commit(client, G, "orders", 1, 2);
        List<String> story = List.of(
                "STORED",
                "DELIVERED",
                "RETRY",
                "ACKNOWLEDGED",
                "VISIBLE",
                "DELIVERED",
                "DEAD_LETTERED",
                "ACKNOWLEDGED",
                "REDRIVEN",
                "DELIVERED",
                "ACKNOWLEDGED");
        List<JsonObject> events = told("m2");
        assertThat(events).extracting(e -> e.getString("event")).isEqualTo(story);
        assertThat(events.get(2).getString("client")).contains("c1");
        assertThat(events.get(6).getString("sentence")).contains("used up");
        assertThat(events.get(8).getString("sentence")).contains("olga");
        broker.restart();
        assertThat(told("m2")).extracting(e -> e.getString("event")).isEqualTo(story);
    }

    @Test
    void aDeadLetterIsThrownAwayByHand() {
        send("m5");
        FakeConnection client = dialogue.join(G, "c1", "orders", "*");
        Message first = next(client, G, "orders", 1, 0);
        broker.pass(1_000);
        dialogue.sendBack(client, G, first.position(), -1, 16);
        broker.pass(1_000);
        dialogue.answer(
                RequestCode.SETTLE_DEAD,
                "{\"group\":\"" + G + "\",\"offsets\":[0],\"action\":\"DISCARD\",\"by\":\"olga\"}");
        broker.pass(2_000);
        assertThat(told("m5"))
                .extracting(e -> e.getString("event"))
                .containsExactly("STORED", "DELIVERED", "DEAD_LETTERED", "DISCARDED");
        assertThat(told("m5").get(3).getString("sentence")).contains("olga");
        broker.restart();
        assertThat(told("m5").get(3).getString("sentence")).contains("olga");
    }

    @Test
    void aDelayedOneIsToldFromItsSendToItsDelivery() {
        String offsetId = send("d1", "TIMER_DELIVER_MS", Long.toString(broker.clock.wallMillis() + 60_000));
        assertThat(dialogue.events("d1")).containsExactly("DELAYED");
        broker.pass(60_000);
        FakeConnection client = dialogue.join(G, "c1", "orders", "*");
        next(client, G, "orders", 1, 0);
        assertThat(dialogue.events("d1")).containsExactly("DELAYED", "VISIBLE", "DELIVERED");
        assertThat(dialogue.events(offsetId)).containsExactly("DELAYED", "VISIBLE", "DELIVERED");
        List<JsonObject> events = told("d1");
        assertThat(events.get(1).getLong("timestamp", 0) - events.get(0).getLong("timestamp", 0))
                .isEqualTo(60_000);
    }

    @Test
    void aDelayedOneIsCancelled() {
        String offsetId = send("d2", "TIMER_DELIVER_MS", Long.toString(broker.clock.wallMillis() + 60_000));
        broker.pass(1_000);
        long handle = broker.store.timers().handlesByUniqueKey("orders", "d2").get(0);
        broker.store.timers().cancel(handle, "olga", outcome -> {});
        broker.settle();
        assertThat(dialogue.events("d2")).containsExactly("DELAYED", "CANCELLED");
        assertThat(dialogue.events(offsetId)).containsExactly("DELAYED", "CANCELLED");
        assertThat(told("d2").get(1).getString("sentence")).contains("olga");
        broker.restart();
        assertThat(dialogue.events("d2")).containsExactly("DELAYED", "CANCELLED");
    }

    @Test
    void aTransactionIsToldWithItsChecksAndItsDecision() {
        FakeConnection teller = broker.connect();
        broker.ask(
                teller,
                TestBroker.heartbeat(new io.waybill.protocol.body.HeartbeatData("p1", List.of(), List.of("tellers"))));
        String offsetId = send("h1", "TRAN_MSG", "true", "PGROUP", "tellers");
        assertThat(dialogue.events("h1")).containsExactly("HALF_STORED");
        broker.pass(6_000 + 30_000); // its sender never says who it is
        assertThat(dialogue.events("h1")).containsExactly("HALF_STORED", "CHECKED");
        broker.pass(1_000);
        dialogue.answer(
                RequestCode.DECIDE_TRANSACTION, "{\"id\":\"h1\",\"decision\":\"COMMIT\",\"reason\":\"paid by phone\"}");
        List<String> story = List.of("HALF_STORED", "CHECKED", "COMMITTED", "VISIBLE");
        assertThat(told("h1")).extracting(e -> e.getString("event")).isEqualTo(story);
        assertThat(dialogue.events(offsetId)).isEqualTo(story);
        assertThat(told("h1").get(1).getString("client")).contains("p1");
        assertThat(told("h1").get(2).getString("sentence")).contains("paid by phone");
        broker.restart();
        assertThat(dialogue.events("h1")).isEqualTo(story);
    }

    @Test
    void aRollbackIsTold() {
        String offsetId = send("h2", "TRAN_MSG", "true", "PGROUP", "tellers");
        broker.pass(1_000);
        dialogue.answer(
                RequestCode.DECIDE_TRANSACTION, "{\"id\":\"h2\",\"decision\":\"ROLLBACK\",\"reason\":\"no money\"}");
        assertThat(dialogue.events("h2")).containsExactly("HALF_STORED", "ROLLED_BACK");
        broker.restart();
        assertThat(dialogue.events(offsetId)).containsExactly("HALF_STORED", "ROLLED_BACK");
    }

    @Test
    void aPoppedOneIsToldOncePerDelivery() {
        send("p1");
        FakeConnection client = dialogue.join(G, "c1", "orders", "*");
        broker.pass(1_000);
        dialogue.pop(client, G, "orders", 1, 1, 10_000, false);
        broker.pass(10_001);
        Asked again = dialogue.pop(client, G, "orders", 1, 1, 10_000, false);
        broker.pass(1_000);
        dialogue.ack(client, G, again, TestBroker.messages(again).get(0));
        assertThat(dialogue.events("p1")).containsExactly("STORED", "DELIVERED", "DELIVERED", "ACKNOWLEDGED");
    }

    @Test
    void aReplayIsNoDelivery() {
        send("m3");
        broker.pass(1_000);
        FakeConnection client = broker.connect();
        int flags = TestBroker.SUBSCRIPTION | PullHeader.FLAG_REPLAY;
        dialogue.pullReply(client, "side", "orders", 1, 0, 8, flags);
        assertThat(dialogue.events("m3")).containsExactly("STORED", "REPLAYED");
        assertThat(told("m3").get(1).getString("group")).isEqualTo("side");
    }

    @Test
    void bytesInABodyThatLookLikeAMessageAreNone() {
        send("m4");
        Asked asked = dialogue.ask(RequestCode.TRACE_MESSAGE, "{\"id\":\"7F00000100002A9F0000000000000150\"}");
        assertThat(asked.result()).isEqualTo(ResponseCode.SYSTEM_ERROR);
        assertThat(dialogue.ask(RequestCode.TRACE_MESSAGE, "{\"id\":\"nothing\"}")
                        .result())
                .isEqualTo(ResponseCode.SYSTEM_ERROR);
        assertThat(dialogue.ask(RequestCode.TRACE_MESSAGE, "{}").result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
        assertThat(dialogue.ask(RequestCode.TRACE_MESSAGE, "{\"id\":\"a\",\"key\":\"b\"}")
                        .result())
                .isEqualTo(ResponseCode.INVALID_PARAMETER);
    }

    @Test
    void oneOfAKeyInQuarantineIsToldFromItsQuarantiningToItsRelease() {
        send("q1", "KEYS", "order-1");
        send("q2", "KEYS", "order-2");
        FakeConnection client = dialogue.join(G, "c1", "orders", "*");
        dialogue.pull(client, G, "orders", 1, 0, 1); // fails there
        broker.pass(1_000);
        quarantine("QUARANTINE");
        broker.pass(1_000);
        assertThat(dialogue.pull(client, G, "orders", 1, 0, 32)).hasSize(1);
        broker.pass(1_000);
        dialogue.commit(client, G, "orders", 1, 2);
        broker.pass(10_000);
        assertThat(dialogue.events("q1")).containsExactly("STORED", "DELIVERED", "QUARANTINED");
        assertThat(dialogue.events("q2")).containsExactly("STORED", "DELIVERED", "ACKNOWLEDGED");
        quarantine("RELEASE");
        broker.pass(1_000);
        next(client, G, "%RETRY%" + G, 0, 0);
        broker.pass(1_000);
        quarantine("QUARANTINE"); // and fails once more
        broker.pass(1_000);
        assertThat(dialogue.pull(client, G, "%RETRY%" + G, 0, 0, 32)).isEmpty();
        dialogue.commit(client, G, "%RETRY%" + G, 0, 1);
        broker.pass(1_000);
        quarantine("RELEASE");
        broker.pass(1_000);
        next(client, G, "%RETRY%" + G, 0, 1);
        broker.pass(1_000);
        dialogue.commit(client, G, "%RETRY%" + G, 0, 2);
        broker.pass(1_000);
        List<String> story = List.of(
                "STORED",
                "DELIVERED",
                "QUARANTINED",
                "RELEASED",
                "DELIVERED",
                "QUARANTINED",
                "RELEASED",
                "DELIVERED",
                "ACKNOWLEDGED");
        List<JsonObject> events = told("q1");
        assertThat(events).extracting(e -> e.getString("event")).isEqualTo(story);
        assertThat(events.get(3).getString("sentence")).contains("released from quarantine");
        broker.restart();
        assertThat(dialogue.events("q1")).isEqualTo(story);
    }

    @Test
    void oneThatIsThrownAwayWithItsKeyIsToldWithWhoDidIt() {
        send("q3", "KEYS", "order-1");
        FakeConnection client = dialogue.join(G, "c1", "orders", "*");
        quarantine("QUARANTINE");
        assertThat(dialogue.pull(client, G, "orders", 1, 0, 32)).isEmpty();
        broker.pass(1_000);
        quarantine("DISCARD");
        broker.pass(2_000);
        assertThat(dialogue.events("q3")).containsExactly("STORED", "QUARANTINED", "DISCARDED");
        assertThat(told("q3").get(2).getString("sentence")).contains("olga");
    }

    private void quarantine(String action) {
        dialogue.answer(
                RequestCode.QUARANTINE,
                "{\"group\":\"" + G + "\",\"topic\":\"orders\",\"key\":\"order-1\",\"action\":\"" + action
                        + "\",\"by\":\"olga\"}");
    }
}
