/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.waybill.client.ConsumeResult;
import io.waybill.client.Message;
import io.waybill.client.MessageQueue;
import io.waybill.client.Producer;
import io.waybill.client.PullConsumer;
import io.waybill.client.PushConsumer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.StartFrom;
import io.waybill.client.internal.message.EncodedMessage;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.ConsumeDirectlyResult;
import io.waybill.protocol.body.ConsumerRunningInfo;
import io.waybill.protocol.body.ConsumerStatus;
import io.waybill.protocol.body.OffsetTable;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.PushReplyHeader;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.message.MessageProperties;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** What a broker asks of a client, and what it gets. */
class OperatorQuestionsTest {
    private final FakeBroker broker = new FakeBroker().topic("orders", 2);
    private final ConnectedClient client = ConnectedClient.connect(broker.address(), ProducerTest.QUICK);
    private final BlockingQueue<ReceivedMessage> received = new LinkedBlockingQueue<>();
    private final MessageQueue first = new MessageQueue("orders", FakeBroker.NAME, 0);

    @AfterEach
    void close() {
        client.close();
        broker.close();
    }

    private PushConsumer consumer() {
        return client.pushConsumer("cg")
                .subscribe("orders", "A || B")
                .from(StartFrom.FIRST)
                .onMessage(message -> {
                    if (message.text().equals("throw")) {
                        throw new IllegalStateException("no");
                    }
                    received.add(message);
                    return message.text().equals("later") ? ConsumeResult.RETRY_LATER : ConsumeResult.SUCCESS;
                })
                .start();
    }

    private Command ask(Command request) throws Exception {
        return broker.ask("cg", request).get(10, TimeUnit.SECONDS);
    }

    @Test
    void itTellsHowItRuns() throws Exception {
        consumer();
        broker.put(first, "a", "A");
        assertThat(received.poll(10, TimeUnit.SECONDS)).isNotNull();
        await().until(() -> broker.offset("cg", first) == 1);
        Command answer = ask(Command.request(RequestCode.GET_CONSUMER_RUNNING_INFO)
                .field("consumerGroup", "cg")
                .field("clientId", client.clientId())
                .field("jstackEnable", true)
                .build());
        ConsumerRunningInfo info = ConsumerRunningInfo.parse(answer.body());
        assertThat(info.properties())
                .containsEntry(ConsumerRunningInfo.CONSUME_TYPE, "CONSUME_PASSIVELY")
                .containsEntry(ConsumerRunningInfo.NAMESERVER, broker.address())
                .containsKeys(
                        ConsumerRunningInfo.STARTED,
                        ConsumerRunningInfo.CLIENT_VERSION,
                        ConsumerRunningInfo.THREADS,
                        ConsumerRunningInfo.ORDERED);
        assertThat(info.mqTable()
                        .get(new io.waybill.protocol.body.MessageQueue("orders", FakeBroker.NAME, 0))
                        .commitOffset())
                .isEqualTo(1);
        assertThat(info.subscriptionSet())
                .anySatisfy(one -> assertThat(one.tagsSet()).containsExactlyInAnyOrder("A", "B"));
        assertThat(info.statusTable().get("orders").consumedPerSecond()).isPositive();
        assertThat(info.jstack()).contains("waybill");
        assertThat(ConsumerRunningInfo.parse(java.nio.ByteBuffer.wrap(info.toJson())))
                .isEqualTo(info);

        Command other = ask(Command.request(RequestCode.GET_CONSUMER_RUNNING_INFO)
                .field("consumerGroup", "other")
                .field("clientId", client.clientId())
                .build());
        assertThat(other.code()).isEqualTo(1);
        assertThat(other.remark()).contains("other");
    }

    @Test
    void itTellsAndMovesItsOffsets() throws Exception {
        consumer();
        broker.put(first, "a", "A");
        broker.put(first, "b", "A");
        await().until(() -> broker.offset("cg", first) == 2);
        Command status = ask(Command.request(RequestCode.GET_CONSUMER_STATUS_FROM_CLIENT)
                .field("topic", "orders")
                .field("group", "cg")
                .build());
        assertThat(ConsumerStatus.parse(status.body()).messageQueueTable())
                .containsEntry(new io.waybill.protocol.body.MessageQueue("orders", FakeBroker.NAME, 0), 2L)
                .hasSize(2);

        received.clear();
        ask(Command.request(RequestCode.RESET_CONSUMER_CLIENT_OFFSET)
                .field("topic", "orders")
                .field("group", "cg")
                .field("timestamp", 0)
                .field("isForce", true)
                .body(new OffsetTable(
                                Map.of(new io.waybill.protocol.body.MessageQueue("orders", FakeBroker.NAME, 0), 1L))
                        .toJson())
                .build());
        assertThat(received.poll(10, TimeUnit.SECONDS).text()).isEqualTo("b");
        await().until(() -> broker.offset("cg", first) == 2);
    }

    @Test
    void itHandlesAMessageOnceByOrder() throws Exception {
        consumer();
        MessageQueue elsewhere = new MessageQueue("elsewhere", FakeBroker.NAME, 0);
        for (String[] one :
                new String[][] {{"fine", "CR_SUCCESS"}, {"later", "CR_LATER"}, {"throw", "CR_THROW_EXCEPTION"}}) {
            broker.put(elsewhere, one[0], null);
            Command answer = ask(Command.request(RequestCode.CONSUME_MESSAGE_DIRECTLY)
                    .field("consumerGroup", "cg")
                    .field("clientId", client.clientId())
                    .field("brokerName", FakeBroker.NAME)
                    .body(broker.queue(elsewhere)
                            .get(broker.queue(elsewhere).size() - 1)
                            .duplicate()
                            .position(0))
                    .build());
            assertThat(ConsumeDirectlyResult.parse(answer.body()).consumeResult())
                    .as(one[0])
                    .isEqualTo(one[1]);
        }
        assertThat(broker.seen(RequestCode.CONSUMER_SEND_MSG_BACK)).isEmpty();
    }

    @Test
    void anAnswerFindsItsQuestion() throws Exception {
        try (Producer producer = client.producer("pg").build()) {
            CompletableFuture<ReceivedMessage> answer =
                    producer.requestAsync(Message.to("orders").body("how much?").build(), Duration.ofSeconds(20));
            await().until(() -> !broker.seen(RequestCode.SEND_MESSAGE_V2).isEmpty());
            SendMessageHeader asked = SendMessageHeader.read(
                    broker.seen(RequestCode.SEND_MESSAGE_V2).get(0).fields());
            Map<String, String> properties = MessageProperties.decode(asked.properties());
            assertThat(properties)
                    .containsEntry(MessageProperties.REPLY_TO_CLIENT, client.clientId())
                    .containsEntry(MessageProperties.TTL, "20000");
            pushReply("stranger", "nobody waits for this");
            pushReply(properties.get(MessageProperties.CORRELATION_ID), "42");
            assertThat(answer.get(10, TimeUnit.SECONDS).text()).isEqualTo("42");
        }
    }

    private void pushReply(String correlationId, String body) throws Exception {
        SendMessageHeader send = SendMessageHeader.read(Command.request(RequestCode.SEND_REPLY_MESSAGE_V2)
                .field("a", "cg")
                .field("b", "TestCluster_REPLY_TOPIC")
                .field("c", "TBW102")
                .field("d", 4)
                .field("e", 0)
                .field("f", 0)
                .field("g", 1)
                .field("h", 0)
                .field("i", EncodedMessage.text(Map.of(MessageProperties.CORRELATION_ID, correlationId)))
                .field("j", 0)
                .build()
                .fields());
        Command pushed = Command.request(RequestCode.PUSH_REPLY_MESSAGE_TO_CLIENT)
                .header(new PushReplyHeader(send, "127.0.0.1:1", "127.0.0.1:2", 3))
                .body(body.getBytes(StandardCharsets.UTF_8))
                .build();
        Command done = broker.producers("pg").get(0).call(pushed, 10_000).get(10, TimeUnit.SECONDS);
        assertThat(done.code()).isZero();
    }

    @Test
    void aHandlerAnswersTheClientThatAsked() throws Exception {
        broker.next(
                RequestCode.SEND_REPLY_MESSAGE_V2,
                request -> request.reply(Command.response(0, null).build()));
        client.pushConsumer("rg")
                .subscribe("orders")
                .from(StartFrom.FIRST)
                .onMessage(message -> ConsumeResult.reply("re: " + message.text()))
                .start();
        broker.append(
                first,
                0,
                "how much?".getBytes(StandardCharsets.UTF_8),
                MessageProperties.encode(Map.of(
                        MessageProperties.CORRELATION_ID,
                        "c-1",
                        MessageProperties.REPLY_TO_CLIENT,
                        "somebody",
                        MessageProperties.CLUSTER,
                        FakeBroker.CLUSTER)),
                0,
                0);
        await().until(() -> !broker.seen(RequestCode.SEND_REPLY_MESSAGE_V2).isEmpty());
        Command reply = broker.seen(RequestCode.SEND_REPLY_MESSAGE_V2).get(0);
        SendMessageHeader header = SendMessageHeader.read(reply.fields());
        assertThat(header.topic()).isEqualTo(FakeBroker.CLUSTER + "_REPLY_TOPIC");
        assertThat(MessageProperties.decode(header.properties()))
                .containsEntry(MessageProperties.CORRELATION_ID, "c-1")
                .containsEntry(MessageProperties.REPLY_TO_CLIENT, "somebody")
                .containsEntry(MessageProperties.MSG_TYPE, "reply");
        assertThat(new String(reply.bodyBytes(), StandardCharsets.UTF_8)).isEqualTo("re: how much?");
    }

    @Test
    void aPullConsumerTellsItsPositionsAndHasNoHandler() throws Exception {
        broker.put(first, "a", "A");
        PullConsumer consumer = client.pullConsumer("cg").build();
        consumer.assign("orders");
        assertThat(consumer.poll(Duration.ofSeconds(10))).hasSize(1);
        Command answer = ask(Command.request(RequestCode.GET_CONSUMER_RUNNING_INFO)
                .field("consumerGroup", "cg")
                .field("clientId", client.clientId())
                .build());
        ConsumerRunningInfo info = ConsumerRunningInfo.parse(answer.body());
        assertThat(info.properties()).containsEntry(ConsumerRunningInfo.CONSUME_TYPE, "CONSUME_ACTIVELY");
        assertThat(info.mqTable()
                        .get(new io.waybill.protocol.body.MessageQueue("orders", FakeBroker.NAME, 0))
                        .commitOffset())
                .isEqualTo(1);
        assertThat(info.jstack()).isNull();
        Command once = ask(Command.request(RequestCode.CONSUME_MESSAGE_DIRECTLY)
                .field("consumerGroup", "cg")
                .body(broker.queue(first).get(0).duplicate().position(0))
                .build());
        assertThat(once.code()).isEqualTo(1);
        assertThat(once.remark()).contains("no handler");
    }
}
