/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.client.Admin;
import io.waybill.client.Decision;
import io.waybill.client.GroupOffsets;
import io.waybill.client.Message;
import io.waybill.client.MessageQueue;
import io.waybill.client.Producer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.SendReceipt;
import io.waybill.client.Topics;
import io.waybill.client.TransactionInspector.Details;
import io.waybill.client.TransactionInspector.TransactionState;
import io.waybill.client.WaybillException;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.json.Json;
import java.nio.charset.StandardCharsets;
import java.time.Instant;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class AdminTest {
    private static final String OPEN =
            "{\"handle\":99,\"offsetMsgId\":\"00\",\"transactionId\":\"TX1\",\"topic\":\"orders\",\"queueId\":0,"
                    + "\"producerGroup\":\"pg\",\"bornTimestamp\":1,\"storeTimestamp\":2000,\"ageMillis\":5,\"checks\":3,"
                    + "\"nextCheckTimestamp\":4000,\"tags\":\"T\",\"keys\":\"a b\",\"bodySize\":7}";

    private final FakeBroker broker = new FakeBroker().topic("orders", 2);
    private final ConnectedClient client = ConnectedClient.connect(broker.address(), ProducerTest.QUICK);
    private final Admin admin = client.admin();
    private final MessageQueue first = new MessageQueue("orders", FakeBroker.NAME, 0);
    private final MessageQueue second = new MessageQueue("orders", FakeBroker.NAME, 1);

    @AfterEach
    void close() {
        client.close();
        broker.close();
    }

    private void nextJson(int code, String json) {
        broker.next(
                code,
                request -> request.reply(Command.response(0, null)
                        .body(json.getBytes(StandardCharsets.UTF_8))
                        .build()));
    }

    @Test
    void topicsAreListedWithoutThoseOfTheSystem() {
        broker.topic("%RETRY%g", 1).topic("%DLQ%g", 1).topic("rmq_sys_x", 1);
        assertThat(admin.topics().names()).containsExactly("orders");
        assertThat(admin.topics().allNames()).contains("orders", "%RETRY%g", "TBW102", FakeBroker.NAME);
        assertThat(admin.brokers()).isEqualTo(Map.of(FakeBroker.NAME, broker.address()));
    }

    @Test
    void aTopicIsCreatedOnEveryBroker() {
        admin.topics().create("fresh", 6);
        assertThat(admin.topics().describe("fresh").queues()).hasSize(6);
        assertThatThrownBy(() -> admin.topics().create("bad name", 1)).hasMessageContaining("topic");
        assertThatThrownBy(() -> admin.topics().create("fresh", 0)).hasMessageContaining("queues");
        assertThatThrownBy(() -> admin.topics().describe("nowhere"))
                .isInstanceOfSatisfying(
                        WaybillException.class, e -> assertThat(e.kind()).isEqualTo(WaybillException.Kind.NOT_FOUND));
    }

    @Test
    void aTopicIsDescribedByItsQueues() {
        broker.clock(5_000);
        broker.put(first, "a", null);
        broker.put(first, "b", null);
        Topics.TopicDescription description = admin.topics().describe("orders");
        assertThat(description.messages()).isEqualTo(2);
        assertThat(description.queues())
                .containsExactly(
                        new Topics.QueueState(first, 0, 2, Instant.ofEpochMilli(5_000)),
                        new Topics.QueueState(second, 0, 0, null));
        assertThat(admin.offsets().at("orders", Instant.ofEpochMilli(5_000))).isEqualTo(Map.of(first, 0L, second, 0L));
        assertThat(admin.offsets().at("orders", Instant.ofEpochMilli(5_001))).isEqualTo(Map.of(first, 2L, second, 0L));
    }

    @Test
    void aGroupIsDescribedByItsProgress() {
        broker.put(first, "a", null);
        broker.put(first, "b", null);
        broker.offset("g", first, 1);
        GroupOffsets.GroupProgress progress = admin.offsets().progress("g");
        assertThat(progress.lag()).isEqualTo(1);
        assertThat(progress.members()).isEmpty();
        assertThat(progress.queues()).containsExactly(new GroupOffsets.QueueProgress(first, 1, 2));
        assertThat(admin.topics().groups("orders")).containsExactly("g");
        broker.refuseNext(RequestCode.GET_CONSUME_STATS, 26, "no group nobody");
        assertThatThrownBy(() -> admin.offsets().progress("nobody"))
                .isInstanceOfSatisfying(
                        WaybillException.class, e -> assertThat(e.kind()).isEqualTo(WaybillException.Kind.NOT_FOUND));
    }

    @Test
    void aGroupIsMovedToATime() {
        broker.clock(1_000);
        broker.put(first, "a", null);
        broker.clock(2_000);
        broker.put(first, "b", null);
        assertThat(admin.offsets().reset("g", "orders", Instant.ofEpochMilli(1_500)))
                .isEqualTo(Map.of(first, 1L, second, 0L));
    }

    @Test
    void messagesAreFoundByKeyAndById() {
        try (Producer producer = client.producer("pg").build()) {
            SendReceipt one =
                    producer.send(Message.to("orders").key("k1").body("one").build());
            producer.send(Message.to("orders").key("k1").key("k2").body("two").build());
            assertThat(admin.messages().byKey("orders", "k1", 10))
                    .extracting(ReceivedMessage::text)
                    .containsExactlyInAnyOrder("one", "two");
            assertThat(admin.messages().byKey("orders", "k1", 1)).hasSize(1);
            assertThat(admin.messages().byKey("orders", "k2", 10))
                    .extracting(ReceivedMessage::text)
                    .containsExactly("two");
            assertThat(admin.messages().byKey("orders", one.messageId(), 10)).hasSize(1);
            assertThat(admin.messages().byKey("orders", "k3", 10)).isEmpty();
            assertThat(admin.messages()
                            .byId("orders", one.messageId())
                            .orElseThrow()
                            .text())
                    .isEqualTo("one");
            assertThat(admin.messages()
                            .byId("orders", one.storedId())
                            .orElseThrow()
                            .messageId())
                    .isEqualTo(one.messageId());
            assertThat(admin.messages().byId("orders", "nothing")).isEmpty();
            assertThat(admin.messages().byId("orders", "7F00000100004DC700000000000FFFFF"))
                    .isEmpty();
        }
    }

    @Test
    void openTransactionsAreListed() {
        nextJson(
                RequestCode.LIST_TRANSACTIONS,
                "{\"brokerName\":\"broker-a\",\"open\":1,\"transactions\":[" + OPEN + "]}");
        assertThat(admin.transactions().list(10)).singleElement().satisfies(open -> {
            assertThat(open.messageId()).isEqualTo("TX1");
            assertThat(open.broker()).isEqualTo(FakeBroker.NAME);
            assertThat(open.stage()).isEqualTo(TransactionState.Stage.OPEN);
            assertThat(open.keys()).containsExactly("a", "b");
            assertThat(open.checks()).isEqualTo(3);
            assertThat(open.nextCheck()).isEqualTo(Instant.ofEpochMilli(4_000));
            assertThat(open.storedAt()).isEqualTo(Instant.ofEpochMilli(2_000));
        });
    }

    @Test
    void aTransactionIsShownAndDecided() {
        String open = "{\"state\":\"OPEN\",\"transaction\":" + OPEN + "}";
        String committed = "{\"state\":\"COMMITTED\",\"transaction\":" + OPEN
                + ",\"decision\":{\"outcome\":\"COMMIT\",\"fromCheck\":false,\"timestamp\":9000,\"by\":\"ann\"}}";
        nextJson(RequestCode.SHOW_TRANSACTION, open);
        nextJson(RequestCode.DECIDE_TRANSACTION, "{\"state\":\"COMMITTED\"}");
        nextJson(RequestCode.SHOW_TRANSACTION, committed);
        TransactionState state = admin.transactions().decide("TX1", Decision.COMMIT, "decided by hand", "ann");
        assertThat(state.stage()).isEqualTo(TransactionState.Stage.COMMITTED);
        assertThat(state.decidedBy()).isEqualTo("ann");
        assertThat(state.decidedAt()).isEqualTo(Instant.ofEpochMilli(9_000));
        assertThat(Json.parse(broker.seen(RequestCode.DECIDE_TRANSACTION).get(0).body())
                        .getString("decision"))
                .isEqualTo("COMMIT");

        nextJson(RequestCode.SHOW_TRANSACTION, committed);
        broker.refuseNext(RequestCode.DECIDE_TRANSACTION, 604, "already committed by ann");
        assertThatThrownBy(() -> admin.transactions().decide("TX1", Decision.ROLLBACK, "decided by hand", "bob"))
                .isInstanceOfSatisfying(
                        WaybillException.class, e -> assertThat(e.kind()).isEqualTo(WaybillException.Kind.REFUSED))
                .hasMessageContaining("already committed by ann");

        broker.refuseNext(RequestCode.SHOW_TRANSACTION, 1, "no such transaction");
        assertThat(admin.transactions().find("TX2").map(Details::state)).isEmpty();
        broker.refuseNext(RequestCode.SHOW_TRANSACTION, 1, "no such transaction");
        assertThatThrownBy(() -> admin.transactions().decide("TX2", Decision.COMMIT, "decided by hand", "ann"))
                .isInstanceOfSatisfying(
                        WaybillException.class, e -> assertThat(e.kind()).isEqualTo(WaybillException.Kind.NOT_FOUND));
        assertThatThrownBy(() -> admin.transactions().decide("TX2", Decision.UNKNOWN, "decided by hand", "ann"))
                .hasMessageContaining("COMMIT or ROLLBACK");
    }
}
