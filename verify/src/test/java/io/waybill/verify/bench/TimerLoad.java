/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.bench;

import java.util.Arrays;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.Semaphore;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;

/**
 * Timed messages of the stock client. {@code fill NAMESRV COUNT BYTES} sends messages due from a day to a year from now; {@code fire NAMESRV COUNT
 * SECONDS} sends messages due evenly over the seconds that begin ten seconds from now and measures how late each arrives.
 */
public final class TimerLoad {
    private static final long DAY_MILLIS = 86_400_000L;
    private static final int IN_FLIGHT = 512;

    private TimerLoad() {}

    public static void main(String[] arguments) throws Exception {
        if (arguments[0].equals("fill")) {
            fill(arguments[1], Integer.parseInt(arguments[2]), Integer.parseInt(arguments[3]));
        } else {
            fire(arguments[1], Integer.parseInt(arguments[2]), Integer.parseInt(arguments[3]));
        }
        System.exit(0);
    }

    private static DefaultMQProducer producer(String namesrv) throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer("timer-load");
        producer.setNamesrvAddr(namesrv);
        producer.setSendMsgTimeout(60_000);
        producer.setRetryTimesWhenSendAsyncFailed(0);
        producer.start();
        return producer;
    }

    private static void fill(String namesrv, int count, int bytes) throws Exception {
        DefaultMQProducer producer = producer(namesrv);
        byte[] body = new byte[bytes];
        Arrays.fill(body, (byte) 'x');
        Message first = new Message("timers", body);
        first.setDelayTimeMs(DAY_MILLIS);
        producer.send(first);
        long start = System.nanoTime();
        long nowMillis = System.currentTimeMillis();
        Semaphore room = new Semaphore(IN_FLIGHT);
        AtomicLong failed = new AtomicLong();
        for (int i = 1; i < count; i++) {
            Message message = new Message("timers", "", "order-" + i, body);
            message.setDeliverTimeMs(nowMillis + DAY_MILLIS + i * (364 * DAY_MILLIS / count));
            room.acquire();
            producer.send(message, new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    room.release();
                }

                @Override
                public void onException(Throwable e) {
                    failed.incrementAndGet();
                    room.release();
                }
            });
        }
        room.acquire(IN_FLIGHT);
        double seconds = (System.nanoTime() - start) / 1e9;
        System.out.printf(
                "filled %d timers in %.1f s (%.0f per second), failed %d%n",
                count, seconds, count / seconds, failed.get());
    }

    private static void fire(String namesrv, int count, int seconds) throws Exception {
        String topic = "near-" + System.nanoTime();
        DefaultMQProducer producer = producer(namesrv);
        producer.createTopic("TBW102", topic, 4, null);
        long[] late = new long[count];
        AtomicInteger got = new AtomicInteger();
        CountDownLatch all = new CountDownLatch(count);
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer("timer-readers-" + System.nanoTime());
        consumer.setNamesrvAddr(namesrv);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            long now = System.currentTimeMillis();
            for (MessageExt message : messages) {
                late[got.getAndIncrement()] = now - Long.parseLong(message.getUserProperty("due"));
                all.countDown();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        long from = System.currentTimeMillis() + 10_000;
        for (int i = 0; i < count; i++) {
            Message message = new Message(topic, new byte[200]);
            long due = from + (long) i * seconds * 1_000 / count;
            message.putUserProperty("due", Long.toString(due));
            message.setDeliverTimeMs(due);
            producer.send(message);
        }
        boolean complete = all.await(seconds + 120L, TimeUnit.SECONDS);
        long[] sorted = Arrays.copyOf(late, got.get());
        Arrays.sort(sorted);
        System.out.printf(
                "fired %d of %d, early %d, late p50 %d p99 %d max %d ms%s%n",
                sorted.length,
                count,
                Arrays.stream(sorted).filter(l -> l < 0).count(),
                sorted[sorted.length / 2],
                sorted[(int) (sorted.length * 0.99)],
                sorted[sorted.length - 1],
                complete ? "" : " (not all)");
    }
}
