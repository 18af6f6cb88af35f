/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static io.waybill.verify.stock.Stock.message;
import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.verify.embedded.TestBroker;
import java.io.ByteArrayOutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.stream.IntStream;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;
import org.apache.rocketmq.tools.command.MQAdminStartup;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

@Tag("end-to-end")
class StockReplayTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @RegisterExtension
    static final TestBroker broker = TestBroker.withDefaults();

    private final Stock stock = new Stock(broker);

    @Test
    void forEveryInstantThePositionIsTheFirstMessageStoredAtOrAfterIt() throws Exception {
        String topic = Stock.unique("replay");
        DefaultMQProducer producer = stock.producer();
        Map<Integer, List<MessageExt>> byQueue = sendAndRead(producer, topic);
        TreeSet<Long> instants = new TreeSet<>();
        byQueue.values()
                .forEach(list -> list.forEach(m -> {
                    instants.add(m.getStoreTimestamp() - 1);
                    instants.add(m.getStoreTimestamp());
                    instants.add(m.getStoreTimestamp() + 1);
                }));
        instants.add(0L);
        instants.add(instants.last() + 100_000);
        int sameMillisecond = 0;
        for (MessageQueue queue : producer.fetchPublishMessageQueues(topic)) {
            List<MessageExt> messages = byQueue.getOrDefault(queue.getQueueId(), List.of());
            for (long instant : instants) {
                long expected = messages.stream()
                        .filter(m -> m.getStoreTimestamp() >= instant)
                        .mapToLong(MessageExt::getQueueOffset)
                        .min()
                        .orElse(messages.size());
                assertThat(producer.searchOffset(queue, instant))
                        .as("queue %s instant %s", queue.getQueueId(), instant)
                        .isEqualTo(expected);
            }
            for (int i = 1; i < messages.size(); i++) {
                if (messages.get(i).getStoreTimestamp() == messages.get(i - 1).getStoreTimestamp()) {
                    sameMillisecond++;
                }
            }
        }
        assertThat(sameMillisecond)
                .as("messages of one millisecond, else this shows nothing")
                .isPositive();
    }

    @Test
    void mqadminResetsAnOnlineAndAnOfflineGroup() throws Exception {
        String topic = Stock.unique("reset");
        DefaultMQProducer producer = stock.producer();
        Map<Integer, List<MessageExt>> byQueue = sendAndRead(producer, topic);
        List<MessageExt> all = byQueue.values().stream().flatMap(List::stream).toList();
        long middle = all.stream()
                .mapToLong(MessageExt::getStoreTimestamp)
                .sorted()
                .skip(all.size() / 2)
                .findFirst()
                .orElseThrow();
        long expected =
                all.stream().filter(m -> m.getStoreTimestamp() >= middle).count();

        String online = Stock.unique("online");
        Stock.Inbox inbox = stock.consume(online, topic, "*");
        inbox.awaitCount(all.size(), LIMIT);
        mqadmin("resetOffsetByTime", "-n", broker.namesrvAddress(), "-g", online, "-t", topic, "-s", "" + middle);
        inbox.awaitCount(all.size() + (int) expected, LIMIT);
        assertThat(inbox.messages()).hasSize(all.size() + (int) expected);
        assertThat(inbox.messages().subList(all.size(), inbox.messages().size()))
                .allMatch(m -> m.getStoreTimestamp() >= middle);

        String offline = Stock.unique("offline");
        Stock brief = new Stock(broker.namesrvAddress());
        Stock.Inbox first = brief.consume(offline, topic, "*");
        first.awaitCount(all.size(), LIMIT);
        brief.closeAndWait();
        mqadmin("resetOffsetByTime", "-n", broker.namesrvAddress(), "-g", offline, "-t", topic, "-s", "" + middle);
        Stock.Inbox again = stock.consume(offline, topic, "*");
        again.awaitCount((int) expected, LIMIT);
        assertThat(again.messages()).hasSize((int) expected).allMatch(m -> m.getStoreTimestamp() >= middle);
    }

    @Test
    void aResetBringsEverythingAgainAndKeepsWhatWaitsForItsRetry() throws Exception {
        String topic = Stock.unique("incident");
        String group = Stock.unique("incident-group");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 1, null);
        for (String body : List.of("a", "bad", "b")) {
            producer.send(message(topic, "", "", body));
        }
        Map<String, AtomicInteger> seen = new ConcurrentHashMap<>();
        stock.consumer(group, topic, "*", (messages, context) -> {
            context.setDelayLevelWhenNextConsume(2); // five seconds
            boolean fails = false;
            for (MessageExt m : messages) {
                int times = seen.computeIfAbsent(Stock.text(m), k -> new AtomicInteger())
                        .incrementAndGet();
                fails |= Stock.text(m).equals("bad") && times == 1;
            }
            return fails ? ConsumeConcurrentlyStatus.RECONSUME_LATER : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        Stock.await("every message once", LIMIT, () -> seen.size() == 3);
        DefaultMQAdminExt admin = new DefaultMQAdminExt();
        admin.setNamesrvAddr(broker.namesrvAddress());
        admin.setInstanceName(Stock.unique("admin"));
        admin.start();
        Stock.await("the message to be given back", LIMIT, () -> isGivenBack(admin, topic + "@" + group));
        admin.resetOffsetByTimestamp(topic, group, 0, true);
        Stock.await(
                "all again, and the retry besides",
                LIMIT,
                () -> seen.get("a").get() >= 2
                        && seen.get("b").get() >= 2
                        && seen.get("bad").get() >= 3);
        admin.shutdown();
    }

    private static boolean isGivenBack(DefaultMQAdminExt admin, String key) {
        try {
            return admin.viewBrokerStatsData(broker.brokerAddress(), "SNDBCK_PUT_NUMS", key)
                            .getStatsMinute()
                            .getSum()
                    > 0;
        } catch (MQClientException e) {
            return false; // nothing counted yet
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    /** Single messages and batches (several messages of one millisecond) over four queues, read back with their store times. */
    private Map<Integer, List<MessageExt>> sendAndRead(DefaultMQProducer producer, String topic) throws Exception {
        producer.createTopic("TBW102", topic, 4, null);
        int sent = 0;
        for (int i = 0; i < 60; i++) {
            if (i % 6 == 0) {
                int base = i;
                producer.send(IntStream.range(0, 4)
                        .mapToObj(n -> message(topic, "", "", "b" + base + "-" + n))
                        .toList());
                sent += 4;
            } else {
                producer.send(message(topic, "", "", "m" + i));
                sent++;
            }
        }
        Stock.Inbox inbox = stock.consume(Stock.unique("readers"), topic, "*");
        inbox.awaitCount(sent, LIMIT);
        Map<Integer, List<MessageExt>> byQueue = new TreeMap<>();
        inbox.messages()
                .forEach(m -> byQueue.computeIfAbsent(m.getQueueId(), id -> new ArrayList<>())
                        .add(m));
        byQueue.values().forEach(list -> list.sort((a, b) -> Long.compare(a.getQueueOffset(), b.getQueueOffset())));
        return byQueue;
    }

    static String mqadmin(String... arguments) {
        PrintStream console = System.out;
        ByteArrayOutputStream printed = new ByteArrayOutputStream();
        System.setOut(new PrintStream(printed, true, StandardCharsets.UTF_8));
        try {
            MQAdminStartup.main0(arguments, null);
        } finally {
            System.setOut(console);
        }
        return printed.toString(StandardCharsets.UTF_8);
    }
}
