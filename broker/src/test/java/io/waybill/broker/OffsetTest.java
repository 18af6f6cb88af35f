/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.PullHeader;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class OffsetTest {
    private final TestBroker broker = new TestBroker();

    @BeforeEach
    void group() {
        broker.ask(TestBroker.heartbeat("c1", "shipping"));
    }

    @AfterEach
    void close() {
        broker.close();
    }

    private static Command.Builder of(int code, String group, int queueId) {
        return Command.request(code)
                .field("consumerGroup", group)
                .field("topic", "orders")
                .field("queueId", queueId);
    }

    private Asked query(int queueId) {
        return broker.ask(
                of(RequestCode.QUERY_CONSUMER_OFFSET, "shipping", queueId).build());
    }

    private Asked commit(String group, int queueId, long offset) {
        return broker.ask(of(RequestCode.UPDATE_CONSUMER_OFFSET, group, queueId)
                .field("commitOffset", offset)
                .build());
    }

    private Asked queue(int code, int queueId) {
        return broker.ask(Command.request(code)
                .field("topic", "orders")
                .field("queueId", queueId)
                .build());
    }

    @Test
    void aNewGroupOnAYoungTopicStartsAtZeroAndElsewhereByItsOwnPolicy() {
        broker.send("orders", 0, "m");
        assertThat(query(0).number("offset")).isZero();
        assertThat(query(1).result()).as("no message yet").isEqualTo(ResponseCode.QUERY_NOT_FOUND);
        Asked noZero = broker.ask(of(RequestCode.QUERY_CONSUMER_OFFSET, "shipping", 0)
                .field("setZeroIfNotFound", false)
                .build());
        assertThat(noZero.result()).isEqualTo(ResponseCode.QUERY_NOT_FOUND);
        broker.pass(300_000);
        assertThat(query(0).number("offset")).as("after checkpoints").isZero();
        broker.restart();
        assertThat(query(0).number("offset")).as("after a restart").isZero();
    }

    @Test
    void aCommitIsSeenAtOnceAndInTheLogWithinASecond() {
        broker.send("orders", 0, "m");
        assertThat(commit("shipping", 0, 1).result()).isZero();
        assertThat(query(0).number("offset")).isEqualTo(1);
        assertThat(broker.store.offsets().committedOffset("shipping", "orders", 0))
                .isEqualTo(-1);

        broker.pass(1_000);

        assertThat(broker.store.offsets().committedOffset("shipping", "orders", 0))
                .isEqualTo(1);
        broker.crash(9);
        assertThat(query(0).number("offset")).isEqualTo(1);
    }

    @Test
    void anIdleBrokerWritesNoProgress() {
        broker.send("orders", 0, "m");
        commit("shipping", 0, 1);
        broker.pass(5_000);
        long before = broker.store.status().positions().appended();
        commit("shipping", 0, 1);
        broker.pass(5_000);
        assertThat(broker.store.status().positions().appended()).isEqualTo(before);
    }

    @Test
    void aCleanEndKeepsTheLastCommit() {
        broker.send("orders", 0, "m");
        commit("shipping", 0, 1);
        broker.restart();
        assertThat(query(0).number("offset")).isEqualTo(1);
    }

    @Test
    void commitsAreCheckedAtTheDoor() {
        broker.send("orders", 0, "m");
        assertThat(commit("unknown", 0, 1).result()).isEqualTo(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST);
        assertThat(commit("shipping", 99, 1).result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
        assertThat(commit("shipping", 0, -2).result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
        Asked unknownTopic = broker.ask(Command.request(RequestCode.UPDATE_CONSUMER_OFFSET)
                .field("consumerGroup", "shipping")
                .field("topic", "nothing")
                .field("queueId", 0)
                .field("commitOffset", 1)
                .build());
        assertThat(unknownTopic.result()).isEqualTo(ResponseCode.TOPIC_NOT_EXIST);
    }

    /** As tools and clients do after a topic was emptied: they go on from there by the correction of their next pull. */
    @Test
    void aCommitBeyondTheEndIsOneAtTheEnd() {
        broker.send("orders", 0, "m");
        Asked beyond = commit("shipping", 0, 1_000);
        assertThat(beyond.result()).as(beyond.remark()).isZero();
        assertThat(beyond.remark()).isEqualTo("offset 1000 is beyond the end of the queue and is taken as its end, 1");
        assertThat(query(0).number("offset")).isEqualTo(1);
        broker.send("orders", 0, "n");
        assertThat(query(0).number("offset"))
                .as("what comes later is not skipped")
                .isEqualTo(1);

        assertThat(commit("shipping", 1, 7).result()).as("an empty queue").isZero();
        assertThat(query(1).number("offset")).isZero();

        Asked pulled = broker.ask(TestBroker.pulling(new PullHeader(
                "shipping",
                "orders",
                0,
                500,
                32,
                TestBroker.SUBSCRIPTION | TestBroker.COMMIT,
                500,
                0,
                "*",
                0,
                "TAG",
                0,
                "broker-a")));
        assertThat(pulled.result()).isEqualTo(ResponseCode.PULL_OFFSET_MOVED);
        assertThat(pulled.number("nextBeginOffset")).isEqualTo(2);
        assertThat(query(0).number("offset")).as("by a pull").isEqualTo(2);
    }

    /** Clients of a topic that became smaller finish the queues that are no longer read. */
    @Test
    void aQueueBeyondThoseOfItsTopicTakesCommitsWhileItHasMessages() {
        broker.send("orders", 3, "m");
        shrink(2);
        assertThat(commit("shipping", 3, 1).result()).isZero();
        assertThat(query(3).number("offset")).isEqualTo(1);
        assertThat(commit("shipping", 2, 1).result()).as("never had one").isEqualTo(ResponseCode.INVALID_PARAMETER);
    }

    private void shrink(int queues) {
        Asked made = broker.ask(Command.request(RequestCode.UPDATE_AND_CREATE_TOPIC)
                .field("topic", "orders")
                .field("defaultTopic", "TBW102")
                .field("readQueueNums", queues)
                .field("writeQueueNums", queues)
                .field("perm", 6)
                .field("topicFilterType", "SINGLE_TAG")
                .field("topicSysFlag", 0)
                .field("order", false)
                .field("force", true)
                .build());
        assertThat(made.result()).as(made.remark()).isZero();
    }

    @Test
    void theEndsOfAQueue() {
        broker.send("orders", 0, "m");
        broker.send("orders", 0, "n");
        assertThat(queue(RequestCode.GET_MAX_OFFSET, 0).number("offset")).isEqualTo(2);
        assertThat(queue(RequestCode.GET_MIN_OFFSET, 0).number("offset")).isZero();
        assertThat(queue(RequestCode.GET_MAX_OFFSET, 3).number("offset")).isZero();
        assertThat(queue(RequestCode.GET_MAX_OFFSET, 99).result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
    }

    private long search(long time, String boundary) {
        return broker.ask(Command.request(RequestCode.SEARCH_OFFSET_BY_TIMESTAMP)
                        .field("topic", "orders")
                        .field("queueId", 0)
                        .field("timestamp", time)
                        .field("boundaryType", boundary)
                        .build())
                .number("offset");
    }

    @Test
    void offsetsByTime() {
        long start = broker.clock.wallMillis();
        broker.send("orders", 0, "a");
        broker.send("orders", 0, "same millisecond");
        broker.pass(10);
        broker.send("orders", 0, "b");
        long first =
                TestBroker.messages(broker.pull("orders", 0, 0, "*")).get(0).storeTimestamp();
        long last = TestBroker.messages(broker.pull("orders", 0, 2, "*")).get(0).storeTimestamp();

        assertThat(search(0, "LOWER")).isZero();
        assertThat(search(first, "LOWER")).isZero();
        assertThat(search(first + 5, "LOWER")).isEqualTo(2);
        assertThat(search(last, "LOWER")).isEqualTo(2);
        assertThat(search(last + 1, "LOWER")).isEqualTo(3);
        assertThat(search(last, "UPPER")).isEqualTo(2);
        assertThat(queue(RequestCode.GET_EARLIEST_MSG_STORETIME, 0).number("timestamp"))
                .isEqualTo(first)
                .isGreaterThanOrEqualTo(start);
        assertThat(queue(RequestCode.GET_EARLIEST_MSG_STORETIME, 1).number("timestamp"))
                .isEqualTo(-1);
    }
}
