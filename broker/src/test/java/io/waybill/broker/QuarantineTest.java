/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.LockBatchBody;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.PullHeader;
import io.waybill.protocol.header.UpdateOffsetHeader;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.store.record.CatalogKind;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Quarantined keys of an ordered group, on simulated time. */
class QuarantineTest {
    private static final String RETRY = Names.retryTopic("g");
    private static final String QUARANTINED = Names.quarantineTopic("g");

    private final TestBroker broker = new TestBroker();
    private FakeConnection member;
    private int numbers;

    @BeforeEach
    void join() {
        heartbeat();
        SubscriptionGroupConfig usual = SubscriptionGroupConfig.of("g");
        Asked set = broker.ask(Command.request(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP)
                .body(usual.withAttributes(Map.of("waybill.quarantine.after", "3"))
                        .toJson())
                .build());
        assertThat(set.result()).isZero();
    }

    private void heartbeat() {
        member = broker.connect();
        broker.ask(
                member,
                TestBroker.heartbeat(
                        "c1", "g", SubscriptionData.of("orders", "*", 1), SubscriptionData.of(RETRY, "*", 1)));
    }

    @AfterEach
    void close() {
        broker.close();
    }

    private void send(String key, String body) {
        broker.send("orders", 0, body, "__SHARDINGKEY", key, "UNIQ_KEY", "unique-" + numbers++ + body);
    }

    private Asked pull(String topic, long offset) {
        return broker.ask(member, TestBroker.pulling("g", topic, 0, offset, 0, null));
    }

    private List<String> bodies(String topic, long offset) {
        Asked pulled = pull(topic, offset);
        return pulled.result() == ResponseCode.SUCCESS ? TestBroker.bodies(pulled) : List.of();
    }

    private void commit(String topic, long offset) {
        Asked done = broker.ask(
                member,
                Command.request(RequestCode.UPDATE_CONSUMER_OFFSET)
                        .header(new UpdateOffsetHeader("g", topic, 0, offset, "broker-a"))
                        .build());
        assertThat(done.result()).as(done.remark()).isZero();
    }

    private JsonObject order(String action, String key) {
        Asked asked = ordered(action, key);
        assertThat(asked.result()).as(asked.remark()).isZero();
        return Json.parse(ByteBuffer.wrap(asked.reply().bodyBytes()));
    }

    private Asked ordered(String action, String key) {
        JsonWriter json = new JsonWriter().beginObject().field("group", "g").field("action", action);
        if (key != null) {
            json.field("topic", "orders")
                    .field("key", key)
                    .field("reason", "test")
                    .field("by", "me");
        }
        return broker.ask(Command.request(RequestCode.QUARANTINE)
                .body(json.endObject().toByteArray())
                .build());
    }

    private List<JsonObject> keys() {
        return order("LIST", null).getArray("keys").objects("keys");
    }

    private long quarantinedCount() {
        return broker.store.queues().offsetRange(QUARANTINED, 0).maxOffset();
    }

    @Test
    void theKeyIsPassedAndTheOthersGoOnAndItComesBackInOrderBeforeAnyLaterOne() {
        for (int i = 0; i < 4; i++) {
            send("a", "a" + i);
            send("b", "b" + i);
        }
        assertThat(order("QUARANTINE", "a").getString("answer")).isEqualTo("QUARANTINED");
        assertThat(order("QUARANTINE", "a").getString("answer")).isEqualTo("ALREADY_QUARANTINED");
        assertThat(bodies("orders", 0)).containsExactly("b0", "b1", "b2", "b3");
        assertThat(bodies("orders", 0)).as("asked again").containsExactly("b0", "b1", "b2", "b3");
        assertThat(quarantinedCount()).isEqualTo(4);
        assertThat(keys()).singleElement().satisfies(key -> {
            assertThat(key.getString("key")).isEqualTo("a");
            assertThat(key.getLong("messages", -1)).isEqualTo(4);
            assertThat(key.getString("state")).isEqualTo("QUARANTINED");
        });

        broker.restart();
        heartbeat();
        assertThat(bodies("orders", 0)).as("after a restart").containsExactly("b0", "b1", "b2", "b3");
        assertThat(quarantinedCount()).isEqualTo(4);
        commit("orders", 8);

        assertThat(order("RELEASE", "a").getLong("messages", -1)).isEqualTo(4);
        assertThat(bodies(RETRY, 0)).containsExactly("a0", "a1", "a2", "a3");
        send("a", "a4");
        send("b", "b4");
        assertThat(bodies("orders", 8)).as("a4 must not overtake").containsExactly("b4");
        commit("orders", 10);
        broker.pass(10_000);
        assertThat(bodies(RETRY, 4)).isEmpty();

        commit(RETRY, 4);
        broker.pass(1_000);
        assertThat(bodies(RETRY, 4)).containsExactly("a4");
        commit(RETRY, 5);
        broker.pass(1_000);
        assertThat(keys()).isEmpty();
        send("a", "a5");
        assertThat(bodies("orders", 10)).containsExactly("a5");
        broker.restart();
        heartbeat();
        assertThat(keys()).isEmpty();
        assertThat(bodies("orders", 10)).containsExactly("a5");
        assertThat(quarantinedCount()).isEqualTo(5);
    }

    @Test
    void aPullThatCarriesItsSubscriptionPassesTheKeyTooAndAReplayDoesNot() {
        send("a", "a0");
        send("b", "b0");
        order("QUARANTINE", "a");
        FakeConnection unknown = broker.connect(); // ours may pull before its heartbeat, after a restart
        Asked carried = broker.ask(unknown, TestBroker.pulling("g", "orders", 0, 0, TestBroker.SUBSCRIPTION, "*"));
        assertThat(TestBroker.bodies(carried)).containsExactly("b0");
        int replay = TestBroker.SUBSCRIPTION | PullHeader.FLAG_REPLAY;
        assertThat(TestBroker.bodies(broker.ask(unknown, TestBroker.pulling("g", "orders", 0, 0, replay, "*"))))
                .containsExactly("a0", "b0");
    }

    @Test
    void whatFailsAgainIsQuarantinedAgainInItsPlace() {
        for (int i = 0; i < 3; i++) {
            send("a", "a" + i);
        }
        order("QUARANTINE", "a");
        assertThat(bodies("orders", 0)).isEmpty();
        order("RELEASE", "a");
        send("a", "a3");
        assertThat(bodies("orders", 3)).isEmpty();
        assertThat(bodies(RETRY, 0)).containsExactly("a0", "a1", "a2");
        commit(RETRY, 1);

        order("QUARANTINE", "a");
        assertThat(bodies(RETRY, 1)).as("quarantined once more").isEmpty();
        commit(RETRY, 3);
        broker.pass(5_000);
        assertThat(keys())
                .singleElement()
                .satisfies(key -> assertThat(key.getLong("messages", -1)).isEqualTo(3));
        order("RELEASE", "a");
        assertThat(bodies(RETRY, 3)).as("a3 was quarantined before the others").containsExactly("a1", "a2", "a3");
    }

    @Test
    void whatIsDiscardedIsGoneAndLaterOnesAreDelivered() {
        send("a", "a0");
        send("a", "a1");
        order("QUARANTINE", "a");
        assertThat(bodies("orders", 0)).isEmpty();
        assertThat(order("DISCARD", "a").getLong("messages", -1)).isEqualTo(2);
        broker.pass(1_000);
        assertThat(keys()).isEmpty();
        send("a", "a2");
        assertThat(bodies("orders", 2)).containsExactly("a2");
        assertThat(broker.store.queues().offsetRange(RETRY, 0).maxOffset()).isZero();
        assertThat(ordered("RELEASE", "a").result()).isEqualTo(ResponseCode.SYSTEM_ERROR);
    }

    private long settledCount() {
        long[] count = new long[1];
        broker.store.settlements().visit(QUARANTINED, 0, 0, range -> {
            count[0] += range.toOffset() - range.fromOffset();
            return true;
        });
        return count[0];
    }

    private Command request(String action, String key) {
        return Command.request(RequestCode.QUARANTINE)
                .body(("{\"group\":\"g\",\"action\":\"" + action + "\",\"topic\":\"orders\",\"key\":\"" + key
                                + "\",\"by\":\"me\"}")
                        .getBytes(StandardCharsets.UTF_8))
                .build();
    }

    /** More messages than are settled in one frame: after the first frame the broker is killed. */
    @Test
    void aDiscardOfManyMessagesIsDoneWholeAlthoughTheBrokerIsKilledInBetween() {
        int many = 2_100;
        for (int i = 0; i < many; i++) {
            send("a", "a" + i);
        }
        order("QUARANTINE", "a");
        while (quarantinedCount() < many) {
            bodies("orders", quarantinedCount());
        }
        broker.begin(broker.connect(), request("DISCARD", "a"));
        while (settledCount() == 0) {
            assertThat(broker.duties.step()).isTrue();
        }
        assertThat(settledCount()).as("the first piece").isLessThan(many);
        broker.kill();
        heartbeat();
        broker.pass(2_000);
        assertThat(settledCount()).isEqualTo(many);
        assertThat(keys()).isEmpty();
        assertThat(broker.store.queues().offsetRange(RETRY, 0).maxOffset()).isZero();
    }

    private Command deletion() {
        return Command.request(RequestCode.DELETE_TOPIC_IN_BROKER)
                .field("topic", "orders")
                .field("force", true)
                .build();
    }

    @Test
    void aTopicThatComesAgainDoesNotMeetTheKeysOfTheOneBefore() {
        send("a", "a0");
        send("b", "b0");
        order("QUARANTINE", "a");
        assertThat(bodies("orders", 0)).containsExactly("b0");
        broker.gone(member);
        assertThat(broker.ask(deletion()).result()).isZero();
        broker.pass(2_000);
        assertThat(keys()).isEmpty();
        assertThat(settledCount()).as("its message is discarded").isEqualTo(1);
        send("a", "a1");
        for (int look = 0; look < 2; look++) {
            heartbeat();
            assertThat(bodies("orders", 2)).containsExactly("a1");
            assertThat(keys()).isEmpty();
            broker.restart();
        }
    }

    @Test
    void aDeletedTopicsKeysAreForgottenAlthoughACrashComesBehindTheDeletion() {
        send("a", "a0");
        order("QUARANTINE", "a");
        assertThat(bodies("orders", 0)).isEmpty();
        broker.gone(member);
        broker.begin(broker.connect(), deletion());
        while (broker.features.topics.find("orders") != null) {
            assertThat(broker.duties.step()).isTrue();
        }
        broker.kill();
        broker.pass(2_000);
        assertThat(keys()).isEmpty();
        assertThat(settledCount()).isEqualTo(1);
        assertThat(broker.store.catalog().catalogValues(CatalogKind.SETTING).keySet())
                .noneMatch(name -> name.startsWith("quarantine/"));
    }

    @Test
    void whatAStockClientGivesUpInOrderIsQuarantinedAndTheMemberGoesBackToIt() {
        send("a", "a0");
        send("b", "b0");
        send("a", "a1");
        MessageQueue queue = new MessageQueue("orders", "broker-a", 0);
        broker.ask(
                member,
                Command.request(RequestCode.LOCK_BATCH_MQ)
                        .body(new LockBatchBody("g", "c1", Set.of(queue), false).toJson())
                        .build());
        assertThat(bodies("orders", 0)).containsExactly("a0", "b0", "a1");
        Asked held = broker.ask(member, TestBroker.pulling("g", "orders", 0, 3, TestBroker.SUSPEND, null));

        byte[] properties = TestBroker.properties(
                "RETRY_TOPIC", "orders", "UNIQ_KEY", "unique-0a0", "__SHARDINGKEY", "a", "DELAY", "4");
        Asked givenUp = broker.ask(member, TestBroker.sending(TestBroker.sendHeader(RETRY, 0, properties), "a0"));
        assertThat(givenUp.isOpen()).as("the pull is answered first").isTrue();
        broker.pass(200);
        assertThat(givenUp.result()).as(givenUp.remark()).isZero();
        assertThat(held.result()).isEqualTo(ResponseCode.PULL_OFFSET_MOVED);
        assertThat(held.number("nextBeginOffset")).isZero();
        assertThat(bodies("orders", 0)).containsExactly("b0");
        assertThat(keys())
                .singleElement()
                .satisfies(key -> assertThat(key.getLong("messages", -1)).isEqualTo(2));
        assertThat(broker.store
                        .queues()
                        .offsetRange(Names.deadLetterTopic("g"), 0)
                        .maxOffset())
                .isZero();
    }

    /** A member that stood still lost its queue; another one is past the message that it gives up when it goes on. */
    @Test
    void whatIsGivenUpByWhoLostTheQueueDoesNotPutTheGroupBack() {
        send("a", "a0");
        send("b", "b0");
        send("a", "a1");
        MessageQueue queue = new MessageQueue("orders", "broker-a", 0);
        FakeConnection second = broker.connect();
        broker.ask(
                second,
                Command.request(RequestCode.LOCK_BATCH_MQ)
                        .body(new LockBatchBody("g", "c2", Set.of(queue), false).toJson())
                        .build());
        broker.features.offsets.commit("g", "orders", 0, 3);

        byte[] properties = TestBroker.properties(
                "RETRY_TOPIC", "orders", "UNIQ_KEY", "unique-0a0", "__SHARDINGKEY", "a", "DELAY", "4");
        Asked givenUp = broker.ask(member, TestBroker.sending(TestBroker.sendHeader(RETRY, 0, properties), "a0"));
        broker.pass(200);
        assertThat(givenUp.result()).as(givenUp.remark()).isZero();
        assertThat(broker.features.offsets.query("g", "orders", 0)).isEqualTo(3);
        assertThat(keys()).isEmpty();
        assertThat(broker.store.queues().offsetRange("%DLQ%g", 0).maxOffset())
                .as("kept, for people")
                .isEqualTo(1);
    }

    @Test
    void aPowerCutBetweenAnyTwoStepsLosesNothingAndKeepsTheOrder() {
        for (int seed = 1; seed <= 20; seed++) {
            String key = "k" + seed;
            long from = broker.store.queues().offsetRange("orders", 0).maxOffset();
            send(key, key + "-0");
            send("b", "b-" + seed);
            send(key, key + "-1");
            order("QUARANTINE", key);
            if (seed % 4 != 0) {
                assertThat(bodies("orders", from)).containsExactly("b-" + seed);
            }
            if (seed % 4 == 2) {
                ordered("RELEASE", key);
            }
            broker.crash(seed);
            heartbeat();
            assertThat(bodies("orders", from)).containsExactly("b-" + seed);
            if (seed % 4 != 2) {
                order("RELEASE", key);
            }
            long given = broker.store.queues().offsetRange(RETRY, 0).maxOffset();
            assertThat(bodies(RETRY, given - 2)).containsExactly(key + "-0", key + "-1");
            commit(RETRY, given);
            broker.pass(1_000);
            assertThat(keys()).isEmpty();
        }
        assertThat(broker.store.queues().offsetRange(RETRY, 0).maxOffset()).isEqualTo(40);
    }

    @Test
    void aMessageThatTwoReadsMeetIsGivenBackOnce() {
        send("a", "a0");
        order("QUARANTINE", "a");
        broker.begin(member, TestBroker.pulling("g", "orders", 0, 0, 0, null));
        broker.begin(member, TestBroker.pulling("g", "orders", 0, 0, 0, null));
        broker.settle();
        assertThat(quarantinedCount()).isEqualTo(2);
        commit("orders", 1);
        assertThat(order("RELEASE", "a").getLong("messages", -1)).isEqualTo(1);
        commit(RETRY, 1);
        broker.pass(1_000);
        assertThat(keys()).isEmpty();

        broker.restart();
        heartbeat();
        broker.pass(2_000);
        assertThat(keys()).isEmpty();
        assertThat(bodies(RETRY, 0)).containsExactly("a0");
    }

    @Test
    void aSecondCopyThatACrashLeftIsNotGivenBack() {
        send("a", "a0");
        order("QUARANTINE", "a");
        assertThat(bodies("orders", 0)).isEmpty();
        commit("orders", 1);
        MessageDraft twin = MessageDraft.copyOf(
                        broker.store
                                .queues()
                                .readQueue(QUARANTINED, 0, 0, 1, 4_096, null, null)
                                .slices()
                                .get(0),
                        0)
                .build();
        broker.store.messages().append(twin, outcome -> {});
        broker.settle();
        broker.restart();
        heartbeat();
        assertThat(order("RELEASE", "a").getLong("messages", -1)).isEqualTo(1);
        commit(RETRY, 1);
        broker.pass(1_000);
        assertThat(keys()).isEmpty();
        broker.restart();
        heartbeat();
        broker.pass(1_000);
        assertThat(keys()).isEmpty();
        assertThat(bodies(RETRY, 0)).containsExactly("a0");
    }

    @Test
    void whatOvertakesTheReleaseOfItsOwnMessageIsNotGivenBackTwice() {
        send("a", "a0");
        send("a", "a1");
        order("QUARANTINE", "a");
        Asked slow = broker.begin(member, TestBroker.pulling("g", "orders", 0, 0, 0, null));
        Asked fast = broker.begin(member, TestBroker.pulling("g", "orders", 0, 0, 0, null));
        broker.settle();
        assertThat(slow.result()).isEqualTo(fast.result());
        order("RELEASE", "a");
        broker.pass(5_000);
        commit(RETRY, 2);
        broker.pass(1_000);
        assertThat(bodies(RETRY, 0)).containsExactly("a0", "a1");
        assertThat(keys()).isEmpty();
    }

    @Test
    void aGroupThatMayQuarantineNoMoreWaitsAndLosesNothing() {
        send("a", "first");
        MessageDraft draft = MessageDraft.copyOf(
                        broker.store
                                .queues()
                                .readQueue("orders", 0, 0, 1, 4_096, null, null)
                                .slices()
                                .get(0),
                        0)
                .build();
        for (int i = 0; i < 100; i++) {
            broker.store.messages().appendBatch(Collections.nCopies(1_000, draft), outcome -> {});
        }
        broker.settle();
        order("QUARANTINE", "a");
        long at = 0;
        Asked pulled = pull("orders", at);
        while (pulled.result() != ResponseCode.SYSTEM_ERROR) {
            assertThat(pulled.number("nextBeginOffset")).isGreaterThan(at);
            at = pulled.number("nextBeginOffset");
            pulled = pull("orders", at);
        }
        assertThat(pulled.remark()).contains("100000");
        assertThat(at).isBetween(100_000L - 32, 100_000L);
        assertThat(quarantinedCount()).isEqualTo(at);
        order("DISCARD", "a");
        assertThat(pull("orders", at).result()).isNotEqualTo(ResponseCode.SYSTEM_ERROR);
    }

    @Test
    void wrongOrdersAreRefusedByField() {
        assertThat(ordered("EXPLODE", "a").remark()).contains("action").contains("EXPLODE");
        assertThat(ordered("QUARANTINE", " ").remark()).contains("key");
        Asked unknown = broker.ask(Command.request(RequestCode.QUARANTINE)
                .body("{\"group\":\"nobody\",\"action\":\"QUARANTINE\",\"topic\":\"t\",\"key\":\"k\"}".getBytes())
                .build());
        assertThat(unknown.result()).isEqualTo(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST);
    }

    @Test
    void withItsProgressADeletedGroupForgetsWhatIsQuarantined() {
        send("a", "a0");
        send("b", "b0");
        order("QUARANTINE", "a");
        order("QUARANTINE", "b");
        assertThat(bodies("orders", 0)).isEmpty();
        assertThat(quarantinedCount()).isEqualTo(2);
        assertThat(deleted(false).result()).isZero();
        assertThat(keys()).as("without its progress they stay").hasSize(2);

        assertThat(deleted(true).result()).isZero();
        assertThat(keys()).isEmpty();
        assertThat(broker.features.topics.find(QUARANTINED)).isNull();
        for (int i = 0; i < 2; i++) {
            heartbeat();
            assertThat(bodies("orders", 0)).containsExactly("a0", "b0");
            assertThat(keys()).isEmpty();
            broker.restart();
        }
        heartbeat();
        order("QUARANTINE", "a");
        assertThat(bodies("orders", 0)).containsExactly("b0");
        order("RELEASE", "a");
        assertThat(bodies(RETRY, 0)).as("nothing of what was forgotten").containsExactly("a0");
    }

    private Asked deleted(boolean cleanOffset) {
        return broker.ask(Command.request(RequestCode.DELETE_SUBSCRIPTIONGROUP)
                .field("groupName", "g")
                .field("cleanOffset", cleanOffset)
                .build());
    }
}
