/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static io.waybill.verify.stock.Stock.message;
import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.server.EmbeddedBroker;
import io.waybill.verify.embedded.TestBroker;
import java.nio.file.Path;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.time.format.DateTimeFormatter;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.heartbeat.MessageModel;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;
import org.junit.jupiter.api.io.TempDir;

/** Who gets what, and from where on. */
@Tag("end-to-end")
class StockMembersTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @RegisterExtension
    static final TestBroker broker = TestBroker.withDefaults();

    private final Stock stock = new Stock(broker);

    @TempDir
    Path directory;

    @Test
    void joiningAndLeavingIsSeenByAll() throws Exception {
        String topic = Stock.unique("members");
        String group = Stock.unique("readers");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 12, null);
        List<DefaultMQPushConsumer> members = new ArrayList<>();
        List<Stock> processes = new ArrayList<>();
        for (int count = 1; count <= 4; count++) {
            Stock process = new Stock(broker.namesrvAddress());
            processes.add(process);
            members.add(process.consumer(group, topic, "*", (m, c) -> ConsumeConcurrentlyStatus.CONSUME_SUCCESS));
            awaitShares(members, topic, 12);
        }
        // One says goodbye.
        members.remove(1).shutdown();
        awaitShares(members, topic, 12);
        members.remove(0).shutdown();
        awaitShares(members, topic, 12);
        processes.forEach(Stock::close);
    }

    /** Well before the next rebalance that a client makes by itself (20 s): only the broker's notice can have told it. */
    private static void awaitShares(List<DefaultMQPushConsumer> members, String topic, int queues) {
        Stock.await(
                members.size() + " members to share the queues",
                Duration.ofSeconds(15),
                () -> members.stream().allMatch(m -> owned(m, topic).size() == queues / members.size())
                        && members.stream()
                                        .flatMap(m -> owned(m, topic).stream())
                                        .distinct()
                                        .count()
                                == queues);
    }

    private static List<MessageQueue> owned(DefaultMQPushConsumer member, String topic) {
        return member.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().keySet().stream()
                .filter(queue -> queue.getTopic().equals(topic))
                .toList();
    }

    @Test
    void broadcastGivesEveryMessageToEveryMember() throws Exception {
        String topic = Stock.unique("broadcast");
        String group = Stock.unique("readers");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 4, null);
        List<Stock.Inbox> inboxes = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            Stock.Inbox inbox = new Stock.Inbox();
            inboxes.add(inbox);
            DefaultMQPushConsumer consumer = stock.newPushConsumer(group);
            consumer.setMessageModel(MessageModel.BROADCASTING);
            consumer.subscribe(topic, "*");
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                inbox.addAll(messages);
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            consumer.start();
        }
        Set<String> sent = new HashSet<>();
        for (int i = 0; i < 40; i++) {
            producer.send(message(topic, "", "", "m" + i));
            sent.add("m" + i);
        }
        for (Stock.Inbox inbox : inboxes) {
            inbox.awaitCount(40, LIMIT);
            assertThat(inbox.bodies()).containsExactlyInAnyOrderElementsOf(sent);
        }
    }

    @Test
    void aNewGroupStartsAtTheTimeItNames() throws Exception {
        String topic = Stock.unique("since");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 4, null);
        MessageQueue queue = producer.fetchPublishMessageQueues(topic).get(0);
        // Nothing may be at offset 0 for the broker to be asked for the time: offset 0 of a young queue is given to
        // every new group.
        for (int i = 0; i < 10; i++) {
            producer.send(message(topic, "", "", "before-" + i), queue);
        }
        // The client's time has whole seconds.
        long second = System.currentTimeMillis() / 1000 + 1;
        Stock.await("the next second", LIMIT, () -> System.currentTimeMillis() >= second * 1000);
        for (int i = 0; i < 10; i++) {
            producer.send(message(topic, "", "", "after-" + i), queue);
        }
        assertThat(producer.searchOffset(queue, second * 1000)).isEqualTo(10);

        DefaultMQPushConsumer consumer = stock.newPushConsumer(Stock.unique("readers"));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_TIMESTAMP);
        consumer.setConsumeTimestamp(DateTimeFormatter.ofPattern("yyyyMMddHHmmss")
                .withZone(ZoneId.systemDefault())
                .format(Instant.ofEpochSecond(second)));
        Stock.Inbox inbox = new Stock.Inbox();
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            inbox.addAll(messages);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        Stock.await("the last message", LIMIT, () -> inbox.bodies().contains("after-9"));
        assertThat(inbox.bodies().stream().filter(body -> body.startsWith("after")))
                .hasSize(10);
    }

    @Test
    void aNewGroupWithTheDefaultStartMissesNothingOfAYoungTopicAlsoAfterCheckpoints() throws Exception {
        try (EmbeddedBroker eager =
                EmbeddedBroker.with("checkpointMillis", "100").start()) {
            Stock near = new Stock(eager.namesrvAddress());
            String topic = Stock.unique("young");
            DefaultMQProducer producer = near.producer();
            for (int i = 0; i < 40; i++) {
                producer.send(message(topic, "", "", "m" + i));
            }
            // A few checkpoints: what is idle leaves the memory.
            for (int i = 0; i < 20; i++) {
                producer.send(message(topic + "-other", "", "", "m" + i));
                long until = System.currentTimeMillis() + 30;
                Stock.await("30 ms", LIMIT, () -> System.currentTimeMillis() >= until);
            }
            DefaultMQPushConsumer consumer = near.newPushConsumer(Stock.unique("readers"));
            consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_LAST_OFFSET);
            Stock.Inbox inbox = new Stock.Inbox();
            consumer.subscribe(topic, "*");
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                inbox.addAll(messages);
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            consumer.start();
            inbox.awaitCount(40, LIMIT);
            near.close();
        }
    }

    @Test
    void aPullOutsideTheQueueIsCorrected() throws Exception {
        String topic = Stock.unique("pull");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 2, null);
        DefaultMQPullConsumer reader = new DefaultMQPullConsumer(Stock.unique("pull-readers"));
        reader.setNamesrvAddr(broker.namesrvAddress());
        reader.setInstanceName(Stock.unique("instance"));
        reader.start();
        try {
            List<MessageQueue> queues = new ArrayList<>(reader.fetchSubscribeMessageQueues(topic));
            queues.sort(null);
            SendResult last = null;
            for (int i = 0; i < 5; i++) {
                last = producer.send(message(topic, i == 4 ? "wanted" : "other", "", "m" + i), queues.get(0));
            }
            assertThat(last.getQueueOffset()).isEqualTo(4);

            PullResult beyond = reader.pull(queues.get(0), "*", 1_000, 32);
            assertThat(beyond.getPullStatus()).isEqualTo(PullStatus.OFFSET_ILLEGAL);
            assertThat(beyond.getNextBeginOffset()).isEqualTo(5);
            assertThat(beyond.getMaxOffset()).isEqualTo(5);

            PullResult atEnd = reader.pull(queues.get(0), "*", 5, 32);
            assertThat(atEnd.getPullStatus()).isEqualTo(PullStatus.NO_NEW_MSG);
            assertThat(atEnd.getNextBeginOffset()).isEqualTo(5);

            PullResult empty = reader.pull(queues.get(1), "*", 7, 32);
            assertThat(empty.getPullStatus()).isEqualTo(PullStatus.OFFSET_ILLEGAL);
            assertThat(empty.getNextBeginOffset()).isZero();

            PullResult some = reader.pull(queues.get(0), "*", 1, 2);
            assertThat(some.getMsgFoundList()).extracting(Stock::text).containsExactly("m1", "m2");
            assertThat(some.getNextBeginOffset()).isEqualTo(3);

            PullResult none = reader.pull(queues.get(0), "nobody has this tag", 0, 32);
            assertThat(none.getPullStatus()).isEqualTo(PullStatus.NO_MATCHED_MSG);
            assertThat(none.getNextBeginOffset()).isEqualTo(5);

            PullResult tagged = reader.pull(queues.get(0), "wanted", 0, 32);
            assertThat(tagged.getMsgFoundList()).extracting(Stock::text).containsExactly("m4");
        } finally {
            reader.shutdown();
        }
    }

    @Test
    void everythingIsThereAfterARestartInTheSameDirectory() throws Exception {
        String topic = "kept-orders";
        String group = "kept-readers";
        SendResult later;
        try (EmbeddedBroker first = EmbeddedBroker.in(directory).start()) {
            Stock before = new Stock(first.namesrvAddress());
            DefaultMQProducer producer = before.producer();
            producer.createTopic("TBW102", topic, 3, null);
            for (int i = 0; i < 30; i++) {
                producer.send(message(topic, "tag", "key-" + i, "m" + i));
            }
            Stock.Inbox inbox = before.consume(group, topic, "*");
            inbox.awaitCount(30, LIMIT);
            org.apache.rocketmq.common.message.Message delayed = message(topic, "tag", "delayed", "later");
            delayed.setDelayTimeMs(3_600_000);
            later = producer.send(delayed);
            before.closeAndWait(); // commits the offsets
        }
        for (int round = 0; round < 2; round++) {
            try (EmbeddedBroker again = EmbeddedBroker.in(directory).start()) {
                Stock after = new Stock(again.namesrvAddress());
                DefaultMQProducer producer = after.producer();
                assertThat(producer.fetchPublishMessageQueues(topic)).hasSize(3);
                Stock.Inbox everything = after.consume("kept-others-" + round, topic, "*");
                Stock.Inbox inbox = after.consume(group, topic, "*");
                String fresh = "fresh-" + round;
                producer.send(message(topic, "tag", "fresh", fresh));
                everything.awaitCount(31 + round, LIMIT);
                inbox.awaitCount(1, LIMIT);
                assertThat(inbox.bodies())
                        .as("only what the group had not seen")
                        .containsExactly(fresh);
                assertThat(producer.queryMessage(topic, "key-7", 4, 0, Long.MAX_VALUE)
                                .getMessageList())
                        .extracting(Stock::text)
                        .containsExactly("m7");
                if (round == 1) {
                    assertThat(producer.recallMessage(topic, later.getRecallHandle()))
                            .isEqualTo(later.getMsgId());
                }
                after.closeAndWait();
            }
        }
    }
}
