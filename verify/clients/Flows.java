/* SPDX-License-Identifier: Apache-2.0 */

import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.function.BooleanSupplier;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.MessageQueueSelector;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * What applications do with the stock client, by the parts of its interface that every version since 4.4.0 has; one line for each
 * flow. Usage: java -cp "client jars" Flows.java host:port label [vip]
 */
public final class Flows {
    private static final long PATIENCE_MILLIS = 60_000;
    private static final int COUNT = 50;
    private static String namesrv;
    private static String label;
    private static Boolean vip; // null = the version's default
    private static int failed;

    private Flows() {}

    interface Flow {
        String run() throws Exception;
    }

    public static void main(String[] args) {
        namesrv = args[0];
        label = args[1];
        vip = args.length > 2 ? Boolean.valueOf(args[2]) : null;
        row("send: sync, async, one-way, batch", Flows::sends);
        row("push consumer", Flows::push);
        row("push consumer, a try that fails", Flows::retry);
        row("ordered", Flows::ordered);
        row("delayed, level 2", Flows::delayed);
        row("transaction: commit, rollback, check", Flows::transaction);
        System.exit(failed == 0 ? 0 : 1); // older clients leave threads behind
    }

    private static void row(String name, Flow flow) {
        String result;
        try {
            result = "ok    " + flow.run();
        } catch (Throwable e) {
            failed++;
            result = "FAIL  " + e;
        }
        System.out.printf("| %s | %s | %s |%n", label, name, result);
    }

    private static String unique(String kind) {
        return kind + "-" + label.replaceAll("[^A-Za-z0-9]", "_") + "-" + Long.toHexString(System.nanoTime());
    }

    private static void check(boolean holds, String what) {
        if (!holds) {
            throw new IllegalStateException(what);
        }
    }

    private static void await(BooleanSupplier done, String what) throws InterruptedException {
        long end = System.nanoTime() + TimeUnit.MILLISECONDS.toNanos(PATIENCE_MILLIS);
        while (!done.getAsBoolean()) {
            check(System.nanoTime() < end, what);
            Thread.sleep(20);
        }
    }

    private static DefaultMQProducer producer() throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer(unique("producers"));
        prepare(producer);
        producer.start();
        return producer;
    }

    private static void prepare(DefaultMQProducer producer) {
        producer.setNamesrvAddr(namesrv);
        producer.setInstanceName(unique("instance"));
        producer.setSendMsgTimeout(20_000);
        if (vip != null) {
            producer.setVipChannelEnabled(vip);
        }
    }

    private static DefaultMQPushConsumer consumer(String topic) throws Exception {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(unique("consumers"));
        consumer.setNamesrvAddr(namesrv);
        consumer.setInstanceName(unique("instance"));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        if (vip != null) {
            consumer.setVipChannelEnabled(vip);
        }
        return consumer;
    }

    private static Message message(String topic, String body) {
        return new Message(topic, "tag", "key-" + body, body.getBytes(StandardCharsets.UTF_8));
    }

    private static String body(MessageExt message) {
        return new String(message.getBody(), StandardCharsets.UTF_8);
    }

    private static void stored(SendResult result) {
        check(result.getSendStatus() == SendStatus.SEND_OK, "not stored: " + result);
    }

    private static String sends() throws Exception {
        String topic = unique("sends");
        DefaultMQProducer producer = producer();
        try {
            stored(producer.send(message(topic, "sync")));
            CountDownLatch async = new CountDownLatch(1);
            Throwable[] failure = new Throwable[1];
            producer.send(message(topic, "async"), new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    async.countDown();
                }

                @Override
                public void onException(Throwable e) {
                    failure[0] = e;
                    async.countDown();
                }
            });
            check(async.await(PATIENCE_MILLIS, TimeUnit.MILLISECONDS), "the callback was not called");
            check(failure[0] == null, "async: " + failure[0]);
            producer.sendOneway(message(topic, "oneway"));
            List<Message> batch = new ArrayList<>();
            for (int i = 0; i < 10; i++) {
                batch.add(message(topic, "batch" + i));
            }
            stored(producer.send(batch));
            Set<String> seen = ConcurrentHashMap.newKeySet();
            DefaultMQPushConsumer consumer = consumer(topic);
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                messages.forEach(m -> seen.add(body(m)));
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            consumer.start();
            try {
                await(() -> seen.size() == 13, "13 sent, arrived: " + new TreeSet<>(seen));
            } finally {
                consumer.shutdown();
            }
            return "13 of 13";
        } finally {
            producer.shutdown();
        }
    }

    private static String push() throws Exception {
        String topic = unique("push");
        DefaultMQProducer producer = producer();
        DefaultMQPushConsumer consumer = consumer(topic);
        try {
            Map<String, Integer> seen = new ConcurrentHashMap<>();
            for (int i = 0; i < COUNT; i++) {
                stored(producer.send(message(topic, "m" + i)));
            }
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                messages.forEach(m -> seen.merge(body(m), 1, Integer::sum));
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            consumer.start();
            await(() -> seen.size() == COUNT, seen.size() + " of " + COUNT);
            check(Collections.max(seen.values()) == 1, "delivered twice: " + seen);
            return COUNT + " of " + COUNT;
        } finally {
            consumer.shutdown();
            producer.shutdown();
        }
    }

    private static String retry() throws Exception {
        String topic = unique("retry");
        DefaultMQProducer producer = producer();
        DefaultMQPushConsumer consumer = consumer(topic);
        try {
            stored(producer.send(message(topic, "again")));
            List<Integer> tries = Collections.synchronizedList(new ArrayList<>());
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                messages.forEach(m -> tries.add(m.getReconsumeTimes()));
                context.setDelayLevelWhenNextConsume(1);
                return tries.size() < 2
                        ? ConsumeConcurrentlyStatus.RECONSUME_LATER
                        : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            consumer.start();
            await(() -> tries.size() >= 2, "tries: " + tries);
            check(tries.equals(List.of(0, 1)), "tries: " + tries);
            return "tried again once";
        } finally {
            consumer.shutdown();
            producer.shutdown();
        }
    }

    private static String ordered() throws Exception {
        String topic = unique("ordered");
        DefaultMQProducer producer = producer();
        DefaultMQPushConsumer consumer = consumer(topic);
        try {
            MessageQueueSelector byOrder = (queues, m, order) -> queues.get((Integer) order % queues.size());
            for (int i = 0; i < COUNT; i++) {
                for (int order = 0; order < 3; order++) {
                    stored(producer.send(message(topic, order + ":" + i), byOrder, order));
                }
            }
            Map<String, List<Integer>> seen = new ConcurrentHashMap<>();
            consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
                for (MessageExt m : messages) {
                    String[] parts = body(m).split(":");
                    seen.computeIfAbsent(parts[0], o -> Collections.synchronizedList(new ArrayList<>()))
                            .add(Integer.valueOf(parts[1]));
                }
                return ConsumeOrderlyStatus.SUCCESS;
            });
            consumer.start();
            await(() -> seen.values().stream().mapToInt(List::size).sum() >= 3 * COUNT, "too few: " + seen);
            for (List<Integer> one : seen.values()) {
                for (int i = 0; i < COUNT; i++) {
                    check(one.get(i) == i, "out of order: " + one);
                }
            }
            return "3 orders, each in order";
        } finally {
            consumer.shutdown();
            producer.shutdown();
        }
    }

    private static String delayed() throws Exception {
        String topic = unique("delayed");
        DefaultMQProducer producer = producer();
        DefaultMQPushConsumer consumer = consumer(topic);
        try {
            long[] arrived = new long[1];
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                arrived[0] = System.currentTimeMillis();
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            Message message = message(topic, "later");
            message.setDelayTimeLevel(2);
            long sent = System.currentTimeMillis();
            stored(producer.send(message));
            consumer.start();
            await(() -> arrived[0] > 0, "never came");
            check(arrived[0] - sent >= 5_000, "came after " + (arrived[0] - sent) + " ms");
            return "after 5 s, not earlier";
        } finally {
            consumer.shutdown();
            producer.shutdown();
        }
    }

    private static String transaction() throws Exception {
        String topic = unique("tx");
        TransactionMQProducer producer = new TransactionMQProducer(unique("txproducers"));
        prepare(producer);
        List<String> checked = Collections.synchronizedList(new ArrayList<>());
        producer.setTransactionListener(new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
                return (LocalTransactionState) argument;
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                checked.add(body(message));
                return LocalTransactionState.COMMIT_MESSAGE;
            }
        });
        DefaultMQPushConsumer consumer = consumer(topic);
        try {
            producer.start();
            Set<String> seen = ConcurrentHashMap.newKeySet();
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                messages.forEach(m -> seen.add(body(m)));
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            consumer.start();
            stored(producer.sendMessageInTransaction(
                    message(topic, "committed"), LocalTransactionState.COMMIT_MESSAGE));
            stored(producer.sendMessageInTransaction(
                    message(topic, "rolled back"), LocalTransactionState.ROLLBACK_MESSAGE));
            stored(producer.sendMessageInTransaction(message(topic, "checked"), LocalTransactionState.UNKNOW));
            await(() -> seen.size() == 2, "arrived: " + seen + ", checked: " + checked);
            check(seen.equals(Set.of("committed", "checked")), "arrived: " + seen);
            check(checked.contains("checked"), "checked: " + checked);
            return "2 delivered, 1 rolled back, 1 of them after a check";
        } finally {
            consumer.shutdown();
            producer.shutdown();
        }
    }
}
