/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.crash;

import static org.assertj.core.api.Assertions.assertThat;

import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicBoolean;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.locks.LockSupport;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.store.ReadOffsetType;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.io.TempDir;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** Kills the server under the load of stock clients, again and again. -Dwaybill.kills=N sets how often (10). */
@Tag("end-to-end")
class KillNineTest {
    private static final int KILLS = Integer.getInteger("waybill.kills", 10);
    private static final String TOPIC = "kill-orders";
    private static final String LATER = "kill-later";
    private static final String HALVES = "kill-halves";
    private static final String GROUP = "kill-readers";

    @TempDir
    Path directory;

    private final Map<String, long[]> acknowledged = new ConcurrentHashMap<>();
    private final Map<String, String> recallHandles = new ConcurrentHashMap<>();
    private final Set<String> openHalves = ConcurrentHashMap.newKeySet();
    private final Map<Integer, Long> highestDelivered = new ConcurrentHashMap<>();
    private final AtomicInteger sequence = new AtomicInteger();
    private int kills;

    @ParameterizedTest
    @ValueSource(strings = {"sync", "async"})
    void nothingAcknowledgedIsLost(String flush) throws Exception {
        Path data = directory.resolve(flush);
        int namesrvPort = ServerProcess.freePort();
        int brokerPort = ServerProcess.freePort();
        String[] settings = {
            "--flush", flush, "--set", "transactionTimeoutMillis=3600000", "--set", "transactionCheckMillis=3600000"
        };
        String namesrv = "127.0.0.1:" + namesrvPort;
        ServerProcess server = ServerProcess.start(data, namesrvPort, brokerPort, settings);
        List<AutoCloseable> clients = new ArrayList<>();
        AtomicBoolean running = new AtomicBoolean(true);
        try {
            DefaultMQProducer setup = producer(namesrv, clients);
            setup.createTopic("TBW102", TOPIC, 4, null);
            setup.createTopic("TBW102", LATER, 1, null);
            setup.createTopic("TBW102", HALVES, 1, null);
            DefaultMQPushConsumer consumer = consumer(namesrv, clients);
            List<Thread> load = startLoad(namesrv, clients, running);
            for (kills = 0; kills < KILLS; kills++) {
                int before = acknowledged.size();
                Awaitility.await("sends to be acknowledged")
                        .atMost(Duration.ofSeconds(30))
                        .until(() -> acknowledged.size() >= before + 300);
                server.killNine();
                server = ServerProcess.start(data, namesrvPort, brokerPort, settings);
            }
            running.set(false);
            for (Thread thread : load) {
                thread.join(30_000);
                assertThat(thread.isAlive()).isFalse();
            }
            checkOffsetsNotAhead(consumer);
            checkLog(namesrv, clients);
            checkDelayed(setup);
            server.killNine();
            server = ServerProcess.start(
                    data,
                    namesrvPort,
                    brokerPort,
                    "--flush",
                    flush,
                    "--set",
                    "transactionTimeoutMillis=100",
                    "--set",
                    "transactionCheckMillis=500");
            checkHalves(namesrv, clients);
            assertThat(server.terminate())
                    .as("exit code, with clients still connected")
                    .isZero();
        } finally {
            running.set(false);
            clients.forEach(KillNineTest::closeInBackground);
            server.close();
        }
        System.out.printf(
                "kill -9, flush=%s: %d kills, %d acknowledged, %d delayed and %d half messages still pending, 0 lost%n",
                flush, KILLS, acknowledged.size(), recallHandles.size(), openHalves.size());
    }

    /** A stock client may sit for seconds in its own shutdown. */
    private static void closeInBackground(AutoCloseable client) {
        Thread thread = new Thread(() -> {
            try {
                client.close();
            } catch (Exception serverIsGone) {
                // nothing left to say goodbye to
            }
        });
        thread.setDaemon(true);
        thread.start();
    }

    private List<Thread> startLoad(String namesrv, List<AutoCloseable> clients, AtomicBoolean running)
            throws Exception {
        DefaultMQProducer producer = producer(namesrv, clients);
        TransactionMQProducer transactions = transactions(namesrv, clients, LocalTransactionState.UNKNOW);
        List<Thread> threads = new ArrayList<>();
        for (int t = 0; t < 4; t++) {
            threads.add(new Thread(() -> {
                while (running.get()) {
                    String body = "m-" + sequence.incrementAndGet();
                    attempt(() -> {
                        SendResult result = producer.send(message(TOPIC, body));
                        if (result.getSendStatus() == SendStatus.SEND_OK) {
                            acknowledged.put(
                                    body, new long[] {result.getMessageQueue().getQueueId(), result.getQueueOffset()});
                        }
                    });
                }
            }));
        }
        threads.add(new Thread(() -> {
            for (int n = 0; running.get(); n++) {
                String body = "later-" + n;
                attempt(() -> {
                    Message later = message(LATER, body);
                    later.setDelayTimeMs(3_600_000);
                    SendResult result = producer.send(later);
                    if (result.getSendStatus() == SendStatus.SEND_OK) {
                        recallHandles.put(result.getMsgId(), result.getRecallHandle());
                    }
                });
                String half = "half-" + n;
                attempt(() -> {
                    SendResult result = transactions.sendMessageInTransaction(message(HALVES, half), null);
                    if (result.getSendStatus() == SendStatus.SEND_OK) {
                        openHalves.add(half);
                    }
                });
            }
        }));
        threads.forEach(Thread::start);
        return threads;
    }

    private interface Attempt {
        void run() throws Exception;
    }

    /** A send that fails while the server is down is neither acknowledged nor counted. The pause leaves the machine to the restart. */
    private static void attempt(Attempt attempt) {
        try {
            attempt.run();
        } catch (Exception serverIsDown) {
            LockSupport.parkNanos(20_000_000);
        }
    }

    private void checkOffsetsNotAhead(DefaultMQPushConsumer consumer) throws Exception {
        Awaitility.await("the consumer to catch up")
                .atMost(Duration.ofSeconds(60))
                .until(() -> highestDelivered.values().stream()
                                .mapToLong(offset -> offset + 1)
                                .sum()
                        >= acknowledged.size());
        for (MessageQueue queue : consumer.fetchSubscribeMessageQueues(TOPIC)) {
            long committed = consumer.getDefaultMQPushConsumerImpl()
                    .getOffsetStore()
                    .readOffset(queue, ReadOffsetType.READ_FROM_STORE);
            assertThat(committed).isLessThanOrEqualTo(highestDelivered.getOrDefault(queue.getQueueId(), -1L) + 1);
        }
    }

    /** Every queue from its first to its last offset: dense, unique, and each acknowledged message at its own place. */
    @SuppressWarnings("deprecation")
    private void checkLog(String namesrv, List<AutoCloseable> clients) throws Exception {
        DefaultMQPullConsumer reader = new DefaultMQPullConsumer("kill-checker");
        reader.setNamesrvAddr(namesrv);
        reader.setInstanceName("checker-" + System.nanoTime());
        reader.start();
        clients.add(reader::shutdown);
        Map<String, long[]> found = new ConcurrentHashMap<>();
        for (MessageQueue queue : reader.fetchSubscribeMessageQueues(TOPIC)) {
            long next = reader.minOffset(queue);
            assertThat(next).isZero();
            long max = reader.maxOffset(queue);
            while (next < max) {
                PullResult pulled = reader.pull(queue, "*", next, 32);
                assertThat(pulled.getPullStatus()).isEqualTo(PullStatus.FOUND);
                for (MessageExt message : pulled.getMsgFoundList()) {
                    assertThat(message.getQueueOffset()).isEqualTo(next++);
                    String body = new String(message.getBody(), StandardCharsets.UTF_8);
                    // The stock producer itself may send a message again after a lost answer: the copies differ in
                    // offset.
                    found.merge(
                            body + "@" + queue.getQueueId() + ":" + message.getQueueOffset(),
                            new long[] {queue.getQueueId(), message.getQueueOffset()},
                            (a, b) -> {
                                throw new AssertionError("offset served twice for " + body);
                            });
                }
            }
        }
        Set<String> lost = new HashSet<>();
        acknowledged.forEach((body, place) -> {
            if (!found.containsKey(body + "@" + place[0] + ":" + place[1])) {
                lost.add(body);
            }
        });
        assertThat(lost).as("acknowledged and not in the log").isEmpty();
    }

    /** A delayed message that can be recalled was still pending. */
    private void checkDelayed(DefaultMQProducer producer) throws Exception {
        assertThat(recallHandles).isNotEmpty();
        for (Map.Entry<String, String> handle : recallHandles.entrySet()) {
            assertThat(producer.recallMessage(LATER, handle.getValue())).isEqualTo(handle.getKey());
        }
    }

    /** Half messages were invisible so far; a producer that answers the check with commit brings out all of them. */
    private void checkHalves(String namesrv, List<AutoCloseable> clients) throws Exception {
        ConcurrentLinkedQueue<String> delivered = new ConcurrentLinkedQueue<>();
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer("kill-half-readers");
        consumer.setNamesrvAddr(namesrv);
        consumer.setInstanceName("halves-" + System.nanoTime());
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(HALVES, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            messages.forEach(m -> delivered.add(new String(m.getBody(), StandardCharsets.UTF_8)));
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        clients.add(consumer::shutdown);
        assertThat(delivered).isEmpty();
        transactions(namesrv, clients, LocalTransactionState.COMMIT_MESSAGE);
        Awaitility.await("the open halves to be committed by check")
                .atMost(Duration.ofMinutes(5))
                .until(() -> new HashSet<>(delivered).containsAll(openHalves));
        assertThat(openHalves).isNotEmpty();
    }

    private DefaultMQPushConsumer consumer(String namesrv, List<AutoCloseable> clients) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(GROUP);
        consumer.setNamesrvAddr(namesrv);
        consumer.setInstanceName("reader-" + System.nanoTime());
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.setPersistConsumerOffsetInterval(200);
        consumer.subscribe(TOPIC, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            messages.forEach(m -> highestDelivered.merge(m.getQueueId(), m.getQueueOffset(), Math::max));
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        clients.add(consumer::shutdown);
        return consumer;
    }

    private static DefaultMQProducer producer(String namesrv, List<AutoCloseable> clients) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer("kill-producers");
        producer.setNamesrvAddr(namesrv);
        producer.setInstanceName("producer-" + System.nanoTime());
        producer.setRetryTimesWhenSendFailed(0);
        producer.start();
        clients.add(producer::shutdown);
        return producer;
    }

    private static TransactionMQProducer transactions(
            String namesrv, List<AutoCloseable> clients, LocalTransactionState answer) throws Exception {
        TransactionMQProducer producer = new TransactionMQProducer("kill-transactions", List.of(HALVES));
        producer.setNamesrvAddr(namesrv);
        producer.setInstanceName("transactions-" + System.nanoTime());
        producer.setRetryTimesWhenSendFailed(0);
        producer.setTransactionListener(new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
                return LocalTransactionState.UNKNOW;
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                return answer;
            }
        });
        producer.start();
        clients.add(producer::shutdown);
        return producer;
    }

    private static Message message(String topic, String body) {
        return new Message(topic, "t", body, body.getBytes(StandardCharsets.UTF_8));
    }
}
