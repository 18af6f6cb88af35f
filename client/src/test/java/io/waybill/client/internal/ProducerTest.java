/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.waybill.client.Message;
import io.waybill.client.MessageQueue;
import io.waybill.client.Producer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.SendReceipt;
import io.waybill.client.WaybillException;
import io.waybill.client.WaybillException.Kind;
import io.waybill.client.internal.runtime.ClientTimeouts;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.message.MessageProperties;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CountDownLatch;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class ProducerTest {
    static final ClientTimeouts QUICK =
            new ClientTimeouts(3_000, 30_000, 30_000, 20_000, 50, 15_000, 20, 20_000, 30_000, 5_000);

    private final FakeBroker broker = new FakeBroker();
    private final ConnectedClient client = ConnectedClient.connect(broker.address(), QUICK);
    private final Producer producer = client.producer("pg").build();

    @AfterEach
    void close() {
        client.close();
        broker.close();
    }

    private List<SendMessageHeader> sends(int code) {
        return broker.seen(code).stream()
                .map(command -> SendMessageHeader.read(command.fields()))
                .toList();
    }

    @Test
    void aSendGivesWhereTheMessageIs() {
        broker.topic("orders", 4);
        Message message = Message.to("orders")
                .tag("CREATED")
                .key("k1")
                .key("k2")
                .property("color", "red")
                .body("hello")
                .build();
        SendReceipt receipt = producer.send(message);
        assertThat(receipt.messageId()).isEqualTo(message.id());
        assertThat(receipt.queue().topic()).isEqualTo("orders");
        assertThat(receipt.queue().broker()).isEqualTo(FakeBroker.NAME);
        assertThat(receipt.offset()).isZero();
        assertThat(receipt.attempts()).isEqualTo(1);
        assertThat(receipt.mayBeDuplicated()).isFalse();
        assertThat(receipt.durability()).isEqualTo(SendReceipt.Durability.CONFIRMED);
        assertThat(receipt.storedId()).isEqualTo(broker.offsetId(0));
        SendMessageHeader header = sends(RequestCode.SEND_MESSAGE_V2).get(0);
        assertThat(header.producerGroup()).isEqualTo("pg");
        assertThat(MessageProperties.decode(header.properties()))
                .containsEntry("UNIQ_KEY", message.id())
                .containsEntry("TAGS", "CREATED")
                .containsEntry("KEYS", "k1 k2")
                .containsEntry("color", "red")
                .containsEntry("WAIT", "true");
    }

    @Test
    void theFirstSendsOfAKeyKeepTheirOrderWhileTheRouteIsAskedFor() {
        broker.topic("orders", 4);
        Producer producer = client.producer("shop").build();
        List<CompletableFuture<SendReceipt>> sent = new ArrayList<>();
        for (int i = 0; i < 100; i++) {
            sent.add(producer.sendAsync(
                    Message.to("orders").orderingKey("k").body("m" + i).build()));
        }
        List<Long> offsets =
                sent.stream().map(receipt -> receipt.join().offset()).toList();
        assertThat(offsets).isSorted().doesNotHaveDuplicates();
    }

    @Test
    void sendsGoRoundTheQueues() {
        broker.topic("orders", 4);
        List<Integer> ids = new ArrayList<>();
        for (int i = 0; i < 8; i++) {
            ids.add(producer.send(Message.to("orders").body("x").build())
                    .queue()
                    .id());
        }
        assertThat(ids.subList(0, 4)).containsExactlyInAnyOrder(0, 1, 2, 3);
        assertThat(ids.subList(4, 8)).isEqualTo(ids.subList(0, 4));
    }

    @Test
    void anOrderingKeyHasOneQueueAndAnExplicitQueueIsObeyed() {
        broker.topic("orders", 8);
        MessageQueue first = producer.send(
                        Message.to("orders").orderingKey("order-1").body("1").build())
                .queue();
        assertThat(producer.send(Message.to("orders")
                                .orderingKey("order-1")
                                .body("2")
                                .build())
                        .queue())
                .isEqualTo(first);
        MessageQueue wanted = new MessageQueue("orders", FakeBroker.NAME, 5);
        assertThat(producer.send(Message.to("orders").queue(wanted).body("3").build())
                        .queue())
                .isEqualTo(wanted);
        assertThat(producer.queues("orders")).hasSize(8).contains(wanted);
    }

    @Test
    void anUnknownTopicIsSentToTheQueuesItWillHave() {
        SendReceipt receipt = producer.send(Message.to("fresh").body("x").build());
        assertThat(receipt.queue().topic()).isEqualTo("fresh");
        SendMessageHeader header = sends(RequestCode.SEND_MESSAGE_V2).get(0);
        assertThat(header.defaultTopic()).isEqualTo("TBW102");
        assertThat(header.defaultTopicQueueNums()).isEqualTo(4);
        assertThat(producer.queues("fresh")).hasSize(4);
    }

    @Test
    void withoutAutomaticTopicsAnUnknownTopicIsAClearError() {
        broker.autoCreate = false;
        assertThatThrownBy(() -> producer.send(Message.to("fresh").body("x").build()))
                .isInstanceOfSatisfying(WaybillException.class, e -> {
                    assertThat(e.kind()).isEqualTo(Kind.NOT_FOUND);
                    assertThat(e.code()).isEqualTo(17);
                    assertThat(e.mayHaveBeenStored()).isFalse();
                })
                .hasMessageContaining("fresh")
                .hasMessageContaining("waybill topic create");
        assertThat(broker.seen(RequestCode.GET_ROUTEINFO_BY_TOPIC))
                .as("topic and template, once")
                .hasSize(2);
    }

    @Test
    void aBusyBrokerIsAskedAgainWithTheSameId() {
        broker.topic("orders", 1)
                .refuseNext(RequestCode.SEND_MESSAGE_V2, 2, "[OVERLOAD] too much")
                .refuseNext(RequestCode.SEND_MESSAGE_V2, 2, "[OVERLOAD] too much");
        SendReceipt receipt = producer.send(Message.to("orders").body("x").build());
        assertThat(receipt.attempts()).isEqualTo(3);
        assertThat(receipt.mayBeDuplicated()).isFalse();
        assertThat(sends(RequestCode.SEND_MESSAGE_V2))
                .hasSize(3)
                .allMatch(header -> receipt.messageId().equals(MessageProperties.get(header.properties(), "UNIQ_KEY")));
    }

    @Test
    void aBrokenConnectionIsRetriedAndTheReceiptSaysThatACopyMayExist() {
        broker.topic("orders", 1)
                .next(
                        RequestCode.SEND_MESSAGE_V2,
                        request -> request.connection().close());
        SendReceipt receipt = producer.send(Message.to("orders").body("x").build());
        assertThat(receipt.attempts()).isEqualTo(2);
        assertThat(receipt.mayBeDuplicated()).isTrue();
    }

    @Test
    void anErrorThatPersistsSaysThatTheMessageMayBeStored() {
        broker.topic("orders", 1);
        for (int i = 0; i < 3; i++) {
            broker.refuseNext(RequestCode.SEND_MESSAGE_V2, 1, "the disk failed");
        }
        assertThatThrownBy(() -> producer.send(Message.to("orders").body("x").build()))
                .isInstanceOfSatisfying(WaybillException.class, e -> {
                    assertThat(e.kind()).isEqualTo(Kind.REFUSED);
                    assertThat(e.mayHaveBeenStored()).isTrue();
                })
                .hasMessageContaining("3 attempts")
                .hasMessageContaining("the disk failed")
                .hasMessageContaining("may have been stored");
        assertThat(sends(RequestCode.SEND_MESSAGE_V2)).hasSize(3);
    }

    @Test
    void aRefusalForGoodIsNotRepeated() {
        broker.topic("orders", 1).refuseNext(RequestCode.SEND_MESSAGE_V2, 13, "properties too long");
        assertThatThrownBy(() -> producer.send(Message.to("orders").body("x").build()))
                .isInstanceOfSatisfying(WaybillException.class, e -> {
                    assertThat(e.kind()).isEqualTo(Kind.INVALID);
                    assertThat(e.mayHaveBeenStored()).isFalse();
                });
        assertThat(sends(RequestCode.SEND_MESSAGE_V2)).hasSize(1);
    }

    @Test
    void aSilentBrokerEndsInATimeOut() {
        broker.topic("orders", 1);
        producer.send(Message.to("orders").body("x").build()); // the short time is then for the send alone
        broker.next(RequestCode.SEND_MESSAGE_V2, request -> {});
        try (Producer quick =
                client.producer("quick").sendTimeout(Duration.ofMillis(200)).build()) {
            assertThatThrownBy(() -> quick.send(Message.to("orders").body("x").build()))
                    .isInstanceOfSatisfying(WaybillException.class, e -> {
                        assertThat(e.kind()).isEqualTo(Kind.TIMEOUT);
                        assertThat(e.mayHaveBeenStored()).isTrue();
                    });
        }
    }

    @Test
    void anUnreachableNameServerIsAClearError() {
        FakeBroker gone = new FakeBroker();
        String address = gone.address();
        gone.close();
        try (ConnectedClient lonely = ConnectedClient.connect(address, QUICK);
                Producer alone = lonely.producer("alone")
                        .sendTimeout(Duration.ofMinutes(1))
                        .maxAttempts(1)
                        .build()) {
            assertThatThrownBy(() -> alone.send(Message.to("orders").body("x").build()))
                    .isInstanceOfSatisfying(WaybillException.class, e -> {
                        assertThat(e.kind()).isEqualTo(Kind.UNREACHABLE);
                        assertThat(e.mayHaveBeenStored()).isFalse();
                    });
        }
    }

    @Test
    void theSecondNameServerIsAskedWhenTheFirstIsGone() {
        FakeBroker gone = new FakeBroker();
        String address = gone.address();
        gone.close();
        broker.topic("orders", 1);
        try (ConnectedClient both = ConnectedClient.connect(address + ";" + broker.address(), QUICK);
                Producer sending = both.producer("both").build()) {
            assertThat(sending.send(Message.to("orders").body("x").build()).attempts())
                    .isEqualTo(1);
        }
    }

    @Test
    void storedWithADoubtIsSaid() {
        broker.topic("orders", 1)
                .next(
                        RequestCode.SEND_MESSAGE_V2,
                        request -> request.reply(io.waybill.protocol.frame.Command.response(10, "FLUSH_DISK_TIMEOUT")
                                .field("msgId", broker.offsetId(0))
                                .field("queueId", 0)
                                .field("queueOffset", 3)
                                .build()));
        SendReceipt receipt = producer.send(Message.to("orders").body("x").build());
        assertThat(receipt.durability()).isEqualTo(SendReceipt.Durability.FLUSH_TIMEOUT);
        assertThat(receipt.offset()).isEqualTo(3);
    }

    @Test
    void manyAsyncSendsAllEnd() {
        broker.topic("orders", 4);
        List<CompletableFuture<SendReceipt>> all = new ArrayList<>();
        for (int i = 0; i < 200; i++) {
            all.add(producer.sendAsync(Message.to("orders").body("m" + i).build()));
        }
        assertThat(all.stream()
                        .map(CompletableFuture::join)
                        .map(SendReceipt::messageId)
                        .distinct())
                .hasSize(200);
        assertThat(broker.seen(RequestCode.GET_ROUTEINFO_BY_TOPIC)).hasSize(1);
    }

    @Test
    void anAsyncSendFailsInItsFutureOnly() {
        CompletableFuture<SendReceipt> failed =
                producer.sendAsync(Message.to("SCHEDULE_TOPIC_XXXX").body("x").build());
        assertThatThrownBy(failed::join).hasCauseInstanceOf(WaybillException.class);
    }

    @Test
    void aOnewaySendArrives() {
        broker.topic("orders", 1);
        producer.sendOneway(Message.to("orders").body("x").build());
        await().until(() ->
                broker.queue(new MessageQueue("orders", FakeBroker.NAME, 0)).size() == 1);
    }

    @Test
    void aBatchGoesToOneQueueInOrder() {
        broker.topic("orders", 4);
        List<Message> messages = List.of(
                Message.to("orders").tag("A").body("one").build(),
                Message.to("orders").body("two").build(),
                Message.to("orders").body("three").build());
        List<SendReceipt> receipts = producer.sendAll(messages);
        assertThat(receipts)
                .extracting(SendReceipt::messageId)
                .isEqualTo(messages.stream().map(Message::id).toList());
        assertThat(receipts).extracting(SendReceipt::offset).containsExactly(0L, 1L, 2L);
        assertThat(receipts).extracting(SendReceipt::storedId).doesNotHaveDuplicates();
        assertThat(broker.queue(receipts.get(0).queue()))
                .extracting(stored -> new String(
                        io.waybill.protocol.message.Message.decode(stored, 0).body(), StandardCharsets.UTF_8))
                .containsExactly("one", "two", "three");
        assertThat(producer.sendAll(List.of())).isEmpty();
    }

    @Test
    void whatDoesNotFitInABatchIsNamed() {
        Message plain = Message.to("a").body("x").build();
        assertThatThrownBy(() -> producer.sendAll(
                        List.of(plain, Message.to("b").body("x").build())))
                .hasMessageContaining("one topic");
        assertThatThrownBy(() -> producer.sendAll(List.of(
                        plain,
                        Message.to("a")
                                .body("x")
                                .deliverAfter(Duration.ofSeconds(1))
                                .build())))
                .hasMessageContaining("delayed");
        assertThatThrownBy(() -> producer.sendAll(List.of(
                        plain, Message.to("a").body("x").orderingKey("k").build())))
                .hasMessageContaining("ordering key");
        byte[] big = new byte[3 << 20];
        assertThatThrownBy(() -> producer.sendAll(List.of(
                        Message.to("a").body(big).build(),
                        Message.to("a").body(big).build())))
                .hasMessageContaining("4194304 bytes");
    }

    @Test
    void bigBodiesTravelCompressed() {
        broker.topic("orders", 1);
        producer.send(Message.to("orders").body("abc".repeat(5_000)).build());
        producer.send(Message.to("orders").body("abc").build());
        assertThat(sends(RequestCode.SEND_MESSAGE_V2))
                .extracting(SendMessageHeader::sysFlag)
                .containsExactly(0x301, 0);
        assertThat(broker.seen(RequestCode.SEND_MESSAGE_V2).get(0).bodyLength()).isLessThan(1_000);
    }

    @Test
    void delaysAreRelativeOrAbsolute() {
        broker.topic("orders", 1);
        producer.send(Message.to("orders")
                .body("x")
                .deliverAfter(Duration.ofSeconds(90))
                .build());
        producer.send(Message.to("orders")
                .body("x")
                .deliverAt(Instant.ofEpochMilli(1_234_567_890_122L).plusNanos(1))
                .build());
        List<Map<String, String>> properties = new ArrayList<>();
        sends(RequestCode.SEND_MESSAGE_V2)
                .forEach(header -> properties.add(MessageProperties.decode(header.properties())));
        assertThat(properties.get(0)).containsEntry("TIMER_DELAY_MS", "90000").doesNotContainKey("TIMER_DELIVER_MS");
        assertThat(properties.get(1))
                .containsEntry("TIMER_DELIVER_MS", "1234567890123")
                .doesNotContainKey("TIMER_DELAY_MS");
    }

    @Test
    void aRecallGoesToTheBrokerThatTheHandleNames() {
        broker.topic("orders", 1);
        String handle = Base64.getUrlEncoder()
                .encodeToString(("v1 orders " + FakeBroker.NAME + " 99 KEY").getBytes(StandardCharsets.UTF_8));
        assertThat(producer.delayed().recall("orders", handle)).isTrue();
        broker.refuseNext(RequestCode.RECALL_MESSAGE, 604, "too late");
        assertThat(producer.delayed().recall("orders", handle)).isFalse();
        broker.refuseNext(RequestCode.RECALL_MESSAGE, 16, "forbidden");
        assertThatThrownBy(() -> producer.delayed().recall("orders", handle)).hasMessageContaining("forbidden");
        assertThatThrownBy(() -> producer.delayed().recall("orders", "nonsense!"))
                .hasMessageContaining("handle");
        SendReceipt plain = producer.send(Message.to("orders").body("x").build());
        assertThatThrownBy(() -> producer.delayed().recall(plain)).hasMessageContaining("no recall handle");
    }

    @Test
    void closeWaitsForAnswersThenRefuses() throws Exception {
        broker.topic("orders", 1);
        CountDownLatch arrived = new CountDownLatch(1);
        CompletableFuture<io.waybill.remoting.Request> held = new CompletableFuture<>();
        broker.next(RequestCode.SEND_MESSAGE_V2, request -> {
            held.complete(request);
            arrived.countDown();
        });
        CompletableFuture<SendReceipt> sent =
                producer.sendAsync(Message.to("orders").body("x").build());
        arrived.await();
        sent.thenRun(() -> {});
        CompletableFuture<Void> closed = CompletableFuture.runAsync(producer::close);
        held.get()
                .reply(io.waybill.protocol.frame.Command.response(0, null)
                        .field("msgId", broker.offsetId(0))
                        .field("queueId", 0)
                        .field("queueOffset", 0)
                        .build());
        assertThat(sent.get().offset()).isZero();
        closed.get();
        assertThatThrownBy(() -> producer.send(Message.to("orders").body("x").build()))
                .isInstanceOfSatisfying(
                        WaybillException.class, e -> assertThat(e.kind()).isEqualTo(Kind.CLOSED));
    }

    @Test
    void aClosedClientBuildsNothing() {
        client.close();
        assertThatThrownBy(() -> client.producer("later").build())
                .isInstanceOfSatisfying(
                        WaybillException.class, e -> assertThat(e.kind()).isEqualTo(Kind.CLOSED));
    }

    @Test
    void whatOnlyWaybillKnowsGoesAsProperties() {
        producer.send(Message.to("orders")
                .body("b")
                .priority(3)
                .dedupKey("order-7")
                .deliverAfter(Duration.ofMinutes(1))
                .unless("payments", "order-7", "PAID")
                .build());
        io.waybill.protocol.header.SendMessageHeader header = io.waybill.protocol.header.SendMessageHeader.read(
                broker.seen(RequestCode.SEND_MESSAGE_V2).get(0).fields());
        assertThat(io.waybill.protocol.message.MessageProperties.decode(header.properties()))
                .containsEntry("_SYS_MSG_PRIORITY_", "3")
                .containsEntry("WAYBILL_DEDUP_KEY", "order-7")
                .containsEntry("WAYBILL_UNLESS", "payments|order-7|PAID");
        assertThatThrownBy(() -> Message.to("orders").body("b").unless("p", "k").build())
                .hasMessageContaining("unless");
        assertThatThrownBy(() -> Message.to("orders").body("b").priority(-5).build())
                .hasMessageContaining("priority");
        assertThatThrownBy(() -> Message.to("orders").body("b").dedupKey(" ").build())
                .hasMessageContaining("dedupKey");
    }

    @Test
    void aDuplicateIsSaid() {
        broker.next(
                RequestCode.SEND_MESSAGE_V2,
                request -> request.reply(io.waybill.protocol.frame.Command.response(0, null)
                        .field("msgId", "7F00000100002A9F0000000000000064")
                        .field("queueId", 1)
                        .field("queueOffset", 5)
                        .field("transactionId", "FIRST")
                        .field("WAYBILL_DUPLICATE", "true")
                        .build()));
        SendReceipt receipt =
                producer.send(Message.to("orders").dedupKey("k").body("b").build());
        assertThat(receipt.duplicate()).isTrue();
        assertThat(receipt.offset()).isEqualTo(5);
        assertThat(receipt.messageId()).isEqualTo("FIRST");
        assertThat(producer.send(Message.to("orders").body("b").build()).duplicate())
                .isFalse();
    }

    @Test
    void whatTravelsAloneDoesNotOvertakeWhatLingersWithItsOrderingKey() {
        broker.topic("orders", 1);
        try (Producer lingering =
                client.producer("lg").linger(Duration.ofSeconds(60)).build()) {
            lingering.send(Message.to("orders").body("finds the route").build());
            CompletableFuture<SendReceipt> small = lingering.sendAsync(
                    Message.to("orders").orderingKey("k").body("small").build());
            SendReceipt large = lingering
                    .sendAsync(Message.to("orders")
                            .orderingKey("k")
                            .body(new byte[100_000])
                            .build())
                    .join();
            assertThat(small.join().offset()).isLessThan(large.offset());
            CompletableFuture<SendReceipt> another = lingering.sendAsync(
                    Message.to("orders").orderingKey("k").body("another").build());
            SendReceipt waitedFor = lingering.send(
                    Message.to("orders").orderingKey("k").body("last").build());
            assertThat(another.join().offset()).isLessThan(waitedFor.offset());
        }
    }

    @Test
    void aQuestionEndsWithItsClient() {
        broker.topic("orders", 1);
        CompletableFuture<ReceivedMessage> answer;
        try (ConnectedClient asking = ConnectedClient.connect(broker.address(), QUICK)) {
            Producer producerOfQuestions =
                    asking.producer("qg").sendTimeout(Duration.ofMillis(300)).build();
            answer = producerOfQuestions.requestAsync(
                    Message.to("orders").body("?").build(), Duration.ofHours(1));
        }
        assertThat(answer).isCompletedExceptionally();
    }

    @Test
    void messagesThatLingerTravelTogether() {
        try (Producer lingering =
                client.producer("lg").linger(Duration.ofMillis(50)).build()) {
            List<CompletableFuture<SendReceipt>> sent = new ArrayList<>();
            MessageQueue queue = new MessageQueue("orders", FakeBroker.NAME, 0);
            for (int i = 0; i < 300; i++) {
                sent.add(lingering.sendAsync(
                        Message.to("orders").queue(queue).body("m" + i).build()));
            }
            for (int i = 0; i < 300; i++) {
                assertThat(sent.get(i).join().offset()).isEqualTo(i);
            }
            // What may not be in a batch does not wait.
            lingering
                    .sendAsync(Message.to("orders")
                            .body("d")
                            .deliverAfter(Duration.ofMinutes(1))
                            .build())
                    .join();
        }
        assertThat(broker.seen(RequestCode.SEND_BATCH_MESSAGE)).hasSizeBetween(3, 30);
        assertThat(broker.seen(RequestCode.SEND_MESSAGE_V2)).hasSizeBetween(1, 2);
    }

    @Test
    void aMessageIsCancelledAndMovedByKeyAndByReceipt() {
        SendReceipt receipt = new SendReceipt(
                "ID",
                "0A",
                new MessageQueue("orders", FakeBroker.NAME, 0),
                0,
                SendReceipt.Durability.CONFIRMED,
                "handle",
                1,
                false,
                false);
        broker.topic("orders", 1);
        for (String answer : List.of("CANCELLED", "ALREADY_DELIVERED")) {
            broker.next(
                    RequestCode.CHANGE_TIMER,
                    request -> request.reply(io.waybill.protocol.frame.Command.response(0, null)
                            .body(("{\"answer\":\"" + answer + "\",\"messages\":[]}").getBytes())
                            .build()));
        }
        assertThat(producer.delayed().cancel(receipt).done()).isTrue();
        assertThat(producer.delayed()
                        .reschedule("orders", "k", java.time.Instant.ofEpochMilli(99))
                        .answer())
                .isEqualTo(io.waybill.client.DelayedChange.Answer.ALREADY_DELIVERED);
        assertThat(broker.seen(RequestCode.CHANGE_TIMER))
                .extracting(command ->
                        io.waybill.protocol.json.Json.parse(command.body()).getString("uniqueKey"))
                .containsExactly("ID", null);
    }
}
