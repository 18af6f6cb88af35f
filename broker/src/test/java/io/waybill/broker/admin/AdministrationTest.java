/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.broker.simulated.SimulatedBroker;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.ConsumeStats;
import io.waybill.protocol.body.ConsumerConnections;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.GroupList;
import io.waybill.protocol.body.HeartbeatData;
import io.waybill.protocol.body.KvTable;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.body.OffsetTable;
import io.waybill.protocol.body.ProducerConnections;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.body.TopicStats;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.HeaderWriter;
import io.waybill.protocol.header.ConsumeStatsHeader;
import io.waybill.protocol.header.GroupHeader;
import io.waybill.protocol.header.ProducerGroupHeader;
import io.waybill.protocol.header.ResetOffsetHeader;
import io.waybill.protocol.header.TopicHeader;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** What operators' tools ask. Queue 0 gets three messages, two of them in the same millisecond; queue 1 one; queue 2 none. */
class AdministrationTest {
    private SimulatedBroker broker;
    private long start;

    @BeforeEach
    void start() {
        broker = new SimulatedBroker();
        broker.topic("orders", 3);
        broker.groups.findOrCreate("shipping");
        start = broker.now();
        put(0, "a");
        broker.pass(1_000);
        put(0, "b");
        put(0, "c");
        broker.pass(1_000);
        put(1, "d");
        broker.pass(1_000);
    }

    @AfterEach
    void stop() {
        broker.close();
    }

    private void put(int queueId, String key) {
        broker.put("orders", queueId, key, SimulatedBroker.properties(key));
    }

    private Command reset(String topic, String group, long timestamp, boolean force, int queueId, long offset) {
        return broker.request(
                broker.connect(),
                Command.request(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET)
                        .header(new ResetOffsetHeader(topic, group, timestamp, force, queueId, offset))
                        .build());
    }

    private List<Long> resetTo(long timestamp) {
        Command reply = reset("orders", "shipping", timestamp, true, -1, -1);
        assertThat(reply.code()).as(reply.remark()).isZero();
        return offsets(OffsetTable.parse(reply.body()));
    }

    private static List<Long> offsets(OffsetTable table) {
        List<Long> offsets = new ArrayList<>();
        for (int queueId = 0; queueId < 3; queueId++) {
            offsets.add(table.offsetTable().get(new MessageQueue("orders", SimulatedBroker.NAME, queueId)));
        }
        return offsets;
    }

    private FakeConnection consumer(String group) {
        FakeConnection connection = broker.connect();
        ConsumerData consumer = new ConsumerData(
                group,
                "CONSUME_PASSIVELY",
                "CLUSTERING",
                "CONSUME_FROM_LAST_OFFSET",
                List.of(SubscriptionData.of("orders", "*")),
                false);
        HeartbeatData heartbeat = new HeartbeatData("c-" + connection.id(), List.of(consumer), List.of());
        broker.request(
                connection,
                Command.request(RequestCode.HEART_BEAT).body(heartbeat.toJson()).build());
        return connection;
    }

    private Command ask(int code, HeaderWriter header) {
        return broker.request(
                broker.connect(), Command.request(code).header(header).build());
    }

    @Test
    void aTimeMeansTheFirstMessageStoredAtOrAfterIt() {
        assertThat(resetTo(0)).containsExactly(0L, 0L, 0L);
        assertThat(resetTo(start)).containsExactly(0L, 0L, 0L);
        assertThat(resetTo(start + 1)).containsExactly(1L, 0L, 0L);
        assertThat(resetTo(start + 1_000)).containsExactly(1L, 0L, 0L);
        assertThat(resetTo(start + 1_001)).containsExactly(3L, 0L, 0L);
        assertThat(resetTo(start + 2_001)).containsExactly(3L, 1L, 0L);
        assertThat(resetTo(-1)).containsExactly(3L, 1L, 0L);
        assertThat(broker.offsets.query("shipping", "orders", 0)).isEqualTo(3);
    }

    @Test
    void anOfflineGroupFindsItsNewPlaceAlsoAfterARestart() {
        resetTo(start + 1_000);
        broker.restart();
        assertThat(broker.offsets.query("shipping", "orders", 0)).isEqualTo(1);
        assertThat(broker.store.offsets().committedOffset("shipping", "orders", 1))
                .isZero();
    }

    @Test
    void aRunningMemberLearnsItAtItsNextPullAndItsOldCommitsDoNotCount() {
        consumer("shipping");
        broker.offsets.commit("shipping", "orders", 0, 3);
        resetTo(start + 1_000);
        broker.offsets.commit("shipping", "orders", 0, 3);
        assertThat(broker.offsets.query("shipping", "orders", 0)).isEqualTo(1);
        assertThat(broker.offsets.takeReset("shipping", "orders", 0)).isEqualTo(1);
        assertThat(broker.offsets.takeReset("shipping", "orders", 0)).isEqualTo(-1);
        assertThat(broker.offsets.takeReset("shipping", "orders", 1)).isZero();
    }

    @Test
    void oneQueueCanBeSetToAnOffsetOfItsRange() {
        Command reply = reset("orders", "shipping", 0, true, 0, 2);
        assertThat(OffsetTable.parse(reply.body()).offsetTable())
                .containsExactly(Map.entry(new MessageQueue("orders", SimulatedBroker.NAME, 0), 2L));
        reset("orders", "shipping", 0, true, 0, 99);
        assertThat(broker.offsets.query("shipping", "orders", 0)).isEqualTo(3);
        assertThat(broker.offsets.query("shipping", "orders", 1)).isEqualTo(-1);
    }

    @Test
    void withoutForceAGroupIsNeverMovedForward() {
        resetTo(start + 1_000);
        Command reply = reset("orders", "shipping", -1, false, -1, -1);
        assertThat(offsets(OffsetTable.parse(reply.body()))).containsExactly(1L, 0L, 0L);
    }

    @Test
    void unknownTopicsGroupsAndQueuesAreNamed() {
        assertThat(reset("nowhere", "shipping", 0, true, -1, -1).code()).isEqualTo(ResponseCode.TOPIC_NOT_EXIST);
        assertThat(reset("orders", "nobody", 0, true, -1, -1).code())
                .isEqualTo(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST);
        assertThat(reset("orders", "shipping", 0, true, 3, 0).code()).isEqualTo(ResponseCode.INVALID_PARAMETER);
    }

    @Test
    void theStatusOfATopicNamesEveryQueue() {
        Command reply = ask(RequestCode.GET_TOPIC_STATS_INFO, new TopicHeader("orders"));
        assertThat(TopicStats.parse(reply.body()).offsetTable())
                .hasSize(3)
                .containsEntry(
                        new MessageQueue("orders", SimulatedBroker.NAME, 0),
                        new TopicStats.QueueRange(0, 3, start + 1_000))
                .containsEntry(new MessageQueue("orders", SimulatedBroker.NAME, 2), new TopicStats.QueueRange(0, 0, 0));
        assertThat(ask(RequestCode.GET_TOPIC_STATS_INFO, new TopicHeader("nowhere"))
                        .code())
                .isEqualTo(ResponseCode.TOPIC_NOT_EXIST);
    }

    @Test
    void theProgressOfAGroupCoversWhatItSubscribesToAndWhatItConsumed() {
        assertThat(progress("shipping")).isEmpty();
        broker.offsets.commit("shipping", "orders", 0, 2);
        assertThat(progress("shipping"))
                .hasSize(3)
                .containsEntry(
                        new MessageQueue("orders", SimulatedBroker.NAME, 0),
                        new ConsumeStats.QueueProgress(3, 2, 2, start + 1_000));
        consumer("billing");
        assertThat(progress("billing"))
                .containsEntry(
                        new MessageQueue("orders", SimulatedBroker.NAME, 1),
                        new ConsumeStats.QueueProgress(1, 0, 0, 0));
    }

    private Map<MessageQueue, ConsumeStats.QueueProgress> progress(String group) {
        Command reply = ask(RequestCode.GET_CONSUME_STATS, new ConsumeStatsHeader(group, null));
        return ConsumeStats.parse(reply.body()).offsetTable();
    }

    @Test
    void connectionsOfGroupsAreListedAndAbsenceHasItsCode() {
        assertThat(ask(RequestCode.GET_CONSUMER_CONNECTION_LIST, new GroupHeader("shipping"))
                        .code())
                .isEqualTo(ResponseCode.CONSUMER_NOT_ONLINE);
        FakeConnection consumer = consumer("shipping");
        ConsumerConnections online =
                ConsumerConnections.parse(ask(RequestCode.GET_CONSUMER_CONNECTION_LIST, new GroupHeader("shipping"))
                        .body());
        assertThat(online.connectionSet()).hasSize(1);
        assertThat(online.connectionSet().get(0).clientAddr())
                .isEqualTo("127.0.0.1:" + consumer.remoteAddress().getPort());
        assertThat(online.messageModel()).isEqualTo("CLUSTERING");
        assertThat(online.subscriptionTable()).containsKey("orders");

        assertThat(ask(RequestCode.GET_PRODUCER_CONNECTION_LIST, new ProducerGroupHeader("service"))
                        .code())
                .isEqualTo(ResponseCode.SYSTEM_ERROR);
        broker.producer("service");
        ProducerConnections producers = ProducerConnections.parse(
                ask(RequestCode.GET_PRODUCER_CONNECTION_LIST, new ProducerGroupHeader("service"))
                        .body());
        assertThat(producers.connectionSet()).hasSize(1);
    }

    @Test
    void theGroupsOfATopicAreThoseWithProgressAndThoseOnline() {
        broker.offsets.commit("shipping", "orders", 0, 2);
        consumer("billing");
        Command reply = ask(RequestCode.QUERY_TOPIC_CONSUME_BY_WHO, new TopicHeader("orders"));
        assertThat(GroupList.parse(reply.body()).groupList()).containsExactly("billing", "shipping");
    }

    @Test
    void theFiguresThatToolsReadAreThere() {
        Command reply = broker.request(
                broker.connect(),
                Command.request(RequestCode.GET_BROKER_RUNTIME_INFO).build());
        assertThat(KvTable.parse(reply.body()).table())
                .containsEntry("brokerVersionDesc", "V5_5_0")
                .containsEntry("brokerActive", "true")
                .containsEntry("earliestMessageTimeStamp", Long.toString(start))
                .containsKeys("putTps", "getTransferredTps", "sendThreadPoolQueueSize", "pageCacheLockTimeMills")
                .containsKeys("earliestMessageTimeStamp", "commitLogDiskRatio", "runtime", "msgPutTotalTodayNow");
    }

    @Test
    void bytesAreWrittenAsToolsReadThem() {
        assertThat(RuntimeFigures.bytes(0)).isEqualTo("0 B");
        assertThat(RuntimeFigures.bytes(1023)).isEqualTo("1023 B");
        assertThat(RuntimeFigures.bytes(1536)).isEqualTo("1.5 KiB");
        assertThat(RuntimeFigures.bytes(80L << 30)).isEqualTo("80.0 GiB");
        assertThat(RuntimeFigures.bytes(Long.MAX_VALUE)).isEqualTo("8.0 EiB");
    }
}
