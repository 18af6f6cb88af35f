/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.protocol.body;

import static java.nio.charset.StandardCharsets.UTF_8;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import com.alibaba.fastjson2.JSON;
import io.waybill.protocol.Fixtures;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.json.Json;
import java.io.ByteArrayOutputStream;
import java.io.DataOutputStream;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.HashMap;
import java.util.HashSet;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.function.UnaryOperator;
import java.util.stream.Stream;
import java.util.zip.DeflaterOutputStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.MethodSource;

/** Each captured JSON body is read by its record, and what the record writes is the same tree. */
class BodyFixturesTest {
    private static final Map<String, UnaryOperator<byte[]>> BODIES = new LinkedHashMap<>();

    static {
        BODIES.put(
                "binary_header_heartbeat_request_34",
                b -> HeartbeatData.parse(ByteBuffer.wrap(b)).toJson());
        BODIES.put(
                "heartbeat_request_34_consumer",
                b -> HeartbeatData.parse(ByteBuffer.wrap(b)).toJson());
        BODIES.put(
                "heartbeat_request_34_producer",
                b -> HeartbeatData.parse(ByteBuffer.wrap(b)).toJson());
        BODIES.put(
                "check_client_config_request_46",
                b -> CheckClientBody.parse(ByteBuffer.wrap(b)).toJson());
        BODIES.put(
                "cluster_info_response_106",
                b -> ClusterInfo.parse(ByteBuffer.wrap(b)).toJson());
        BODIES.put(
                "consume_stats_response_208",
                b -> ConsumeStats.parse(ByteBuffer.wrap(b)).toJson());
        BODIES.put(
                "consumer_connection_response_203",
                b -> ConsumerConnections.parse(ByteBuffer.wrap(b)).toJson());
        BODIES.put(
                "consumer_running_info_response_307",
                b -> Json.write(Json.parse(b)).toByteArray());
        BODIES.put(
                "get_consumer_list_response_38",
                b -> ConsumerList.parse(ByteBuffer.wrap(b)).toJson());
        BODIES.put(
                "get_route_response_105_ok",
                b -> TopicRoute.parse(ByteBuffer.wrap(b)).toJson());
        BODIES.put(
                "lock_batch_mq_request_41",
                b -> LockBatchBody.parse(ByteBuffer.wrap(b)).toJson());
        BODIES.put(
                "lock_batch_mq_response_41",
                b -> LockBatchReply.parse(ByteBuffer.wrap(b)).toJson());
        BODIES.put(
                "unlock_batch_mq_request_42",
                b -> LockBatchBody.parse(ByteBuffer.wrap(b)).toJson());
        BODIES.put(
                "producer_connection_response_204",
                b -> ProducerConnections.parse(ByteBuffer.wrap(b)).toJson());
        BODIES.put(
                "query_assignment_request_400",
                b -> AssignmentQuery.parse(ByteBuffer.wrap(b)).toJson());
        BODIES.put(
                "query_assignment_response_400_pop",
                b -> Assignment.parse(ByteBuffer.wrap(b)).toJson());
        BODIES.put(
                "set_message_request_mode_401",
                b -> RequestMode.parse(ByteBuffer.wrap(b)).toJson());
        BODIES.put(
                "register_broker_request_103",
                b -> RegisterBrokerBody.parse(ByteBuffer.wrap(b), false, 1 << 26)
                        .toJson());
        BODIES.put(
                "reset_offset_response_222",
                b -> OffsetTable.parse(ByteBuffer.wrap(b)).toJson());
        BODIES.put(
                "topic_stats_response_202",
                b -> TopicStats.parse(ByteBuffer.wrap(b)).toJson());
    }

    static Stream<String> bodies() {
        return BODIES.keySet().stream();
    }

    @Test
    void everyJsonBodyIsCovered() {
        List<String> jsonFrames = Fixtures.frames().stream()
                .filter(name -> Fixtures.command(name).bodyLength() > 0
                        && Fixtures.command(name).body().get(0) == '{')
                .toList();
        assertThat(BODIES.keySet()).containsExactlyInAnyOrderElementsOf(jsonFrames);
    }

    @ParameterizedTest
    @MethodSource("bodies")
    void readsAndWritesTheSameTree(String name) {
        byte[] body = Fixtures.command(name).bodyBytes();
        byte[] written = BODIES.get(name).apply(body);
        if (name.startsWith("register_broker")) {
            // The version of queue mappings is not kept: static topics are not served.
            String mapping = "\"mappingDataVersion\":\\{[^}]*}";
            assertThat(Json.parse(new String(written, UTF_8).replaceAll(mapping, "\"m\":0")))
                    .isEqualTo(Json.parse(new String(body, UTF_8).replaceAll(mapping, "\"m\":0")));
            return;
        }
        assertThat(Json.parse(written)).isEqualTo(Json.parse(body));
    }

    /** The shape into which stock clients decode the bodies of 202 and 222. */
    public static final class Offsets {
        public Map<Queue, Long> offsetTable = new HashMap<>();
    }

    /** A queue as a bean. */
    public static final class Queue {
        public String topic;
        public String brokerName;
        public int queueId;

        @Override
        public boolean equals(Object other) {
            return other instanceof Queue that
                    && topic.equals(that.topic)
                    && brokerName.equals(that.brokerName)
                    && queueId == that.queueId;
        }

        @Override
        public int hashCode() {
            return Objects.hash(topic, brokerName, queueId);
        }
    }

    @Test
    void theStockLibraryReadsObjectKeyedMaps() {
        Map<MessageQueue, Long> table = new LinkedHashMap<>();
        table.put(new MessageQueue("T", "b", 0), 5L);
        table.put(new MessageQueue("%RETRY%g", "b", 1), Long.MAX_VALUE);
        Offsets seen = JSON.parseObject(new OffsetTable(table).toJson(), Offsets.class);
        assertThat(seen.offsetTable).hasSize(2);
        seen.offsetTable.forEach((queue, offset) -> assertThat(table)
                .containsEntry(new MessageQueue(queue.topic, queue.brokerName, queue.queueId), offset));
    }

    @Test
    void theStockLibraryReadsRoutesInBothForms() {
        TopicRoute route = new TopicRoute(
                "broker-a:4",
                List.of(new QueueData("broker-a", 4, 4, 6, 0)),
                List.of(new BrokerData("c", "broker-a", Map.of(0L, "127.0.0.1:1"))));
        for (boolean quoted : new boolean[] {true, false}) {
            String text = new String(route.toJson(quoted), UTF_8);
            assertThat(text).contains(quoted ? "{\"0\":" : "{0:");
            assertThat(JSON.parseObject(text)
                            .getJSONArray("brokerDatas")
                            .getJSONObject(0)
                            .getJSONObject("brokerAddrs")
                            .values())
                    .containsExactly("127.0.0.1:1");
            assertThat(TopicRoute.parse(ByteBuffer.wrap(route.toJson(quoted)))).isEqualTo(route);
        }
    }

    @Test
    void aRegistrationSurvivesCompression() {
        RegisterBrokerBody body = RegisterBrokerBody.parse(
                Fixtures.command("register_broker_request_103").body(), false, 1 << 26);
        byte[] compressed = body.toCompressed();
        RegisterBrokerBody seen = RegisterBrokerBody.parse(ByteBuffer.wrap(compressed), true, 1 << 26);
        assertThat(seen).isEqualTo(body);
        assertThat(seen.topics().topicConfigTable()).hasSizeGreaterThan(5);
        assertThatThrownBy(() -> RegisterBrokerBody.parse(ByteBuffer.wrap(compressed, 0, 40), true, 1 << 26))
                .isInstanceOf(BadField.class);
        assertThatThrownBy(() -> RegisterBrokerBody.parse(ByteBuffer.wrap(new byte[] {1, 2, 3}), true, 1 << 26))
                .isInstanceOf(BadField.class);
    }

    @Test
    void theChecksumOfTheCapturedRegistrationIsFound() {
        assertThat(RegisterBrokerBody.crc(
                        Fixtures.command("register_broker_request_103").body()))
                .isEqualTo(1268453647);
    }

    @Test
    void subscriptionExpressions() {
        SubscriptionData data = SubscriptionData.of("T", " TagA || TagB||", 7);
        assertThat(data.tagsSet()).containsExactly("TagA", "TagB");
        assertThat(data.codeSet()).isEqualTo(Set.of("TagA".hashCode(), "TagB".hashCode()));
        assertThat(data.isAll()).isFalse();
        assertThat(SubscriptionData.of("T", "*").isAll()).isTrue();
        assertThat(SubscriptionData.of("T", "").isAll()).isTrue();
        assertThat(SubscriptionData.of("T", null).isAll()).isTrue();
        assertThatThrownBy(() -> SubscriptionData.of("T", "||")).isInstanceOf(BadField.class);
    }

    @Test
    void otherBodiesReadWhatTheyWrite() {
        SubscriptionGroupConfig group = SubscriptionGroupConfig.of("g");
        assertThat(SubscriptionGroupConfig.parse(ByteBuffer.wrap(group.toJson())))
                .isEqualTo(group);
        SubscriptionGroupTable groups = new SubscriptionGroupTable(new DataVersion(1, 2, 3), Map.of("g", group));
        assertThat(SubscriptionGroupTable.parse(ByteBuffer.wrap(groups.toJson())))
                .isEqualTo(groups);
        TopicConfigTable topics =
                new TopicConfigTable(new DataVersion(1, 2, 3), Map.of("T", new TopicConfig("T", 4, 4, 6)));
        assertThat(TopicConfigTable.parse(ByteBuffer.wrap(topics.toJson()))).isEqualTo(topics);
        BrokerMemberGroup members = new BrokerMemberGroup("c", "b", Map.of(0L, "h:1", 1L, "h:2"));
        assertThat(BrokerMemberGroup.parse(ByteBuffer.wrap(members.toJson()))).isEqualTo(members);
        KvTable table = new KvTable(Map.of("k", "v\n\""));
        assertThat(KvTable.parse(ByteBuffer.wrap(table.toJson()))).isEqualTo(table);
        TopicList list = new TopicList(List.of("a", "b"), "h:1");
        assertThat(TopicList.parse(ByteBuffer.wrap(list.toJson()))).isEqualTo(list);
        Map<MessageQueue, Long> offsets = Map.of(new MessageQueue("T", "b", 0), 5L);
        ConsumerStatus status = new ConsumerStatus(offsets, Map.of("client@1", offsets));
        assertThat(ConsumerStatus.parse(ByteBuffer.wrap(status.toJson()))).isEqualTo(status);
        ConsumeQueueEntries entries =
                new ConsumeQueueEntries(0, 1, List.of(new ConsumeQueueEntries.Entry(12910, 258, 2598919, true)));
        assertThat(ConsumeQueueEntries.parse(ByteBuffer.wrap(entries.toJson()))).isEqualTo(entries);
        ConsumeDirectlyResult result = new ConsumeDirectlyResult(false, true, "CR_SUCCESS", null, 1);
        assertThat(ConsumeDirectlyResult.parse(ByteBuffer.wrap(result.toJson())))
                .isEqualTo(result);
        GroupList groupList = new GroupList(List.of("g"));
        assertThat(GroupList.parse(ByteBuffer.wrap(groupList.toJson()))).isEqualTo(groupList);
    }

    @Test
    void aQuotedQueueKeyIsReadToo() {
        String body =
                "{\"offsetTable\":{\"{\\\"topic\\\":\\\"T\\\",\\\"brokerName\\\":\\\"b\\\",\\\"queueId\\\":0}\":3}}";
        assertThat(OffsetTable.parse(ByteBuffer.wrap(body.getBytes(UTF_8))).offsetTable())
                .containsEntry(new MessageQueue("T", "b", 0), 3L);
    }

    /** What ended a process: a few KiB that inflate to topics, or zeros, without end. */
    @Test
    void aRegistrationThatInflatesIsCutOffWhereItsTopicsWouldFillTheHeap() throws IOException {
        byte[] bomb = compressed(1_000_000);
        assertThat(bomb.length).isLessThan(4_000_000);
        assertThatThrownBy(() -> RegisterBrokerBody.parse(ByteBuffer.wrap(bomb), true, 4 << 20))
                .isInstanceOf(BadField.class)
                .hasMessageContaining("topic count")
                .hasMessageContaining("0 to 16777");
        byte[] longNames = compressed(16_000);
        assertThatThrownBy(() -> RegisterBrokerBody.parse(ByteBuffer.wrap(longNames), true, 4 << 20))
                .isInstanceOf(BadField.class)
                .hasMessageContaining("topics of about 4194304 bytes of heap");
        RegisterBrokerBody honest = RegisterBrokerBody.parse(ByteBuffer.wrap(compressed(10_000)), true, 4 << 20);
        assertThat(honest.topics().topicConfigTable()).hasSize(10_000);

        ByteArrayOutputStream zeros = new ByteArrayOutputStream();
        try (DeflaterOutputStream out = new DeflaterOutputStream(zeros)) {
            out.write(new byte[100_000]);
        }
        assertThatThrownBy(() -> RegisterBrokerBody.parse(ByteBuffer.wrap(zeros.toByteArray()), true, 4 << 20))
                .isInstanceOf(BadField.class);
    }

    @Test
    void aClientMayLockTenThousandQueuesAtOnce() {
        Set<MessageQueue> queues = new HashSet<>();
        for (int i = 0; i < 10_000; i++) {
            queues.add(new MessageQueue("an-ordered-topic-" + i / 100, "broker-a", i % 100));
        }
        LockBatchBody asked = new LockBatchBody("a-group", "10.0.0.1@4711", queues, false);
        assertThat(LockBatchBody.parse(ByteBuffer.wrap(asked.toJson())).mqSet()).isEqualTo(queues);
    }

    private static byte[] compressed(int topics) throws IOException {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (DataOutputStream out = new DataOutputStream(new DeflaterOutputStream(bytes))) {
            byte[] version = DataVersion.NONE.toJson();
            out.writeInt(version.length);
            out.write(version);
            out.writeInt(topics);
            for (int i = 0; i < topics; i++) {
                byte[] text = ("topic-" + i + " 8 8 6 SINGLE_TAG {}").getBytes(UTF_8);
                out.writeInt(text.length);
                out.write(text);
            }
            out.writeInt(2);
            out.write("[]".getBytes(UTF_8));
            out.writeInt(0);
        }
        return bytes.toByteArray();
    }
}
