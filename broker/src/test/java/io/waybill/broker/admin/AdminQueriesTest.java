/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.broker.simulated.FakeRequest;
import io.waybill.broker.simulated.SimulatedBroker;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.HeartbeatData;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.RunningInfoHeader;
import io.waybill.protocol.json.Json;
import io.waybill.remoting.RemotingException;
import java.nio.charset.StandardCharsets;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class AdminQueriesTest {
    private final SimulatedBroker broker = new SimulatedBroker();

    @BeforeEach
    void fill() {
        broker.topic("orders", 2);
        for (int i = 0; i < 4; i++) {
            broker.put("orders", 0, "m" + i, SimulatedBroker.properties("k" + i));
        }
        for (String group : List.of("shipping", "billing", "audit")) {
            ask(Command.request(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP)
                    .body(SubscriptionGroupConfig.of(group).toJson()));
        }
    }

    @AfterEach
    void close() {
        broker.close();
    }

    private Command ask(Command.Builder request) {
        return broker.request(broker.connect(), request.build());
    }

    @Test
    void offsetsOfAllGroupsAndTheirCorrections() {
        broker.offsets.commit("shipping", "orders", 0, 2);
        broker.offsets.commit("billing", "orders", 0, 3);
        broker.offsets.commit("audit", "orders", 0, 1);
        assertThat(text(ask(Command.request(RequestCode.GET_ALL_CONSUMER_OFFSET))))
                .isEqualTo("{\"offsetTable\":{\"orders@audit\":{\"0\":1},\"orders@billing\":{\"0\":3},"
                        + "\"orders@shipping\":{\"0\":2}}}");

        assertThat(correction("billing", null)).isEqualTo(1);
        assertThat(correction("billing", "audit")).isEqualTo(2);
        assertThat(correction("audit", "audit,shipping"))
                .as("the compared group is behind")
                .isEqualTo(Long.MAX_VALUE);
    }

    private long correction(String compare, String filter) {
        Command reply = ask(Command.request(RequestCode.QUERY_CORRECTION_OFFSET)
                .field("topic", "orders")
                .field("compareGroup", compare)
                .field("filterGroups", filter));
        return Json.parse(reply.body()).getObject("correctionOffsets").getLong("0", -1);
    }

    @Test
    void housekeepingIsAnsweredAndForgetsWhatIsUnused() {
        broker.offsets.commit("shipping", "orders", 0, 2);
        Command end = ask(Command.request(RequestCode.QUERY_BROKER_OFFSET));
        assertThat(end.fields().requireLong("offset"))
                .isEqualTo(broker.store.status().positions().confirmed());
        for (int code : new int[] {
            RequestCode.TRIGGER_DELETE_FILES,
            RequestCode.CLEAN_EXPIRED_CONSUMEQUEUE,
            RequestCode.DELETE_EXPIRED_COMMITLOG,
            RequestCode.CLEAN_UNUSED_TOPIC
        }) {
            assertThat(ask(Command.request(code)).code()).isZero();
        }
        assertThat(broker.offsets.query("shipping", "orders", 0)).isEqualTo(2);
        delete("orders");
        assertThat(broker.offsets.query("shipping", "orders", 0))
                .as("may come back")
                .isEqualTo(2);
        ask(Command.request(RequestCode.CLEAN_UNUSED_TOPIC));
        assertThat(broker.offsets.query("shipping", "orders", 0))
                .as("its messages may come back")
                .isEqualTo(2);
        broker.topic("empty", 1);
        broker.offsets.commit("shipping", "empty", 0, 0);
        delete("empty");
        ask(Command.request(RequestCode.CLEAN_UNUSED_TOPIC));
        assertThat(broker.offsets.query("shipping", "empty", 0)).isEqualTo(-1);
    }

    private void delete(String topic) {
        assertThat(ask(Command.request(RequestCode.DELETE_TOPIC_IN_BROKER)
                                .field("topic", topic)
                                .field("force", true))
                        .code())
                .isZero();
    }

    @Test
    void aDeletedTopicStaysHiddenOverAPowerCutAndGoesOn() {
        delete("orders");
        broker.crash(3);
        assertThat(broker.topics.find("orders")).isNull();
        broker.topic("orders", 2);
        assertThat(broker.visible("orders", 0)).isEmpty();
        assertThat(broker.put("orders", 0, "new", SimulatedBroker.properties("n"))
                        .queueOffset())
                .isEqualTo(4);
        broker.crash(4);
        assertThat(broker.visible("orders", 0)).hasSize(1);
        assertThat(broker.store.messages().findByKey("orders", "k1", 10, 0, Long.MAX_VALUE))
                .isEmpty();
        assertThat(broker.store.messages().findByKey("orders", "n", 10, 0, Long.MAX_VALUE))
                .hasSize(1);
        assertThat(ask(Command.request(RequestCode.DELETE_TOPIC_IN_BROKER).field("topic", "nowhere"))
                        .code())
                .isZero();
        assertThat(ask(Command.request(RequestCode.DELETE_TOPIC_IN_BROKER).field("topic", "TBW102"))
                        .code())
                .isEqualTo(ResponseCode.INVALID_PARAMETER);
    }

    @Test
    void aQuestionForAClientEndsWithItsAnswerItsSilenceOrItsAbsence() {
        Command.Builder question = Command.request(RequestCode.GET_CONSUMER_RUNNING_INFO)
                .header(new RunningInfoHeader("shipping", "c1", false));
        assertThat(ask(question).code()).isEqualTo(ResponseCode.CONSUMER_NOT_ONLINE);

        FakeConnection consumer = broker.connect();
        ConsumerData data = new ConsumerData(
                "shipping",
                ConsumerData.CONSUME_PASSIVELY,
                ConsumerData.CLUSTERING,
                ConsumerData.FROM_LAST_OFFSET,
                List.of(SubscriptionData.of("orders", "*", 1)),
                false);
        broker.request(
                consumer,
                Command.request(RequestCode.HEART_BEAT)
                        .body(new HeartbeatData("c1", List.of(data), List.of()).toJson())
                        .build());
        assertThat(answered(
                                consumer,
                                question,
                                () -> consumer.answer(Command.response(0, null)
                                        .body("{}".getBytes(StandardCharsets.UTF_8))
                                        .build()))
                        .code())
                .isZero();
        assertThat(answered(
                                consumer,
                                question,
                                () -> consumer.fail(
                                        new RemotingException(RemotingException.CallFailure.TIMEOUT, true, "late")))
                        .code())
                .isEqualTo(ResponseCode.CONSUME_MSG_TIMEOUT);
        assertThat(answered(
                                consumer,
                                question,
                                () -> consumer.fail(
                                        new RemotingException(RemotingException.CallFailure.CLOSED, true, "gone")))
                        .code())
                .isEqualTo(ResponseCode.CONSUMER_NOT_ONLINE);
        assertThat(ask(Command.request(RequestCode.CONSUME_MESSAGE_DIRECTLY)
                                .field("consumerGroup", "shipping")
                                .field("msgId", "no id"))
                        .code())
                .isEqualTo(ResponseCode.INVALID_PARAMETER);
    }

    private Command answered(FakeConnection consumer, Command.Builder question, Runnable answer) {
        FakeRequest asked = broker.begin(broker.connect(), question.build());
        answer.run();
        broker.settle();
        return asked.reply();
    }

    private static String text(Command reply) {
        assertThat(reply.code()).as(reply.remark()).isZero();
        return new String(reply.bodyBytes(), StandardCharsets.UTF_8);
    }

    @Test
    void settingsNameEverythingOnce() {
        String text = text(ask(Command.request(RequestCode.GET_BROKER_CONFIG)));
        assertThat(text).contains("brokerName=broker-a\n", "brokerClusterName=DefaultCluster\n", "maxMessageSize=");
        assertThat(text.lines().map(line -> line.substring(0, line.indexOf('='))))
                .doesNotHaveDuplicates();
    }
}
