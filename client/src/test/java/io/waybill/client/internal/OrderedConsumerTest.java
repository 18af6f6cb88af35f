/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.awaitility.Awaitility.await;

import io.waybill.client.ConsumeResult;
import io.waybill.client.MessageQueue;
import io.waybill.client.PushConsumer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.StartFrom;
import io.waybill.client.internal.runtime.ClientTimeouts;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class OrderedConsumerTest {
    private final FakeBroker broker = new FakeBroker().topic("orders", 4);
    private final ConnectedClient client = ConnectedClient.connect(broker.address(), ProducerTest.QUICK);
    private final BlockingQueue<ReceivedMessage> received = new LinkedBlockingQueue<>();
    private final MessageQueue first = queue(0);

    private static MessageQueue queue(int id) {
        return new MessageQueue("orders", FakeBroker.NAME, id);
    }

    @AfterEach
    void close() {
        client.close();
        broker.close();
    }

    private PushConsumer.Builder consumer(ConnectedClient from) {
        return from.pushConsumer("og").subscribe("orders").from(StartFrom.FIRST).suspend(Duration.ofMillis(10));
    }

    private String next() throws InterruptedException {
        ReceivedMessage message = received.poll(10, TimeUnit.SECONDS);
        assertThat(message).as("a message").isNotNull();
        return message.text();
    }

    @Test
    void queuesRunSideBySideButEachInOrderWithOneThread() throws Exception {
        int perQueue = 200;
        Map<Integer, List<Long>> orders = new ConcurrentHashMap<>();
        Map<Integer, AtomicInteger> inside = new ConcurrentHashMap<>();
        AtomicBoolean met = new AtomicBoolean();
        CountDownLatch all = new CountDownLatch(4 * perQueue);
        for (int id = 0; id < 4; id++) {
            orders.put(id, Collections.synchronizedList(new ArrayList<>()));
            inside.put(id, new AtomicInteger());
        }
        consumer(client)
                .onMessageInOrder(message -> {
                    int id = message.delivery().queue().id();
                    if (inside.get(id).incrementAndGet() > 1) {
                        met.set(true);
                    }
                    orders.get(id).add(message.delivery().offset());
                    inside.get(id).decrementAndGet();
                    all.countDown();
                    return ConsumeResult.SUCCESS;
                })
                .start();
        for (int i = 0; i < perQueue; i++) {
            for (int id = 0; id < 4; id++) {
                broker.put(queue(id), "m" + i, null);
            }
        }
        assertThat(all.await(30, TimeUnit.SECONDS)).isTrue();
        assertThat(met).isFalse();
        orders.values()
                .forEach(offsets ->
                        assertThat(offsets).isSorted().doesNotHaveDuplicates().hasSize(perQueue));
    }

    @Test
    void aFailedMessageHoldsWhatIsBehindIt() throws Exception {
        broker.put(first, "a", null);
        broker.put(first, "b", null);
        broker.put(first, "c", null);
        List<Integer> attempts = Collections.synchronizedList(new ArrayList<>());
        consumer(client)
                .onMessageInOrder(message -> {
                    if (message.text().equals("b")) {
                        attempts.add(message.delivery().attempt());
                        if (message.delivery().attempt() < 4) {
                            return ConsumeResult.RETRY_LATER;
                        }
                    }
                    received.add(message);
                    return ConsumeResult.SUCCESS;
                })
                .start();
        assertThat(List.of(next(), next(), next())).containsExactly("a", "b", "c");
        assertThat(attempts).containsExactly(1, 2, 3, 4);
        assertThat(broker.seen(RequestCode.CONSUMER_SEND_MSG_BACK)).isEmpty();
        await().until(() -> broker.offset("og", first) == 3);
    }

    @Test
    void aResetDoesNotWaitForTheNextAttemptOfTheHead() throws Exception {
        broker.put(first, "bad", null);
        broker.put(first, "good", null);
        consumer(client)
                .onMessageInOrder(message -> {
                    received.add(message);
                    return message.text().equals("bad")
                            ? ConsumeResult.retryAfter(Duration.ofHours(1))
                            : ConsumeResult.SUCCESS;
                })
                .start();
        assertThat(next()).isEqualTo("bad");
        await().until(() -> {
            broker.moveHeldPull(first, 1); // once the pull behind both is held
            return !received.isEmpty();
        });
        assertThat(next()).isEqualTo("good");
        await().until(() -> broker.offset("og", first) == 2);
    }

    @Test
    void theLastAttemptLeadsToTheDeadLettersAndTheQueueGoesOn() throws Exception {
        broker.put(first, "bad", null);
        broker.put(first, "good", null);
        consumer(client)
                .maxAttempts(2)
                .onMessageInOrder(message -> {
                    received.add(message);
                    return message.text().equals("bad") ? ConsumeResult.RETRY_LATER : ConsumeResult.SUCCESS;
                })
                .start();
        assertThat(List.of(next(), next(), next())).containsExactly("bad", "bad", "good");
        assertThat(broker.queue(new MessageQueue(Names.deadLetterTopic("og"), FakeBroker.NAME, 0)))
                .hasSize(1);
        assertThat(broker.seen(RequestCode.CONSUMER_SEND_MSG_BACK))
                .allMatch(command -> "-1".equals(command.fields().get("delayLevel")));
    }

    @Test
    void nothingIsFetchedWithoutTheLock() throws Exception {
        broker.put(first, "a", null);
        broker.lock(first, "og somebody-else");
        PushConsumer consumer = consumer(client)
                .onMessageInOrder(message -> {
                    received.add(message);
                    return ConsumeResult.SUCCESS;
                })
                .start();
        assertThat(consumer.assignment()).contains(queue(1)).doesNotContain(first);
        assertThat(received).isEmpty();
        broker.lock(first, null);
        assertThat(next()).isEqualTo("a");
        assertThat(broker.locks()).containsEntry(first, "og " + client.clientId());
    }

    @Test
    void theNextOwnerBeginsOnlyWhenTheHandlerOfTheLastHasEnded() throws Exception {
        // With two members each gets two queues: the second pair moves to the one with the larger id.
        broker.put(queue(0), "a0", null);
        broker.put(queue(3), "a3", null);
        broker.put(queue(0), "b0", null);
        broker.put(queue(3), "b3", null);
        CountDownLatch inside = new CountDownLatch(2);
        CountDownLatch go = new CountDownLatch(1);
        List<String> events = Collections.synchronizedList(new ArrayList<>());
        PushConsumer one = consumer(client)
                .onMessageInOrder(message -> {
                    events.add("begin " + message.text());
                    inside.countDown();
                    go.await();
                    events.add("end " + message.text());
                    return ConsumeResult.SUCCESS;
                })
                .start();
        assertThat(inside.await(10, TimeUnit.SECONDS)).isTrue();
        try (ConnectedClient other = ConnectedClient.connect(broker.address(), ProducerTest.QUICK)) {
            PushConsumer two = consumer(other)
                    .onMessageInOrder(message -> {
                        events.add("begin " + message.text());
                        events.add("end " + message.text());
                        received.add(message);
                        return ConsumeResult.SUCCESS;
                    })
                    .start();
            await().until(() -> orders(one) == 2 && orders(two) >= 1);
            assertThat(received).isEmpty();
            go.countDown();
            await().until(() -> orders(two) == 2);
            await().until(() -> events.contains("end b0") && events.contains("end b3"));
            assertThat(events.indexOf("end a0")).isLessThan(events.indexOf("begin b0"));
            assertThat(events.indexOf("end a3")).isLessThan(events.indexOf("begin b3"));
            assertThat(events).doesNotHaveDuplicates();
        }
    }

    @Test
    void aPausedConsumerGivesUpWhatItHasNotBegun() {
        PushConsumer one = consumer(client)
                .onMessageInOrder(message -> ConsumeResult.SUCCESS)
                .start();
        await().until(() -> orders(one) == 4);
        one.pause();
        for (int id = 0; id < 4; id++) {
            broker.put(queue(id), "m" + id, null);
        }
        await().until(() -> one.cachedMessages() == 4);
        try (ConnectedClient other = ConnectedClient.connect(broker.address(), ProducerTest.QUICK)) {
            PushConsumer two = consumer(other)
                    .onMessageInOrder(message -> {
                        received.add(message);
                        return ConsumeResult.SUCCESS;
                    })
                    .start();
            await().until(() -> orders(one) == 2 && orders(two) == 2);
            await().until(() -> received.size() == 2);
        }
    }

    private static int orders(PushConsumer consumer) {
        return (int) consumer.assignment().stream()
                .filter(queue -> queue.topic().equals("orders"))
                .count();
    }

    @Test
    void closeGivesTheLocksBackAfterTheProgress() {
        broker.put(first, "a", null);
        PushConsumer consumer = consumer(client)
                .onMessageInOrder(message -> {
                    received.add(message);
                    return ConsumeResult.SUCCESS;
                })
                .start();
        await().until(() -> !received.isEmpty());
        assertThat(broker.locks()).isNotEmpty();
        consumer.close();
        assertThat(broker.locks()).isEmpty();
        assertThat(broker.offset("og", first)).isEqualTo(1);
    }

    @Test
    void aResetWhileAHandlerRunsWaitsForIt() throws Exception {
        broker.put(first, "a", null);
        broker.put(first, "b", null);
        CountDownLatch inside = new CountDownLatch(1);
        CountDownLatch go = new CountDownLatch(1);
        AtomicInteger running = new AtomicInteger();
        AtomicBoolean met = new AtomicBoolean();
        consumer(client)
                .onMessageInOrder(message -> {
                    if (running.incrementAndGet() > 1) {
                        met.set(true);
                    }
                    if (message.text().equals("b")) {
                        inside.countDown();
                        go.await();
                    }
                    received.add(message);
                    running.decrementAndGet();
                    return ConsumeResult.SUCCESS;
                })
                .start();
        inside.await();
        await().until(() -> broker.heldPulls() >= 4);
        broker.moveHeldPull(first, 0);
        go.countDown();
        assertThat(List.of(next(), next(), next(), next())).containsExactly("a", "b", "a", "b");
        assertThat(met).isFalse();
        await().until(() -> broker.offset("og", first) == 2);
    }

    @Test
    void locksAreRenewedAndALostOneStopsTheQueue() {
        ClientTimeouts timings = new ClientTimeouts(3_000, 30_000, 30_000, 20_000, 50, 15_000, 20, 20, 60, 5_000);
        try (ConnectedClient renewing = ConnectedClient.connect(broker.address(), timings)) {
            PushConsumer consumer = consumer(renewing)
                    .onMessageInOrder(message -> ConsumeResult.SUCCESS)
                    .start();
            await().until(() -> orders(consumer) == 4);
            int before = broker.seen(RequestCode.LOCK_BATCH_MQ).size();
            await().until(() -> broker.seen(RequestCode.LOCK_BATCH_MQ).size() > before + 2);
            broker.lock(first, "og somebody-else");
            await().until(() -> !consumer.assignment().contains(first));
            broker.lock(first, null);
            await().until(() -> consumer.assignment().contains(first));
        }
    }

    @Test
    void aKeyThatKeepsFailingIsQuarantinedAndTheOthersGoOn() throws Exception {
        byte[] group = io.waybill.protocol.body.SubscriptionGroupConfig.of("og")
                .withAttributes(Map.of("waybill.quarantine.after", "3"))
                .toJson();
        broker.next(
                RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG,
                request -> request.reply(io.waybill.protocol.frame.Command.response(0, null)
                        .body(group)
                        .build()));
        broker.append(first, 0, "poison".getBytes(), properties("bad"), 0, 0);
        broker.append(first, 0, "good".getBytes(), properties("ok"), 0, 0);
        // Once quarantined the broker leaves the key out of what it hands to this group.
        broker.next(RequestCode.QUARANTINE, request -> {
            broker.hide(first, 0);
            request.reply(io.waybill.protocol.frame.Command.response(0, null)
                    .body("{\"answer\":\"QUARANTINED\"}".getBytes())
                    .build());
        });
        List<String> tried = Collections.synchronizedList(new ArrayList<>());
        consumer(client)
                .onMessageInOrder(message -> {
                    tried.add(message.text());
                    return message.text().equals("poison") ? ConsumeResult.RETRY_LATER : ConsumeResult.SUCCESS;
                })
                .start();
        await().until(() -> tried.contains("good"));
        assertThat(tried).containsExactly("poison", "poison", "poison", "good");
        io.waybill.protocol.json.JsonObject quarantined = io.waybill.protocol.json.Json.parse(
                broker.seen(RequestCode.QUARANTINE).get(0).body());
        assertThat(quarantined.getString("action")).isEqualTo("QUARANTINE");
        assertThat(quarantined.getString("key")).isEqualTo("bad");
        assertThat(quarantined.getString("topic")).isEqualTo("orders");
        assertThat(quarantined.getLong("offset", -1)).isZero();
        await().until(() -> broker.offset("og", first) == 2);
    }

    private static byte[] properties(String key) {
        return io.waybill.protocol.message.MessageProperties.encode(Map.of("__SHARDINGKEY", key));
    }

    @Test
    void aRejectedMessageIsDeadAtOnceAndItsQueueGoesOn() throws Exception {
        broker.put(first, "bad", null);
        broker.put(first, "good", null);
        consumer(client)
                .onMessageInOrder(message -> {
                    received.add(message);
                    return message.text().equals("bad") ? ConsumeResult.REJECT : ConsumeResult.SUCCESS;
                })
                .start();
        assertThat(List.of(next(), next())).containsExactly("bad", "good");
        assertThat(broker.queue(new MessageQueue(Names.deadLetterTopic("og"), FakeBroker.NAME, 0)))
                .hasSize(1);
    }
}
