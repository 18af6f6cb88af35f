/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.HeartbeatData;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.PushReplyHeader;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageIds;
import io.waybill.protocol.message.MessageProperties;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Replies to request messages: pushed to the client that asked, and kept. */
class ReplyTest {
    private static final String TOPIC = "DefaultCluster_REPLY_TOPIC";
    private final TestBroker broker = new TestBroker();

    @AfterEach
    void close() {
        broker.close();
    }

    private FakeConnection client(String id) {
        FakeConnection connection = broker.connect();
        broker.ask(connection, TestBroker.heartbeat(new HeartbeatData(id, List.of(), List.of("askers"))));
        connection.take();
        return connection;
    }

    private static Command reply(int code, String topic, String client) {
        byte[] properties = client == null
                ? TestBroker.properties("UNIQ_KEY", "R1", "CORRELATION_ID", "c-1", "MSG_TYPE", "reply")
                : TestBroker.properties(
                        "UNIQ_KEY", "R1", "CORRELATION_ID", "c-1", "MSG_TYPE", "reply", "REPLY_TO_CLIENT", client);
        SendMessageHeader header = new SendMessageHeader(
                "repliers", topic, "TBW102", 4, 0, 0x301, 1_000, 7, properties, 0, false, -1, false, "broker-a");
        Command.Builder command = Command.request(code).body("the answer".getBytes(StandardCharsets.UTF_8));
        return (code == RequestCode.SEND_REPLY_MESSAGE ? command.header(header.longNames()) : command.header(header))
                .build();
    }

    private static Command ok() {
        return Command.response(ResponseCode.SUCCESS, null).build();
    }

    private Message stored(String id) {
        return Message.decode(
                broker.store.messages().readAt(MessageIds.decode(id).position()), 0);
    }

    @Test
    void theClientThatAskedGetsTheReplyBeforeTheSenderIsAnswered() {
        FakeConnection asker = client("asker@1");
        for (int code : List.of(RequestCode.SEND_REPLY_MESSAGE, RequestCode.SEND_REPLY_MESSAGE_V2)) {
            Asked sent = broker.ask(reply(code, TOPIC, "asker@1"));

            Command push = asker.take().get(0);
            assertThat(sent.isOpen()).isTrue();
            assertThat(push.code()).isEqualTo(RequestCode.PUSH_REPLY_MESSAGE_TO_CLIENT);
            assertThat(push.isOneway()).isFalse();
            assertThat(new String(push.bodyBytes(), StandardCharsets.UTF_8)).isEqualTo("the answer");
            PushReplyHeader header = PushReplyHeader.read(push.fields());
            assertThat(header.storeHost()).isEqualTo("127.0.0.1:10911");
            assertThat(header.bornHost()).startsWith("127.0.0.1:5");
            assertThat(header.message().topic()).isEqualTo(TOPIC);
            assertThat(header.message().sysFlag()).isEqualTo(0x301);
            Map<String, String> properties =
                    MessageProperties.decode(header.message().properties());
            assertThat(properties)
                    .containsEntry("CORRELATION_ID", "c-1")
                    .containsEntry("MSG_TYPE", "reply")
                    .containsKeys("PUSH_REPLY_TIME", "MSG_REGION");

            asker.answer(ok());
            broker.settle();
            assertThat(sent.result()).isZero();
            Message kept = stored(sent.field("msgId"));
            assertThat(kept.topic()).isEqualTo(TOPIC);
            assertThat(kept.properties()).containsEntry("REPLY_TO_CLIENT", "asker@1");
            assertThat(new String(kept.body(), StandardCharsets.UTF_8)).isEqualTo("the answer");
        }
    }

    @Test
    void aReplyForAClientThatIsGoneIsKeptAndTheAnswerSaysSo() {
        FakeConnection asker = client("asker@1");
        broker.gone(asker);
        Asked sent = broker.ask(reply(RequestCode.SEND_REPLY_MESSAGE_V2, TOPIC, "asker@1"));

        assertThat(sent.result()).isEqualTo(ResponseCode.SYSTEM_ERROR);
        assertThat(sent.remark())
                .contains("asker@1")
                .contains("is not connected")
                .contains("stored as ");
        String id = sent.remark().substring(sent.remark().lastIndexOf(' ') + 1);
        assertThat(stored(id).uniqueKey()).isEqualTo("R1");
    }

    @Test
    void aReplyThatTheClientRefusesOrNeverAnswersIsKept() {
        FakeConnection asker = client("asker@1");
        Asked refused = broker.ask(reply(RequestCode.SEND_REPLY_MESSAGE_V2, TOPIC, "asker@1"));
        asker.answer(
                Command.response(ResponseCode.SYSTEM_ERROR, "no such request").build());
        broker.settle();
        assertThat(refused.result()).isEqualTo(ResponseCode.SYSTEM_ERROR);
        assertThat(refused.remark()).contains("no such request").contains("stored as ");

        Asked failed = broker.ask(reply(RequestCode.SEND_REPLY_MESSAGE_V2, TOPIC, "asker@1"));
        asker.fail(new IllegalStateException("the connection was closed"));
        broker.settle();
        assertThat(failed.result()).isEqualTo(ResponseCode.SYSTEM_ERROR);
        assertThat(failed.remark()).contains("did not reach client 'asker@1'");
        assertThat(broker.store.queues().offsetRange(TOPIC, 0).maxOffset())
                .as("the same reply is kept once")
                .isEqualTo(1);
    }

    @Test
    void aClientIsFoundOnTheConnectionOfItsLastHeartbeat() {
        FakeConnection old = client("asker@1");
        FakeConnection current = client("asker@1");
        broker.ask(reply(RequestCode.SEND_REPLY_MESSAGE_V2, TOPIC, "asker@1"));
        assertThat(old.take()).isEmpty();
        assertThat(current.take()).hasSize(1);

        broker.gone(old);
        broker.ask(reply(RequestCode.SEND_REPLY_MESSAGE_V2, TOPIC, "asker@1"));
        assertThat(current.take()).hasSize(1);
    }

    @Test
    void aReplyToNobodyOrElsewhereIsRefused() {
        assertThat(broker.ask(reply(RequestCode.SEND_REPLY_MESSAGE_V2, TOPIC, null))
                        .remark())
                .contains("REPLY_TO_CLIENT");
        broker.send("orders", 0, "makes the topic");
        assertThat(broker.ask(reply(RequestCode.SEND_REPLY_MESSAGE_V2, "orders", "asker@1"))
                        .result())
                .isEqualTo(ResponseCode.TOPIC_NOT_EXIST);
        assertThat(broker.ask(reply(RequestCode.SEND_REPLY_MESSAGE_V2, "other_REPLY_TOPIC", "asker@1"))
                        .result())
                .isEqualTo(ResponseCode.TOPIC_NOT_EXIST);
    }

    // ---- a client that is known by its request only

    private Asked asking(FakeConnection connection, String client, String ttl) {
        return broker.ask(
                connection,
                TestBroker.sending(
                        TestBroker.sendHeader(
                                "questions",
                                0,
                                TestBroker.properties(
                                        "UNIQ_KEY",
                                        "Q1",
                                        "CORRELATION_ID",
                                        "c-1",
                                        "REPLY_TO_CLIENT",
                                        client,
                                        "TTL",
                                        ttl)),
                        "how much?"));
    }

    @Test
    void aClientThatSentNoHeartbeatIsAnsweredWhereItsRequestCameFrom() {
        FakeConnection asker = broker.connect();
        assertThat(asking(asker, "asker@1", "3000").result()).isZero();
        asker.take();

        Asked sent = broker.ask(reply(RequestCode.SEND_REPLY_MESSAGE_V2, TOPIC, "asker@1"));
        assertThat(asker.take().get(0).code()).isEqualTo(RequestCode.PUSH_REPLY_MESSAGE_TO_CLIENT);
        asker.answer(ok());
        broker.settle();
        assertThat(sent.result()).isZero();
        assertThat(broker.store.queues().offsetRange(TOPIC, 0).maxOffset())
                .as("stored once")
                .isEqualTo(1);
    }

    @Test
    void aHeartbeatIsBetterKnowledgeThanARequest() {
        FakeConnection request = broker.connect();
        asking(request, "asker@1", "3000");
        FakeConnection beating = client("asker@1");
        request.take();
        broker.ask(reply(RequestCode.SEND_REPLY_MESSAGE_V2, TOPIC, "asker@1"));
        assertThat(request.take()).isEmpty();
        assertThat(beating.take()).hasSize(1);
    }

    @Test
    void whoPassesARequestOnIsNotTakenForItsClient() {
        FakeConnection asker = broker.connect();
        asking(asker, "asker@1", "3000");
        FakeConnection forwarder = broker.connect();
        asking(forwarder, "asker@1", "3000");
        broker.ask(reply(RequestCode.SEND_REPLY_MESSAGE_V2, TOPIC, "asker@1"));
        assertThat(asker.take()).isNotEmpty();
        assertThat(forwarder.take()).isEmpty();

        broker.gone(asker);
        FakeConnection back = broker.connect();
        asking(back, "asker@1", "3000");
        back.take();
        broker.ask(reply(RequestCode.SEND_REPLY_MESSAGE_V2, TOPIC, "asker@1"));
        assertThat(back.take()).as("on its new connection").isNotEmpty();
    }

    @Test
    void aRequesterIsForgottenWithItsConnectionAndAfterItsTime() {
        FakeConnection gone = broker.connect();
        asking(gone, "asker@1", "3000");
        broker.gone(gone);
        assertThat(broker.ask(reply(RequestCode.SEND_REPLY_MESSAGE_V2, TOPIC, "asker@1"))
                        .remark())
                .contains("is not connected");
        FakeConnection silent = broker.connect();
        asking(silent, "asker@2", "3000");
        broker.pass(30_001);
        assertThat(broker.ask(reply(RequestCode.SEND_REPLY_MESSAGE_V2, TOPIC, "asker@2"))
                        .remark())
                .contains("is not connected");
        asking(silent, "asker@2", "60000");
        broker.pass(50_000);
        broker.ask(reply(RequestCode.SEND_REPLY_MESSAGE_V2, TOPIC, "asker@2"));
        assertThat(silent.take()).as("it waits longer").isNotEmpty();
    }

    @Test
    void aFloodOfRequestersIsBounded() {
        FakeConnection flood = broker.connect();
        for (int i = 0; i < 4_200; i++) {
            asking(flood, "asker@" + i, "600000");
        }
        FakeConnection honest = client("asker@honest");
        broker.ask(reply(RequestCode.SEND_REPLY_MESSAGE_V2, TOPIC, "asker@honest"));
        assertThat(honest.take()).as("heartbeats need no room").hasSize(1);
        assertThat(broker.ask(reply(RequestCode.SEND_REPLY_MESSAGE_V2, TOPIC, "asker@4150"))
                        .remark())
                .contains("is not connected");
        broker.gone(flood);
        FakeConnection later = broker.connect();
        asking(later, "asker@5000", "3000");
        later.take();
        broker.ask(reply(RequestCode.SEND_REPLY_MESSAGE_V2, TOPIC, "asker@5000"));
        assertThat(later.take()).hasSize(1);
    }

    /** The stock client sends a reply that is answered with 1 twice more. */
    @Test
    void anUndeliverableReplyIsStoredOnceHoweverOftenItIsSent() {
        String first = broker.ask(reply(RequestCode.SEND_REPLY_MESSAGE_V2, TOPIC, "nobody@1"))
                .remark();
        String second = broker.ask(reply(RequestCode.SEND_REPLY_MESSAGE_V2, TOPIC, "nobody@1"))
                .remark();
        assertThat(second).isEqualTo(first);
        FakeConnection back = client("nobody@1");
        Asked third = broker.ask(reply(RequestCode.SEND_REPLY_MESSAGE_V2, TOPIC, "nobody@1"));
        back.answer(ok());
        broker.settle();
        assertThat(third.result()).isZero();
        assertThat(first).endsWith("stored as " + third.field("msgId"));
        assertThat(broker.store.queues().offsetRange(TOPIC, 0).maxOffset()).isEqualTo(1);
    }
}
