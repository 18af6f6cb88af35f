/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.DataVersion;
import io.waybill.protocol.body.RegisterBrokerBody;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.body.TopicConfigTable;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.CreateTopicHeader;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What is stored of a topic is bounded, and what grows with their number goes in parts. */
class ManyTopicsTest {
    private static final int MANY = 18_000;
    private static final int FRAME_BYTES = 16 << 20;

    private TestBroker broker;

    @AfterEach
    void close() {
        broker.close();
    }

    private TestBroker withManyTopics() {
        TestBroker many = new TestBroker(BrokerSettings.defaults().with("maxTopics", 100_000));
        // Changes answer at once; the registrations are looked at later.
        CompletableFuture<Command> answer = many.nameServerAnswer;
        many.nameServerAnswer = new CompletableFuture<>();
        String value = "v".repeat(900);
        for (int i = 0; i < MANY; i++) {
            many.features.topics.put(topic(i, value), change -> {});
        }
        many.settle();
        many.registrations.clear();
        many.nameServerAnswer.complete(answer.join());
        many.nameServerAnswer = answer;
        return many;
    }

    private static TopicConfig topic(int i, String value) {
        return new TopicConfig(String.format("topic-%06d", i), 4, 4, 6, "SINGLE_TAG", 0, false, Map.of("note", value));
    }

    @Test
    void aTableThatFitsNoFrameIsReadInParts() {
        broker = withManyTopics();
        Asked all = broker.ask(Command.request(RequestCode.GET_ALL_TOPIC_CONFIG).build());
        assertThat(all.result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
        assertThat(all.remark()).contains("answer", "ask for a part");

        // As client 5.5 does.
        Set<String> seen = new TreeSet<>();
        String version = "";
        int total;
        int requests = 0;
        do {
            Asked part = broker.ask(Command.request(RequestCode.GET_ALL_TOPIC_CONFIG)
                    .field("topicSeq", seen.size())
                    .field("maxTopicNum", 2_000)
                    .field("dataVersion", version)
                    .build());
            TopicConfigTable table = TopicConfigTable.parse(part.reply().body());
            assertThat(part.reply().bodyLength()).isLessThan(FRAME_BYTES);
            version = new String(table.dataVersion().toJson(), StandardCharsets.UTF_8);
            seen.addAll(table.topicConfigTable().keySet());
            total = part.reply().fields().getInt("totalTopicNum", -1);
            requests++;
        } while (seen.size() < total - 1);
        assertThat(seen).hasSize(total).contains("topic-000000", "topic-017999", "TBW102");
        assertThat(requests).isEqualTo((total + 1_999) / 2_000);

        Asked anew = broker.ask(Command.request(RequestCode.GET_ALL_TOPIC_CONFIG)
                .field("topicSeq", 4_000)
                .field("maxTopicNum", 2_000)
                .field("dataVersion", "{\"counter\":1,\"stateVersion\":0,\"timestamp\":1}")
                .build());
        assertThat(TopicConfigTable.parse(anew.reply().body()).topicConfigTable())
                .as("another version: from the beginning")
                .containsKey("topic-000000");
    }

    @Test
    void aTableThatFitsNoFrameIsRegisteredInParts() {
        broker = withManyTopics();
        broker.registrations.clear();
        broker.pass(60_000);
        List<Command> parts = broker.registrations.stream()
                .filter(request -> request.code() == RequestCode.REGISTER_BROKER)
                .toList();
        assertThat(parts.size()).isGreaterThan(2);
        Set<String> names = new TreeSet<>();
        List<DataVersion> versions = new ArrayList<>();
        int perRound = (int) broker.registrations.stream()
                .skip(1)
                .takeWhile(request -> request.code() == RequestCode.REGISTER_BROKER)
                .count();
        for (Command part : broker.registrations.subList(1, 1 + perRound)) {
            assertThat(part.bodyLength()).isLessThan(FRAME_BYTES / 2 + (1 << 20));
            TopicConfigTable table =
                    RegisterBrokerBody.parse(part.body(), false, FRAME_BYTES).topics();
            names.addAll(table.topicConfigTable().keySet());
            versions.add(table.dataVersion());
        }
        assertThat(names).hasSize(MANY + 8);
        assertThat(versions).doesNotHaveDuplicates();
        assertThat(versions.get(versions.size() - 1)).isEqualTo(broker.features.topics.version());

        // Who has this version is not sent it again.
        broker.nameServerAnswer = CompletableFuture.completedFuture(
                Command.response(0, null).field("changed", false).build());
        broker.registrations.clear();
        broker.pass(60_000);
        assertThat(broker.registrations)
                .isNotEmpty()
                .allMatch(request -> request.code() == RequestCode.QUERY_DATA_VERSION);
    }

    @Test
    void whatATopicMayStoreHasAFormAndALength() {
        broker = new TestBroker();
        String huge = "x".repeat(700_000);
        byte[] list = ("{\"topicConfigList\":[{\"topicName\":\"orders\",\"readQueueNums\":1,\"writeQueueNums\":1,"
                        + "\"perm\":6,\"topicFilterType\":\"" + huge + "\"}]}")
                .getBytes(StandardCharsets.UTF_8);
        Asked asked = broker.ask(Command.request(RequestCode.UPDATE_AND_CREATE_TOPIC_LIST)
                .body(list)
                .build());
        assertThat(asked.result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
        assertThat(asked.remark()).contains("topicFilterType", "SINGLE_TAG", "700000 characters");
        for (String attributes : List.of("+a b=c", "+" + "n".repeat(129) + "=c", "+name=a\u0001b", "+é=x")) {
            Asked one = broker.ask(Command.request(RequestCode.UPDATE_AND_CREATE_TOPIC)
                    .header(new CreateTopicHeader("orders", "TBW102", 1, 1, 6, null, 0, false, attributes, false))
                    .build());
            assertThat(one.result()).as(attributes).isEqualTo(ResponseCode.INVALID_PARAMETER);
            assertThat(one.remark()).contains("attribute");
        }
        assertThat(broker.features.topics.find("orders")).isNull();
    }
}
