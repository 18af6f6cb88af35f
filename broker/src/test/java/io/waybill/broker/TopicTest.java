/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.RegisterBrokerBody;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.body.TopicConfigTable;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.CreateTopicHeader;
import java.nio.charset.StandardCharsets;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class TopicTest {
    private TestBroker broker = new TestBroker();

    @AfterEach
    void close() {
        broker.close();
    }

    private Asked create(String topic, int queues, int perm, String attributes) {
        return broker.ask(Command.request(RequestCode.UPDATE_AND_CREATE_TOPIC)
                .header(new CreateTopicHeader(
                        topic, "TBW102", queues, queues, perm, "SINGLE_TAG", 0, false, attributes, false))
                .build());
    }

    private Asked config(String topic) {
        return broker.ask(Command.request(RequestCode.GET_TOPIC_CONFIG)
                .field("topic", topic)
                .build());
    }

    private static RegisterBrokerBody registered(Command registration) {
        assertThat(registration.code()).isEqualTo(RequestCode.REGISTER_BROKER);
        return RegisterBrokerBody.parse(registration.body(), false, 1 << 26);
    }

    @Test
    void aListOfTopicsChangesAttributesAsASingleOneDoes() {
        create("orders", 1, 6, "+message.type=FIFO,+waybill.dedup=1h");
        Asked changed = broker.ask(Command.request(RequestCode.UPDATE_AND_CREATE_TOPIC_LIST)
                .body(
                        ("{\"topicConfigList\":[{\"topicName\":\"orders\",\"readQueueNums\":1,\"writeQueueNums\":1,\"perm\":6,"
                                        + "\"attributes\":{\"+message.type\":\"PRIORITY\",\"-waybill.dedup\":\"\"}}]}")
                                .getBytes(StandardCharsets.UTF_8))
                .build());
        assertThat(changed.result()).as(changed.remark()).isZero();
        assertThat(TopicConfig.parse(config("orders").reply().body()).attributes())
                .containsExactly(Map.entry("message.type", "PRIORITY"));
    }

    @Test
    void theStartRegistersTheBuiltInTopics() {
        Command registration = broker.registrations.get(0);
        assertThat(registration.fields().get("brokerName")).isEqualTo("broker-a");
        assertThat(registration.fields().get("brokerAddr")).isEqualTo("127.0.0.1:10911");
        assertThat(registration.fields().get("clusterName")).isEqualTo("DefaultCluster");
        assertThat(registration.fields().get("brokerId")).isEqualTo("0");
        assertThat(registration.fields().getInt("bodyCrc32", 0)).isEqualTo(RegisterBrokerBody.crc(registration.body()));
        assertThat(registered(registration).topics().topicConfigTable())
                .containsKeys(
                        "TBW102",
                        "SELF_TEST_TOPIC",
                        "BenchmarkTest",
                        "DefaultCluster",
                        "broker-a",
                        "DefaultCluster_REPLY_TOPIC");
    }

    @Test
    void withoutTopicCreationThereIsNoTemplate() {
        broker.close();
        broker = new TestBroker(BrokerSettings.defaults().with("autoCreateTopic", false));
        assertThat(registered(broker.registrations.get(0)).topics().topicConfigTable())
                .doesNotContainKey("TBW102")
                .containsKey("SELF_TEST_TOPIC");
        assertThat(create("orders", 2, 6, "").result()).isZero();
        broker.send("orders", 1, "m");
    }

    @Test
    void registrationIsRepeatedAndItsVersionChangesWithTheTopicsOnly() {
        var first = registered(broker.registrations.get(0)).topics().dataVersion();
        broker.registrations.clear();
        broker.pass(60_000);
        assertThat(broker.registrations).hasSize(2);
        assertThat(registered(broker.registrations.get(1)).topics().dataVersion())
                .isEqualTo(first);

        create("orders", 4, 6, "");
        Command last = broker.registrations.get(broker.registrations.size() - 1);
        assertThat(registered(last).topics().dataVersion()).isNotEqualTo(first);
    }

    @Test
    void changesDuringARoundGoIntoTheNextOne() {
        CompletableFuture<Command> slow = new CompletableFuture<>();
        broker.nameServerAnswer = slow;
        Asked one = create("one", 1, 6, "");
        Asked two = create("two", 1, 6, "");
        Asked three = create("three", 1, 6, "");
        broker.registrations.clear();
        assertThat(one.isOpen() && two.isOpen() && three.isOpen()).isTrue();

        broker.nameServerAnswer =
                CompletableFuture.completedFuture(Command.response(0, null).build());
        slow.complete(Command.response(0, null).build());
        broker.settle();

        assertThat(one.result() + two.result() + three.result()).isZero();
        assertThat(broker.registrations).as("one round for both that waited").hasSize(1);
        assertThat(registered(broker.registrations.get(0)).topics().topicConfigTable())
                .containsKeys("one", "two", "three");
    }

    @Test
    void aTopicIsCreatedChangedAndKept() {
        assertThat(create("orders", 4, 6, "").result()).isZero();
        assertThat(create("orders", 8, 4, "+message.type=FIFO").result()).isZero();
        broker.crash(1);

        TopicConfig topic = TopicConfig.parse(config("orders").reply().body());
        assertThat(topic.readQueueNums()).isEqualTo(8);
        assertThat(topic.perm()).isEqualTo(4);
        assertThat(topic.attributes()).containsEntry("message.type", "FIFO");

        assertThat(create("orders", 8, 6, "-message.type").result()).isZero();
        assertThat(TopicConfig.parse(config("orders").reply().body()).attributes())
                .isEmpty();
    }

    @Test
    void wishesThatCannotBeAreRefusedWithTheLimit() {
        assertThat(create("or ders", 4, 6, "").result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
        assertThat(create("TBW102", 4, 6, "").result()).isEqualTo(ResponseCode.INVALID_PARAMETER);
        assertThat(create("orders", 0, 6, "").remark())
                .contains("readQueueNums")
                .contains("0");
        assertThat(create("orders", 1_000_000, 6, "").remark()).contains("4096");
        assertThat(create("orders", 4, 99, "").remark()).contains("perm");
        assertThat(create("orders", 4, 6, "nonsense").remark()).contains("attributes");
        assertThat(config("orders").result()).isEqualTo(ResponseCode.TOPIC_NOT_EXIST);
    }

    @Test
    void thereIsALimitOfTopics() {
        broker.close();
        broker = new TestBroker(BrokerSettings.defaults().with("maxTopics", 16));
        Asked last = null;
        for (int i = 0; i < 20; i++) {
            last = create("t" + i, 1, 6, "");
        }
        assertThat(last.result()).isEqualTo(ResponseCode.SYSTEM_ERROR);
        assertThat(last.remark()).contains("maxTopics is 16");
    }

    @Test
    void allTopicsAreListed() {
        create("orders", 4, 6, "");
        Asked all = broker.ask(Command.request(RequestCode.GET_ALL_TOPIC_CONFIG)
                .field("topicSeq", 0)
                .build());
        assertThat(TopicConfigTable.parse(all.reply().body()).topicConfigTable())
                .containsKeys("orders", "TBW102");
    }

    @Test
    void leavingTellsTheNameServers() {
        broker.registrations.clear();
        assertThat(broker.features.leave()).isCompleted();
        assertThat(broker.registrations).extracting(Command::code).containsExactly(RequestCode.UNREGISTER_BROKER);
        broker.pass(60_000);
        assertThat(broker.registrations).as("and registers no more").hasSize(1);
    }
}
