/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.retry;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.FakeConnection;
import io.waybill.broker.simulated.FakeRequest;
import io.waybill.broker.simulated.SimulatedBroker;
import io.waybill.platform.RandomSource;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.SendBackHeader;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageProperties;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/**
 * Random lives of failing messages, in groups with every kind of back-off and limit, given back in both ways, against a model that knows only
 * arithmetic: when each is visible again, and when it is dead.
 */
class RetryHistoriesTest {
    private static final int HISTORIES = Integer.getInteger("waybill.histories", 40);
    private static final long[] LEVEL_SECONDS = {
        1, 5, 10, 30, 60, 120, 180, 240, 300, 360, 420, 480, 540, 600, 1200, 1800, 3600, 7200
    };

    @Test
    void everyTryComesAtItsTimeAndTheLastOneIsADeadLetter() {
        for (int seed = 0; seed < HISTORIES; seed++) {
            try {
                new History(seed).run();
            } catch (RuntimeException | AssertionError e) {
                throw new AssertionError("seed " + seed, e);
            }
        }
    }

    /** One group; what the model expects to see, by unique key. */
    private static final class History {
        private static final String GROUP = "shipping";

        private record Expected(boolean dead, long atMillis, int tries) {}

        private final RandomSource random;
        private final SimulatedBroker broker = new SimulatedBroker();
        private final FakeConnection consumer = broker.connect();
        private final long[] custom;
        private final long[] exponential;
        private final int groupLimit;
        private final boolean inOrder;
        private final Map<String, List<Expected>> expected = new TreeMap<>();
        private final Map<String, Message> inHand = new TreeMap<>();

        History(long seed) {
            random = RandomSource.seeded(seed);
            int kind = random.nextInt(3);
            custom = kind == 1 ? randomTable() : null;
            exponential = kind == 2
                    ? new long[] {1 + random.nextInt(5_000), 5_000 + random.nextInt(100_000), 1 + random.nextInt(4)}
                    : null;
            groupLimit = random.nextInt(6) - 1;
            inOrder = random.nextInt(6) == 0;
        }

        private long[] randomTable() {
            long[] table = new long[1 + random.nextInt(5)];
            for (int i = 0; i < table.length; i++) {
                table[i] = random.nextInt(100_000);
            }
            return table;
        }

        void run() {
            try {
                broker.topic("orders", 2);
                putGroup();
                for (int i = 0; i < 8; i++) {
                    String key = "u" + i;
                    broker.put("orders", 1, "order " + i, SimulatedBroker.properties(key));
                    expected.put(key, new ArrayList<>());
                }
                broker.visible("orders", 1).forEach(m -> inHand.put(m.uniqueKey(), m));
                for (int step = 0; step < 60; step++) {
                    step();
                }
                broker.pass(30 * 86_400_000L);
                compare();
            } finally {
                broker.close();
            }
        }

        private void putGroup() {
            SubscriptionGroupConfig usual = SubscriptionGroupConfig.of(GROUP);
            String policy = "{\"type\":\"CUSTOMIZED\"}";
            if (custom != null) {
                policy = "{\"type\":\"CUSTOMIZED\",\"customizedRetryPolicy\":{\"next\":" + Arrays.toString(custom)
                        + "}}";
            } else if (exponential != null) {
                policy = "{\"type\":\"EXPONENTIAL\",\"exponentialRetryPolicy\":{\"initial\":" + exponential[0]
                        + ",\"max\":" + exponential[1] + ",\"multiplier\":" + exponential[2] + "}}";
            }
            SubscriptionGroupConfig config = new SubscriptionGroupConfig(
                    GROUP,
                    true,
                    true,
                    true,
                    false,
                    usual.retryQueueNums(),
                    groupLimit,
                    Json.parse(policy),
                    0,
                    1,
                    true,
                    0,
                    15,
                    Map.of());
            Command reply = broker.request(
                    consumer,
                    Command.request(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP)
                            .body(config.toJson())
                            .build());
            assertThat(reply.code()).as(reply.remark()).isZero();
        }

        private void step() {
            switch (random.nextInt(8)) {
                case 0 -> broker.pass(random.nextInt(5_000));
                case 1 -> broker.pass(random.nextInt(4_000_000));
                case 2 -> {
                    if (random.nextInt(4) == 0) {
                        broker.restart();
                    }
                }
                case 3 -> {
                    if (random.nextInt(4) == 0) {
                        failInAPowerCut();
                    }
                }
                default -> fail();
            }
            compare();
        }

        private void fail() {
            if (inHand.isEmpty()) {
                return;
            }
            String key = new ArrayList<>(inHand.keySet()).get(random.nextInt(inHand.size()));
            Message message = inHand.remove(key);
            int clientLimit = random.nextInt(3) == 0 ? random.nextInt(5) : -1;
            if (inOrder && random.nextInt(2) == 0) {
                broker.inOrderGroups.add(GROUP);
            } else {
                broker.inOrderGroups.clear();
            }
            if (random.nextInt(3) == 0) {
                sendToRetryTopic(message, clientLimit);
            } else {
                sendBack(message, clientLimit);
            }
        }

        private void sendBack(Message message, int clientLimit) {
            int level = random.nextInt(4) == 0 ? random.nextInt(22) - 1 : 0;
            Command reply = broker.request(
                    consumer,
                    Command.request(RequestCode.CONSUMER_SEND_MSG_BACK)
                            .header(new SendBackHeader(
                                    message.position(), GROUP, level, "id", "orders", false, clientLimit, null))
                            .build());
            assertThat(reply.code()).as(reply.remark()).isZero();
            int before = message.reconsumeTimes();
            boolean dead = level < 0 || before >= limit(clientLimit);
            long delay = level > 0 ? ofLevel(level) : usualDelay(before);
            expect(message, dead, delay, before + 1);
        }

        /** The power is cut somewhere between a send-back and its answer: it is there or not, and there if it was answered. */
        private void failInAPowerCut() {
            if (inHand.isEmpty()) {
                return;
            }
            String key = new ArrayList<>(inHand.keySet()).get(random.nextInt(inHand.size()));
            Message message = inHand.get(key);
            FakeRequest request = broker.submit(
                    consumer,
                    Command.request(RequestCode.CONSUMER_SEND_MSG_BACK)
                            .header(new SendBackHeader(message.position(), GROUP, -1, "id", "orders", false, -1, null))
                            .build());
            for (int steps = random.nextInt(6); steps > 0 && broker.step(); steps--) {
                continue;
            }
            boolean answered = request.reply() != null;
            broker.crash(random.nextLong());
            boolean kept = broker.visible("%DLQ%" + GROUP, 0).stream()
                    .anyMatch(m -> m.uniqueKey().equals(key));
            assertThat(kept || !answered).isTrue();
            if (kept) {
                inHand.remove(key);
                expect(message, true, 0, message.reconsumeTimes() + 1);
            }
        }

        /** As the stock client does when its send-back failed. */
        private void sendToRetryTopic(Message message, int clientLimit) {
            int tries = message.reconsumeTimes() + 1;
            Map<String, String> properties = new LinkedHashMap<>(message.properties());
            properties.put(MessageProperties.RETRY_TOPIC, "orders");
            properties.put(MessageProperties.DELAY, Integer.toString(3 + message.reconsumeTimes()));
            SendMessageHeader header = new SendMessageHeader(
                    "CLIENT_INNER_PRODUCER",
                    "%RETRY%" + GROUP,
                    "TBW102",
                    4,
                    0,
                    0,
                    broker.now(),
                    0,
                    MessageProperties.encode(properties),
                    tries,
                    false,
                    clientLimit,
                    false,
                    null);
            Command reply = broker.request(
                    consumer,
                    Command.request(RequestCode.SEND_MESSAGE_V2)
                            .header(header)
                            .body(message.body())
                            .build());
            assertThat(reply.code()).as(reply.remark()).isZero();
            boolean dead = tries > limit(clientLimit) || broker.inOrderGroups.contains(GROUP);
            expect(message, dead, usualDelay(message.reconsumeTimes()), tries);
        }

        private void expect(Message message, boolean dead, long delayMillis, int tries) {
            long at = broker.now() + (dead ? 0 : delayMillis);
            expected.get(message.uniqueKey()).add(new Expected(dead, at, tries));
        }

        // ---- the model's arithmetic

        private long limit(int clientLimit) {
            int limit = clientLimit >= 0 ? clientLimit : groupLimit;
            return limit < 0 ? Long.MAX_VALUE : limit;
        }

        private long usualDelay(int triesBefore) {
            if (custom != null) {
                return custom[Math.min(triesBefore, custom.length - 1)];
            }
            if (exponential != null) {
                double delay = exponential[0];
                for (int i = 0; i < triesBefore; i++) {
                    delay *= exponential[2];
                }
                return (long) Math.min(delay, exponential[1]);
            }
            return ofLevel(3 + triesBefore);
        }

        private static long ofLevel(int level) {
            return LEVEL_SECONDS[Math.min(level, LEVEL_SECONDS.length) - 1] * 1_000;
        }

        // ---- what is there

        private void compare() {
            Map<String, List<Expected>> seen = new TreeMap<>();
            expected.keySet().forEach(key -> seen.put(key, new ArrayList<>()));
            List<Message> retried = broker.visible("%RETRY%" + GROUP, 0);
            List<Message> dead = broker.visible("%DLQ%" + GROUP, 0);
            for (Message m : retried) {
                seen.get(m.uniqueKey()).add(new Expected(false, m.storeTimestamp(), m.reconsumeTimes()));
            }
            for (Message m : dead) {
                seen.get(m.uniqueKey()).add(new Expected(true, m.storeTimestamp(), m.reconsumeTimes()));
                assertThat(m.properties())
                        .containsEntry("DLQ_ORIGIN_TOPIC", "orders")
                        .containsEntry("DLQ_TRIES", Integer.toString(m.reconsumeTimes()))
                        .containsEntry("DLQ_MS", Long.toString(m.storeTimestamp()))
                        .containsEntry("DLQ_GROUP", GROUP)
                        .containsKeys("DLQ_REASON", "RETRY_SINCE_MS")
                        .doesNotContainKey("DELAY");
            }
            expected.forEach((key, tries) -> {
                List<Expected> due =
                        tries.stream().filter(e -> e.atMillis() <= broker.now()).toList();
                assertThat(seen.get(key)).as("tries of " + key).isEqualTo(due);
                boolean back = !due.isEmpty() && due.size() == tries.size();
                if (back && !due.get(due.size() - 1).dead()) {
                    List<Message> copies = retried.stream()
                            .filter(m -> m.uniqueKey().equals(key))
                            .toList();
                    inHand.put(key, copies.get(copies.size() - 1));
                }
            });
        }
    }
}
