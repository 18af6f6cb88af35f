/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.simulated.FakeConnection;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.LockBatchBody;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.EndTransactionHeader;
import io.waybill.protocol.header.PopHeader;
import io.waybill.protocol.header.SendBackHeader;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.protocol.message.BatchBody;
import io.waybill.protocol.message.CopyRoom;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageIds;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.SysFlag;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/**
 * Messages with as many properties as may be sent, in a topic and for a group and clients with the longest names there are: each way that writes on a
 * copy finds room for it.
 */
class CopyRoomTest {
    private static final String TOPIC = "t".repeat(Names.MAX_TOPIC_LENGTH);
    private static final String GROUP = "g".repeat(Names.MAX_GROUP_LENGTH);
    private static final String RETRY = Names.retryTopic(GROUP);
    private static final String DEAD = Names.deadLetterTopic(GROUP);
    private static final String QUARANTINED = Names.quarantineTopic(GROUP);
    private static final String KEY = "order-1";
    private static final String UNIQUE = "C0A80001000018B4AAC24BF2D3B40001";

    private TestBroker broker = new TestBroker(BrokerSettings.defaults().with("retryMax", 2));
    private FakeConnection member;

    @BeforeEach
    void join() {
        member = joined("a", "*");
    }

    @AfterEach
    void close() {
        broker.close();
    }

    private FakeConnection joined(String name, String expression) {
        FakeConnection connection = broker.connect();
        Asked beat = broker.ask(
                connection,
                TestBroker.heartbeat(
                        name.repeat(Names.MAX_GROUP_TOPIC_LENGTH),
                        GROUP,
                        SubscriptionData.of(TOPIC, expression, 1),
                        SubscriptionData.of(RETRY, "*", 1)));
        assertThat(beat.result()).as(beat.remark()).isZero();
        return connection;
    }

    private Asked sent(int queueId, byte[] properties) {
        return broker.ask(TestBroker.sending(TestBroker.sendHeader(TOPIC, queueId, properties), "body"));
    }

    /** Properties to which not one byte can be added. */
    private byte[] most(String... more) {
        return most(0, more);
    }

    /** As {@link #most}, but for so many bytes. */
    private byte[] most(int fewer, String... more) {
        Map<String, String> properties = new LinkedHashMap<>();
        properties.put(MessageProperties.UNIQ_KEY, UNIQUE);
        properties.put(MessageProperties.SHARDING_KEY, KEY);
        for (int i = 0; i < more.length; i += 2) {
            properties.put(more[i], more[i + 1]);
        }
        properties.put("filled", "x");
        Map<String, String> stored = new LinkedHashMap<>(properties);
        stored.put("CLUSTER", "DefaultCluster");
        stored.put("MSG_REGION", "DefaultRegion");
        stored.put("TRACE_ON", "true");
        int room = CopyRoom.MAX_FIRST_LENGTH - MessageProperties.encode(stored).length;
        properties.put("filled", "x".repeat(1 + room - fewer));
        return MessageProperties.encode(properties);
    }

    private Message stored(String topic, int queueId, long offset) {
        Asked pulled = broker.pull(topic, queueId, offset, "*");
        assertThat(pulled.result()).as(topic + ": " + pulled.remark()).isZero();
        return TestBroker.messages(pulled).get(0);
    }

    private static void assertWhole(Message message) {
        assertThat(message.property("filled").length()).isGreaterThan(29_000);
        assertThat(message.property(MessageProperties.RETRY_TOPIC)).isEqualTo(TOPIC);
    }

    private Asked sendBack(Message message, int level) {
        return broker.ask(
                member,
                Command.request(RequestCode.CONSUMER_SEND_MSG_BACK)
                        .header(new SendBackHeader(
                                message.position(), GROUP, level, UNIQUE, TOPIC, false, -1, "broker-a"))
                        .build());
    }

    private Asked settle(String more) {
        return broker.ask(Command.request(RequestCode.SETTLE_DEAD)
                .body(("{\"group\":\"" + GROUP + "\",\"by\":\"" + "k".repeat(100) + "\"," + more + "}")
                        .getBytes(StandardCharsets.UTF_8))
                .build());
    }

    @Test
    void whatLeavesNoRoomIsRefusedAtEachEntrance() {
        byte[] most = most();
        assertThat(sent(0, most).result()).isZero();
        byte[] oneMore = MessageProperties.with(most, "filled", MessageProperties.get(most, "filled") + "x");
        for (byte[] properties : List.of(
                oneMore,
                MessageProperties.with(most, "TIMER_DELAY_SEC", "5"),
                MessageProperties.with(most, "DELAY", "2"),
                MessageProperties.with(most, "TRAN_MSG", "true"))) {
            Asked refused = sent(0, properties);
            assertThat(refused.result()).isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
            assertThat(refused.remark()).contains("properties").contains("" + CopyRoom.MAX_FIRST_LENGTH);
        }
        byte[] batch = BatchBody.encode(List.of(new BatchBody.Part(0, ByteBuffer.allocate(1), oneMoreOf(batchMost()))));
        Asked refused = broker.ask(Command.request(RequestCode.SEND_BATCH_MESSAGE)
                .header(TestBroker.sendHeader(TOPIC, 0, TestBroker.properties()))
                .body(batch)
                .build());
        assertThat(refused.result()).as(refused.remark()).isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
        assertThat(broker.store.queues().offsetRange(TOPIC, 0).maxOffset()).isEqualTo(1);
    }

    private static byte[] batchMost() {
        byte[] name = MessageProperties.encode(Map.of("filled", "x"));
        return MessageProperties.encode(Map.of("filled", "x".repeat(CopyRoom.MAX_FIRST_LENGTH - name.length + 1)));
    }

    private static byte[] oneMoreOf(byte[] most) {
        return MessageProperties.with(most, "filled", MessageProperties.get(most, "filled") + "x");
    }

    @Test
    void itIsTriedAgainBecomesADeadLetterIsSentAgainAndSoOn() {
        sent(0, most());
        Message message = stored(TOPIC, 0, 0);
        for (int round = 0; round < 3; round++) {
            for (int tries = 0; tries < 2; tries++) {
                Asked back = sendBack(message, 0);
                assertThat(back.result()).as(back.remark()).isZero();
                broker.pass(60_000);
                message = stored(
                        RETRY, 0, broker.store.queues().offsetRange(RETRY, 0).maxOffset() - 1);
                assertWhole(message);
                assertThat(message.reconsumeTimes()).isEqualTo(tries + 1);
            }
            assertThat(sendBack(message, 0).result()).isZero();
            Message letter = stored(DEAD, 0, round);
            assertWhole(letter);
            assertThat(letter.property("DLQ_REASON")).contains("2");
            assertThat(letter.property(MessageProperties.DLQ_ORIGIN_TOPIC)).isEqualTo(TOPIC);
            String toGroup = round == 1 ? "" : ",\"toGroupOnly\":true";
            Asked again = settle("\"action\":\"REDRIVE\",\"offsets\":[" + round + "]" + toGroup);
            assertThat(again.result()).as(again.remark()).isZero();
            assertThat(new String(again.reply().bodyBytes(), StandardCharsets.UTF_8))
                    .contains("REDRIVEN\"");
            message = round == 1
                    ? stored(TOPIC, 0, 1)
                    : stored(
                            RETRY,
                            0,
                            broker.store.queues().offsetRange(RETRY, 0).maxOffset() - 1);
        }
    }

    @Test
    void whatConsumersOfDeadLettersGiveBackFindsRoomToo() {
        sent(0, most());
        assertThat(sendBack(stored(TOPIC, 0, 0), -1).result()).isZero();
        assertThat(sendBack(stored(DEAD, 0, 0), -1).result()).isZero();
        assertThat(stored(DEAD, 0, 1).property("filled")).isNotNull();
    }

    @Test
    void whatAnOrderedConsumerGivesUpBecomesADeadLetter() {
        sent(0, most());
        broker.ask(
                member,
                Command.request(RequestCode.LOCK_BATCH_MQ)
                        .body(new LockBatchBody(
                                        GROUP,
                                        "a".repeat(Names.MAX_GROUP_TOPIC_LENGTH),
                                        Set.of(new MessageQueue(TOPIC, "broker-a", 0)),
                                        false)
                                .toJson())
                        .build());
        Asked given = broker.ask(member, TestBroker.sending(retryHeader(16), "body"));
        assertThat(given.result()).as(given.remark()).isZero();
        assertWhole(stored(DEAD, 0, 0));
    }

    @Test
    void whatAClientSendsToItsRetryTopicItselfWaitsAndBecomesADeadLetter() {
        sent(0, most());
        Asked again = broker.ask(member, TestBroker.sending(retryHeader(1), "body"));
        assertThat(again.result()).as(again.remark()).isZero();
        broker.pass(60_000);
        assertWhole(stored(RETRY, 0, 0));
        Asked given = broker.ask(member, TestBroker.sending(retryHeader(17), "body"));
        assertThat(given.result()).as(given.remark()).isZero();
        assertWhole(stored(DEAD, 0, 0));
    }

    /** As the stock client writes what it sends to its retry topic: all it has read, and its own. */
    private SendMessageHeader retryHeader(int times) {
        byte[] properties = MessageProperties.encode(stored(TOPIC, 0, 0).properties());
        for (String[] one : new String[][] {
            {"RETRY_TOPIC", TOPIC},
            {"RECONSUME_TIME", "16"},
            {"MAX_RECONSUME_TIMES", "2147483647"},
            {"MIN_OFFSET", "1234567890123"},
            {"MAX_OFFSET", "1234567890123"},
            {"CONSUME_START_TIME", "1234567890123"},
            {"ORIGIN_MESSAGE_ID", UNIQUE},
            {"DELAY", "4"}
        }) {
            properties = MessageProperties.with(properties, one[0], one[1]);
        }
        return new SendMessageHeader(
                GROUP, RETRY, "TBW102", 4, 0, 0, 1_000, 7, properties, times, false, 16, false, "broker-a");
    }

    @Test
    void aCopyOfAClientIsNeverLongerThanLaterCopiesAllow() {
        byte[] properties = TestBroker.properties("filled", "x".repeat(MessageProperties.MAX_LENGTH - 8));
        SendMessageHeader header = new SendMessageHeader(
                GROUP, RETRY, "TBW102", 4, 0, 0, 1_000, 7, properties, 1, false, 16, false, "broker-a");
        Asked refused = broker.ask(member, TestBroker.sending(header, "body"));
        assertThat(refused.result()).isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
        assertThat(refused.remark()).contains("properties");
    }

    @Test
    void popsWithoutAckEndInADeadLetter() {
        sent(0, most());
        for (int i = 0; i < 3; i++) {
            assertThat(TestBroker.messages(pop())).hasSize(1);
            broker.pass(61_000);
        }
        assertThat(pop().result()).isEqualTo(ResponseCode.POLLING_TIMEOUT);
        assertWhole(stored(DEAD, 0, 0));
    }

    private Asked pop() {
        return broker.ask(
                member,
                Command.request(RequestCode.POP_MESSAGE)
                        .header(new PopHeader(
                                GROUP,
                                TOPIC,
                                0,
                                32,
                                60_000,
                                0,
                                broker.clock.wallMillis(),
                                PopHeader.FROM_MIN,
                                "TAG",
                                "*",
                                false,
                                null,
                                "broker-a"))
                        .build());
    }

    @Test
    void theCopyForAMemberWithAnotherSubscriptionIsMadeAndTheNextToo() {
        broker.gone(member);
        member = joined("a", "A");
        FakeConnection other = joined("b", "B");
        Asked waiting = broker.ask(other, TestBroker.pulling(GROUP, RETRY, 1, 0, TestBroker.SUSPEND, null));
        sent(0, most("TAGS", "B"));
        Asked passed = broker.ask(member, TestBroker.pulling(GROUP, TOPIC, 0, 0, 0, null));
        assertThat(passed.result()).as(passed.remark()).isEqualTo(ResponseCode.PULL_RETRY_IMMEDIATELY);
        assertThat(passed.number("nextBeginOffset")).isEqualTo(1);
        Message copy = TestBroker.messages(waiting).get(0);
        assertWhole(copy);
        assertThat(sendBack(copy, -1).result()).isZero();
        assertWhole(stored(DEAD, 0, 0));
    }

    @Test
    void aCopyThatNobodyTakesWaitsLongerEachTimeAndIsGivenUpAfterADay() {
        broker.gone(member);
        member = joined("a", "A");
        FakeConnection other = joined("b", "B");
        sent(0, most("TAGS", "B"));
        Asked passed = broker.ask(member, TestBroker.pulling(GROUP, TOPIC, 0, 0, 0, null));
        assertThat(passed.number("nextBeginOffset")).as(passed.remark()).isEqualTo(1);
        broker.gone(other);
        // Only the one that does not want it is left; it reads both retry queues.
        long[] next = new long[2];
        for (int hour = 0; hour < 30; hour++) {
            for (int queueId = 0; queueId < 2; queueId++) {
                Asked pulled = broker.ask(member, TestBroker.pulling(GROUP, RETRY, queueId, next[queueId], 0, null));
                next[queueId] = pulled.number("nextBeginOffset");
            }
            broker.pass(3_600_000);
            member = joined("a", "A"); // it was silent for too long
        }
        assertWhole(stored(DEAD, 0, 0));
    }

    @Test
    void itsKeyIsQuarantinedAndGivenBack() {
        sent(0, most());
        quarantine("QUARANTINE");
        Asked passed = broker.ask(member, TestBroker.pulling(GROUP, TOPIC, 0, 0, 0, null));
        assertThat(passed.number("nextBeginOffset")).as(passed.remark()).isEqualTo(1);
        assertWhole(stored(QUARANTINED, 0, 0));
        quarantine("RELEASE");
        assertWhole(stored(RETRY, 0, 0));
        quarantine("QUARANTINE");
    }

    @Test
    void aKeyThatFillsThePropertiesDoesNotHoldUpTheQueue() {
        String key = "k".repeat(15_000);
        Asked sent = broker.ask(TestBroker.sending(
                TestBroker.sendHeader(
                        TOPIC, 0, TestBroker.properties("__SHARDINGKEY", key, "filled", "x".repeat(15_000))),
                "body"));
        assertThat(sent.result()).as(sent.remark()).isZero();
        assertThat(sendBack(stored(TOPIC, 0, 0), -1).result()).isZero();
        assertThat(stored(DEAD, 0, 0).property("__SHARDINGKEY")).isEqualTo(key);
    }

    private void quarantine(String action) {
        byte[] json = new JsonWriter()
                .beginObject()
                .field("group", GROUP)
                .field("action", action)
                .field("topic", TOPIC)
                .field("key", KEY)
                .field("reason", "test")
                .field("by", "me")
                .endObject()
                .toByteArray();
        Asked asked =
                broker.ask(Command.request(RequestCode.QUARANTINE).body(json).build());
        assertThat(asked.result()).as(asked.remark()).isZero();
    }

    @Test
    void aDelayedTransactionFindsRoomAtItsCommitAndOnAllItsCopies() {
        // What a half adds of its own, and what decides the delay.
        byte[] most = most(400, "TRAN_MSG", "true", "PGROUP", GROUP, "TIMER_DELAY_SEC", "5");
        Asked half = sent(0, most);
        assertThat(half.result()).as(half.remark()).isZero();
        long handle = MessageIds.decode(half.field("msgId")).position();
        EndTransactionHeader commit = new EndTransactionHeader(
                TOPIC, GROUP, 0, handle, SysFlag.TRANSACTION_COMMIT, false, UNIQUE, UNIQUE, "broker-a");
        Asked ended = broker.ask(
                Command.request(RequestCode.END_TRANSACTION).header(commit).build());
        assertThat(ended.result()).as(ended.remark()).isZero();
        broker.pass(6_000);
        assertThat(sendBack(stored(TOPIC, 0, 0), -1).result()).isZero();
        assertWhole(stored(DEAD, 0, 0));
    }
}
