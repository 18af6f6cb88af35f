/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.simulated.FakeConnection;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.CheckClientBody;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.ConsumerList;
import io.waybill.protocol.body.HeartbeatData;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.body.SubscriptionGroupTable;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.PullHeader;
import io.waybill.protocol.json.JsonWriter;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class GroupTest {
    private TestBroker broker = new TestBroker();

    @AfterEach
    void close() {
        broker.close();
    }

    private Asked beat(FakeConnection connection, String clientId, String group, SubscriptionData... subscriptions) {
        Asked asked = broker.ask(connection, TestBroker.heartbeat(clientId, group, subscriptions));
        assertThat(asked.result()).as(asked.remark()).isZero();
        return asked;
    }

    private List<String> members(String group) {
        Asked asked = broker.ask(Command.request(RequestCode.GET_CONSUMER_LIST_BY_GROUP)
                .field("consumerGroup", group)
                .build());
        return asked.result() == 0 ? ConsumerList.parse(asked.reply().body()).consumerIdList() : List.of();
    }

    private static List<String> notices(FakeConnection connection) {
        return connection.take().stream()
                .filter(c -> c.code() == RequestCode.NOTIFY_CONSUMER_IDS_CHANGED)
                .peek(c -> assertThat(c.isOneway()).isTrue())
                .map(c -> c.fields().get("consumerGroup"))
                .toList();
    }

    @Test
    void aSubscriptionCreatesItsTopicWhereTopicsAreCreatedByUse() {
        TestBroker made = new TestBroker();
        made.ask(TestBroker.heartbeat(
                "c1", "readers", SubscriptionData.of("first", "*"), SubscriptionData.of("%RETRY%other", "*")));
        assertThat(made.features.topics.find("first").readQueueNums()).isEqualTo(4);
        assertThat(made.features.topics.find("%RETRY%other")).isNull();
        made.close();
        TestBroker strict = new TestBroker(BrokerSettings.defaults().with("autoCreateTopic", false));
        Asked beat = strict.ask(TestBroker.heartbeat("c1", "readers", SubscriptionData.of("first", "*")));
        assertThat(beat.result()).isZero();
        assertThat(strict.features.topics.find("first")).isNull();
        strict.close();
    }

    @Test
    void aHeartbeatIsInForceWhenItIsAnswered() {
        FakeConnection one = broker.connect();
        Asked asked = beat(one, "c1", "shipping", SubscriptionData.of("orders", "*", 1));

        assertThat(asked.field("IS_SUPPORT_HEART_BEAT_V2")).isEqualTo("true");
        assertThat(asked.field("IS_SUB_CHANGE")).isEqualTo("true");
        assertThat(members("shipping")).containsExactly("c1");
        assertThat(notices(one)).containsExactly("shipping");
    }

    @Test
    void twoTopicsForbiddenAtTheSameTimeAreBothForbidden() {
        beat(broker.connect(), "c1", "shipping", SubscriptionData.of("orders", "*", 1));
        Asked orders = broker.begin(broker.connect(), forbid("orders", "false"));
        Asked parcels = broker.begin(broker.connect(), forbid("parcels", "false"));
        broker.settle();
        assertThat(orders.result()).isZero();
        assertThat(parcels.result()).isZero();
        for (String topic : new String[] {"orders", "parcels"}) {
            assertThat(new String(broker.ask(forbid(topic, "")).reply().bodyBytes(), StandardCharsets.UTF_8))
                    .contains("\"readable\":false");
        }
    }

    private static Command forbid(String topic, String readable) {
        return Command.request(RequestCode.UPDATE_AND_GET_GROUP_FORBIDDEN)
                .field("group", "shipping")
                .field("topic", topic)
                .field("readable", readable)
                .build();
    }

    @Test
    void theRetryTopicIsKnownToTheNameServersBeforeTheAnswer() {
        CompletableFuture<Command> held = new CompletableFuture<>();
        broker.nameServerAnswer = held;
        broker.registrations.clear();

        Asked asked = broker.ask(TestBroker.heartbeat("c1", "shipping"));

        assertThat(asked.isOpen()).isTrue();
        assertThat(new String(broker.registrations.get(0).bodyBytes(), StandardCharsets.UTF_8))
                .contains("%RETRY%shipping");
        held.complete(Command.response(0, null).build());
        broker.settle();
        assertThat(asked.result()).isZero();

        broker.registrations.clear();
        beat(broker.connect(), "c2", "shipping");
        assertThat(broker.registrations).as("nothing new, nothing to register").isEmpty();
    }

    @Test
    void everyMemberIsToldOfEveryChangeAndOnlyThen() {
        FakeConnection one = broker.connect();
        FakeConnection two = broker.connect();
        SubscriptionData all = SubscriptionData.of("orders", "*", 1);
        beat(one, "c1", "shipping", all);
        notices(one);

        beat(two, "c2", "shipping", all);
        assertThat(notices(one)).containsExactly("shipping");
        assertThat(notices(two)).containsExactly("shipping");

        beat(one, "c1", "shipping", all);
        assertThat(notices(one)).isEmpty();

        beat(one, "c1", "shipping", SubscriptionData.of("orders", "PAID", 2));
        assertThat(notices(two)).containsExactly("shipping");

        broker.gone(two);
        assertThat(notices(one)).contains("shipping");
        assertThat(members("shipping")).containsExactly("c1");
    }

    @Test
    void aNewerVersionOfTheSameExpressionIsNoChangeButCounts() {
        FakeConnection one = broker.connect();
        beat(one, "c1", "shipping", SubscriptionData.of("orders", "*", 1));
        notices(one);
        beat(one, "c1", "shipping", SubscriptionData.of("orders", "*", 5));
        assertThat(notices(one)).isEmpty();
    }

    @Test
    void theGroupWantsWhatAMemberToldLastWhateverTheClocksOfItsMembersSay() {
        broker.send("orders", 0, "m", "TAGS", "PAID");
        FakeConnection first = broker.connect();
        beat(first, "c1", "shipping", SubscriptionData.of("orders", "CREATED", 9));
        beat(broker.connect(), "c2", "shipping", SubscriptionData.of("orders", "PAID", 3));
        beat(first, "c1", "shipping", SubscriptionData.of("orders", "CREATED", 9));
        Asked pulled = broker.ask(TestBroker.pulling("shipping", "orders", 0, 0, 0, null));
        assertThat(TestBroker.bodies(pulled)).containsExactly("m");
    }

    @Test
    void aSubscriptionMadeByAClockThatWasPutBackCounts() {
        broker.send("orders", 0, "m", "TAGS", "PAID");
        FakeConnection one = broker.connect();
        beat(one, "c1", "shipping", SubscriptionData.of("orders", "CREATED", 1_795_000_000_000L));
        beat(one, "c1", "shipping", SubscriptionData.of("orders", "CREATED || PAID", 1_794_000_000_000L));
        Asked pulled = broker.ask(
                one,
                TestBroker.pulling(new PullHeader(
                        "shipping", "orders", 0, 0, 32, 0, 0, 0, null, 1_794_000_000_000L, null, 0, null)));
        assertThat(TestBroker.bodies(pulled)).containsExactly("m");
    }

    @Test
    void aHeartbeatThatWaitedForItsRetryTopicDoesNotUndoALaterOne() {
        broker.send("orders", 0, "m", "TAGS", "PAID");
        FakeConnection one = broker.connect();
        CompletableFuture<Command> held = new CompletableFuture<>();
        broker.nameServerAnswer = held;
        Asked first =
                broker.begin(one, TestBroker.heartbeat("c1", "shipping", SubscriptionData.of("orders", "CREATED", 1)));
        broker.settle();
        assertThat(first.isOpen()).isTrue();
        // The topic is known by now, only the name server has not answered.
        beat(one, "c1", "shipping", SubscriptionData.of("orders", "PAID", 2));
        held.complete(Command.response(0, null).build());
        broker.settle();
        assertThat(first.result()).isZero();
        Asked pulled = broker.ask(one, TestBroker.pulling("shipping", "orders", 0, 0, 0, null));
        assertThat(TestBroker.bodies(pulled)).containsExactly("m");
    }

    @Test
    void aTopicNoLongerSubscribedIsGone() {
        broker.send("orders", 0, "m");
        FakeConnection one = broker.connect();
        beat(one, "c1", "shipping", SubscriptionData.of("orders", "*", 1), SubscriptionData.of("bills", "*", 1));
        beat(one, "c1", "shipping", SubscriptionData.of("bills", "*", 1));
        assertThat(broker.ask(TestBroker.pulling("shipping", "orders", 0, 0, 0, null))
                        .result())
                .isEqualTo(ResponseCode.SUBSCRIPTION_NOT_EXIST);
    }

    @Test
    void unregisteringLeavesOneGroup() {
        FakeConnection one = broker.connect();
        FakeConnection two = broker.connect();
        beat(one, "c1", "shipping");
        beat(two, "c2", "shipping");
        beat(two, "c2", "audit");
        notices(one);

        Asked asked = broker.ask(
                two,
                Command.request(RequestCode.UNREGISTER_CLIENT)
                        .field("clientID", "c2")
                        .field("consumerGroup", "shipping")
                        .build());

        assertThat(asked.result()).isZero();
        assertThat(notices(one)).containsExactly("shipping");
        assertThat(members("shipping")).containsExactly("c1");
        assertThat(members("audit")).containsExactly("c2");
    }

    @Test
    void aReconnectedClientSurvivesTheEndOfItsOldConnection() {
        FakeConnection old = broker.connect();
        FakeConnection fresh = broker.connect();
        beat(old, "c1", "shipping");
        beat(fresh, "c1", "shipping");
        broker.gone(old);
        assertThat(members("shipping")).containsExactly("c1");
    }

    @Test
    void aGroupWithoutMembersIsCode1() {
        Asked asked = broker.ask(Command.request(RequestCode.GET_CONSUMER_LIST_BY_GROUP)
                .field("consumerGroup", "nobody")
                .build());
        assertThat(asked.result()).isEqualTo(ResponseCode.SYSTEM_ERROR);
        assertThat(asked.remark()).contains("nobody");
    }

    @Test
    void aSilentClientIsDroppedByTheMonotonicClock() {
        FakeConnection silent = broker.connect();
        FakeConnection alive = broker.connect();
        beat(silent, "c1", "shipping");
        beat(alive, "c2", "shipping");
        broker.clock.set(broker.clock.wallMillis() + 86_400_000L);
        broker.pass(20_000);
        assertThat(members("shipping")).as("a set wall clock drops nobody").containsExactly("c1", "c2");

        for (int i = 0; i < 4; i++) {
            broker.pass(30_000);
            beat(alive, "c2", "shipping");
        }
        assertThat(members("shipping")).containsExactly("c2");
        assertThat(silent.isOpen()).isFalse();
    }

    @Test
    void aSilentMembershipIsDroppedWithoutTheOthersOfItsConnection() {
        FakeConnection proxy = broker.connect();
        beat(proxy, "c1", "shipping");
        beat(proxy, "c2", "billing");
        for (int i = 0; i < 5; i++) {
            broker.pass(30_000);
            beat(proxy, "c2", "billing");
        }
        assertThat(members("shipping")).isEmpty();
        assertThat(members("billing")).containsExactly("c2");
        assertThat(proxy.isOpen()).isTrue();
        for (int i = 0; i < 5; i++) {
            broker.pass(30_000);
        }
        assertThat(members("billing")).isEmpty();
        assertThat(proxy.isOpen()).as("nobody is left on it").isFalse();
    }

    private Asked v2(
            FakeConnection connection, int fingerprint, boolean withoutSub, SubscriptionData... subscriptions) {
        return broker.ask(
                connection,
                TestBroker.heartbeat(new HeartbeatData(
                        "c1",
                        List.of(new ConsumerData(
                                "shipping",
                                ConsumerData.CONSUME_PASSIVELY,
                                ConsumerData.CLUSTERING,
                                ConsumerData.FROM_LAST_OFFSET,
                                List.of(subscriptions),
                                false)),
                        List.of(),
                        fingerprint,
                        withoutSub)));
    }

    @Test
    void shortHeartbeatsKeepTheSubscriptionAndAnUnknownFingerprintAsksForAFullOne() {
        broker.send("orders", 0, "m");
        FakeConnection one = broker.connect();
        assertThat(v2(one, 99, false, SubscriptionData.of("orders", "*", 1)).field("IS_SUB_CHANGE"))
                .isEqualTo("false");
        assertThat(v2(one, 99, true).field("IS_SUB_CHANGE")).isEqualTo("false");
        assertThat(TestBroker.bodies(broker.ask(TestBroker.pulling("shipping", "orders", 0, 0, 0, null))))
                .containsExactly("m");
        assertThat(v2(one, 98, true).field("IS_SUB_CHANGE")).isEqualTo("true");
    }

    private static Command runningInfo(SubscriptionData... subscriptions) {
        JsonWriter json = new JsonWriter().beginObject().name("subscriptionSet").beginArray();
        for (SubscriptionData one : subscriptions) {
            one.write(json);
        }
        return Command.response(ResponseCode.SUCCESS, null)
                .body(json.endArray().endObject().toByteArray())
                .build();
    }

    @Test
    void afterARestartAShortHeartbeatIsCompletedByAQuestion() {
        broker.send("orders", 0, "m", "TAGS", "PAID");
        FakeConnection other = broker.connect();
        beat(other, "c2", "shipping", SubscriptionData.of("orders", "PAID", 1));
        FakeConnection one = broker.connect();
        Asked beat = v2(one, 99, true);
        Asked pulled = broker.ask(one, TestBroker.pulling("shipping", "orders", 0, 0, 0, null));
        assertThat(beat.isOpen()).as("not in force yet").isTrue();
        assertThat(members("shipping")).containsExactly("c2");
        assertThat(one.take())
                .singleElement()
                .satisfies(asked -> assertThat(asked.code()).isEqualTo(RequestCode.GET_CONSUMER_RUNNING_INFO));
        one.answer(runningInfo(SubscriptionData.of("orders", "PAID", 7)));
        broker.settle();
        assertThat(beat.result()).isZero();
        assertThat(beat.field("IS_SUB_CHANGE")).as("the next one shall be full").isEqualTo("true");
        assertThat(members("shipping")).containsExactly("c1", "c2");
        assertThat(TestBroker.bodies(pulled)).containsExactly("m");
        assertThat(broker.members.consumerGroup("shipping").conflicts()).isEmpty();
    }

    @Test
    void aPullThatCameBeforeTheAnswerIsServedByIt() {
        broker.send("orders", 0, "m", "TAGS", "PAID");
        FakeConnection one = broker.connect();
        Asked beat = v2(one, 99, true);
        Asked pulled = broker.ask(one, TestBroker.pulling("shipping", "orders", 0, 0, 0, null));
        assertThat(pulled.isOpen()).isTrue();
        one.answer(runningInfo(SubscriptionData.of("orders", "*", 7)));
        broker.settle();
        assertThat(beat.result()).isZero();
        assertThat(TestBroker.bodies(pulled)).containsExactly("m");
    }

    @Test
    void whoDoesNotTellWhatItWantsIsAMemberThatWantsNothingYet() {
        for (Command answer : List.of(
                Command.response(ResponseCode.REQUEST_CODE_NOT_SUPPORTED, "what?")
                        .build(),
                Command.response(0, null).body(new byte[] {'x'}).build(),
                runningInfo(SubscriptionData.of("or/ders", "*", 7)))) {
            FakeConnection one = broker.connect();
            Asked beat = v2(one, 99, true);
            one.answer(answer);
            broker.settle();
            assertThat(beat.result()).isZero();
            assertThat(beat.field("IS_SUB_CHANGE")).isEqualTo("true");
            assertThat(members("shipping")).containsExactly("c1");
            assertThat(v2(one, 99, true).result()).as("asked once").isZero();
            broker.gone(one);
        }
    }

    @Test
    void aFullHeartbeatThatOvertakesTheAnswerHolds() {
        broker.send("orders", 0, "m", "TAGS", "PAID");
        FakeConnection one = broker.connect();
        Asked beat = v2(one, 99, true);
        v2(one, 98, false, SubscriptionData.of("orders", "PAID", 3));
        one.answer(runningInfo(SubscriptionData.of("orders", "CREATED", 7)));
        broker.settle();
        assertThat(beat.result()).isZero();
        Asked pulled = broker.ask(one, TestBroker.pulling("shipping", "orders", 0, 0, 0, null));
        assertThat(TestBroker.bodies(pulled)).containsExactly("m");
    }

    @Test
    void illegalNamesInAHeartbeatAre29() {
        for (Command bad : List.of(
                TestBroker.heartbeat("c1", "ship ping"),
                TestBroker.heartbeat("", "shipping"),
                TestBroker.heartbeat("c1", "shipping", SubscriptionData.of("or/ders", "*", 1)),
                TestBroker.heartbeat(new HeartbeatData("c1", List.of(), List.of("pro ducer"))))) {
            assertThat(broker.ask(bad).result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
        }
    }

    @Test
    void withoutGroupCreationAHeartbeatOfAnUnknownGroupIs26() {
        broker.close();
        broker = new TestBroker(BrokerSettings.defaults().with("autoCreateGroup", false));
        assertThat(broker.ask(TestBroker.heartbeat("c1", "shipping")).result())
                .isEqualTo(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST);
    }

    @Test
    void clientsWithTagsMayStartAndOthersAreToldWhyNot() {
        Asked tags = broker.ask(check(SubscriptionData.of("orders", "a || b", 1)));
        Asked sql = broker.ask(check(new SubscriptionData("orders", "a > 1", Set.of(), Set.of(), 1, "XPATH", false)));
        assertThat(tags.result()).isZero();
        assertThat(sql.result()).isEqualTo(ResponseCode.SUBSCRIPTION_PARSE_FAILED);
        assertThat(sql.remark()).contains("expressionType").contains("XPATH");
    }

    private static Command check(SubscriptionData subscription) {
        return Command.request(RequestCode.CHECK_CLIENT_CONFIG)
                .body(new CheckClientBody("c1", "shipping", subscription, null).toJson())
                .build();
    }

    // ---- settings of groups

    private Asked config(String group) {
        return broker.ask(Command.request(RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG)
                .field("group", group)
                .build());
    }

    @Test
    void settingsOfAGroupAreKeptOverACrash() {
        SubscriptionGroupConfig usual =
                SubscriptionGroupConfig.parse(config("shipping").reply().body());
        assertThat(usual.retryMaxTimes()).isEqualTo(16);
        assertThat(usual.consumeEnable()).isTrue();
        broker.ask(Command.request(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP)
                .body(new SubscriptionGroupConfig(
                                "shipping",
                                true,
                                false,
                                false,
                                false,
                                2,
                                3,
                                usual.groupRetryPolicy(),
                                0,
                                1,
                                true,
                                0,
                                15,
                                usual.attributes())
                        .toJson())
                .build());

        broker.crash(5);

        SubscriptionGroupConfig kept =
                SubscriptionGroupConfig.parse(config("shipping").reply().body());
        assertThat(kept.retryMaxTimes()).isEqualTo(3);
        assertThat(kept.retryQueueNums()).isEqualTo(2);
        Asked all = broker.ask(
                Command.request(RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG).build());
        assertThat(SubscriptionGroupTable.parse(all.reply().body()).subscriptionGroupTable())
                .containsKey("shipping");
    }
}
