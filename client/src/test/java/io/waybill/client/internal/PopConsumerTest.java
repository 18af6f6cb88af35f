/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.waybill.client.ConsumeResult;
import io.waybill.client.Filter;
import io.waybill.client.MessageQueue;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.SimpleConsumer;
import io.waybill.client.StartFrom;
import io.waybill.client.internal.message.InboundMessage;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.BatchAckBody;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.AckHeader;
import io.waybill.protocol.header.ChangeInvisibleHeader;
import io.waybill.protocol.header.ChangeInvisibleReply;
import io.waybill.protocol.header.PopHeader;
import io.waybill.protocol.header.PopReply;
import io.waybill.remoting.Request;
import java.nio.ByteBuffer;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

/** Pop as it looks on the wire; the broker's side is scripted. */
class PopConsumerTest {
    private static final Duration MINUTE = Duration.ofMinutes(1);

    private final FakeBroker broker = new FakeBroker().topic("orders", 2);
    private final ConnectedClient client = ConnectedClient.connect(broker.address(), ProducerTest.QUICK);
    private final MessageQueue first = new MessageQueue("orders", FakeBroker.NAME, 0);

    @AfterEach
    void close() {
        client.close();
        broker.close();
    }

    private SimpleConsumer simple() {
        return client.simpleConsumer("pg").subscribe("orders").build();
    }

    /** The next pop gets all messages of the first queue. */
    private void nextPop(long popTime) {
        broker.next(RequestCode.POP_MESSAGE, request -> popped(request, popTime));
    }

    private void popped(Request request, long popTime) {
        List<ByteBuffer> messages = broker.queue(first);
        StringBuilder offsets = new StringBuilder("0 0 ");
        ByteBuffer body = ByteBuffer.allocate(
                messages.stream().mapToInt(ByteBuffer::limit).sum());
        for (int i = 0; i < messages.size(); i++) {
            offsets.append(i == 0 ? "" : ",").append(i);
            body.put(messages.get(i).duplicate().position(0));
        }
        request.reply(Command.response(0, null)
                .header(new PopReply(popTime, 60_000, 3, 0, "0 0 0", offsets.toString(), null))
                .body(body.flip())
                .build());
    }

    private void okNext(int code) {
        broker.next(code, request -> request.reply(Command.response(0, null).build()));
    }

    private void changeNext(long popTime) {
        broker.next(
                RequestCode.CHANGE_MESSAGE_INVISIBLETIME,
                request -> request.reply(Command.response(0, null)
                        .header(new ChangeInvisibleReply(popTime, 30_000, 4))
                        .build()));
    }

    private void emptyPops() {
        for (int i = 0; i < 200; i++) {
            broker.next(
                    RequestCode.POP_MESSAGE,
                    request -> request.reply(Command.response(ResponseCode.POLLING_TIMEOUT, null)
                            .header(new PopReply(1, 1, 0, 0, "", "", null))
                            .build()));
        }
    }

    @Test
    void whatIsTakenIsAcknowledgedByItsNewestHandle() {
        broker.put(first, "a", null);
        broker.put(first, "b", null);
        SimpleConsumer consumer = simple();
        nextPop(1_000);
        List<ReceivedMessage> messages = consumer.receive(5, MINUTE);
        assertThat(messages).extracting(ReceivedMessage::text).containsExactly("a", "b");
        PopHeader asked =
                PopHeader.read(broker.seen(RequestCode.POP_MESSAGE).get(0).fields());
        assertThat(asked.queueId()).isEqualTo(PopHeader.ANY_QUEUE);
        assertThat(asked.maxMsgNums()).isEqualTo(5);
        assertThat(asked.invisibleTime()).isEqualTo(60_000);
        assertThat(asked.initMode()).isEqualTo(PopHeader.FROM_MIN);

        changeNext(2_000);
        consumer.changeInvisible(messages.get(1), Duration.ofSeconds(30));
        ChangeInvisibleHeader change = ChangeInvisibleHeader.read(
                broker.seen(RequestCode.CHANGE_MESSAGE_INVISIBLETIME).get(0).fields());
        assertThat(change.extraInfo()).isEqualTo("0 1000 60000 3 0 " + FakeBroker.NAME + " 0 1");
        okNext(RequestCode.ACK_MESSAGE);
        okNext(RequestCode.ACK_MESSAGE);
        consumer.ack(messages.get(0));
        consumer.ack(messages.get(1));
        List<AckHeader> acks = broker.seen(RequestCode.ACK_MESSAGE).stream()
                .map(command -> AckHeader.read(command.fields()))
                .toList();
        assertThat(acks.get(0).extraInfo()).isEqualTo("0 1000 60000 3 0 " + FakeBroker.NAME + " 0 0");
        assertThat(acks.get(1).extraInfo()).isEqualTo("1 2000 30000 4 0 " + FakeBroker.NAME + " 0 1");
        assertThat(acks.get(1).offset()).isEqualTo(1);
    }

    @Test
    void manyAreAcknowledgedInOneCall() {
        for (int i = 0; i < 5; i++) {
            broker.put(first, "m" + i, null);
        }
        SimpleConsumer consumer = simple();
        nextPop(1_000);
        List<ReceivedMessage> messages = consumer.receive(32, MINUTE);
        okNext(RequestCode.BATCH_ACK_MESSAGE);
        consumer.ack(List.of(messages.get(0), messages.get(2), messages.get(4)));
        BatchAckBody body = BatchAckBody.parse(
                broker.seen(RequestCode.BATCH_ACK_MESSAGE).get(0).body());
        assertThat(body.acks()).singleElement().satisfies(entry -> {
            assertThat(entry.startOffset()).isZero();
            assertThat(entry.popTime()).isEqualTo(1_000);
            assertThat(entry.offsets().stream().toArray()).containsExactly(0, 2, 4);
        });
        assertThat(broker.seen(RequestCode.ACK_MESSAGE)).isEmpty();
    }

    @Test
    void namingAMessageTwiceIsNamingItOnce() throws Exception {
        broker.put(first, "a", null);
        SimpleConsumer consumer = simple();
        nextPop(1_000);
        ReceivedMessage message = consumer.receive(1, MINUTE).get(0);
        okNext(RequestCode.BATCH_ACK_MESSAGE);
        CompletableFuture.runAsync(() -> consumer.ack(List.of(message, message)))
                .get(20, TimeUnit.SECONDS);
        assertThat(broker.seen(RequestCode.BATCH_ACK_MESSAGE)).hasSize(1);
    }

    @Test
    void messagesFarApartAreAcknowledgedInEntriesThatABrokerTakes() {
        broker.put(first, "new", null);
        SimpleConsumer consumer = simple();
        // As if a message that failed came again with one that is 100000 behind it; and as if the start were behind
        // both.
        for (long start : new long[] {-100_000, 7}) {
            broker.next(
                    RequestCode.POP_MESSAGE,
                    request -> request.reply(Command.response(0, null)
                            .header(new PopReply(1_000, 60_000, 3, 0, "0 0 " + start, "0 0 0", null))
                            .body(broker.queue(first).get(0).duplicate().position(0))
                            .build()));
            List<ReceivedMessage> messages = consumer.receive(1, MINUTE);
            okNext(RequestCode.BATCH_ACK_MESSAGE);
            consumer.ack(messages);
            List<Command> seen = broker.seen(RequestCode.BATCH_ACK_MESSAGE);
            BatchAckBody body = BatchAckBody.parse(seen.get(seen.size() - 1).body());
            assertThat(body.acks()).singleElement().satisfies(entry -> {
                assertThat(entry.startOffset()).isZero();
                assertThat(entry.offsets().stream().toArray()).containsExactly(0);
            });
        }
    }

    @Test
    void aBrokerThatAnswersNothingAtOnceIsNotAskedAgainAndAgain() {
        SimpleConsumer consumer = simple();
        emptyPops();
        assertThat(consumer.receive(1, MINUTE, Duration.ofMillis(500))).isEmpty();
        // Without the pause there would be thousands.
        assertThat(broker.seen(RequestCode.POP_MESSAGE)).hasSizeBetween(1, 40);
    }

    @Test
    void nothingIsAnEmptyList() {
        SimpleConsumer consumer = simple();
        emptyPops();
        assertThat(consumer.receive(1, MINUTE, Duration.ZERO)).isEmpty();
        broker.refuseNext(RequestCode.POP_MESSAGE, ResponseCode.NO_PERMISSION, "not you");
        assertThat(broker.seen(RequestCode.POP_MESSAGE))
                .extracting(asked -> PopHeader.read(asked.fields()).topic())
                .containsExactly("orders", "%RETRY%pg");
    }

    @Test
    void mistakesAreNamed() {
        SimpleConsumer consumer = simple();
        assertThatThrownBy(() -> consumer.receive(0, MINUTE)).hasMessageContaining("max");
        assertThatThrownBy(() -> consumer.receive(1, Duration.ofMillis(999))).hasMessageContaining("invisibleFor");
        assertThatThrownBy(() -> consumer.ack(InboundMessage.of(Stored.message(first, 0, "strange"), FakeBroker.NAME)))
                .hasMessageContaining("not received by this consumer");
        assertThatThrownBy(() -> client.pushConsumer("pg2")
                        .subscribe("orders")
                        .byPop()
                        .onMessageInOrder(message -> ConsumeResult.SUCCESS)
                        .start())
                .hasMessageContaining("byPop");
        broker.refuseNext(RequestCode.CHECK_CLIENT_CONFIG, 23, "a >> b is no condition");
        assertThatThrownBy(() -> client.simpleConsumer("pg3")
                        .subscribe("orders", Filter.sql("a >> b"))
                        .build())
                .hasMessageContaining("a >> b is no condition");
    }

    @Test
    void aPushConsumerByPopSettlesEachMessage() throws Exception {
        for (String body : List.of("fine", "later", "never")) {
            broker.put(first, body, null);
        }
        nextPop(1_000);
        emptyPops();
        okNext(RequestCode.ACK_MESSAGE);
        okNext(RequestCode.ACK_MESSAGE);
        changeNext(2_000);
        BlockingQueue<String> received = new LinkedBlockingQueue<>();
        client.pushConsumer("pg")
                .subscribe("orders")
                .from(StartFrom.FIRST)
                .byPop()
                .onMessage(message -> {
                    received.add(message.text());
                    return switch (message.text()) {
                        case "later" -> ConsumeResult.retryAfter(Duration.ofSeconds(42));
                        case "never" -> ConsumeResult.REJECT;
                        default -> ConsumeResult.SUCCESS;
                    };
                })
                .start();
        for (int i = 0; i < 3; i++) {
            assertThat(received.poll(10, TimeUnit.SECONDS)).isNotNull();
        }
        await().until(() -> broker.seen(RequestCode.ACK_MESSAGE).size() == 2);
        await().until(() ->
                !broker.seen(RequestCode.CHANGE_MESSAGE_INVISIBLETIME).isEmpty());
        assertThat(ChangeInvisibleHeader.read(broker.seen(RequestCode.CHANGE_MESSAGE_INVISIBLETIME)
                                .get(0)
                                .fields())
                        .invisibleTime())
                .isEqualTo(42_000);
        assertThat(broker.queue(new MessageQueue("%DLQ%pg", FakeBroker.NAME, 0)))
                .hasSize(1);
        assertThat(broker.members("pg")).containsExactly(client.clientId());
    }
}
