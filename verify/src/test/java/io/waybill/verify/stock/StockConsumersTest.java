/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static io.waybill.verify.stock.Stock.message;
import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.verify.embedded.TestBroker;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListSet;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.heartbeat.MessageModel;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Members that come, go and die; broadcast; where reading begins. */
@Tag("end-to-end")
class StockConsumersTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    /** A member that died without a word keeps its ordered queues for so long. */
    private static final long LOCK_MILLIS = 3_000;

    @RegisterExtension
    static final TestBroker broker = TestBroker.with("lockExpiryMillis", "" + LOCK_MILLIS);

    private final Stock stock = new Stock(broker);

    /** A member whose process can die: its connections end without a goodbye and its listener does nothing any more. */
    private final class Mortal {
        private final String name;
        private final DefaultMQPushConsumer consumer;
        private volatile boolean isDead;

        Mortal(String name, String group) {
            this.name = name;
            consumer = stock.newPushConsumer(group);
        }

        void stopIfDead() {
            if (isDead) {
                try {
                    new CountDownLatch(1).await();
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                }
            }
        }

        void die() {
            isDead = true;
            consumer.getDefaultMQPushConsumerImpl()
                    .getmQClientFactory()
                    .getMQClientAPIImpl()
                    .shutdown();
        }

        int owned(String topic) {
            return (int)
                    consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().keySet().stream()
                            .filter(queue -> queue.getTopic().equals(topic))
                            .count();
        }
    }

    @Test
    void noMessageIsLostWhenMembersJoinLeaveAndDie() throws Exception {
        String topic = Stock.unique("coming");
        String group = Stock.unique("readers");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 8, null);
        Set<String> got = new ConcurrentSkipListSet<>();
        AtomicInteger deliveries = new AtomicInteger();
        List<Mortal> members = new ArrayList<>();
        Set<String> sent = new TreeSet<>();
        for (int step = 0; step < 6; step++) {
            if (step == 3) {
                members.remove(0).consumer.shutdown();
            } else if (step == 4) {
                members.remove(0).die();
            } else if (step < 3 || step == 5) {
                members.add(concurrent("m" + step, group, topic, got, deliveries));
            }
            for (int i = 0; i < 50; i++) {
                String body = step + "-" + i;
                producer.send(message(topic, "", "", body));
                sent.add(body);
            }
        }
        Stock.await("every message", LIMIT, () -> got.containsAll(sent));
        assertThat(got).isEqualTo(sent);
        assertThat(deliveries.get()).as("again only what was under way").isLessThan(2 * sent.size());
    }

    private Mortal concurrent(String name, String group, String topic, Set<String> got, AtomicInteger deliveries)
            throws Exception {
        Mortal member = new Mortal(name, group);
        member.consumer.subscribe(topic, "*");
        member.consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            member.stopIfDead();
            messages.forEach(m -> got.add(Stock.text(m)));
            deliveries.addAndGet(messages.size());
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        member.consumer.start();
        return member;
    }

    /** The others learn of a death from the broker's notice: by themselves they would look after 20 s. */
    @Test
    void theDeathOfAMemberIsSeenByTheOthersAtOnce() throws Exception {
        String topic = Stock.unique("dying");
        String group = Stock.unique("readers");
        stock.producer().createTopic("TBW102", topic, 6, null);
        Set<String> got = new ConcurrentSkipListSet<>();
        AtomicInteger deliveries = new AtomicInteger();
        List<Mortal> members = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            members.add(concurrent("m" + i, group, topic, got, deliveries));
        }
        Stock.await("three to share", LIMIT, () -> members.stream().allMatch(m -> m.owned(topic) == 2));
        members.remove(1).die();
        Stock.await(
                "two to share", Duration.ofSeconds(15), () -> members.stream().allMatch(m -> m.owned(topic) == 3));
    }

    @Test
    void anOrderedQueueNeverHasTwoOwnersAndOutlivesEachOfThem() throws Exception {
        String topic = Stock.unique("ordered");
        String group = Stock.unique("readers");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 4, null);
        Map<Integer, String> inside = new ConcurrentHashMap<>();
        Set<String> two = ConcurrentHashMap.newKeySet();
        Map<Integer, Long> reached = new ConcurrentHashMap<>();
        Set<String> gaps = ConcurrentHashMap.newKeySet();
        List<Mortal> members = new ArrayList<>();
        List<MessageQueue> queues = producer.fetchPublishMessageQueues(topic);
        int each = 0;
        for (int step = 0; step < 5; step++) {
            if (step == 3) {
                members.remove(0).die();
            } else if (step == 4) {
                members.remove(0).consumer.shutdown();
            } else {
                members.add(ordered("m" + step, group, topic, inside, two, reached, gaps));
            }
            for (int i = 0; i < 20; i++, each++) {
                for (MessageQueue queue : queues) {
                    producer.send(message(topic, "", "", "" + each), queue);
                }
            }
        }
        long last = each - 1;
        Stock.await("the last of each queue", LIMIT, () -> {
            members.forEach(m -> m.consumer.getDefaultMQPushConsumerImpl().doRebalance());
            return reached.size() == 4 && reached.values().stream().allMatch(offset -> offset == last);
        });
        assertThat(two).as("two owners at a time").isEmpty();
        assertThat(gaps).as("steps over a message").isEmpty();
    }

    private Mortal ordered(
            String name,
            String group,
            String topic,
            Map<Integer, String> inside,
            Set<String> two,
            Map<Integer, Long> reached,
            Set<String> gaps)
            throws Exception {
        Mortal member = new Mortal(name, group);
        member.consumer.subscribe(topic, "*");
        member.consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            member.stopIfDead();
            int queueId = context.getMessageQueue().getQueueId();
            String other = inside.putIfAbsent(queueId, name);
            if (other != null) {
                two.add(queueId + ": " + other + " and " + name);
            }
            for (MessageExt message : messages) {
                long before = reached.getOrDefault(queueId, -1L);
                if (message.getQueueOffset() > before + 1) {
                    gaps.add(queueId + ": " + before + " then " + message.getQueueOffset());
                }
                reached.merge(queueId, message.getQueueOffset(), Math::max);
            }
            inside.remove(queueId, name);
            return ConsumeOrderlyStatus.SUCCESS;
        });
        member.consumer.start();
        return member;
    }

    @Test
    void litePullSeeksToBeginEndAndTimeAndCommits() throws Exception {
        String topic = Stock.unique("lite");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 1, null);
        MessageQueue queue = producer.fetchPublishMessageQueues(topic).get(0);
        for (int i = 0; i < 10; i++) {
            producer.send(message(topic, "", "", "m" + i), queue);
        }
        long split = System.currentTimeMillis() + 1;
        Stock.await("the next millisecond", LIMIT, () -> System.currentTimeMillis() > split);
        for (int i = 10; i < 20; i++) {
            producer.send(message(topic, "", "", "m" + i), queue);
        }
        DefaultLitePullConsumer consumer = stock.newLitePullConsumer(Stock.unique("lite-readers"));
        consumer.setAutoCommit(false);
        consumer.start();
        consumer.assign(List.of(queue));
        consumer.seekToBegin(queue);
        awaitFirst(consumer, 0);
        assertThat(consumer.offsetForTimestamp(queue, split)).isEqualTo(10);
        consumer.seek(queue, consumer.offsetForTimestamp(queue, split));
        awaitFirst(consumer, 10);
        consumer.seekToEnd(queue);
        // What was under way when it sought is still given out; then comes only what is new.
        Set<Long> behind = new TreeSet<>();
        Stock.await("what is sent behind the end", LIMIT, () -> {
            try {
                producer.send(message(topic, "", "", "later"), queue);
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
            consumer.poll(50).forEach(m -> behind.add(m.getQueueOffset()));
            return behind.stream().anyMatch(offset -> offset >= 20);
        });
        consumer.seek(queue, 15);
        awaitFirst(consumer, 15);
        Stock.await("the commit", LIMIT, () -> {
            try {
                // A new one each time: see StockSendAndPullTest about what the client forgets after a seek.
                producer.send(message(topic, "", "", "new"), queue);
                consumer.poll(100);
                consumer.commit();
                return consumer.committed(queue) > 15;
            } catch (Exception e) {
                throw new IllegalStateException(e);
            }
        });
    }

    private static void awaitFirst(DefaultLitePullConsumer consumer, long offset) {
        Stock.await(
                "the message at " + offset,
                LIMIT,
                () -> consumer.poll(100).stream().anyMatch(m -> m.getQueueOffset() == offset));
    }

    @Test
    void aBroadcastMemberGoesOnWhereItWasAndEachFiltersForItself() throws Exception {
        String topic = Stock.unique("broadcast");
        String group = Stock.unique("readers");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 2, null);
        String kept = Stock.unique("kept");
        Stock.Inbox all = new Stock.Inbox();
        Stock.Inbox even = new Stock.Inbox();
        DefaultMQPushConsumer first = broadcast(group, topic, kept, "*", all);
        broadcast(group, topic, Stock.unique("other"), "even", even);
        for (int i = 0; i < 20; i++) {
            producer.send(message(topic, i % 2 == 0 ? "even" : "odd", "", "m" + i));
        }
        all.awaitCount(20, LIMIT);
        even.awaitCount(10, LIMIT);
        first.shutdown();
        for (int i = 20; i < 30; i++) {
            producer.send(message(topic, i % 2 == 0 ? "even" : "odd", "", "m" + i));
        }
        Stock.Inbox rest = new Stock.Inbox();
        broadcast(group, topic, kept, "*", rest);
        rest.awaitCount(10, LIMIT);
        even.awaitCount(15, LIMIT);
        assertThat(rest.bodies()).allMatch(body -> Integer.parseInt(body.substring(1)) >= 20);
        assertThat(even.bodies()).hasSize(15).allMatch(body -> Integer.parseInt(body.substring(1)) % 2 == 0);
        assertThat(all.bodies()).hasSize(20);
    }

    @Test
    void aResetOfABroadcastGroupReachesEveryMember() throws Exception {
        String topic = Stock.unique("broadcast");
        String group = Stock.unique("readers");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 2, null);
        Stock.Inbox one = new Stock.Inbox();
        Stock.Inbox two = new Stock.Inbox();
        Stock.Inbox three = new Stock.Inbox();
        broadcast(group, topic, Stock.unique("one"), "*", one);
        broadcast(group, topic, Stock.unique("two"), "*", two);
        broadcast(group, topic, Stock.unique("three"), "*", three);
        for (int i = 0; i < 20; i++) {
            producer.send(message(topic, "", "", "m" + i));
        }
        for (Stock.Inbox inbox : List.of(one, two, three)) {
            inbox.awaitCount(20, LIMIT);
        }
        stock.admin().resetOffsetByTimestamp(topic, group, 0, true);
        for (Stock.Inbox inbox : List.of(one, two, three)) {
            inbox.awaitCount(40, LIMIT);
            assertThat(new TreeSet<>(inbox.bodies())).hasSize(20);
        }
    }

    /** With RocketMQ it has no queue before somebody has sent, and then for up to 37 s more. */
    @Test
    void aConsumerThatStartsBeforeTheFirstSendHasItsQueuesBeforeIt() throws Exception {
        String topic = Stock.unique("not-yet");
        Stock.Inbox shared = new Stock.Inbox();
        DefaultMQPushConsumer one = fromLast(Stock.unique("early"), topic, shared);
        Stock.Inbox all = new Stock.Inbox();
        DefaultMQPushConsumer each = stock.newPushConsumer(Stock.unique("early-all"));
        each.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET);
        each.setMessageModel(MessageModel.BROADCASTING);
        each.subscribe(topic, "*");
        // Not in order: such a client looks for the end of a queue again with its first pull.
        each.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            all.addAll(messages);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        each.start();
        for (DefaultMQPushConsumer consumer : List.of(one, each)) {
            Stock.await("the queues of " + consumer.getConsumerGroup(), LIMIT, () -> queuesOf(consumer, topic) == 4);
        }
        DefaultMQProducer producer = stock.producer();
        for (int i = 0; i < 20; i++) {
            producer.send(message(topic, "", "", "m" + i));
        }
        shared.awaitCount(20, LIMIT);
        all.awaitCount(20, LIMIT);
    }

    private static long queuesOf(DefaultMQPushConsumer consumer, String topic) {
        return consumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().keySet().stream()
                .filter(queue -> queue.getTopic().equals(topic))
                .count();
    }

    private DefaultMQPushConsumer broadcast(
            String group, String topic, String instance, String expression, Stock.Inbox inbox) throws Exception {
        DefaultMQPushConsumer consumer = stock.newPushConsumer(group);
        consumer.setInstanceName(instance); // where its offsets are kept
        consumer.setMessageModel(MessageModel.BROADCASTING);
        consumer.subscribe(topic, expression);
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            inbox.addAll(messages);
            return ConsumeOrderlyStatus.SUCCESS;
        });
        consumer.start();
        return consumer;
    }

    @Test
    void severalGroupsEachGetEverythingAndStartWhereTheyWant() throws Exception {
        String topic = Stock.unique("groups");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 1, null);
        MessageQueue queue = producer.fetchPublishMessageQueues(topic).get(0);
        String group = Stock.unique("last");
        // A group with an offset goes on there, whatever it says about new queues.
        Stock.Inbox before = new Stock.Inbox();
        DefaultMQPushConsumer last = fromLast(group, topic, before);
        Stock.await(
                "the queue",
                LIMIT,
                () -> last.getDefaultMQPushConsumerImpl()
                        .getRebalanceImpl()
                        .getProcessQueueTable()
                        .keySet()
                        .contains(new MessageQueue(topic, queue.getBrokerName(), 0)));
        for (int i = 0; i < 5; i++) {
            producer.send(message(topic, "", "", "m" + i), queue);
        }
        before.awaitCount(5, LIMIT);
        // Else a client that shuts down commits what its listeners have returned from by then, which may be nothing
        // yet.
        last.setAwaitTerminationMillisWhenShutdown(LIMIT.toMillis());
        last.shutdown();
        for (int i = 5; i < 8; i++) {
            producer.send(message(topic, "", "", "m" + i), queue);
        }
        Stock.Inbox after = new Stock.Inbox();
        fromLast(group, topic, after);
        Stock.Inbox one = stock.consume(Stock.unique("first"), topic, "*");
        Stock.Inbox other = stock.consume(Stock.unique("first"), topic, "*");
        after.awaitCount(3, LIMIT);
        one.awaitCount(8, LIMIT);
        other.awaitCount(8, LIMIT);
        assertThat(after.bodies()).containsExactlyInAnyOrder("m5", "m6", "m7");
        assertThat(one.bodies()).hasSize(8);
        assertThat(other.bodies()).hasSize(8);
    }

    private DefaultMQPushConsumer fromLast(String group, String topic, Stock.Inbox inbox) throws Exception {
        DefaultMQPushConsumer consumer = stock.newPushConsumer(group);
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            inbox.addAll(messages);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        return consumer;
    }
}
