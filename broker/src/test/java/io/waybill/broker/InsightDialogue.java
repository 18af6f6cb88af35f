/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.LockBatchBody;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.AckHeader;
import io.waybill.protocol.header.PopHandle;
import io.waybill.protocol.header.PopHeader;
import io.waybill.protocol.header.PullHeader;
import io.waybill.protocol.header.SendBackHeader;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.message.Message;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** What consumers do and operators ask, against a broker without sockets. */
final class InsightDialogue {
    final TestBroker broker;

    InsightDialogue(TestBroker broker) {
        this.broker = broker;
    }

    // ---- consumers

    FakeConnection join(String group, String client, String... topicsAndExpressions) {
        FakeConnection connection = broker.connect();
        SubscriptionData[] wanted = new SubscriptionData[topicsAndExpressions.length / 2 + 1];
        for (int i = 0; i < wanted.length - 1; i++) {
            wanted[i] = SubscriptionData.of(topicsAndExpressions[2 * i], topicsAndExpressions[2 * i + 1]);
        }
        wanted[wanted.length - 1] = SubscriptionData.of("%RETRY%" + group, "*");
        heartbeat(connection, group, client, wanted);
        return connection;
    }

    void heartbeat(FakeConnection connection, String group, String client, SubscriptionData... wanted) {
        assertThat(broker.ask(connection, TestBroker.heartbeat(client, group, wanted))
                        .result())
                .isZero();
    }

    /** What a pull by the group's heartbeat brings; it does not wait. */
    List<Message> pull(FakeConnection connection, String group, String topic, int queueId, long offset, int most) {
        Asked pulled = pullReply(connection, group, topic, queueId, offset, most, 0);
        return pulled.result() == 0 ? TestBroker.messages(pulled) : List.of();
    }

    Asked pullReply(
            FakeConnection connection, String group, String topic, int queueId, long offset, int most, int flags) {
        return broker.ask(
                connection,
                TestBroker.pulling(new PullHeader(
                        group, topic, queueId, offset, most, flags, 0, 0, "*", 0, "TAG", 0, "broker-a")));
    }

    Asked commit(FakeConnection connection, String group, String topic, int queueId, long offset) {
        return broker.ask(
                connection,
                Command.request(RequestCode.UPDATE_CONSUMER_OFFSET)
                        .field("consumerGroup", group)
                        .field("topic", topic)
                        .field("queueId", queueId)
                        .field("commitOffset", offset)
                        .build());
    }

    Asked sendBack(FakeConnection connection, String group, long position, int level, int maxTimes) {
        return broker.ask(
                connection,
                Command.request(RequestCode.CONSUMER_SEND_MSG_BACK)
                        .header(new SendBackHeader(position, group, level, "u", "orders", false, maxTimes, "broker-a"))
                        .build());
    }

    void lock(FakeConnection connection, String group, String client, String topic, int queueId) {
        Asked asked = broker.ask(
                connection,
                Command.request(RequestCode.LOCK_BATCH_MQ)
                        .body(new LockBatchBody(
                                        group,
                                        client,
                                        new TreeSet<>(Set.of(new MessageQueue(topic, "broker-a", queueId))),
                                        false)
                                .toJson())
                        .build());
        assertThat(asked.result()).isZero();
    }

    Asked pop(
            FakeConnection connection,
            String group,
            String topic,
            int queueId,
            int most,
            long invisible,
            boolean order) {
        return broker.ask(
                connection,
                Command.request(RequestCode.POP_MESSAGE)
                        .header(new PopHeader(
                                group,
                                topic,
                                queueId,
                                most,
                                invisible,
                                0,
                                broker.clock.wallMillis(),
                                PopHeader.FROM_MIN,
                                "TAG",
                                "*",
                                order,
                                null,
                                "broker-a"))
                        .build());
    }

    void ack(FakeConnection connection, String group, Asked popped, Message message) {
        String handle = new PopHandle(
                        message.queueOffset(),
                        popped.number("popTime"),
                        popped.number("invisibleTime"),
                        (int) popped.number("reviveQid"),
                        "0",
                        "broker-a",
                        message.queueId(),
                        message.queueOffset())
                .toString();
        Asked acked = broker.ask(
                connection,
                Command.request(RequestCode.ACK_MESSAGE)
                        .header(new AckHeader(
                                group, message.topic(), message.queueId(), handle, message.queueOffset(), "broker-a"))
                        .build());
        assertThat(acked.result()).as(acked.remark()).isZero();
    }

    // ---- operators

    Asked ask(int code, String json) {
        return broker.ask(Command.request(code)
                .body(json.getBytes(StandardCharsets.UTF_8))
                .build());
    }

    JsonObject answer(int code, String json) {
        Asked asked = ask(code, json);
        assertThat(asked.result()).as(asked.remark()).isZero();
        return Json.parse(asked.reply().body());
    }

    JsonObject backlog(String group) {
        return answer(RequestCode.GROUP_BACKLOG, "{\"group\":\"" + group + "\"}");
    }

    /** The row of a topic; null when there is none. */
    JsonObject backlog(String group, String topic) {
        return backlog(group).getArray("topics").objects("topics").stream()
                .filter(row -> topic.equals(row.getString("topic")))
                .findFirst()
                .orElse(null);
    }

    List<JsonObject> doctor(String group, String more) {
        return answer(RequestCode.DOCTOR, "{\"group\":\"" + group + "\"" + more + "}")
                .getArray("findings")
                .objects("findings");
    }

    /** The cause of one message. */
    JsonObject cause(String group, String messageId) {
        List<JsonObject> findings = doctor(group, ",\"messageId\":\"" + messageId + "\"");
        assertThat(findings).isNotEmpty();
        JsonObject finding = findings.get(0);
        assertThat(finding.members()).as("words are the asker's").doesNotContainKeys("sentence", "advice");
        assertThat(finding.getObject("evidence")).as(finding.toString()).isNotNull();
        return finding;
    }

    List<JsonObject> trace(String id) {
        return answer(RequestCode.TRACE_MESSAGE, "{\"id\":\"" + id + "\"}")
                .getArray("messages")
                .objects("messages");
    }

    /** Names of the events of the only message with this id. */
    List<String> events(String id) {
        List<JsonObject> messages = trace(id);
        assertThat(messages).hasSize(1);
        return messages.get(0).getArray("events").objects("events").stream()
                .map(event -> event.getString("event"))
                .toList();
    }
}
