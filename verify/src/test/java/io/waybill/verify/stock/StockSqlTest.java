/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.verify.embedded.TestBroker;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.MessageSelector;
import org.apache.rocketmq.client.consumer.PullResult;
import org.apache.rocketmq.client.consumer.PullStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageQueue;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** SQL92 with the stock client, without any setting on the broker. */
@Tag("end-to-end")
class StockSqlTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final int COUNT = 40;
    private static final String EXPRESSION =
            "amount BETWEEN 10 AND 19 AND (region = 'north' OR vip = TRUE) AND coupon IS NULL";

    @RegisterExtension
    static final TestBroker broker = TestBroker.withDefaults();

    private final Stock stock = new Stock(broker);

    /** Sends messages of all sorts to a new topic; the bodies of those that {@link #EXPRESSION} is about. */
    private Set<String> send(String topic) throws Exception {
        DefaultMQProducer producer = stock.producer();
        Set<String> wanted = new TreeSet<>();
        for (int i = 0; i < COUNT; i++) {
            Message message = new Message(topic, i % 3 == 0 ? "PAID" : "NEW", "", Stock.utf8("m" + i));
            message.putUserProperty("amount", "" + i);
            message.putUserProperty("region", i % 2 == 0 ? "north" : "south");
            if (i % 5 == 0) {
                message.putUserProperty("vip", "true");
            }
            if (i % 7 == 0) {
                message.putUserProperty("coupon", "x");
            }
            producer.send(message);
            if (i >= 10 && i <= 19 && (i % 2 == 0 || i % 5 == 0) && i % 7 != 0) {
                wanted.add("m" + i);
            }
        }
        return wanted;
    }

    @Test
    void aPushConsumerGetsWhatItsConditionSays() throws Exception {
        String topic = Stock.unique("sql");
        Set<String> wanted = send(topic);
        DefaultMQPushConsumer consumer = stock.newPushConsumer(Stock.unique("readers"));
        Stock.Inbox inbox = new Stock.Inbox();
        consumer.subscribe(topic, MessageSelector.bySql(EXPRESSION));
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            inbox.addAll(messages);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        inbox.awaitCount(wanted.size(), LIMIT);
        // What comes while it waits is judged too; the last one ends the test.
        wanted.addAll(send(topic).stream().toList());
        Message last = new Message(topic, "", "", Stock.utf8("last"));
        last.putUserProperty("amount", "12");
        last.putUserProperty("vip", "true");
        stock.producer().send(last);
        inbox.awaitCount(2 * wanted.size() + 1, LIMIT);
        wanted.add("last");
        assertThat(new TreeSet<>(inbox.bodies())).isEqualTo(wanted);
        assertThat(inbox.bodies()).hasSize(2 * wanted.size() - 1);
    }

    @Test
    void aLitePullConsumerGetsWhatItsConditionSays() throws Exception {
        String topic = Stock.unique("sql-lite");
        Set<String> wanted = send(topic);
        DefaultLitePullConsumer consumer = stock.newLitePullConsumer(Stock.unique("lite-readers"));
        consumer.subscribe(topic, MessageSelector.bySql(EXPRESSION));
        consumer.start();
        Set<String> got = new TreeSet<>();
        Stock.await("the wanted ones", LIMIT, () -> {
            consumer.poll(200).forEach(m -> got.add(Stock.text(m)));
            return got.size() >= wanted.size();
        });
        assertThat(got).isEqualTo(wanted);
    }

    @Test
    void aPullGetsWhatItsConditionSaysAndTheTagIsAProperty() throws Exception {
        String topic = Stock.unique("sql-pull");
        send(topic);
        DefaultMQPullConsumer reader = new DefaultMQPullConsumer(Stock.unique("pull-readers"));
        reader.setNamesrvAddr(broker.namesrvAddress());
        reader.setInstanceName(Stock.unique("instance"));
        reader.start();
        try {
            Set<String> got = new TreeSet<>();
            Set<MessageQueue> queues = reader.fetchSubscribeMessageQueues(topic);
            // The client sends SQL only to a broker whose version it knows, and learns that from the answer to a
            // heartbeat; the
            // broker itself it learns of by a pull.
            MessageQueue any = queues.iterator().next();
            reader.pull(any, "*", 0, 1);
            Stock.await("the client to know the broker's version", LIMIT, () -> {
                reader.getDefaultMQPullConsumerImpl()
                        .getRebalanceImpl()
                        .getmQClientFactory()
                        .sendHeartbeatToAllBrokerWithLock();
                try {
                    reader.pull(any, MessageSelector.bySql("amount > 1000"), 0, 32);
                    return true;
                } catch (MQClientException e) {
                    return false;
                } catch (Exception e) {
                    throw new IllegalStateException(e);
                }
            });
            for (MessageQueue queue : queues) {
                PullResult paid =
                        reader.pull(queue, MessageSelector.bySql("TAGS = 'PAID' AND amount NOT IN ('0')"), 0, 32);
                if (paid.getPullStatus() == PullStatus.FOUND) {
                    paid.getMsgFoundList().forEach(m -> got.add(Stock.text(m)));
                }
                PullResult none = reader.pull(queue, MessageSelector.bySql("amount > 1000"), 0, 32);
                assertThat(none.getPullStatus()).isEqualTo(PullStatus.NO_MATCHED_MSG);
                assertThat(none.getNextBeginOffset()).isEqualTo(none.getMaxOffset());
            }
            assertThat(got).hasSize(13).contains("m3", "m39").doesNotContain("m0", "m4");
        } finally {
            reader.shutdown();
        }
    }

    @Test
    void aConditionThatCannotBeReadStopsTheStartWithASentence() throws Exception {
        String topic = Stock.unique("sql-bad");
        stock.producer().send(Stock.message(topic, "", "", "m"));
        for (String bad :
                List.of("amount >", "amount = 'x", "(".repeat(100) + "a" + ")".repeat(100), "a".repeat(5_000))) {
            DefaultMQPushConsumer consumer = stock.newPushConsumer(Stock.unique("readers"));
            consumer.subscribe(topic, MessageSelector.bySql(bad));
            consumer.registerMessageListener(
                    (MessageListenerConcurrently) (messages, context) -> ConsumeConcurrentlyStatus.CONSUME_SUCCESS);
            assertThatThrownBy(consumer::start)
                    .isInstanceOf(MQClientException.class)
                    .hasStackTraceContaining("subscription: must be");
        }
    }
}
