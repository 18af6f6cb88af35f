/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;
import static org.awaitility.Awaitility.await;

import io.waybill.client.ConsumeResult;
import io.waybill.client.MessageQueue;
import io.waybill.client.PushConsumer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.runtime.ClientTimeouts;
import io.waybill.platform.Platform;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.header.PullHeader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.util.List;
import java.util.Set;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class ConcurrentConsumerTest {
    private final FakeBroker broker = new FakeBroker().topic("orders", 2);
    private final ConnectedClient client = ConnectedClient.connect(broker.address(), ProducerTest.QUICK);
    private final BlockingQueue<ReceivedMessage> received = new LinkedBlockingQueue<>();
    private final MessageQueue first = new MessageQueue("orders", FakeBroker.NAME, 0);
    private final MessageQueue second = new MessageQueue("orders", FakeBroker.NAME, 1);
    private final MessageQueue retries = new MessageQueue(Names.retryTopic("cg"), FakeBroker.NAME, 0);

    @AfterEach
    void close() {
        client.close();
        broker.close();
    }

    private PushConsumer.Builder consumer() {
        return client.pushConsumer("cg").from(StartFrom.FIRST);
    }

    private ConsumeResult take(ReceivedMessage message) {
        received.add(message);
        return ConsumeResult.SUCCESS;
    }

    private ReceivedMessage next() throws InterruptedException {
        ReceivedMessage message = received.poll(10, TimeUnit.SECONDS);
        assertThat(message).as("a message").isNotNull();
        return message;
    }

    @Test
    void everythingComesOnceAndTheProgressIsKept() throws Exception {
        broker.put(first, "a", null);
        broker.put(second, "b", null);
        PushConsumer consumer =
                consumer().subscribe("orders").onMessage(this::take).start();
        assertThat(consumer.assignment()).contains(first, second);
        assertThat(Set.of(next().text(), next().text())).containsExactlyInAnyOrder("a", "b");
        broker.put(first, "c", "TAG");
        ReceivedMessage last = next();
        assertThat(last.text()).isEqualTo("c");
        assertThat(last.tag()).isEqualTo("TAG");
        assertThat(last.delivery().queue()).isEqualTo(first);
        assertThat(last.delivery().offset()).isEqualTo(1);
        assertThat(last.delivery().attempt()).isEqualTo(1);
        await().until(() -> broker.offset("cg", first) == 2 && broker.offset("cg", second) == 1);
        consumer.close();
        assertThat(received).isEmpty();
        assertThat(broker.members("cg")).isEmpty();
        assertThat(broker.seen(RequestCode.UNREGISTER_CLIENT)).hasSize(1);
    }

    @Test
    void pullsCarryTheProgressSoThatAKillRepeatsLittle() throws Exception {
        ClientTimeouts seldom =
                new ClientTimeouts(3_000, 30_000, 30_000, 20_000, 3_600_000, 15_000, 20, 20_000, 30_000, 5_000);
        try (ConnectedClient other = ConnectedClient.connect(broker.address(), seldom)) {
            PushConsumer consumer = other.pushConsumer("cg")
                    .from(StartFrom.FIRST)
                    .subscribe("orders")
                    .onMessage(this::take)
                    .start();
            for (int n = 1; broker.offset("cg", first) < 1; n++) {
                broker.put(first, "m" + n, null);
                assertThat(next().text()).isEqualTo("m" + n);
            }
            assertThat(broker.seen(RequestCode.UPDATE_CONSUMER_OFFSET))
                    .allMatch(commit -> commit.fields().getLong("commitOffset", -1) == 0);
            consumer.close();
        }
    }

    @Test
    void progressThatExistsWinsOverTheBeginning() throws Exception {
        broker.put(first, "old", null);
        broker.put(first, "new", null);
        broker.offset("cg", first, 1);
        consumer().subscribe("orders").onMessage(this::take).start();
        assertThat(next().text()).isEqualTo("new");
    }

    @Test
    void aNewGroupMayBeginAtTheEndOrAtATime() throws Exception {
        broker.clock(1_000);
        broker.put(first, "a", null);
        broker.clock(2_000);
        broker.put(first, "b", null);
        broker.put(second, "c", null);
        PushConsumer fromTime = client.pushConsumer("by-time")
                .from(Instant.ofEpochMilli(1_500))
                .subscribe("orders")
                .onMessage(this::take)
                .start();
        assertThat(Set.of(next().text(), next().text())).containsExactlyInAnyOrder("b", "c");
        fromTime.close();
        PushConsumer fromEnd = client.pushConsumer("by-end")
                .subscribe("orders")
                .onMessage(this::take)
                .start();
        broker.put(second, "d", null);
        assertThat(next().text()).isEqualTo("d");
        fromEnd.close();
        assertThat(broker.offset("by-end", first)).isEqualTo(2);
    }

    @Test
    void tagsAreComparedAgainHere() throws Exception {
        broker.put(first, "no", "BB"); // same hash as Aa
        broker.put(first, "yes", "Aa");
        broker.put(first, "none", null);
        consumer().subscribe("orders", "Aa || Cc").onMessage(this::take).start();
        assertThat(next().text()).isEqualTo("yes");
        await().until(() -> broker.offset("cg", first) == 3);
        assertThat(received).isEmpty();
        PullHeader pull =
                PullHeader.read(broker.seen(RequestCode.PULL_MESSAGE).get(0).fields());
        assertThat(pull.hasSubscription()).isTrue();
        assertThat(pull.maySuspend()).isTrue();
    }

    @Test
    void aFailedMessageGoesBackAndComesAgain() throws Exception {
        AtomicInteger tries = new AtomicInteger();
        broker.put(first, "hard", "T");
        consumer()
                .subscribe("orders", "T")
                .onMessage(message -> {
                    received.add(message);
                    return switch (tries.incrementAndGet()) {
                        case 1 -> ConsumeResult.RETRY_LATER;
                        case 2 -> throw new IllegalStateException("still not");
                        case 3 -> null;
                        default -> ConsumeResult.SUCCESS;
                    };
                })
                .start();
        for (int attempt = 1; attempt <= 4; attempt++) {
            ReceivedMessage message = next();
            assertThat(message.delivery().attempt()).isEqualTo(attempt);
            assertThat(message.topic()).isEqualTo("orders");
            assertThat(message.text()).isEqualTo("hard");
        }
        await().until(() -> broker.offset("cg", first) == 1 && broker.offset("cg", retries) == 3);
        assertThat(broker.seen(RequestCode.CONSUMER_SEND_MSG_BACK))
                .hasSize(3)
                .allMatch(command -> command.fields().get("maxReconsumeTimes") == null // the group decides
                        && "0".equals(command.fields().get("delayLevel")));
    }

    @Test
    void theLastAttemptLeadsToTheDeadLetters() throws Exception {
        broker.put(first, "bad", null);
        consumer()
                .subscribe("orders")
                .maxAttempts(2)
                .onMessage(message -> {
                    received.add(message);
                    return ConsumeResult.RETRY_LATER;
                })
                .start();
        next();
        next();
        MessageQueue dead = new MessageQueue(Names.deadLetterTopic("cg"), FakeBroker.NAME, 0);
        await().until(() -> broker.queue(dead).size() == 1);
        assertThat(received).isEmpty();
    }

    @Test
    void ifTheBrokerCannotTakeItBackItIsSentToTheRetryTopic() throws Exception {
        AtomicInteger tries = new AtomicInteger();
        broker.put(first, "hard", null);
        broker.refuseNext(RequestCode.CONSUMER_SEND_MSG_BACK, 1, "no message at that offset");
        consumer()
                .subscribe("orders")
                .onMessage(message -> {
                    received.add(message);
                    return tries.incrementAndGet() == 1 ? ConsumeResult.RETRY_LATER : ConsumeResult.SUCCESS;
                })
                .start();
        String id = next().messageId();
        ReceivedMessage again = next();
        assertThat(again.messageId()).isEqualTo(id);
        assertThat(again.delivery().attempt()).isEqualTo(2);
        assertThat(again.topic()).isEqualTo("orders");
        assertThat(again.property("DELAY")).isEqualTo("3");
    }

    @Test
    void ifNothingTakesItBackItIsTriedAgainHere() throws Exception {
        AtomicInteger tries = new AtomicInteger();
        broker.put(first, "hard", null);
        broker.refuseNext(RequestCode.CONSUMER_SEND_MSG_BACK, 1, "no");
        broker.refuseNext(RequestCode.SEND_MESSAGE_V2, 1, "no");
        consumer()
                .subscribe("orders")
                .onMessage(message -> {
                    received.add(message);
                    return tries.incrementAndGet() == 1 ? ConsumeResult.RETRY_LATER : ConsumeResult.SUCCESS;
                })
                .start();
        next();
        assertThat(next().delivery().attempt()).isEqualTo(2);
        await().until(() -> broker.offset("cg", first) == 1);
    }

    @Test
    void aBodyThatCannotBeReadCountsAsFailed() throws Exception {
        broker.append(first, 0x101, "lz4?".getBytes(StandardCharsets.UTF_8), new byte[0], 0, 0);
        BlockingQueue<Throwable> failures = new LinkedBlockingQueue<>();
        consumer()
                .subscribe("orders")
                .maxAttempts(1)
                .onMessage(message -> {
                    try {
                        message.body();
                    } catch (WaybillException e) {
                        failures.add(e);
                        throw e;
                    }
                    return ConsumeResult.SUCCESS;
                })
                .start();
        assertThat(failures.poll(10, TimeUnit.SECONDS)).hasMessageContaining("LZ4");
        MessageQueue dead = new MessageQueue(Names.deadLetterTopic("cg"), FakeBroker.NAME, 0);
        await().until(() -> broker.queue(dead).size() == 1);
    }

    @Test
    void handlersRunAtTheSameTimeButNotMoreThanAllowed() throws Exception {
        for (int i = 0; i < 20; i++) {
            broker.put(first, "m" + i, null);
        }
        AtomicInteger running = new AtomicInteger();
        AtomicInteger most = new AtomicInteger();
        CountDownLatch three = new CountDownLatch(3);
        consumer()
                .subscribe("orders")
                .threads(3)
                .onMessage(message -> {
                    most.accumulateAndGet(running.incrementAndGet(), Math::max);
                    three.countDown();
                    three.await();
                    running.decrementAndGet();
                    return take(message);
                })
                .start();
        for (int i = 0; i < 20; i++) {
            next();
        }
        assertThat(most.get()).isEqualTo(3);
    }

    @Test
    void aFullQueueIsNotFetchedFurther() throws Exception {
        for (int i = 0; i < 100; i++) {
            broker.put(first, "m" + i, null);
        }
        CountDownLatch go = new CountDownLatch(1);
        PushConsumer consumer = consumer()
                .subscribe("orders")
                .maxCachedMessages(32)
                .threads(1)
                .onMessage(message -> {
                    go.await();
                    return take(message);
                })
                .start();
        await().until(() -> consumer.cachedMessages() == 32);
        go.countDown();
        for (int i = 0; i < 100; i++) {
            next();
        }
        await().until(() -> broker.offset("cg", first) == 100);
    }

    @Test
    void queuesAreSharedWithANewMemberAndTakenBackWhenItLeaves() {
        PushConsumer one = consumer().subscribe("orders").onMessage(this::take).start();
        assertThat(one.assignment()).contains(first, second);
        try (ConnectedClient other = ConnectedClient.connect(broker.address(), ProducerTest.QUICK)) {
            PushConsumer two = other.pushConsumer("cg")
                    .subscribe("orders")
                    .onMessage(this::take)
                    .start();
            await().until(() -> ordersOf(one) == 1 && ordersOf(two) == 1);
            assertThat(one.assignment()).doesNotContainAnyElementsOf(two.assignment());
        }
        await().until(() -> ordersOf(one) == 2);
    }

    private static int ordersOf(PushConsumer consumer) {
        return (int) consumer.assignment().stream()
                .filter(queue -> queue.topic().equals("orders"))
                .count();
    }

    @Test
    void anOffsetResetMovesTheConsumer() throws Exception {
        broker.put(first, "a", null);
        broker.put(first, "b", null);
        consumer().subscribe("orders").onMessage(this::take).start();
        next();
        next();
        await().until(() -> broker.offset("cg", first) == 2 && broker.heldPulls() >= 2);
        broker.moveHeldPull(first, 1);
        assertThat(next().text()).isEqualTo("b");
        await().until(() -> broker.offset("cg", first) == 2);
    }

    @Test
    void aLostConnectionIsMadeUpFor() throws Exception {
        consumer().subscribe("orders").onMessage(this::take).start();
        broker.next(RequestCode.PULL_MESSAGE, request -> request.connection().close());
        broker.put(first, "a", null);
        broker.put(second, "b", null);
        assertThat(Set.of(next().text(), next().text())).containsExactlyInAnyOrder("a", "b");
        await().until(() -> broker.members("cg").contains(client.clientId()));
    }

    @Test
    void aRefusedPullIsTriedAgain() throws Exception {
        broker.refuseNext(RequestCode.PULL_MESSAGE, 24, "subscription not exist")
                .refuseNext(RequestCode.PULL_MESSAGE, 215, "flow control")
                .refuseNext(RequestCode.PULL_MESSAGE, 1, "store error");
        broker.put(first, "a", null);
        consumer().subscribe("orders").onMessage(this::take).start();
        assertThat(next().text()).isEqualTo("a");
    }

    @Test
    void aBrokerThatDoesNotHoldPullsIsNotAskedInABusyLoop() throws Exception {
        broker.holdPulls = false;
        consumer().subscribe("orders").onMessage(this::take).start();
        broker.put(first, "a", null);
        next();
        assertThat(broker.seen(RequestCode.PULL_MESSAGE).size()).isLessThan(50);
    }

    @Test
    void aTopicThatIsMadeLaterIsPickedUp() throws Exception {
        PushConsumer consumer =
                consumer().subscribe("later").onMessage(this::take).start();
        assertThat(consumer.awaitAssignment(Duration.ofMillis(1))).isFalse();
        broker.topic("later", 1);
        assertThat(consumer.awaitAssignment(Duration.ofSeconds(10))).isTrue();
        broker.put(new MessageQueue("later", FakeBroker.NAME, 0), "x", null);
        assertThat(next().text()).isEqualTo("x");
    }

    @Test
    void nothingIsMissedInATopicThatIsMadeByTheFirstSend() throws Exception {
        client.pushConsumer("by-end").subscribe("later").onMessage(this::take).start();
        broker.put(new MessageQueue("later", FakeBroker.NAME, 0), "first of all", null);
        broker.topic("later", 1);
        assertThat(next().text()).isEqualTo("first of all");
    }

    @Test
    void theBeginningOfANewGroupIsKeptAtOnce() {
        broker.put(first, "old", null);
        client.pushConsumer("by-end").subscribe("orders").onMessage(this::take).start();
        await().until(() -> broker.offset("by-end", first) == 1 && broker.offset("by-end", second) == 0);
        assertThat(received).isEmpty();
    }

    @Test
    void aPausedConsumerRests() throws Exception {
        PushConsumer consumer =
                consumer().subscribe("orders").onMessage(this::take).start();
        consumer.pause();
        broker.put(first, "a", null);
        await().until(() -> consumer.cachedMessages() == 1);
        assertThat(received).isEmpty();
        consumer.resume();
        assertThat(next().text()).isEqualTo("a");
    }

    @Test
    void closeWaitsForTheHandlerAndKeepsItsProgress() throws Exception {
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch go = new CountDownLatch(1);
        broker.put(first, "a", null);
        broker.put(first, "b", null);
        PushConsumer consumer = consumer()
                .subscribe("orders")
                .threads(1)
                .onMessage(message -> {
                    inside.countDown();
                    go.await();
                    return take(message);
                })
                .start();
        inside.await();
        Thread closing = Platform.real().duties().thread("closing", consumer::close);
        closing.start();
        await().until(() -> closing.getState() == Thread.State.TIMED_WAITING);
        go.countDown();
        closing.join();
        assertThat(received).hasSize(1);
        assertThat(broker.offset("cg", first)).isEqualTo(1);
    }

    @Test
    void mistakesAreNamed() {
        assertThatThrownBy(() -> client.pushConsumer("cg").onMessage(this::take).start())
                .hasMessageContaining("subscribe");
        assertThatThrownBy(() -> client.pushConsumer("cg").subscribe("orders").start())
                .hasMessageContaining("onMessage");
        assertThatThrownBy(() -> client.pushConsumer("no spaces please")).hasMessageContaining("group");
        consumer().subscribe("orders").onMessage(this::take).start();
        assertThatThrownBy(() ->
                        consumer().subscribe("orders").onMessage(this::take).start())
                .hasMessageContaining("already");
    }

    @Test
    void theHeartbeatSaysWhatIsWanted() {
        consumer().subscribe("orders", "A || B").onMessage(this::take).start();
        io.waybill.protocol.body.HeartbeatData data = io.waybill.protocol.body.HeartbeatData.parse(
                broker.seen(RequestCode.HEART_BEAT).get(0).body());
        assertThat(data.clientId()).isEqualTo(client.clientId());
        assertThat(data.consumers()).singleElement().satisfies(group -> {
            assertThat(group.groupName()).isEqualTo("cg");
            assertThat(group.consumeType()).isEqualTo("CONSUME_PASSIVELY");
            assertThat(group.consumeFromWhere()).isEqualTo("CONSUME_FROM_FIRST_OFFSET");
            assertThat(group.subscriptions())
                    .extracting(io.waybill.protocol.body.SubscriptionData::topic)
                    .containsExactlyInAnyOrder("orders", retries.topic());
        });
        assertThat(List.copyOf(data.consumers().get(0).subscriptions().stream()
                        .filter(s -> s.topic().equals("orders"))
                        .findFirst()
                        .orElseThrow()
                        .tagsSet()))
                .containsExactlyInAnyOrder("A", "B");
    }

    @Test
    void aRejectedMessageAndADelayGoBackWithTheirLevels() throws Exception {
        broker.put(first, "bad", null);
        broker.put(first, "later", null);
        consumer()
                .subscribe("orders")
                .onMessage(message -> message.text().equals("bad")
                        ? ConsumeResult.REJECT
                        : message.delivery().attempt() > 1
                                ? ConsumeResult.SUCCESS
                                : ConsumeResult.retryAfter(Duration.ofSeconds(20)))
                .start();
        await().until(() -> broker.seen(RequestCode.CONSUMER_SEND_MSG_BACK).size() == 2);
        assertThat(broker.seen(RequestCode.CONSUMER_SEND_MSG_BACK))
                .extracting(command -> command.fields().get("delayLevel"))
                .containsExactlyInAnyOrder("-1", "4");
    }

    @Test
    void aMessageInAHangingHandlerIsGivenBack() throws Exception {
        CountDownLatch never = new CountDownLatch(1);
        broker.put(first, "hangs", null);
        broker.put(first, "fine", null);
        CountDownLatch fine = new CountDownLatch(1);
        consumer()
                .subscribe("orders")
                .handlerTimeout(Duration.ofMillis(100))
                .onMessage(message -> {
                    if (message.text().equals("hangs") && message.delivery().attempt() == 1) {
                        never.await();
                    } else {
                        fine.countDown();
                    }
                    return ConsumeResult.SUCCESS;
                })
                .start();
        assertThat(fine.await(10, TimeUnit.SECONDS)).isTrue();
        await().until(() -> broker.seen(RequestCode.CONSUMER_SEND_MSG_BACK).size() == 1);
        await().until(() -> broker.offset("cg", first) == 2);
        never.countDown();
    }

    @Test
    void broadcastTakesAllQueuesTriesAgainHereAndKeepsItsOwnProgress(@TempDir Path directory) throws Exception {
        MessageQueue second = new MessageQueue("orders", FakeBroker.NAME, 1);
        broker.put(first, "a", null);
        broker.put(second, "b", null);
        broker.put(second, "hopeless", null);
        BlockingQueue<String> received = new LinkedBlockingQueue<>();
        PushConsumer consumer = broadcast(directory, received);
        for (int i = 0; i < 4; i++) {
            assertThat(received.poll(10, TimeUnit.SECONDS)).isNotNull();
        }
        assertThat(consumer.assignment())
                .contains(first, second)
                .noneMatch(q -> q.topic().startsWith("%RETRY%"));
        await().until(() -> consumer.cachedMessages() == 0);
        consumer.close();
        assertThat(broker.offset("cg", first)).isEqualTo(-1);
        assertThat(broker.seen(RequestCode.CONSUMER_SEND_MSG_BACK)).isEmpty();
        broker.put(first, "c", null);
        try (PushConsumer again = broadcast(directory, received)) {
            assertThat(received.poll(10, TimeUnit.SECONDS)).isEqualTo("c");
            assertThat(again.group()).isEqualTo("cg");
        }
        assertThat(received).isEmpty();
    }

    private PushConsumer broadcast(Path directory, BlockingQueue<String> received) {
        return consumer()
                .subscribe("orders")
                .broadcast(directory)
                .maxAttempts(2)
                .onMessage(message -> {
                    received.add(message.text());
                    return message.text().equals("hopeless") ? ConsumeResult.RETRY_LATER : ConsumeResult.SUCCESS;
                })
                .start();
    }

    @Test
    void damagedOffsetsOfABroadcastAreNotOverlooked(@TempDir Path directory) throws Exception {
        java.nio.file.Files.writeString(directory.resolve("offsets.json"), "{\"offsets\":[{");
        PushConsumer.Builder builder =
                consumer().subscribe("orders").broadcast(directory).onMessage(message -> ConsumeResult.SUCCESS);
        assertThatThrownBy(builder::start).hasMessageContaining("offsets");
    }

    @Test
    void sqlIsCheckedByTheBrokerAndSentWithEachPull() {
        broker.next(
                RequestCode.CHECK_CLIENT_CONFIG,
                request -> request.reply(
                        io.waybill.protocol.frame.Command.response(0, null).build()));
        consumer()
                .subscribe("orders", io.waybill.client.Filter.sql("amount > 5"))
                .onMessage(message -> ConsumeResult.SUCCESS)
                .start();
        await().until(() -> broker.seen(RequestCode.PULL_MESSAGE).stream()
                .anyMatch(pull -> "SQL92".equals(pull.fields().get("expressionType"))
                        && "amount > 5".equals(pull.fields().get("subscription"))));
        broker.refuseNext(RequestCode.CHECK_CLIENT_CONFIG, 23, "amount >> 5: unexpected >");
        PushConsumer.Builder wrong = client.pushConsumer("other")
                .subscribe("orders", io.waybill.client.Filter.sql("amount >> 5"))
                .onMessage(message -> ConsumeResult.SUCCESS);
        assertThatThrownBy(wrong::start).hasMessageContaining("unexpected >");
    }
}
