/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.filter.Filter;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.pull.DeliveryInterceptor;
import io.waybill.broker.simulated.FakeConnection;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.NotificationHeader;
import io.waybill.protocol.header.PopHeader;
import io.waybill.protocol.header.PullHeader;
import io.waybill.protocol.header.UnregisterClientHeader;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.remoting.Connection;
import java.util.List;
import java.util.Map;
import java.util.function.Supplier;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A pull or pop that waits is answered by what is in force when it is answered, not when it came. */
class WaitingReadsTest {
    private static final String GROUP = "shop";
    private static final String TOPIC = "orders";

    private final TestBroker broker = new TestBroker();
    private FakeConnection client;
    private long version;

    @BeforeEach
    void start() {
        client = broker.connect();
        broker.send(TOPIC, 0, "first", "TAGS", "A");
        subscribe("A");
    }

    @AfterEach
    void close() {
        broker.close();
    }

    private void subscribe(String expression) {
        subscribe(client, "c1", expression);
    }

    private void subscribe(FakeConnection connection, String id, String expression) {
        Asked beat = broker.ask(
                connection,
                TestBroker.heartbeat(
                        id,
                        GROUP,
                        SubscriptionData.of(TOPIC, expression, ++version),
                        SubscriptionData.of("%RETRY%" + GROUP, "*", version)));
        assertThat(beat.result()).as(beat.remark()).isZero();
    }

    private Asked pull() {
        return broker.ask(client, TestBroker.pulling(GROUP, TOPIC, 0, 1, TestBroker.SUSPEND, null));
    }

    /** As a stock pull consumer does: what it wants stands in the request. */
    private Asked carrying() {
        return broker.ask(
                client, TestBroker.pulling(GROUP, TOPIC, 0, 1, TestBroker.SUSPEND | TestBroker.SUBSCRIPTION, "A"));
    }

    private Asked pop(String expression) {
        return broker.ask(
                client,
                Command.request(RequestCode.POP_MESSAGE)
                        .header(new PopHeader(
                                GROUP,
                                TOPIC,
                                0,
                                32,
                                60_000,
                                15_000,
                                broker.clock.wallMillis(),
                                PopHeader.FROM_MIN,
                                "TAG",
                                expression,
                                false,
                                null,
                                "broker-a"))
                        .build());
    }

    /** A pop that waits: the first message is taken already. */
    private Asked pop() {
        Asked first = pop(null);
        assertThat(TestBroker.bodies(first)).containsExactly("first");
        return pop(null);
    }

    private Asked notification() {
        pop(null);
        return broker.ask(
                client,
                Command.request(RequestCode.NOTIFICATION)
                        .header(new NotificationHeader(
                                GROUP,
                                TOPIC,
                                0,
                                15_000,
                                broker.clock.wallMillis(),
                                false,
                                null,
                                null,
                                null,
                                "broker-a"))
                        .build());
    }

    private void group(SubscriptionGroupConfig config) {
        Asked set = broker.ask(Command.request(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP)
                .body(config.toJson())
                .build());
        assertThat(set.result()).as(set.remark()).isZero();
    }

    private void consumeEnable(boolean enabled) {
        SubscriptionGroupConfig usual = SubscriptionGroupConfig.of(GROUP);
        group(new SubscriptionGroupConfig(
                GROUP,
                enabled,
                usual.consumeFromMinEnable(),
                usual.consumeBroadcastEnable(),
                usual.consumeMessageOrderly(),
                usual.retryQueueNums(),
                usual.retryMaxTimes(),
                usual.groupRetryPolicy(),
                usual.brokerId(),
                usual.whichBrokerWhenConsumeSlowly(),
                usual.notifyConsumerIdsChangedEnable(),
                usual.groupSysFlag(),
                usual.consumeTimeoutMinute(),
                usual.attributes()));
    }

    private void topic(int queues, int perm) {
        Asked put = broker.ask(Command.request(RequestCode.UPDATE_AND_CREATE_TOPIC)
                .field("topic", TOPIC)
                .field("defaultTopic", "TBW102")
                .field("readQueueNums", queues)
                .field("writeQueueNums", 4)
                .field("perm", perm)
                .field("topicFilterType", "SINGLE_TAG")
                .field("force", "true")
                .build());
        assertThat(put.result()).as(put.remark()).isZero();
    }

    // ---- what is wanted

    /** Stock clients filter what they get by what they wanted when they asked: only a new pull can bring it. */
    private static void assertComesAgain(Asked held) {
        assertThat(held.isOpen()).as("ended at once").isFalse();
        assertThat(held.result()).isEqualTo(ResponseCode.PULL_RETRY_IMMEDIATELY);
        assertThat(held.number("nextBeginOffset")).as("nothing is passed").isEqualTo(1);
    }

    @Test
    void whatCameWhileAnotherThingWasWantedIsLookedAtOnceMore() {
        Asked held = pull();
        Asked carrying = carrying();
        broker.send(TOPIC, 0, "of-B", "TAGS", "B");
        assertThat(held.isOpen()).isTrue();
        assertThat(carrying.isOpen()).isTrue();
        subscribe("A || B");
        assertComesAgain(held);
        assertComesAgain(carrying);
        assertThat(TestBroker.bodies(pull())).containsExactly("of-B");
    }

    @Test
    void whatComesAfterTheChangeIsNotPassedByPops() {
        Asked held = pop();
        subscribe("A || B");
        assertThat(held.result()).isEqualTo(ResponseCode.POLLING_TIMEOUT);
        broker.send(TOPIC, 0, "of-B", "TAGS", "B");
        assertThat(TestBroker.bodies(pop(null))).containsExactly("of-B");
    }

    @Test
    void aPopThatSaysWhatItWantsLeavesTheOtherForTheNext() {
        pop(null);
        Asked held = pop("A");
        subscribe("A || B");
        broker.send(TOPIC, 0, "of-B", "TAGS", "B");
        assertThat(held.isOpen()).isTrue();
        assertThat(TestBroker.bodies(pop("A || B"))).containsExactly("of-B");
    }

    @Test
    void aPullOnItsWayWhenTheSubscriptionChangedIsNotServedByTheNewOne() {
        subscribe("A || B"); // version 2, after A
        broker.send(TOPIC, 0, "of-B", "TAGS", "B");
        for (int flags : new int[] {0, TestBroker.SUBSCRIPTION}) {
            assertComesAgain(broker.ask(client, versioned(1, flags)));
            assertThat(TestBroker.bodies(broker.ask(client, versioned(2, 0)))).containsExactly("of-B");
        }
        // A client that names another version than its heartbeats is not held up for ever.
        assertThat(TestBroker.bodies(broker.ask(client, versioned(0, 0)))).containsExactly("of-B");
    }

    private static Command versioned(long version, int flags) {
        return TestBroker.pulling(
                new PullHeader(GROUP, TOPIC, 0, 1, 32, flags, 0, 15_000, "A", version, "TAG", 0, "broker-a"));
    }

    @Test
    void aNewVersionOfTheSameWishChangesNothing() {
        Asked held = pull();
        broker.send(TOPIC, 0, "of-B", "TAGS", "B");
        subscribe("A");
        assertThat(held.isOpen()).isTrue();
        broker.send(TOPIC, 0, "of-A", "TAGS", "A");
        assertThat(TestBroker.bodies(held)).containsExactly("of-A");
    }

    @Test
    void anotherMemberThatWantsMoreGetsWhatComesFromThenOn() {
        Asked held = pull();
        FakeConnection other = broker.connect();
        subscribe(other, "c2", "B");
        Asked others = broker.ask(other, TestBroker.pulling(GROUP, "%RETRY%" + GROUP, 1, 0, TestBroker.SUSPEND, null));
        broker.send(TOPIC, 0, "of-B", "TAGS", "B");
        assertThat(held.isOpen()).isTrue();
        assertThat(TestBroker.bodies(others)).containsExactly("of-B");
    }

    @Test
    void aChangeInTheMiddleOfARead() {
        boolean[] done = {false};
        broker.features.interceptors.add(new DeliveryInterceptor() {
            @Override
            public MessageRouter router(
                    String name, ConsumerGroup group, String topic, int queueId, Connection connection, Filter wanted) {
                if (!done[0] && name.equals(GROUP)) { // decided, and not read yet
                    done[0] = true;
                    subscribe("A || B");
                    broker.send(TOPIC, 0, "of-B", "TAGS", "B");
                }
                return null;
            }
        });
        assertComesAgain(broker.ask(client, TestBroker.pulling(GROUP, TOPIC, 0, 1, 0, null)));
    }

    @Test
    void aCrowdOfChangesDoesNotHoldAReadForEverAndPassesNothing() {
        broker.features.interceptors.add(new DeliveryInterceptor() {
            @Override
            public MessageRouter router(
                    String name, ConsumerGroup group, String topic, int queueId, Connection connection, Filter wanted) {
                subscribe(version % 2 == 0 ? "C" : "D");
                return null;
            }
        });
        Asked pulled = broker.ask(client, TestBroker.pulling(GROUP, TOPIC, 0, 0, TestBroker.SUSPEND, null));
        assertThat(pulled.result()).isEqualTo(ResponseCode.PULL_RETRY_IMMEDIATELY);
        assertThat(pulled.number("nextBeginOffset")).isZero();
    }

    @Test
    void aWaitingReadWhoseTurnFailsIsAnsweredOnceAndWaitsNoMore() {
        Asked held = pull();
        assertThat(broker.features.pulls.longPolling().size()).isEqualTo(1);
        boolean[] fails = {true};
        broker.features.interceptors.add(new DeliveryInterceptor() {
            @Override
            public MessageRouter router(
                    String name, ConsumerGroup group, String topic, int queueId, Connection connection, Filter wanted) {
                if (fails[0]) {
                    throw new IllegalStateException("of the test");
                }
                return null;
            }
        });
        broker.send(TOPIC, 0, "of-A", "TAGS", "A");
        assertThat(held.result()).isEqualTo(ResponseCode.SYSTEM_ERROR);
        assertThat(held.remark()).contains("log says why");
        assertThat(broker.features.pulls.longPolling().size()).isZero();
        Asked atOnce = broker.ask(client, TestBroker.pulling(GROUP, TOPIC, 0, 0, TestBroker.SUSPEND, null));
        assertThat(atOnce.result()).isEqualTo(ResponseCode.SYSTEM_ERROR);

        fails[0] = false; // a second answer to the first one would fail the test
        broker.send(TOPIC, 0, "of-A", "TAGS", "A");
        assertThat(TestBroker.bodies(pull())).contains("of-A");
    }

    /** The change is in force, and the duty has looked through all that waits, before this one does. */
    @Test
    void aChangeBetweenTheDecisionAndTheWaitIsNotMissed() {
        Asked pull = new Asked(TestBroker.pulling(GROUP, TOPIC, 0, 1, TestBroker.SUSPEND, null), client)
                .onHold(() -> consumeEnable(false));
        broker.features.handler().handle(pull);
        pull.handlerReturned();
        broker.settle();
        assertThat(pull.isOpen())
                .as("it waits though its group may not consume")
                .isFalse();
        assertThat(pull.result()).isEqualTo(ResponseCode.NO_PERMISSION);
    }

    @Test
    void whoLeftGetsNothing() {
        Asked held = pull();
        broker.ask(
                client,
                Command.request(RequestCode.UNREGISTER_CLIENT)
                        .header(new UnregisterClientHeader("c1", null, GROUP))
                        .build());
        assertThat(held.result()).isEqualTo(ResponseCode.SUBSCRIPTION_NOT_EXIST);
    }

    @Test
    void aKeyThatIsQuarantinedMeanwhile() {
        Asked held = pull();
        broker.ask(Command.request(RequestCode.QUARANTINE)
                .body(new JsonWriter()
                        .beginObject()
                        .field("group", GROUP)
                        .field("action", "QUARANTINE")
                        .field("topic", TOPIC)
                        .field("key", "k")
                        .field("reason", "test")
                        .field("by", "me")
                        .endObject()
                        .toByteArray())
                .build());
        broker.send(TOPIC, 0, "quarantined", "TAGS", "A", "__SHARDINGKEY", "k");
        assertThat(held.isOpen()).isTrue();
        assertThat(broker.store.queues().offsetRange("%QUAR%" + GROUP, 0).maxOffset())
                .isEqualTo(1);
    }

    // ---- what is allowed

    private interface Case {
        void change();
    }

    /** Each reader waits; the change ends its wait, and what comes then is not given. */
    private void ends(int code, Case change, Case back) {
        for (Supplier<Asked> reader :
                List.<Supplier<Asked>>of(this::pull, this::carrying, this::pop, this::notification)) {
            TestBroker fresh = broker;
            Asked held = reader.get();
            assertThat(held.isOpen()).as(held.remark()).isTrue();
            change.change();
            assertThat(held.isOpen()).as("ended at once").isFalse();
            assertThat(held.result()).as(held.remark()).isEqualTo(code);
            back.change();
            // The next reader begins anew, also one that pops.
            fresh.pass(61_000);
            client = fresh.connect();
            subscribe("A");
        }
    }

    @Test
    void aGroupThatMayNotConsume() {
        ends(ResponseCode.NO_PERMISSION, () -> consumeEnable(false), () -> consumeEnable(true));
    }

    @Test
    void aTopicThatMayNotBeRead() {
        ends(ResponseCode.NO_PERMISSION, () -> topic(4, 2), () -> topic(4, 6));
    }

    @Test
    void aTopicThatIsForbiddenToTheGroup() {
        ends(ResponseCode.NO_PERMISSION, () -> forbid(false), () -> forbid(true));
    }

    private void forbid(boolean readable) {
        Asked set = broker.ask(Command.request(RequestCode.UPDATE_AND_GET_GROUP_FORBIDDEN)
                .field("group", GROUP)
                .field("topic", TOPIC)
                .field("readable", readable)
                .build());
        assertThat(set.result()).as(set.remark()).isZero();
    }

    @Test
    void aTopicThatIsDeleted() {
        Asked pull = pull();
        Asked carrying = carrying();
        Asked pop = pop();
        broker.ask(Command.request(RequestCode.DELETE_TOPIC_IN_BROKER)
                .field("topic", TOPIC)
                .field("force", "true")
                .build());
        for (Asked held : List.of(pull, carrying, pop)) {
            assertThat(held.result()).isEqualTo(ResponseCode.TOPIC_NOT_EXIST);
        }
    }

    @Test
    void aGroupThatIsDeletedIsNotMadeAgainByWhatWaited() {
        Asked pull = pull();
        Asked pop = pop();
        broker.ask(Command.request(RequestCode.DELETE_SUBSCRIPTIONGROUP)
                .field("groupName", GROUP)
                .field("cleanOffset", "true")
                .build());
        assertThat(pull.result()).isEqualTo(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST);
        assertThat(pop.result()).isEqualTo(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST);
    }

    @Test
    void aQueueThatIsTakenAway() {
        broker.send(TOPIC, 3, "first", "TAGS", "A");
        Asked held = broker.ask(client, TestBroker.pulling(GROUP, TOPIC, 3, 1, TestBroker.SUSPEND, null));
        topic(2, 6);
        assertThat(held.result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
        assertThat(held.remark()).contains("queueId");
    }

    @Test
    void aRateThatIsTakenAway() {
        group(SubscriptionGroupConfig.of(GROUP).withAttributes(Map.of("waybill.rate", "1")));
        broker.send(TOPIC, 0, "second", "TAGS", "A");
        broker.send(TOPIC, 0, "third", "TAGS", "A");
        Asked one = broker.ask(client, TestBroker.pulling(GROUP, TOPIC, 0, 1, TestBroker.SUSPEND, null));
        assertThat(TestBroker.bodies(one)).containsExactly("second");
        Asked held = broker.ask(client, TestBroker.pulling(GROUP, TOPIC, 0, 2, TestBroker.SUSPEND, null));
        assertThat(held.isOpen()).isTrue();
        group(SubscriptionGroupConfig.of(GROUP).withAttributes(Map.of("waybill.rate", "0")));
        assertThat(TestBroker.bodies(held)).as("at once").containsExactly("third");
    }

    @Test
    void aRateThatIsSetHoldsForWhatWaits() {
        Asked held = pull();
        group(SubscriptionGroupConfig.of(GROUP).withAttributes(Map.of("waybill.rate", "1")));
        broker.send(TOPIC, 0, "second", "TAGS", "A");
        broker.send(TOPIC, 0, "third", "TAGS", "A");
        assertThat(TestBroker.bodies(held)).containsExactly("second");
    }
}
