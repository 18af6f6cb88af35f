/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static io.waybill.verify.stock.Stock.message;
import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.verify.embedded.TestBroker;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageExt;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

@Tag("end-to-end")
class StockOrderTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @RegisterExtension
    static final TestBroker broker = TestBroker.withDefaults();

    private final Stock stock = new Stock(broker);

    @Test
    void eachKeyIsConsumedInOrderAlsoWhenTheListenerSuspends() throws Exception {
        String topic = Stock.unique("ordered");
        DefaultMQProducer producer = stock.producer();
        sendSteps(producer, topic, 20, 10);
        ConcurrentLinkedQueue<String> seen = new ConcurrentLinkedQueue<>();
        AtomicInteger suspensions = new AtomicInteger();
        ordered(Stock.unique("readers"), topic, (messages, context) -> {
            MessageExt message = messages.get(0);
            if (message.getKeys().endsWith("-5") && message.getReconsumeTimes() == 0 && suspensions.get() < 4) {
                suspensions.incrementAndGet();
                context.setSuspendCurrentQueueTimeMillis(50);
                return ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
            }
            messages.forEach(m -> seen.add(m.getKeys()));
            return ConsumeOrderlyStatus.SUCCESS;
        });
        Stock.await("all steps", LIMIT, () -> seen.size() >= 200);
        assertInOrder(seen, 20, 10);
        assertThat(suspensions.get()).isPositive();
    }

    @Test
    void twoMembersShareTheQueuesAndASurvivorTakesOver() throws Exception {
        String topic = Stock.unique("ordered");
        String group = Stock.unique("readers");
        DefaultMQProducer producer = stock.producer();
        sendSteps(producer, topic, 8, 5);
        Map<String, ConcurrentLinkedQueue<String>> byMember = new ConcurrentHashMap<>();
        DefaultMQPushConsumer first = ordered(group, topic, keep(byMember, "first"));
        DefaultMQPushConsumer second = ordered(group, topic, keep(byMember, "second"));
        Stock.await("the first round", LIMIT, () -> count(byMember) >= 40);
        Stock.await("both to own queues", LIMIT, () -> owned(first, topic) == 2 && owned(second, topic) == 2);
        first.shutdown();
        Stock.await("the survivor to own all", LIMIT, () -> owned(second, topic) == 4);
        sendSteps(producer, topic, 8, 5);
        Stock.await("the second round", LIMIT, () -> count(byMember) >= 80);
        assertThat(count(byMember)).isEqualTo(80);
    }

    private static int owned(DefaultMQPushConsumer consumer, String topic) {
        return (int) consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().keySet().stream()
                .filter(queue -> queue.getTopic().equals(topic))
                .count();
    }

    private static int count(Map<String, ConcurrentLinkedQueue<String>> byMember) {
        return byMember.values().stream().mapToInt(ConcurrentLinkedQueue::size).sum();
    }

    private static MessageListenerOrderly keep(Map<String, ConcurrentLinkedQueue<String>> byMember, String member) {
        return (messages, context) -> {
            messages.forEach(m -> byMember.computeIfAbsent(member, name -> new ConcurrentLinkedQueue<>())
                    .add(m.getKeys()));
            return ConsumeOrderlyStatus.SUCCESS;
        };
    }

    private DefaultMQPushConsumer ordered(String group, String topic, MessageListenerOrderly listener)
            throws Exception {
        DefaultMQPushConsumer consumer = stock.newPushConsumer(group);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener(listener);
        consumer.start();
        return consumer;
    }

    private static void sendSteps(DefaultMQProducer producer, String topic, int orders, int steps) throws Exception {
        for (int step = 0; step < steps; step++) {
            for (int order = 0; order < orders; order++) {
                producer.send(
                        message(topic, "step", "order" + order + "-" + step, "s"),
                        (queues, m, key) -> queues.get((Integer) key % queues.size()),
                        order);
            }
        }
    }

    private static void assertInOrder(Iterable<String> seen, int orders, int steps) {
        Map<String, List<Integer>> stepsOf = new HashMap<>();
        for (String key : seen) {
            String[] parts = key.split("-");
            stepsOf.computeIfAbsent(parts[0], order -> new ArrayList<>()).add(Integer.parseInt(parts[1]));
        }
        assertThat(stepsOf).hasSize(orders);
        stepsOf.values().forEach(list -> assertThat(list).hasSize(steps).isSorted());
    }
}
