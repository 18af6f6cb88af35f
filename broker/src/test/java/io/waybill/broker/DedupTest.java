/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.CreateTopicHeader;
import io.waybill.protocol.header.EndTransactionHeader;
import io.waybill.protocol.header.RecallHeader;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.message.BatchBody;
import io.waybill.protocol.message.MessageIds;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Topics that know a message when they see it again. */
class DedupTest {
    private static final String TOPIC = "orders";
    private static final String KEY = "WAYBILL_DEDUP_KEY";
    private final TestBroker broker = new TestBroker();

    @BeforeEach
    void createTopic() {
        create(TOPIC, "+waybill.dedup=1h");
    }

    @AfterEach
    void close() {
        broker.close();
    }

    private void create(String topic, String attributes) {
        Asked created = broker.ask(Command.request(RequestCode.UPDATE_AND_CREATE_TOPIC)
                .header(new CreateTopicHeader(
                        topic, "TBW102", 4, 4, 6, TopicConfig.SINGLE_TAG, 0, false, attributes, false))
                .build());
        assertThat(created.result()).as(created.remark()).isZero();
    }

    private static void assertSame(Asked second, Asked first) {
        assertThat(second.result()).as(second.remark()).isZero();
        assertThat(second.field("WAYBILL_DUPLICATE")).isEqualTo("true");
        assertThat(first.field("WAYBILL_DUPLICATE")).isNull();
        for (String field : new String[] {"msgId", "queueId", "queueOffset", "transactionId"}) {
            assertThat(second.field(field)).as(field).isEqualTo(first.field(field));
        }
    }

    private List<String> bodies(int queueId) {
        return TestBroker.bodies(broker.pull(TOPIC, queueId, 0, "*"));
    }

    @Test
    void theSecondSendIsAnsweredWithTheFirstMessage() {
        broker.send(TOPIC, 1, "another");
        Asked first = broker.send(TOPIC, 1, "first", "UNIQ_KEY", "u1");
        assertSame(broker.send(TOPIC, 3, "again", "UNIQ_KEY", "u1"), first);
        assertThat(first.number("queueOffset")).isEqualTo(1);
        assertThat(bodies(1)).containsExactly("another", "first");
        assertThat(broker.store.queues().offsetRange(TOPIC, 3).maxOffset()).isZero();
    }

    @Test
    void aBusinessKeyGoesBeforeTheUniqueKey() {
        Asked first = broker.send(TOPIC, 0, "first", "UNIQ_KEY", "u1", KEY, "order-1");
        assertSame(broker.send(TOPIC, 0, "again", "UNIQ_KEY", "u2", KEY, "order-1"), first);
        broker.send(TOPIC, 0, "other", "UNIQ_KEY", "u1", KEY, "order-2");
        assertThat(bodies(0)).containsExactly("first", "other");
    }

    @Test
    void theTimeEndsAndNotSooner() {
        broker.send(TOPIC, 0, "first", "UNIQ_KEY", "u1");
        broker.pass(3_599_999);
        broker.send(TOPIC, 0, "again", "UNIQ_KEY", "u1");
        broker.pass(1);
        Asked third = broker.send(TOPIC, 0, "after the hour", "UNIQ_KEY", "u1");
        assertThat(third.field("WAYBILL_DUPLICATE")).isNull();
        assertThat(bodies(0)).containsExactly("first", "after the hour");
    }

    @Test
    void aRetryWhileTheFirstIsInFlightAndOneAfterARestartNeverDouble() {
        Command send =
                TestBroker.sending(TestBroker.sendHeader(TOPIC, 0, TestBroker.properties("UNIQ_KEY", "u1")), "once");
        Asked first = broker.begin(broker.connect(), send);
        Asked retry = broker.begin(broker.connect(), send);
        assertThat(first.isOpen()).isTrue();
        assertThat(retry.isOpen()).isTrue();
        broker.settle();
        assertThat(first.result()).isZero();
        assertSame(retry, first);
        broker.restart();
        assertSame(broker.ask(send), first);
        broker.crash(17);
        assertSame(broker.ask(send), first);
        assertThat(bodies(0)).containsExactly("once");
    }

    @Test
    void aBatchSaysNoMoreThanItsAnswerCanName() {
        List<BatchBody.Part> parts = new ArrayList<>();
        for (int i = 0; i < 8_193; i++) {
            parts.add(new BatchBody.Part(0, ByteBuffer.wrap(new byte[] {1}), new byte[0]));
        }
        Asked tooMany = broker.ask(Command.request(RequestCode.SEND_BATCH_MESSAGE)
                .header(TestBroker.sendHeader(TOPIC, 0, new byte[0]))
                .body(BatchBody.encode(parts))
                .build());
        assertThat(tooMany.result()).isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
        assertThat(tooMany.remark()).contains("batch", "8192", "8193");
    }

    @Test
    void otherTopicsAndTopicsWithoutTheAttributeTakeEverything() {
        create("twin", "+waybill.dedup=1h");
        broker.send(TOPIC, 0, "a", "UNIQ_KEY", "u1");
        assertThat(broker.send("twin", 0, "a", "UNIQ_KEY", "u1").field("WAYBILL_DUPLICATE"))
                .isNull();
        broker.send("free", 0, "a", "UNIQ_KEY", "u1", KEY, "k");
        broker.send("free", 0, "b", "UNIQ_KEY", "u1", KEY, "k");
        assertThat(TestBroker.bodies(broker.pull("free", 0, 0, "*"))).containsExactly("a", "b");
        broker.send(TOPIC, 1, "no key");
        broker.send(TOPIC, 1, "no key");
        assertThat(bodies(1)).hasSize(2);
    }

    @Test
    void aDelayedMessageIsOneAndCanBeRecalledByBothAnswers() {
        Asked first = broker.send(TOPIC, 0, "a", "UNIQ_KEY", "u1", KEY, "k", "TIMER_DELAY_SEC", "60");
        Asked second = broker.send(TOPIC, 0, "b", "UNIQ_KEY", "u2", KEY, "k", "TIMER_DELAY_SEC", "60");
        assertSame(second, first);
        assertThat(broker.store.timers().pendingTimerCount()).isEqualTo(1);
        Asked recalled = broker.ask(Command.request(RequestCode.RECALL_MESSAGE)
                .header(new RecallHeader("producers", TOPIC, second.field("recallHandle"), "broker-a"))
                .build());
        assertThat(recalled.result()).as(recalled.remark()).isZero();
        broker.send(TOPIC, 0, "after the recall", "UNIQ_KEY", "u3", KEY, "k");
        broker.pass(61_000);
        assertThat(bodies(0)).containsExactly("after the recall");
    }

    @Test
    void aDelayedMessageStaysTheOneAfterItsDelivery() {
        Asked first = broker.send(TOPIC, 0, "a", "UNIQ_KEY", "u1", "TIMER_DELAY_SEC", "60");
        broker.pass(60_000);
        assertSame(broker.send(TOPIC, 0, "b", "UNIQ_KEY", "u1", "TIMER_DELAY_SEC", "60"), first);
        assertSame(broker.send(TOPIC, 0, "c", "UNIQ_KEY", "u1"), first);
        broker.pass(60_000);
        assertThat(bodies(0)).containsExactly("a");
    }

    private Asked end(Asked half, int decision, String ownKey) {
        long handle = MessageIds.decode(half.field("msgId")).position();
        return broker.ask(Command.request(RequestCode.END_TRANSACTION)
                .header(new EndTransactionHeader(
                        TOPIC, "shop", 0, handle, decision, false, ownKey, half.field("transactionId"), "broker-a"))
                .build());
    }

    @Test
    void aHalfIsOneAndTheAnswerToTheSecondDecidesIt() {
        String[] first = {"UNIQ_KEY", "u1", KEY, "k", "TRAN_MSG", "true", "PGROUP", "shop"};
        String[] again = {"UNIQ_KEY", "u2", KEY, "k", "TRAN_MSG", "true", "PGROUP", "shop"};
        Asked half = broker.send(TOPIC, 0, "a", first);
        Asked second = broker.send(TOPIC, 0, "b", again);
        assertSame(second, half);
        assertThat(end(second, 8, "u2").result()).isZero();
        assertThat(end(half, 8, "u1").result()).isZero();
        assertThat(bodies(0)).containsExactly("a");
        assertSame(broker.send(TOPIC, 0, "c", again), half);
    }

    @Test
    void aRollbackSetsTheKeyFree() {
        String[] properties = {"UNIQ_KEY", "u1", "TRAN_MSG", "true", "PGROUP", "shop"};
        Asked half = broker.send(TOPIC, 0, "a", properties);
        assertThat(end(half, 12, "u1").result()).isZero();
        assertThat(broker.send(TOPIC, 0, "b", "UNIQ_KEY", "u1").field("WAYBILL_DUPLICATE"))
                .isNull();
        assertThat(bodies(0)).containsExactly("b");
    }

    /** What was rolled back is delivered after all, unless the same message was sent again meanwhile. */
    @Test
    void aPublishedMessageTakesItsKeyAgainOrIsRefused() {
        String[] properties = {"UNIQ_KEY", "u1", "TRAN_MSG", "true", "PGROUP", "shop"};
        Asked half = broker.send(TOPIC, 0, "a", properties);
        assertThat(end(half, 12, "u1").result()).isZero();
        assertThat(publish(half).result()).isZero();
        assertThat(broker.send(TOPIC, 0, "b", "UNIQ_KEY", "u1").field("WAYBILL_DUPLICATE"))
                .isNotNull();
        assertThat(bodies(0)).containsExactly("a");

        String[] others = {"UNIQ_KEY", "u2", "TRAN_MSG", "true", "PGROUP", "shop"};
        Asked other = broker.send(TOPIC, 0, "c", others);
        assertThat(end(other, 12, "u2").result()).isZero();
        broker.send(TOPIC, 0, "d", "UNIQ_KEY", "u2");
        Asked refused = publish(other);
        assertThat(refused.result()).isEqualTo(604);
        assertThat(refused.remark()).contains("holds the key u2");
        assertThat(bodies(0)).containsExactly("a", "d");
    }

    /** Keys are held by a time that passes evenly, here too. */
    @Test
    void aPublishedMessageHoldsItsKeyNoLongerThanTheWindow() {
        String[] properties = {"UNIQ_KEY", "u1", "TRAN_MSG", "true", "PGROUP", "shop"};
        Asked half = broker.send(TOPIC, 0, "a", properties);
        assertThat(end(half, 12, "u1").result()).isZero();
        broker.clock.set(broker.clock.wallMillis() + 2 * 3_600_000L);
        assertThat(publish(half).result()).isZero();
        broker.pass(3_599_000);
        assertThat(broker.send(TOPIC, 0, "b", "UNIQ_KEY", "u1").field("WAYBILL_DUPLICATE"))
                .isNotNull();
        broker.pass(1_000);
        assertThat(broker.send(TOPIC, 0, "c", "UNIQ_KEY", "u1").field("WAYBILL_DUPLICATE"))
                .isNull();
        assertThat(bodies(0)).containsExactly("a", "c");
    }

    private Asked publish(Asked half) {
        return broker.ask(Command.request(RequestCode.DECIDE_TRANSACTION)
                .body(("{\"id\":\"" + half.field("msgId") + "\",\"decision\":\"PUBLISH\",\"reason\":\"paid\"}")
                        .getBytes())
                .build());
    }

    @Test
    void ofABatchOnlyWhatIsNewIsStored() {
        Asked one = broker.send(TOPIC, 2, "m1", "UNIQ_KEY", "u1");
        Asked batch = batch("u0", "u1", "u2", "u2");
        assertThat(batch.result()).as(batch.remark()).isZero();
        String[] ids = batch.field("msgId").split(",");
        assertThat(ids).hasSize(4);
        assertThat(ids[1]).isEqualTo(one.field("msgId"));
        assertThat(ids[3]).isEqualTo(ids[2]);
        assertThat(batch.field("WAYBILL_DUPLICATE")).isEqualTo("1,3");
        assertThat(bodies(2)).containsExactly("m1", "b-u0", "b-u2");
        Asked again = batch("u0", "u1", "u2", "u2");
        assertThat(again.field("WAYBILL_DUPLICATE")).isEqualTo("true");
        assertThat(again.field("msgId")).isEqualTo(batch.field("msgId"));
        assertThat(again.number("queueOffset")).isEqualTo(batch.number("queueOffset"));
        assertThat(bodies(2)).hasSize(3);
    }

    private Asked batch(String... keys) {
        List<BatchBody.Part> parts = new ArrayList<>();
        for (String key : keys) {
            parts.add(new BatchBody.Part(
                    0,
                    ByteBuffer.wrap(("b-" + key).getBytes(StandardCharsets.UTF_8)),
                    TestBroker.properties("UNIQ_KEY", key)));
        }
        SendMessageHeader header = new SendMessageHeader(
                "producers", TOPIC, "TBW102", 4, 2, 0, 1_000, 0, new byte[0], 0, false, -1, true, "broker-a");
        return broker.ask(Command.request(RequestCode.SEND_BATCH_MESSAGE)
                .header(header)
                .body(BatchBody.encode(parts))
                .build());
    }

    @Test
    void aKeyThatIsTooLongIsRefusedWithItsName() {
        Asked refused = broker.ask(TestBroker.sending(
                TestBroker.sendHeader(TOPIC, 0, TestBroker.properties(KEY, "k".repeat(256))), "m"));
        assertThat(refused.result()).isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
        assertThat(refused.remark()).contains(KEY).contains("255");
    }
}
