/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.platform.simulated.Fault;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.LockBatchBody;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.message.BatchBody;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageIds;
import io.waybill.protocol.message.MessageProperties;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class SendTest {
    private TestBroker broker = new TestBroker();

    @AfterEach
    void close() {
        broker.close();
    }

    private void with(BrokerSettings settings) {
        broker.close();
        broker = new TestBroker(settings);
    }

    private static SendMessageHeader header(
            String topic, int queueId, int sysFlag, int reconsumeTimes, int maxReconsumeTimes, byte[] properties) {
        return new SendMessageHeader(
                "producers",
                topic,
                "TBW102",
                4,
                queueId,
                sysFlag,
                1_000,
                7,
                properties,
                reconsumeTimes,
                false,
                maxReconsumeTimes,
                false,
                "broker-a");
    }

    private Message stored(String id) {
        MessageIds.OffsetId where = MessageIds.decode(id);
        return Message.decode(broker.store.messages().readAt(where.position()), 0);
    }

    @Test
    void theReplyCarriesWhatAClientNeeds() {
        Asked sent = broker.send("orders", 2, "hello", "UNIQ_KEY", "KEY-1", "TAGS", "CREATED");

        MessageIds.OffsetId id = MessageIds.decode(sent.field("msgId"));
        assertThat(id.host()).isEqualTo(TestBroker.ADDRESS);
        assertThat(sent.number("queueId")).isEqualTo(2);
        assertThat(sent.number("queueOffset")).isZero();
        assertThat(sent.field("transactionId")).isEqualTo("KEY-1");
        assertThat(sent.field("MSG_REGION")).isEqualTo("DefaultRegion");
        assertThat(sent.field("TRACE_ON")).isEqualTo("true");
        assertThat(sent.reply().bodyLength()).isZero();
    }

    @Test
    void theStoredMessageIsTheSentOneAndWhatTheBrokerAdds() {
        Asked sent = broker.send("orders", 1, "hello", "UNIQ_KEY", "KEY-1", "color", "red", "KEYS", "a b");

        Message message = stored(sent.field("msgId"));
        assertThat(message.topic()).isEqualTo("orders");
        assertThat(message.queueId()).isEqualTo(1);
        assertThat(message.flag()).isEqualTo(7);
        assertThat(message.bornTimestamp()).isEqualTo(1_000);
        assertThat(new String(message.body(), StandardCharsets.UTF_8)).isEqualTo("hello");
        assertThat(message.properties())
                .containsOnly(
                        Map.entry("UNIQ_KEY", "KEY-1"),
                        Map.entry("color", "red"),
                        Map.entry("KEYS", "a b"),
                        Map.entry("CLUSTER", "DefaultCluster"),
                        Map.entry("MSG_REGION", "DefaultRegion"),
                        Map.entry("TRACE_ON", "true"));
    }

    @Test
    void aMessageWithoutUniqueKeyGetsOne() {
        Asked one = broker.send("orders", 0, "a");
        Asked two = broker.send("orders", 0, "b");

        assertThat(one.field("transactionId")).hasSize(32);
        assertThat(stored(one.field("msgId")).uniqueKey()).isEqualTo(one.field("transactionId"));
        assertThat(two.field("transactionId")).isNotEqualTo(one.field("transactionId"));
    }

    @Test
    void propertiesOfAnotherBrokerAreReplaced() {
        Asked sent = broker.send("orders", 0, "a", "UNIQ_KEY", "K", "CLUSTER", "other", "MSG_REGION", "moon");

        Map<String, String> properties = stored(sent.field("msgId")).properties();
        assertThat(properties)
                .containsEntry("CLUSTER", "DefaultCluster")
                .containsEntry("MSG_REGION", "DefaultRegion")
                .hasSize(4);
    }

    @Test
    void offsetsOfAQueueAreDense() {
        for (int i = 0; i < 5; i++) {
            assertThat(broker.send("orders", 3, "m" + i).number("queueOffset")).isEqualTo(i);
        }
        assertThat(broker.send("orders", 0, "other queue").number("queueOffset"))
                .isZero();
    }

    @Test
    void theLongFormIsTheSame() {
        SendMessageHeader header = TestBroker.sendHeader("orders", 0, new byte[0]);
        Command.Builder command = Command.request(RequestCode.SEND_MESSAGE)
                .field("producerGroup", header.producerGroup())
                .field("topic", header.topic())
                .field("defaultTopic", header.defaultTopic())
                .field("defaultTopicQueueNums", 4)
                .field("queueId", 0)
                .field("sysFlag", 0)
                .field("bornTimestamp", 5)
                .field("flag", 0)
                .field("properties", "TAGS\u0001x\u0002")
                .body("long".getBytes(StandardCharsets.UTF_8));

        Asked sent = broker.ask(command.build());

        assertThat(sent.result()).isZero();
        assertThat(stored(sent.field("msgId")).tags()).isEqualTo("x");
    }

    @Test
    void aNegativeQueueLetsTheBrokerPickAWritableOne() {
        broker.send("orders", 0, "creates the topic");
        Set<Long> queues = new HashSet<>();
        for (int i = 0; i < 100; i++) {
            queues.add(broker.send("orders", -1, "m").number("queueId"));
        }
        assertThat(queues).containsExactlyInAnyOrder(0L, 1L, 2L, 3L);
    }

    @Test
    void aOneWaySendIsStoredAndNotAnswered() {
        Command command = Command.request(RequestCode.SEND_MESSAGE_V2)
                .oneway()
                .header(TestBroker.sendHeader("orders", 0, new byte[0]))
                .body("quiet".getBytes(StandardCharsets.UTF_8))
                .build();

        Asked sent = broker.ask(command);

        assertThat(sent.isOpen()).isTrue();
        assertThat(broker.store.queues().offsetRange("orders", 0).maxOffset()).isEqualTo(1);
    }

    // ---- topics made by sends

    @Test
    void theFirstSendCreatesTheTopicAndTheNameServersKnowItBeforeTheAnswer() {
        CompletableFuture<Command> held = new CompletableFuture<>();
        broker.nameServerAnswer = held;
        broker.registrations.clear();

        Asked sent = broker.ask(
                TestBroker.sending(TestBroker.sendHeader("fresh", 0, new byte[0]), "first, and the body is kept"));

        assertThat(broker.registrations).hasSize(1);
        assertThat(new String(broker.registrations.get(0).bodyBytes(), StandardCharsets.UTF_8))
                .contains("\"fresh\"");
        assertThat(sent.isOpen()).as("answered before the name server knows").isTrue();

        held.complete(Command.response(0, null).build());
        broker.settle();

        assertThat(sent.result()).isZero();
        assertThat(new String(stored(sent.field("msgId")).body(), StandardCharsets.UTF_8))
                .isEqualTo("first, and the body is kept");
    }

    @Test
    void manyFirstSendsAtOnceMakeOneTopic() {
        List<Asked> sent = new ArrayList<>();
        for (int i = 0; i < 10; i++) {
            sent.add(broker.begin(
                    broker.connect(), TestBroker.sending(TestBroker.sendHeader("fresh", i % 4, new byte[0]), "m" + i)));
        }
        broker.settle();

        assertThat(sent).allSatisfy(s -> assertThat(s.result()).isZero());
        assertThat(broker.registrations.stream()
                        .filter(r -> new String(r.bodyBytes(), StandardCharsets.UTF_8).contains("\"fresh\""))
                        .count())
                .isBetween(1L, 2L);
    }

    @Test
    void aDeadNameServerDoesNotFailTheFirstSend() {
        broker.nameServerAnswer = CompletableFuture.failedFuture(new IllegalStateException("unreachable"));
        broker.send("fresh", 0, "m");
    }

    @Test
    void aTopicMadeByASendHasNoMoreQueuesThanTheTemplate() {
        SendMessageHeader wide = new SendMessageHeader(
                "producers", "wide", "TBW102", 500, 0, 0, 1, 0, new byte[0], 0, false, -1, false, null);
        assertThat(broker.ask(TestBroker.sending(wide, "m")).result()).isZero();

        assertThat(broker.ask(TestBroker.sending(TestBroker.sendHeader("wide", 7, new byte[0]), "m"))
                        .result())
                .isZero();
        Asked beyond = broker.ask(TestBroker.sending(TestBroker.sendHeader("wide", 8, new byte[0]), "m"));
        assertThat(beyond.result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
        assertThat(beyond.remark()).contains("queueId").contains("less than 8").contains("was 8");
    }

    @Test
    void topicsSurviveACrash() {
        broker.send("orders", 0, "m");
        broker.crash(3);
        assertThat(broker.store.queues().offsetRange("orders", 0).maxOffset()).isEqualTo(1);
        assertThat(broker.send("orders", 0, "n").number("queueOffset")).isEqualTo(1);
    }

    @Test
    void withoutTopicCreationAnUnknownTopicIs17() {
        with(BrokerSettings.defaults().with("autoCreateTopic", false));

        Asked sent = broker.ask(TestBroker.sending(TestBroker.sendHeader("orders", 0, new byte[0]), "m"));

        assertThat(sent.result()).isEqualTo(ResponseCode.TOPIC_NOT_EXIST);
        assertThat(sent.remark()).contains("orders").contains("autoCreateTopic is off");
    }

    // ---- refusals

    private Asked refused(SendMessageHeader header, String body) {
        Asked sent = broker.ask(TestBroker.sending(header, body));
        assertThat(sent.result()).isNotZero();
        return sent;
    }

    @Test
    void illegalNamesAreRefusedAtTheDoor() {
        for (String topic : List.of("../../etc", "a b", "x".repeat(128), "täglich")) {
            Asked sent = refused(TestBroker.sendHeader(topic, 0, new byte[0]), "m");
            assertThat(sent.result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
            assertThat(sent.remark()).contains("topic");
        }
    }

    @Test
    void internalTopicsAreNotOpenForSending() {
        for (String topic : List.of("SCHEDULE_TOPIC_XXXX", "RMQ_SYS_TRANS_HALF_TOPIC", "SELF_TEST_TOPIC")) {
            assertThat(refused(TestBroker.sendHeader(topic, 0, new byte[0]), "m")
                            .result())
                    .isEqualTo(ResponseCode.NO_PERMISSION);
        }
        broker.send("TBW102", 0, "the template itself takes messages");
    }

    @Test
    void aBodyAboveTheLimitIs13AndNamesTheLimit() {
        with(BrokerSettings.defaults().with("maxMessageBytes", 100));
        Asked sent = refused(TestBroker.sendHeader("orders", 0, new byte[0]), "x".repeat(101));
        assertThat(sent.result()).isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
        assertThat(sent.remark()).contains("body").contains("100").contains("101");
        broker.send("orders", 0, "x".repeat(100));
    }

    @Test
    void propertiesThatLeaveNoRoomForTheBrokersAre13() {
        byte[] properties = TestBroker.properties("UNIQ_KEY", "K", "big", "x".repeat(32_740));
        Asked sent = refused(TestBroker.sendHeader("orders", 0, properties), "m");
        assertThat(sent.result()).isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
        assertThat(sent.remark()).contains("properties").contains("30719");
        assertThat(broker.store.queues().offsetRange("orders", 0).maxOffset()).isZero();
    }

    @Test
    void aMissingFieldIs29() {
        Asked sent = broker.ask(Command.request(RequestCode.SEND_MESSAGE_V2)
                .field("a", "producers")
                .field("b", "orders")
                .build());
        assertThat(sent.result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
    }

    // ---- the store cannot

    @Test
    void afterAFailedForceNothingIsAcknowledgedAnyMore() {
        broker.send("orders", 0, "kept");
        broker.files.faults().failFrom(1, Fault.EIO);

        Asked first = broker.ask(TestBroker.sending(TestBroker.sendHeader("orders", 0, new byte[0]), "lost"));
        broker.files.faults().heal();
        Asked second = broker.ask(TestBroker.sending(TestBroker.sendHeader("orders", 0, new byte[0]), "refused"));

        assertThat(first.result()).isEqualTo(ResponseCode.SERVICE_NOT_AVAILABLE);
        assertThat(second.result()).isEqualTo(ResponseCode.SERVICE_NOT_AVAILABLE);
        assertThat(second.remark()).contains("no longer takes writes");
        assertThat(TestBroker.bodies(broker.pull("orders", 0, 0, "*"))).containsExactly("kept");
    }

    @Test
    void aFullDiskIsSaidAndPasses() {
        broker.send("orders", 0, "first");
        broker.files.disk().capacityBytes(broker.files.disk().usedBytes());
        String body = "x".repeat(100_000);
        Asked refused = null;
        int stored = 1;
        for (int i = 0; i < 40 && refused == null; i++) {
            Asked sent = broker.ask(TestBroker.sending(TestBroker.sendHeader("orders", 0, new byte[0]), body));
            if (sent.result() == 0) {
                stored++;
            } else {
                refused = sent;
            }
        }
        assertThat(refused).isNotNull();
        assertThat(refused.result()).isEqualTo(ResponseCode.SERVICE_NOT_AVAILABLE);
        assertThat(refused.remark()).contains("disk");
        assertThat(broker.store.queues().offsetRange("orders", 0).maxOffset()).isEqualTo(stored);

        broker.files.disk().capacityBytes(Long.MAX_VALUE);
        broker.pass(2_000);
        broker.send("orders", 0, body);
    }

    // ---- batches

    private static Command batch(String topic, List<BatchBody.Part> parts) {
        SendMessageHeader header = new SendMessageHeader(
                "producers",
                topic,
                "TBW102",
                4,
                1,
                0,
                1_000,
                0,
                TestBroker.properties("UNIQ_KEY", "BATCH-KEY"),
                0,
                false,
                -1,
                true,
                null);
        return Command.request(RequestCode.SEND_BATCH_MESSAGE)
                .header(header)
                .body(BatchBody.encode(parts))
                .build();
    }

    private static BatchBody.Part part(String body, String... properties) {
        return new BatchBody.Part(
                3, ByteBuffer.wrap(body.getBytes(StandardCharsets.UTF_8)), TestBroker.properties(properties));
    }

    @Test
    void aBatchIsStoredAsItsMessagesAndAnsweredWithAllIds() {
        broker.send("orders", 1, "before");
        Asked sent = broker.ask(batch(
                "orders", List.of(part("a", "UNIQ_KEY", "A", "TAGS", "x"), part("bb", "UNIQ_KEY", "B"), part("ccc"))));

        assertThat(sent.result()).as(sent.remark()).isZero();
        assertThat(sent.number("queueOffset")).isEqualTo(1);
        assertThat(sent.field("transactionId")).isEqualTo("BATCH-KEY");
        List<Message> messages = new ArrayList<>();
        for (String id : sent.field("msgId").split(",")) {
            messages.add(stored(id));
        }
        assertThat(messages).extracting(Message::queueOffset).containsExactly(1L, 2L, 3L);
        assertThat(messages)
                .extracting(m -> new String(m.body(), StandardCharsets.UTF_8))
                .containsExactly("a", "bb", "ccc");
        assertThat(messages.get(0).properties()).containsOnly(Map.entry("UNIQ_KEY", "A"), Map.entry("TAGS", "x"));
        assertThat(messages.get(2).uniqueKey()).isNotEmpty();
        assertThat(TestBroker.bodies(broker.pull("orders", 1, 0, "*"))).containsExactly("before", "a", "bb", "ccc");
    }

    @Test
    void aBatchThatCreatesItsTopicKeepsItsBodies() {
        Asked sent = broker.ask(batch("fresh", List.of(part("a"), part("b"))));
        assertThat(sent.result()).isZero();
        assertThat(TestBroker.bodies(broker.pull("fresh", 1, 0, "*"))).containsExactly("a", "b");
    }

    /** A stock client traces up to a hundred sends in one message, whose KEYS are all their ids and all their keys. */
    @Test
    void aTraceOfAHundredMessagesIsTaken() {
        StringBuilder keys = new StringBuilder();
        for (int i = 0; i < 100; i++) {
            keys.append(String.format("7F0000010A2C18B4AAC2%012X order-%d customer-%d ", i, i, i));
        }
        Asked sent = broker.send(
                "orders",
                0,
                "traced",
                "UNIQ_KEY",
                "trace1",
                "KEYS",
                keys.toString().trim());
        assertThat(sent.result()).as(sent.remark()).isZero();
    }

    /** A key takes far more memory than its bytes, and time in the views: 16,000 of one letter in a part once cost 4.6 s a batch. */
    @Test
    void keysAndPartsAreBoundedInNumber() {
        String most = "k ".repeat(1_024).trim();
        Asked kept = broker.ask(batch("orders", List.of(part("a", "KEYS", most))));
        assertThat(kept.result()).as(kept.remark()).isZero();
        String tooMany = "k ".repeat(16_000).trim();
        Asked refused = broker.ask(batch("orders", List.of(part("a"), part("b", "KEYS", tooMany))));
        assertThat(refused.result()).isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
        assertThat(refused.remark()).contains("KEYS").contains("at most 1024").contains("16000");
        Asked single = broker.ask(Command.request(RequestCode.SEND_MESSAGE_V2)
                .header(new SendMessageHeader(
                        "producers",
                        "orders",
                        "TBW102",
                        4,
                        1,
                        0,
                        1_000,
                        0,
                        TestBroker.properties("KEYS", tooMany),
                        0,
                        false,
                        -1,
                        false,
                        null))
                .body(new byte[] {1})
                .build());
        assertThat(single.result()).isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
        List<BatchBody.Part> many = new ArrayList<>();
        for (int i = 0; i < 600; i++) {
            many.add(part("a", "KEYS", most));
        }
        assertThat(broker.ask(batch("orders", many)).remark()).contains("at most 65536 keys");
        List<BatchBody.Part> parts = new ArrayList<>();
        for (int i = 0; i < 32_769; i++) {
            parts.add(part(""));
        }
        assertThat(broker.ask(batch("orders", parts)).remark()).contains("at most 32768 messages");
    }

    @Test
    void abatchTakesOnlyPlainMessages() {
        for (BatchBody.Part bad : List.of(part("d", "DELAY", "3"), part("t", "TRAN_MSG", "true"))) {
            Asked sent = broker.ask(batch("orders", List.of(part("a"), bad)));
            assertThat(sent.result()).isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
            assertThat(sent.remark()).contains("message 1 of the batch");
        }
        assertThat(broker.store.queues().offsetRange("orders", 1).maxOffset()).isZero();
    }

    @Test
    void aBrokenBatchIs13() {
        SendMessageHeader header = TestBroker.sendHeader("orders", 0, new byte[0]);
        Asked sent = broker.ask(Command.request(RequestCode.SEND_BATCH_MESSAGE)
                .header(header)
                .body(new byte[] {0, 0, 0, 99, 1, 2})
                .build());
        assertThat(sent.result()).isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
    }

    // ---- later, or perhaps

    @Test
    void aHalfMessageIsAcknowledgedAndInvisible() {
        broker.send("orders", 0, "plain");
        Asked sent = broker.ask(TestBroker.sending(
                header(
                        "orders",
                        0,
                        4,
                        0,
                        -1,
                        TestBroker.properties("UNIQ_KEY", "H", "TRAN_MSG", "true", "PGROUP", "p")),
                "half"));

        assertThat(sent.result()).as(sent.remark()).isZero();
        assertThat(sent.field("transactionId")).isEqualTo("H");
        assertThat(sent.number("queueOffset")).isZero();
        assertThat(MessageIds.decode(sent.field("msgId")).position()).isPositive();
        assertThat(TestBroker.bodies(broker.pull("orders", 0, 0, "*"))).containsExactly("plain");
        assertThat(broker.store.transactions().openHalfCount()).isEqualTo(1);
    }

    @Test
    void aDelayedMessageComesWhenItIsDueAndHasAHandle() {
        Asked sent = broker.send("orders", 0, "later", "UNIQ_KEY", "D", "DELAY", "2");
        assertThat(sent.field("recallHandle")).isNotEmpty();
        assertThat(broker.pull("orders", 0, 0, "*").result()).isEqualTo(ResponseCode.PULL_NOT_FOUND);

        broker.pass(4_999);
        assertThat(broker.pull("orders", 0, 0, "*").result()).isEqualTo(ResponseCode.PULL_NOT_FOUND);
        broker.pass(2);
        assertThat(TestBroker.bodies(broker.pull("orders", 0, 0, "*"))).containsExactly("later");
    }

    @Test
    void aDelayInThePastIsNone() {
        broker.send("orders", 0, "now", "TIMER_DELIVER_MS", "1000");
        broker.send("orders", 0, "now too", "DELAY", "0");
        assertThat(TestBroker.bodies(broker.pull("orders", 0, 0, "*"))).containsExactly("now", "now too");
    }

    @Test
    void anUnreadableDelayIs13() {
        Asked sent = refused(TestBroker.sendHeader("orders", 0, TestBroker.properties("TIMER_DELAY_MS", "soon")), "m");
        assertThat(sent.result()).isEqualTo(ResponseCode.MESSAGE_ILLEGAL);
        assertThat(sent.remark()).contains("TIMER_DELAY_MS").contains("soon");
    }

    // ---- retries that a client sends itself

    @Test
    void aRetryByAClientWaitsAndThenCountsAsTried() {
        Asked sent = broker.ask(TestBroker.sending(
                header("%RETRY%shipping", 0, 0, 1, 16, TestBroker.properties("UNIQ_KEY", "R", "DELAY", "3")), "again"));
        assertThat(sent.result()).as(sent.remark()).isZero();
        assertThat(sent.field("recallHandle")).isNull();

        broker.pass(10_001);

        Asked pulled = broker.pull("%RETRY%shipping", 0, 0, "*");
        assertThat(TestBroker.bodies(pulled)).containsExactly("again");
        assertThat(TestBroker.messages(pulled).get(0).reconsumeTimes()).isEqualTo(1);
    }

    @Test
    void aRetryAboveItsLimitIsADeadLetterAtOnce() {
        Asked sent = broker.ask(TestBroker.sending(
                header("%RETRY%shipping", 0, 0, 17, 16, TestBroker.properties("UNIQ_KEY", "R", "DELAY", "3")), "dead"));
        assertThat(sent.result()).as(sent.remark()).isZero();
        assertThat(TestBroker.bodies(broker.pull("%DLQ%shipping", 0, 0, "*"))).containsExactly("dead");
    }

    @Test
    void aRetryOfAnOrderedConsumerIsADeadLetter() {
        broker.send("orders", 0, "any");
        broker.ask(Command.request(RequestCode.LOCK_BATCH_MQ)
                .body(new LockBatchBody("shipping", "c1", Set.of(new MessageQueue("orders", "broker-a", 0)), false)
                        .toJson())
                .build());
        broker.ask(TestBroker.sending(
                header("%RETRY%shipping", 0, 0, 2, 2, TestBroker.properties("UNIQ_KEY", "R", "DELAY", "3")), "dead"));
        assertThat(TestBroker.bodies(broker.pull("%DLQ%shipping", 0, 0, "*"))).containsExactly("dead");
    }

    @Test
    void theUserKeepsReservedLookalikes() {
        Asked sent =
                broker.send("orders", 0, "m", "UNIQ_KEYS", "u", "CLUSTERED", "c", "TRAN_MSGS", "t", "DELAYED", "d");
        assertThat(stored(sent.field("msgId")).properties())
                .containsEntry("UNIQ_KEYS", "u")
                .containsEntry("CLUSTERED", "c")
                .containsEntry("TRAN_MSGS", "t")
                .containsEntry("DELAYED", "d")
                .containsKey(MessageProperties.UNIQ_KEY);
    }

    @Test
    void aSendMakesNoTopicForAGroupThatCannotBe() {
        for (String topic : new String[] {"%DLQ%nobody", "%RETRY%a|b/c", "%RETRY%"}) {
            Asked refused = broker.ask(
                    TestBroker.sending(TestBroker.sendHeader(topic, 0, TestBroker.properties("UNIQ_KEY", "u")), "m"));
            assertThat(refused.result()).as(topic).isIn(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, 29);
        }
        Asked negative = broker.ask(
                TestBroker.sending(header("orders", 0, 0, -1, -1, TestBroker.properties("UNIQ_KEY", "u")), "m"));
        assertThat(negative.result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
        assertThat(negative.remark()).startsWith("reconsumeTimes: must not be negative");
    }
}
