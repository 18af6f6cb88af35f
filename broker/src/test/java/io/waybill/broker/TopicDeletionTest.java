/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.CreateTopicHeader;
import io.waybill.protocol.header.UpdateOffsetHeader;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.message.MessageProperties;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Whoever deletes or shrinks a topic that is needed has to mean it, and can take it back. */
class TopicDeletionTest {
    private final TestBroker broker = new TestBroker();

    @AfterEach
    void close() {
        broker.close();
    }

    private Asked create(String topic, int read, int write) {
        return broker.ask(Command.request(RequestCode.UPDATE_AND_CREATE_TOPIC)
                .header(new CreateTopicHeader(topic, "TBW102", read, write, 6, null, 0, false, null, false))
                .build());
    }

    private Asked delete(String topic) {
        return broker.ask(Command.request(RequestCode.DELETE_TOPIC_IN_BROKER)
                .field("topic", topic)
                .build());
    }

    private Asked restore(String topic) {
        return broker.ask(
                Command.request(RequestCode.RESTORE_TOPIC).field("topic", topic).build());
    }

    private List<JsonObject> deleted() {
        Asked asked =
                broker.ask(Command.request(RequestCode.LIST_DELETED_TOPICS).build());
        return Json.parse(asked.reply().body()).getArray("topics").objects("topics");
    }

    private boolean exists(String topic) {
        return broker.features.topics.find(topic) != null;
    }

    private void member(FakeConnection consumer, String group, String topic) {
        broker.ask(consumer, TestBroker.heartbeat("c-" + group, group, SubscriptionData.of(topic, "*", 1)));
    }

    private void commit(FakeConnection consumer, String group, String topic, long offset) {
        Asked asked = broker.ask(
                consumer,
                Command.request(RequestCode.UPDATE_CONSUMER_OFFSET)
                        .header(new UpdateOffsetHeader(group, topic, 0, offset, "broker-a"))
                        .build());
        assertThat(asked.result()).as(asked.remark()).isZero();
    }

    @Test
    void aTopicThatNobodyNeedsIsDeletedAtOnce() {
        create("empty", 4, 4);
        assertThat(delete("empty").result()).isZero();
        assertThat(exists("empty")).isFalse();
        assertThat(deleted()).isEmpty();
        assertThat(delete("empty").result()).as("tools ask every broker").isZero();

        create("read", 1, 1);
        broker.send("read", 0, "one");
        FakeConnection consumer = broker.connect();
        member(consumer, "shop", "read");
        commit(consumer, "shop", "read", 1);
        broker.gone(consumer);
        assertThat(delete("read").result()).isZero();
    }

    @Test
    void whoListsDeletedTopicsInTheMiddleOfADeletionTakesNoWayBack() {
        for (int steps = 0; steps < 40; steps++) {
            String topic = "t" + steps;
            create(topic, 1, 1);
            broker.send(topic, 0, "m");
            delete(topic);
            Asked deleting = broker.begin(
                    broker.connect(),
                    Command.request(RequestCode.DELETE_TOPIC_IN_BROKER)
                            .field("topic", topic)
                            .build());
            for (int step = 0; step < steps; step++) {
                broker.duties.step();
            }
            Asked listing = broker.begin(
                    broker.connect(),
                    Command.request(RequestCode.LIST_DELETED_TOPICS).build());
            broker.settle();
            assertThat(listing.result()).isZero();
            assertThat(deleting.result()).as(deleting.remark()).isZero();
            Asked restored = restore(topic);
            assertThat(restored.result())
                    .as("listed after %s steps: %s", steps, restored.remark())
                    .isZero();
            assertThat(TestBroker.bodies(broker.pull(topic, 0, 0, "*"))).containsExactly("m");
        }
    }

    @Test
    void manyTopicsAreMadeSmallerAtTheSecondRequestToo() {
        StringBuilder topics = new StringBuilder();
        for (String topic : List.of("one", "two", "three")) {
            create(topic, 2, 2);
            broker.send(topic, 1, "unread");
            topics.append(topics.length() == 0 ? "" : ",")
                    .append("{\"topicName\":\"")
                    .append(topic)
                    .append("\",\"readQueueNums\":1,\"writeQueueNums\":1,\"perm\":6}");
        }
        Command smaller = Command.request(RequestCode.UPDATE_AND_CREATE_TOPIC_LIST)
                .body(("{\"topicConfigList\":[" + topics + "]}").getBytes(StandardCharsets.UTF_8))
                .build();
        assertThat(broker.ask(smaller).result()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        assertThat(broker.features.topics.find("one").readQueueNums()).isEqualTo(2);
        Asked second = broker.ask(smaller);
        assertThat(second.result()).as(second.remark()).isZero();
        assertThat(broker.features.topics.find("three").readQueueNums()).isEqualTo(1);
    }

    @Test
    void aTopicWithUnreadMessagesIsDeletedAtTheSecondRequest() {
        create("orders", 1, 1);
        for (int i = 0; i < 5; i++) {
            broker.send("orders", 0, "m" + i);
        }
        Asked unread = delete("orders");
        assertThat(unread.result()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        assertThat(unread.remark()).contains("5 messages that no group has read", "same request again", "force");
        assertThat(exists("orders")).isTrue();
        broker.pass(61_000);
        assertThat(delete("orders").result()).as("too late for a second one").isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        assertThat(delete("orders").result()).isZero();
        assertThat(exists("orders")).isFalse();
    }

    @Test
    void whoNeedsATopicIsNamed() {
        create("orders", 1, 1);
        for (int i = 0; i < 5; i++) {
            broker.send("orders", 0, "m" + i);
        }
        broker.send("orders", 0, "later", MessageProperties.TIMER_DELAY_SEC, "60");
        FakeConnection consumer = broker.connect();
        member(consumer, "shop", "orders");
        commit(consumer, "shop", "orders", 3);
        assertThat(delete("orders").remark())
                .contains("2 messages that group shop has not read")
                .contains("1 connected consumers")
                .contains("1 delayed");
        Asked forced = broker.ask(Command.request(RequestCode.DELETE_TOPIC_IN_BROKER)
                .field("topic", "orders")
                .field("force", true)
                .build());
        assertThat(forced.result()).isZero();
    }

    @Test
    void aDeletedTopicIsRestoredWithAllThatBecameVisibleMeanwhile() {
        create("orders", 2, 2);
        broker.send("orders", 0, "a0");
        broker.send("orders", 1, "b0");
        broker.send("orders", 1, "later", MessageProperties.TIMER_DELAY_SEC, "60");
        delete("orders");
        assertThat(delete("orders").result()).isZero();
        broker.crash(7);
        assertThat(deleted()).singleElement().satisfies(topic -> {
            assertThat(topic.getString("topic")).isEqualTo("orders");
            assertThat(topic.getLong("messages", 0)).isEqualTo(2);
            assertThat(topic.getString("by")).startsWith("127.0.0.1:");
        });
        broker.pass(61_000);
        assertThat(deleted().get(0).getLong("messages", 0)).isEqualTo(3);

        Asked restored = restore("orders");
        assertThat(restored.result()).as(restored.remark()).isZero();
        broker.kill();
        assertThat(TestBroker.bodies(broker.pull("orders", 0, 0, "*"))).containsExactly("a0");
        assertThat(TestBroker.bodies(broker.pull("orders", 1, 0, "*"))).containsExactly("b0", "later");
        assertThat(deleted()).isEmpty();
        assertThat(restore("orders").result()).isEqualTo(ResponseCode.TOPIC_NOT_EXIST);
    }

    @Test
    void aTopicThatCameAgainIsRestoredInFront() {
        create("orders", 4, 4);
        broker.send("orders", 3, "old");
        broker.send("orders", 0, "old too");
        delete("orders");
        delete("orders");
        create("orders", 1, 1);
        broker.send("orders", 0, "new");
        assertThat(broker.store.queues().offsetRange("orders", 0).minOffset()).isEqualTo(1);
        broker.restart();
        assertThat(broker.store.queues().offsetRange("orders", 0).minOffset()).isEqualTo(1);
        assertThat(deleted().get(0).getLong("messages", 0)).isEqualTo(2);
        assertThat(restore("orders").result()).isZero();
        broker.restart();
        assertThat(TestBroker.bodies(broker.pull("orders", 0, 0, "*"))).containsExactly("old too", "new");
        assertThat(TestBroker.bodies(broker.pull("orders", 3, 0, "*"))).containsExactly("old");
    }

    @Test
    void queuesWithUnreadMessagesGoAtTheSecondRequest() {
        create("orders", 8, 8);
        broker.send("orders", 1, "stays");
        broker.send("orders", 5, "unread");
        Asked refused = create("orders", 4, 4);
        assertThat(refused.result()).isEqualTo(ResponseCode.ILLEGAL_OPERATION);
        assertThat(refused.remark()).contains("queues from 4 on").contains("1 messages");
        assertThat(broker.features.topics.find("orders").readQueueNums()).isEqualTo(8);
        assertThat(create("orders", 8, 4).result()).as("only no new ones").isZero();
        assertThat(create("orders", 6, 6).result()).as("nothing in 6 and 7").isZero();
        create("orders", 4, 4);
        assertThat(create("orders", 4, 4).result()).isZero();
    }
}
