/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.simulated.FakeConnection;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.HeartbeatData;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.CreateTopicHeader;
import io.waybill.protocol.header.PullHeader;
import io.waybill.protocol.header.ResetOffsetHeader;
import io.waybill.protocol.header.UpdateOffsetHeader;
import io.waybill.protocol.message.BatchBody;
import io.waybill.protocol.message.Message;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class PullTest {
    private static final int HELD = TestBroker.SUSPEND | TestBroker.SUBSCRIPTION;

    private TestBroker broker = new TestBroker();

    @AfterEach
    void close() {
        broker.close();
    }

    private Asked held(String topic, int queueId, long offset, String tags) {
        return broker.ask(TestBroker.pulling("readers", topic, queueId, offset, HELD, tags));
    }

    private static void assertAnswer(Asked pulled, int code, long next, long min, long max) {
        assertThat(pulled.result()).as(pulled.remark()).isEqualTo(code);
        assertThat(pulled.number("nextBeginOffset")).isEqualTo(next);
        assertThat(pulled.number("minOffset")).isEqualTo(min);
        assertThat(pulled.number("maxOffset")).isEqualTo(max);
        assertThat(pulled.number("suggestWhichBrokerId")).isZero();
    }

    // ---- the decision table

    @Test
    void messagesAreServedAsStored() {
        broker.send("orders", 0, "a", "TAGS", "x");
        broker.send("orders", 0, "b");

        Asked pulled = broker.pull("orders", 0, 0, "*");

        assertAnswer(pulled, ResponseCode.SUCCESS, 2, 0, 2);
        assertThat(pulled.remark()).isEqualTo("FOUND");
        assertThat(TestBroker.bodies(pulled)).containsExactly("a", "b");
        assertThat(TestBroker.messages(pulled)).extracting(Message::queueOffset).containsExactly(0L, 1L);
        assertThat(TestBroker.bodies(broker.pull("orders", 0, 1, "*"))).containsExactly("b");
    }

    @Test
    void anEmptyQueueIs19AtZeroAnd21ElseWhere() {
        broker.send("orders", 0, "a");
        assertAnswer(broker.pull("orders", 1, 0, "*"), ResponseCode.PULL_NOT_FOUND, 0, 0, 0);
        assertAnswer(broker.pull("orders", 1, 5, "*"), ResponseCode.PULL_OFFSET_MOVED, 0, 0, 0);
    }

    @Test
    void theEndIs19AndBeyondIt21() {
        broker.send("orders", 0, "a");
        assertAnswer(broker.pull("orders", 0, 1, "*"), ResponseCode.PULL_NOT_FOUND, 1, 0, 1);
        assertAnswer(broker.pull("orders", 0, 2, "*"), ResponseCode.PULL_OFFSET_MOVED, 1, 0, 1);
        assertAnswer(broker.pull("orders", 0, -1, "*"), ResponseCode.PULL_OFFSET_MOVED, 0, 0, 1);
    }

    @Test
    void entriesWithoutAMatchAre20WithProgress() {
        broker.send("orders", 0, "a", "TAGS", "x");
        broker.send("orders", 0, "b", "TAGS", "x");
        assertAnswer(broker.pull("orders", 0, 0, "y"), ResponseCode.PULL_RETRY_IMMEDIATELY, 2, 0, 2);
    }

    @Test
    void whatRetentionTookIs21ToTheOldest() {
        broker.close();
        broker = new TestBroker(BrokerSettings.defaults().with("retentionMillis", 60_000));
        String body = "x".repeat(200_000);
        for (int i = 0; i < 12; i++) {
            broker.send("orders", 0, body);
        }
        broker.pass(120_000);
        broker.send("orders", 0, "young");
        broker.pass(30_000);

        long min = broker.store.queues().offsetRange("orders", 0).minOffset();
        assertThat(min).isPositive();
        assertAnswer(broker.pull("orders", 0, 0, "*"), ResponseCode.PULL_OFFSET_MOVED, min, min, 13);
    }

    // ---- filter

    @Test
    void tagsAreComparedAsTextWhereHashesCollide() {
        assertThat("Aa".hashCode()).isEqualTo("BB".hashCode());
        broker.send("orders", 0, "foreign", "TAGS", "BB");
        broker.send("orders", 0, "wanted", "TAGS", "Aa");
        broker.send("orders", 0, "untagged");

        Asked pulled = broker.pull("orders", 0, 0, "Aa || other");

        assertThat(TestBroker.bodies(pulled)).containsExactly("wanted");
        assertThat(pulled.number("nextBeginOffset")).isEqualTo(3);
    }

    @Test
    void aTagWithTheHashOfNoTagDoesNotMatchUntaggedMessages() {
        // The hash of this text is 0, the code of messages without a tag.
        String zero = "f5a5a608";
        assertThat(zero.hashCode()).isZero();
        broker.send("orders", 0, "untagged");
        broker.send("orders", 0, "tagged", "TAGS", zero);
        assertThat(TestBroker.bodies(broker.pull("orders", 0, 0, zero))).containsExactly("tagged");
    }

    @Test
    void anExpressionOfAnotherTypeIsRefusedClearly() {
        broker.send("orders", 0, "a");
        Asked pulled = broker.ask(TestBroker.pulling(
                new PullHeader("readers", "orders", 0, 0, 32, HELD, 0, 15_000, "color = 'red'", 0, "XPATH", 0, null)));
        assertThat(pulled.result()).isEqualTo(ResponseCode.SUBSCRIPTION_PARSE_FAILED);
        assertThat(pulled.remark()).contains("expressionType").contains("XPATH");
    }

    @Test
    void sqlDecidesByThePropertiesOnTheServer() {
        for (int i = 0; i < 20; i++) {
            broker.send("orders", 0, "m" + i, "amount", "" + i, "TAGS", i % 2 == 0 ? "even" : "odd");
        }
        Asked pulled = broker.ask(
                pullingSql("readers", 0, "amount BETWEEN 5 AND 9 AND TAGS = 'odd'", TestBroker.SUBSCRIPTION));
        assertThat(pulled.result()).isZero();
        assertThat(TestBroker.bodies(pulled)).containsExactly("m5", "m7", "m9");
        assertThat(pulled.number("nextBeginOffset")).isEqualTo(20);

        Asked none = broker.ask(pullingSql("readers", 0, "amount > 100", TestBroker.SUBSCRIPTION));
        assertThat(none.result()).isEqualTo(ResponseCode.PULL_RETRY_IMMEDIATELY);
        assertThat(none.number("nextBeginOffset")).isEqualTo(20);
    }

    @Test
    void aWaitingPullWithSqlIsWokenByWhatItWantsOnly() {
        broker.send("orders", 0, "first");
        FakeConnection one = broker.connect();
        broker.ask(
                one,
                TestBroker.heartbeat(
                        "c1",
                        "sql-readers",
                        new SubscriptionData("orders", "amount > 5", Set.of(), Set.of(), 1, "SQL92", false)));
        Asked held = broker.ask(one, pullingSql("sql-readers", 1, null, 2));
        broker.send("orders", 0, "small", "amount", "3");
        assertThat(held.isOpen()).isTrue();
        broker.send("orders", 0, "large", "amount", "30");
        assertThat(TestBroker.bodies(held)).containsExactly("large");
    }

    @Test
    void sqlThatCannotBeReadIsRefusedAtEachEntrance() {
        broker.send("orders", 0, "a");
        Asked pulled = broker.ask(pullingSql("readers", 0, "amount >", TestBroker.SUBSCRIPTION));
        assertThat(pulled.result()).isEqualTo(ResponseCode.SUBSCRIPTION_PARSE_FAILED);
        assertThat(pulled.remark()).contains("the end");
        Asked beat = broker.ask(TestBroker.heartbeat(
                "c1", "sql-readers", new SubscriptionData("orders", "((", Set.of(), Set.of(), 1, "SQL92", false)));
        assertThat(beat.result()).isEqualTo(ResponseCode.SUBSCRIPTION_PARSE_FAILED);
        assertThat(beat.remark()).contains("sql-readers").contains("orders");
    }

    private static Command pullingSql(String group, long offset, String expression, int sysFlag) {
        return TestBroker.pulling(
                new PullHeader(group, "orders", 0, offset, 32, sysFlag, 0, 15_000, expression, 0, "SQL92", 0, null));
    }

    // ---- limits

    @Test
    void countAndBytesAreLimitedButOneMessageAlwaysFits() {
        for (int i = 0; i < 10; i++) {
            broker.send("orders", 0, "x".repeat(1_000));
        }
        Asked three = broker.ask(TestBroker.pulling(
                new PullHeader("readers", "orders", 0, 0, 3, TestBroker.SUBSCRIPTION, 0, 0, "*", 0, "TAG", 0, null)));
        assertThat(TestBroker.messages(three)).hasSize(3);
        assertThat(three.number("nextBeginOffset")).isEqualTo(3);

        Asked small = broker.ask(TestBroker.pulling(
                new PullHeader("readers", "orders", 0, 3, 32, TestBroker.SUBSCRIPTION, 0, 0, "*", 0, "TAG", 10, null)));
        assertThat(TestBroker.messages(small)).hasSize(1);

        Asked none = broker.ask(TestBroker.pulling(
                new PullHeader("readers", "orders", 0, 3, 0, TestBroker.SUBSCRIPTION, 0, 0, "*", 0, "TAG", 10, null)));
        assertThat(none.result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
        assertThat(none.remark()).contains("maxMsgNums");
    }

    // ---- waiting

    @Test
    void aPullAtTheEndWaitsAndIsWokenByTheMessage() {
        broker.send("orders", 0, "a");
        Asked pulled = held("orders", 0, 1, "*");
        assertThat(pulled.isOpen()).isTrue();

        broker.send("orders", 1, "other queue");
        assertThat(pulled.isOpen()).isTrue();
        broker.send("orders", 0, "b");

        assertAnswer(pulled, ResponseCode.SUCCESS, 2, 0, 2);
        assertThat(TestBroker.bodies(pulled)).containsExactly("b");
    }

    @Test
    void aPullOfAQueueWithoutMessagesWaitsToo() {
        broker.send("orders", 0, "a");
        Asked pulled = held("orders", 2, 0, "*");
        broker.send("orders", 2, "first");
        assertThat(TestBroker.bodies(pulled)).containsExactly("first");
    }

    @Test
    void aMessageThatIsNotWantedWakesNobody() {
        broker.send("orders", 0, "a", "TAGS", "x");
        Asked pulled = held("orders", 0, 1, "x");

        broker.send("orders", 0, "b", "TAGS", "y");
        assertThat(pulled.isOpen()).isTrue();
        broker.send("orders", 0, "c", "TAGS", "x");

        assertAnswer(pulled, ResponseCode.SUCCESS, 3, 0, 3);
        assertThat(TestBroker.bodies(pulled)).containsExactly("c");
    }

    @Test
    void theTimeOfAPullEndsWith19() {
        broker.send("orders", 0, "a");
        Asked pulled = held("orders", 0, 1, "*");
        broker.pass(14_999);
        assertThat(pulled.isOpen()).isTrue();
        broker.pass(1);
        assertAnswer(pulled, ResponseCode.PULL_NOT_FOUND, 1, 0, 1);
        broker.send("orders", 0, "b");
    }

    @Test
    void theTimeOfAPullThatSawForeignMessagesEndsWith20BehindThem() {
        broker.send("orders", 0, "a", "TAGS", "x");
        Asked pulled = held("orders", 0, 1, "x");
        broker.send("orders", 0, "b", "TAGS", "y");
        broker.pass(15_000);
        assertAnswer(pulled, ResponseCode.PULL_RETRY_IMMEDIATELY, 2, 0, 2);
    }

    @Test
    void noPullIsHeldLongerThanTheLimit() {
        broker.send("orders", 0, "a");
        Asked pulled = broker.ask(TestBroker.pulling(
                new PullHeader("readers", "orders", 0, 1, 32, HELD, 0, Long.MAX_VALUE, "*", 0, "TAG", 0, null)));
        broker.pass(30_000);
        assertThat(pulled.result()).isEqualTo(ResponseCode.PULL_NOT_FOUND);
    }

    @Test
    void everyWaitingPullOfAQueueIsAnsweredHoweverMany() {
        broker.send("orders", 0, "a");
        List<Asked> pulls = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            pulls.add(held("orders", 0, 1, i % 2 == 0 ? "*" : "never"));
        }
        broker.send("orders", 0, "b", "TAGS", "x");
        for (int i = 0; i < 100; i++) {
            assertThat(pulls.get(i).isOpen()).isEqualTo(i % 2 == 1);
        }
    }

    @Test
    void aPullOfAClosedConnectionIsDropped() {
        broker.send("orders", 0, "a");
        FakeConnection connection = broker.connect();
        Asked pulled = broker.ask(connection, TestBroker.pulling("readers", "orders", 0, 1, HELD, "*"));
        broker.gone(connection);
        broker.send("orders", 0, "b");
        broker.pass(20_000);
        assertThat(pulled.isOpen()).isTrue();
    }

    @Test
    void aDelayedMessageWakesAPull() {
        broker.send("orders", 0, "a");
        Asked pulled = held("orders", 0, 1, "*");
        broker.send("orders", 0, "later", "TIMER_DELAY_MS", "700");
        assertThat(pulled.isOpen()).isTrue();
        broker.pass(700);
        assertThat(TestBroker.bodies(pulled)).containsExactly("later");
    }

    @Test
    void closingAnswersWhatWaits() {
        broker.send("orders", 0, "a");
        Asked pulled = held("orders", 0, 1, "*");
        broker.features.leave();
        broker.settle();
        assertThat(pulled.result()).isEqualTo(ResponseCode.PULL_NOT_FOUND);
    }

    // ---- resets from outside

    private Asked reset(String group, long offset) {
        return broker.ask(Command.request(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET)
                .header(new ResetOffsetHeader("orders", group, -1, true, 0, offset))
                .build());
    }

    private Asked committed(String group) {
        return broker.ask(Command.request(RequestCode.QUERY_CONSUMER_OFFSET)
                .field("consumerGroup", group)
                .field("topic", "orders")
                .field("queueId", 0)
                .build());
    }

    @Test
    void aResetReachesTheHeldPullAndWinsOverLateCommits() {
        for (int i = 0; i < 5; i++) {
            broker.send("orders", 0, "m" + i);
        }
        FakeConnection connection = broker.connect();
        broker.ask(connection, TestBroker.heartbeat("c1", "shipping", SubscriptionData.of("orders", "*", 1)));
        Asked pulled = broker.ask(connection, TestBroker.pulling("shipping", "orders", 0, 5, TestBroker.SUSPEND, null));
        assertThat(pulled.isOpen()).isTrue();

        assertThat(reset("shipping", 2).result()).isZero();

        assertAnswer(pulled, ResponseCode.PULL_OFFSET_MOVED, 2, 0, 5);
        assertThat(pulled.remark()).isEqualTo("OFFSET_RESET");
        assertThat(committed("shipping").number("offset")).isEqualTo(2);
        Asked again = broker.ask(connection, TestBroker.pulling("shipping", "orders", 0, 2, TestBroker.SUSPEND, null));
        assertThat(TestBroker.bodies(again)).containsExactly("m2", "m3", "m4");
    }

    @Test
    void aResetWaitsForTheNextPullAndIgnoresCommitsUntilThen() {
        for (int i = 0; i < 5; i++) {
            broker.send("orders", 0, "m" + i);
        }
        FakeConnection connection = broker.connect();
        broker.ask(connection, TestBroker.heartbeat("c1", "shipping", SubscriptionData.of("orders", "*", 1)));
        reset("shipping", 1);
        broker.ask(connection, commit("shipping", 5));
        assertThat(committed("shipping").number("offset")).isEqualTo(1);

        Asked pulled = broker.ask(connection, TestBroker.pulling("shipping", "orders", 0, 5, 0, null));
        assertAnswer(pulled, ResponseCode.PULL_OFFSET_MOVED, 1, 0, 5);
        broker.ask(connection, commit("shipping", 3));
        assertThat(committed("shipping").number("offset")).isEqualTo(3);
    }

    @Test
    void aResetOfAnOfflineGroupIsJustItsOffset() {
        broker.pass(60_000); // after a start, members may still be on their way back
        broker.send("orders", 0, "a");
        broker.send("orders", 0, "b");
        broker.ask(TestBroker.heartbeat("c1", "shipping", SubscriptionData.of("orders", "*", 1)));
        FakeConnection connection = broker.connect();
        broker.ask(connection, TestBroker.heartbeat("c1", "audit", SubscriptionData.of("orders", "*", 1)));
        broker.gone(connection);

        assertThat(reset("audit", 1).result()).isZero();

        assertThat(committed("audit").number("offset")).isEqualTo(1);
        Asked pulled = broker.ask(TestBroker.pulling("audit", "orders", 0, 1, TestBroker.SUBSCRIPTION, "*"));
        assertThat(TestBroker.bodies(pulled)).containsExactly("b");
    }

    private static Command commit(String group, long offset) {
        return Command.request(RequestCode.UPDATE_CONSUMER_OFFSET)
                .field("consumerGroup", group)
                .field("topic", "orders")
                .field("queueId", 0)
                .field("commitOffset", offset)
                .build();
    }

    @Test
    void aPullCarriesACommit() {
        broker.send("orders", 0, "a");
        broker.ask(TestBroker.pulling(new PullHeader(
                "readers",
                "orders",
                0,
                1,
                32,
                TestBroker.COMMIT | TestBroker.SUBSCRIPTION,
                1,
                0,
                "*",
                0,
                "TAG",
                0,
                null)));
        assertThat(committed("readers").number("offset")).isEqualTo(1);
    }

    // ---- refusals

    private void assertRefused(Asked pulled, int code, String text) {
        assertThat(pulled.result()).as(pulled.remark()).isEqualTo(code);
        assertThat(pulled.remark()).contains(text);
    }

    private static Command plain(String group, String topic, int queueId, long subVersion) {
        return TestBroker.pulling(new PullHeader(
                group, topic, queueId, 0, 32, TestBroker.SUSPEND, 0, 0, null, subVersion, null, 0, null));
    }

    @Test
    void pullsThatCannotBeServedSayWhy() {
        broker.send("orders", 0, "a");
        assertRefused(broker.pull("nothing", 0, 0, "*"), ResponseCode.TOPIC_NOT_EXIST, "nothing");
        assertRefused(broker.pull("or ders", 0, 0, "*"), ResponseCode.INVALID_PARAMETER, "topic");
        assertRefused(broker.pull("orders", 4, 0, "*"), ResponseCode.INVALID_PARAMETER, "from 0 to 3");
        assertRefused(broker.ask(plain("no heartbeat", "orders", 0, 0)), ResponseCode.INVALID_PARAMETER, "group");
        assertRefused(broker.ask(plain("silent", "orders", 0, 0)), ResponseCode.SUBSCRIPTION_NOT_EXIST, "heartbeat");

        broker.ask(TestBroker.heartbeat("c1", "shipping", SubscriptionData.of("orders", "*", 7)));
        assertThat(TestBroker.bodies(broker.ask(plain("shipping", "orders", 0, 7))))
                .containsExactly("a");
        assertRefused(broker.ask(plain("shipping", "orders", 0, 8)), ResponseCode.SUBSCRIPTION_NOT_LATEST, "older");
        broker.send("invoices", 0, "a");
        assertRefused(
                broker.ask(plain("shipping", "invoices", 0, 0)), ResponseCode.SUBSCRIPTION_NOT_EXIST, "not subscribed");
    }

    /** As the stock client 5.5.0 writes it, shortened. */
    private static final String RUNNING_INFO = """
            {"mqTable":{{"brokerName":"broker-a","queueId":0,"topic":"orders"}:{"cachedMsgCount":0}},"properties":{},
            "statusTable":{},"subscriptionSet":[{"classFilterMode":false,"codeSet":[],"expressionType":"TAG",
            "subString":"*","subVersion":8,"tagsSet":[],"topic":"orders"}],"userConsumerInfo":{}}
            """;

    @Test
    void aPullAheadOfItsHeartbeatWaitsUntilTheClientToldItsSubscription() {
        broker.send("orders", 0, "a");
        FakeConnection client = broker.connect();
        broker.ask(client, TestBroker.heartbeat("c1", "shipping", SubscriptionData.of("orders", "none", 7)));
        client.take();
        Asked first = broker.ask(client, plain("shipping", "orders", 0, 8));
        Asked second = broker.ask(client, plain("shipping", "orders", 0, 8));
        assertThat(client.take())
                .as("one question, however many pulls wait")
                .extracting(Command::code)
                .containsExactly(RequestCode.GET_CONSUMER_RUNNING_INFO);
        client.answer(Command.response(ResponseCode.SUCCESS, null)
                .body(RUNNING_INFO.getBytes(StandardCharsets.UTF_8))
                .build());
        broker.settle();
        assertThat(TestBroker.bodies(first)).containsExactly("a");
        assertThat(TestBroker.bodies(second)).containsExactly("a");

        Asked third = broker.ask(client, plain("shipping", "orders", 0, 9));
        client.answer(Command.response(ResponseCode.REQUEST_CODE_NOT_SUPPORTED, "never heard of it")
                .build());
        broker.settle();
        assertRefused(third, ResponseCode.SUBSCRIPTION_NOT_LATEST, "older");
    }

    @Test
    void aPullThatWaitedForItsSubscriptionTakesNoCommitBack() {
        broker.send("orders", 0, "a");
        broker.send("orders", 0, "b");
        FakeConnection client = broker.connect();
        broker.ask(client, TestBroker.heartbeat("c1", "shipping", SubscriptionData.of("orders", "*", 7)));
        Asked pull = broker.ask(
                client,
                TestBroker.pulling(new PullHeader(
                        "shipping", "orders", 0, 2, 32, TestBroker.COMMIT, 1, 0, null, 8, null, 0, null)));
        assertThat(committed("shipping").number("offset"))
                .as("what it says counts when it comes")
                .isEqualTo(1);
        broker.ask(
                client,
                Command.request(RequestCode.UPDATE_CONSUMER_OFFSET)
                        .header(new UpdateOffsetHeader("shipping", "orders", 0, 2, "broker-a"))
                        .build());
        client.answer(Command.response(ResponseCode.SUCCESS, null)
                .body(RUNNING_INFO.getBytes(StandardCharsets.UTF_8))
                .build());
        broker.settle();
        assertThat(pull.result()).as(pull.remark()).isEqualTo(ResponseCode.PULL_NOT_FOUND);
        assertThat(committed("shipping").number("offset")).isEqualTo(2);
    }

    @Test
    void aTopicWithoutReadPermissionIs16() {
        broker.ask(Command.request(RequestCode.UPDATE_AND_CREATE_TOPIC)
                .header(new CreateTopicHeader("quiet", "TBW102", 2, 2, 2, "SINGLE_TAG", 0, false, "", false))
                .build());
        assertRefused(broker.pull("quiet", 0, 0, "*"), ResponseCode.NO_PERMISSION, "perm is 2");
    }

    private void group(String name, boolean consumeEnable, boolean broadcast) {
        Asked set = broker.ask(Command.request(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP)
                .body(new SubscriptionGroupConfig(
                                name, consumeEnable, true, broadcast, false, 1, 16, null, 0, 1, true, 0, 15, Map.of())
                        .toJson())
                .build());
        assertThat(set.result()).isZero();
    }

    @Test
    void aGroupThatMayNotConsumeIs16() {
        broker.send("orders", 0, "a");
        group("readers", false, true);
        assertRefused(broker.pull("orders", 0, 0, "*"), ResponseCode.NO_PERMISSION, "consumeEnable");
    }

    @Test
    void aGroupThatMayNotBroadcastIs16() {
        broker.send("orders", 0, "a");
        group("posters", true, false);
        broker.ask(TestBroker.heartbeat(new HeartbeatData(
                "c1",
                List.of(new ConsumerData(
                        "posters",
                        ConsumerData.CONSUME_PASSIVELY,
                        ConsumerData.BROADCASTING,
                        ConsumerData.FROM_LAST_OFFSET,
                        List.of(SubscriptionData.of("orders", "*", 1)),
                        false)),
                List.of())));
        assertRefused(broker.ask(plain("posters", "orders", 0, 1)), ResponseCode.NO_PERMISSION, "broadcast");
    }

    @Test
    void withoutGroupCreationAnUnknownGroupIs26() {
        broker.close();
        broker = new TestBroker(BrokerSettings.defaults().with("autoCreateGroup", false));
        broker.send("orders", 0, "a");
        assertRefused(broker.pull("orders", 0, 0, "*"), ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, "readers");
        group("readers", true, true);
        assertThat(TestBroker.bodies(broker.pull("orders", 0, 0, "*"))).containsExactly("a");
    }

    @Test
    void aFilterThatMatchesNothingGetsOnInStepsInsteadOfReadingTheWholeQueue() {
        byte[] part = TestBroker.properties("TAGS", "other", "UNIQ_KEY", "u");
        List<BatchBody.Part> parts = new ArrayList<>();
        for (int i = 0; i < 5_000; i++) {
            parts.add(new BatchBody.Part(0, ByteBuffer.allocate(0), part));
        }
        byte[] body = BatchBody.encode(parts);
        for (int i = 0; i < 4; i++) {
            Asked sent = broker.ask(Command.request(RequestCode.SEND_BATCH_MESSAGE)
                    .header(TestBroker.sendHeader("orders", 0, new byte[0]))
                    .body(body)
                    .build());
            assertThat(sent.result()).isZero();
            assertThat(sent.field("msgId").split(","))
                    .as("as many ids as a header holds")
                    .hasSize(1_000);
        }
        Asked first = broker.pull("orders", 0, 0, "wanted");
        assertThat(first.result()).isEqualTo(ResponseCode.PULL_RETRY_IMMEDIATELY);
        long next = Long.parseLong(first.field("nextBeginOffset"));
        assertThat(next).isBetween(1L, 19_999L);
        Asked second = broker.pull("orders", 0, next, "wanted");
        assertThat(second.result()).isEqualTo(ResponseCode.PULL_RETRY_IMMEDIATELY);
        assertThat(second.field("nextBeginOffset")).isEqualTo("20000");
    }

    @Test
    void anExpressionTooLongForEveryWaitingPullToHoldIsRefused() {
        Asked refused = broker.pull("orders", 0, 0, "a||".repeat(2_000));
        assertRefused(refused, ResponseCode.TOPIC_NOT_EXIST, "orders");
        broker.send("orders", 0, "m");
        assertRefused(
                broker.pull("orders", 0, 0, "a||".repeat(2_000)),
                ResponseCode.SUBSCRIPTION_PARSE_FAILED,
                "at most 4096");
    }
}
