/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static io.waybill.verify.stock.Stock.message;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.verify.embedded.TestBroker;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.rocketmq.client.QueryResult;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

@Tag("end-to-end")
class StockSendAndPullTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @RegisterExtension
    static final TestBroker broker = TestBroker.withDefaults();

    private final Stock stock = new Stock(broker);

    @Test
    void theFirstSendCreatesTheTopicAndEveryMessageArrivesOnce() throws Exception {
        String topic = Stock.unique("first");
        DefaultMQProducer producer = stock.producer();
        Set<String> sent = new HashSet<>();
        for (int i = 0; i < 200; i++) {
            SendResult result = producer.send(message(topic, "TagA", "key-" + i, "body-" + i));
            assertThat(result.getSendStatus()).isEqualTo(SendStatus.SEND_OK);
            assertThat(result.getOffsetMsgId()).hasSize(32);
            sent.add("body-" + i);
        }
        assertThat(producer.fetchPublishMessageQueues(topic)).hasSize(4);
        Stock.Inbox inbox = stock.consume(Stock.unique("readers"), topic, "*");
        inbox.awaitCount(200, LIMIT);
        assertThat(inbox.bodies()).hasSize(200);
        assertThat(new HashSet<>(inbox.bodies())).isEqualTo(sent);
    }

    @Test
    void aWaitingConsumerGetsWhatIsSentWhileItWaits() throws Exception {
        String topic = Stock.unique("waiting");
        DefaultMQProducer producer = stock.producer();
        producer.send(message(topic, "", "", "warm-up"));
        Stock.Inbox inbox = stock.consume(Stock.unique("readers"), topic, "*");
        inbox.awaitCount(1, LIMIT);
        for (int i = 0; i < 50; i++) {
            producer.send(message(topic, "", "", "live-" + i));
            inbox.awaitCount(2 + i, LIMIT);
        }
    }

    @Test
    void asyncOnewayBatchAndCompressedSendsAreKept() throws Exception {
        String topic = Stock.unique("kinds");
        DefaultMQProducer producer = stock.producer();
        producer.send(message(topic, "", "", "sync"));

        CountDownLatch answered = new CountDownLatch(20);
        List<Throwable> failures = new ArrayList<>();
        for (int i = 0; i < 20; i++) {
            producer.send(message(topic, "", "", "async-" + i), new SendCallback() {
                @Override
                public void onSuccess(SendResult result) {
                    answered.countDown();
                }

                @Override
                public void onException(Throwable failure) {
                    synchronized (failures) {
                        failures.add(failure);
                    }
                    answered.countDown();
                }
            });
        }
        assertThat(answered.await(20, TimeUnit.SECONDS)).isTrue();
        assertThat(failures).isEmpty();

        producer.sendOneway(message(topic, "", "", "oneway"));
        SendResult batch = producer.send(IntStream.range(0, 3)
                .mapToObj(i -> message(topic, "TagBatch", "bk" + i, "batch-" + i))
                .toList());
        assertThat(batch.getOffsetMsgId().split(",")).hasSize(3);
        String large = "x".repeat(100_000);
        producer.send(message(topic, "", "", large));

        Stock.Inbox inbox = stock.consume(Stock.unique("readers"), topic, "*");
        inbox.awaitCount(26, LIMIT);
        assertThat(inbox.bodies()).contains("sync", "oneway", "batch-0", "batch-1", "batch-2", large);
        List<MessageExt> batched = inbox.messages().stream()
                .filter(m -> "TagBatch".equals(m.getTags()))
                .toList();
        long base = batch.getQueueOffset();
        assertThat(batched).extracting(MessageExt::getQueueOffset).containsExactlyInAnyOrder(base, base + 1, base + 2);
    }

    @Test
    void propertiesKeepEveryCharacter() throws Exception {
        String topic = Stock.unique("unicode");
        DefaultMQProducer producer = stock.producer();
        Message message = message(topic, "标签", "ключ", "тело 本体 🚚");
        message.putUserProperty("color", "red \"quoted\" \\ back / slash \t tab");
        message.putUserProperty("城市", "杭州 🚚");
        producer.send(message);
        Stock.Inbox inbox = stock.consume(Stock.unique("readers"), topic, "标签");
        inbox.awaitCount(1, LIMIT);
        MessageExt got = inbox.messages().get(0);
        assertThat(Stock.text(got)).isEqualTo("тело 本体 🚚");
        assertThat(got.getTags()).isEqualTo("标签");
        assertThat(got.getKeys()).isEqualTo("ключ");
        assertThat(got.getUserProperty("color")).isEqualTo("red \"quoted\" \\ back / slash \t tab");
        assertThat(got.getUserProperty("城市")).isEqualTo("杭州 🚚");
    }

    @Test
    void tagsAreFilteredByTheirTextAlsoWhenHashesCollide() throws Exception {
        String topic = Stock.unique("tags");
        assertThat("AaAa".hashCode()).isEqualTo("BBBB".hashCode());
        DefaultMQProducer producer = stock.producer();
        for (int i = 0; i < 30; i++) {
            producer.send(message(topic, List.of("AaAa", "BBBB", "TagC").get(i % 3), "", "m" + i));
        }
        Stock.Inbox one = stock.consume(Stock.unique("readers"), topic, "AaAa");
        Stock.Inbox two = stock.consume(Stock.unique("readers"), topic, "AaAa || TagC");
        one.awaitCount(10, LIMIT);
        two.awaitCount(20, LIMIT);
        assertThat(one.messages())
                .extracting(MessageExt::getTags)
                .containsOnly("AaAa")
                .hasSize(10);
        assertThat(two.messages())
                .extracting(MessageExt::getTags)
                .containsOnly("AaAa", "TagC")
                .hasSize(20);
    }

    @Test
    void litePullAssignsSeeksAndCommits() throws Exception {
        String topic = Stock.unique("lite");
        DefaultMQProducer producer = stock.producer();
        for (int i = 0; i < 40; i++) {
            producer.send(message(topic, "", "", "m" + i));
        }
        String group = Stock.unique("lite-readers");
        DefaultLitePullConsumer consumer = stock.newLitePullConsumer(group);
        consumer.setAutoCommit(false);
        consumer.start();
        List<MessageQueue> queues = new ArrayList<>(consumer.fetchMessageQueues(topic));
        assertThat(queues).hasSize(4);
        consumer.assign(queues);
        for (MessageQueue queue : queues) {
            consumer.seek(queue, 5);
        }
        // A pull that was under way when the client sought still delivers what lay before. Then the client holds some
        // messages twice, and forgets the
        // offset to commit when it hands out the second ones; with the next new message it knows it again.
        Set<String> got = new HashSet<>();
        Stock.await("the last five of each queue", LIMIT, () -> {
            consumer.poll(200).stream()
                    .filter(m -> m.getQueueOffset() >= 5)
                    .forEach(m -> got.add(m.getQueueId() + ":" + m.getQueueOffset()));
            return got.size() == 20;
        });
        for (MessageQueue queue : queues) {
            Stock.await("the commit", LIMIT, () -> {
                try {
                    producer.send(message(topic, "", "", "new"), queue);
                    consumer.poll(200);
                    consumer.commit();
                    return consumer.committed(queue) >= 10;
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            });
        }
    }

    @Test
    void litePullSubscribes() throws Exception {
        String topic = Stock.unique("lite-sub");
        DefaultMQProducer producer = stock.producer();
        for (int i = 0; i < 20; i++) {
            producer.send(message(topic, i % 2 == 0 ? "even" : "odd", "", "m" + i));
        }
        DefaultLitePullConsumer consumer = stock.newLitePullConsumer(Stock.unique("lite-readers"));
        consumer.subscribe(topic, "even");
        consumer.start();
        Set<String> got = new HashSet<>();
        Stock.await("the even ones", LIMIT, () -> {
            consumer.poll(200).forEach(m -> got.add(Stock.text(m)));
            return got.size() == 10;
        });
        assertThat(got).allMatch(body -> Integer.parseInt(body.substring(1)) % 2 == 0);
    }

    @Test
    void messagesAreFoundByKeyUniqueKeyAndOffsetId() throws Exception {
        String topic = Stock.unique("query");
        DefaultMQProducer producer = stock.producer();
        SendResult sent = producer.send(message(topic, "TagA", "order-7 customer-9", "seven"));
        producer.send(message(topic, "TagA", "order-8 customer-9", "eight"));

        QueryResult byKey = producer.queryMessage(topic, "order-7", 32, 0, Long.MAX_VALUE);
        assertThat(byKey.getMessageList()).extracting(Stock::text).containsExactly("seven");
        QueryResult byShared = producer.queryMessage(topic, "customer-9", 32, 0, Long.MAX_VALUE);
        assertThat(byShared.getMessageList()).extracting(Stock::text).containsExactlyInAnyOrder("seven", "eight");
        assertThat(Stock.text(producer.viewMessage(topic, sent.getMsgId()))).isEqualTo("seven");
        assertThat(Stock.text(producer.viewMessage(topic, sent.getOffsetMsgId())))
                .isEqualTo("seven");
        assertThatThrownBy(() -> producer.queryMessage(topic, "order-9", 32, 0, Long.MAX_VALUE))
                .isInstanceOf(Exception.class);
    }

    @Test
    void offsetsOfAQueueAreDense() throws Exception {
        String topic = Stock.unique("offsets");
        DefaultMQProducer producer = stock.producer();
        producer.send(message(topic, "", "", "create"));
        MessageQueue queue = producer.fetchPublishMessageQueues(topic).get(1);
        long base = producer.maxOffset(queue);
        for (int i = 0; i < 25; i++) {
            SendResult result = producer.send(message(topic, "", "", "m" + i), queue);
            assertThat(result.getQueueOffset()).isEqualTo(base + i);
            assertThat(result.getMessageQueue().getQueueId()).isEqualTo(queue.getQueueId());
        }
        assertThat(producer.maxOffset(queue)).isEqualTo(base + 25);
        assertThat(producer.minOffset(queue)).isZero();
        assertThat(producer.earliestMsgStoreTime(queue)).isPositive();
    }

    @Test
    void badInputIsRefusedByNameAndTheConnectionGoesOn() throws Exception {
        DefaultMQProducer producer = stock.producer();
        String topic = Stock.unique("limits");
        producer.send(message(topic, "", "", "before"));
        Message delayedTooFar = message(topic, "", "", "never");
        delayedTooFar.putUserProperty("TIMER_DELIVER_MS_X", "ignored");
        delayedTooFar.setDeliverTimeMs(Long.MAX_VALUE);
        assertThatThrownBy(() -> producer.send(delayedTooFar)).isInstanceOf(MQBrokerException.class);
        producer.setMaxMessageSize(64 * 1024 * 1024);
        producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        assertThatThrownBy(() -> producer.send(message(topic, "", "", "x".repeat(5 * 1024 * 1024)), 10_000))
                .isInstanceOf(MQBrokerException.class)
                .hasMessageContaining("4194304");
        assertThat(producer.send(message(topic, "", "", "after")).getSendStatus())
                .isEqualTo(SendStatus.SEND_OK);
    }
}
