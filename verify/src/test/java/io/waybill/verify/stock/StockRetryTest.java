/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static io.waybill.verify.stock.Stock.message;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.verify.embedded.TestBroker;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.atomic.AtomicInteger;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.protocol.subscription.CustomizedRetryPolicy;
import org.apache.rocketmq.remoting.protocol.subscription.ExponentialRetryPolicy;
import org.apache.rocketmq.remoting.protocol.subscription.GroupRetryPolicy;
import org.apache.rocketmq.remoting.protocol.subscription.GroupRetryPolicyType;
import org.apache.rocketmq.remoting.protocol.subscription.RetryPolicy;
import org.apache.rocketmq.remoting.protocol.subscription.SubscriptionGroupConfig;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

@Tag("end-to-end")
class StockRetryTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @RegisterExtension
    static final TestBroker broker = TestBroker.with(
            "messageDelayLevels",
            "50ms 100ms 150ms 200ms 250ms 300ms 350ms 400ms 450ms 500ms 550ms 600ms 650ms 700ms 750ms 800ms"
                    + " 850ms 900ms");

    private final Stock stock = new Stock(broker);

    @Test
    void aFailingMessageIsRetriedThenDeadLetteredWhileOthersGoOn() throws Exception {
        String topic = Stock.unique("retry");
        String group = Stock.unique("readers");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 4, null);
        ConcurrentLinkedQueue<Integer> tries = new ConcurrentLinkedQueue<>();
        ConcurrentLinkedQueue<String> good = new ConcurrentLinkedQueue<>();
        DefaultMQPushConsumer consumer = stock.newPushConsumer(group);
        consumer.setMaxReconsumeTimes(2);
        consumer.setPollNameServerInterval(500); // else it learns of its new retry topic half a minute later
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            context.setDelayLevelWhenNextConsume(1);
            for (MessageExt m : messages) {
                if (Stock.text(m).equals("poison")) {
                    assertThat(m.getTopic()).isEqualTo(topic);
                    tries.add(m.getReconsumeTimes());
                    return ConsumeConcurrentlyStatus.RECONSUME_LATER;
                }
                good.add(Stock.text(m));
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        producer.send(message(topic, "", "poison-key", "poison"));
        for (int i = 0; i < 20; i++) {
            producer.send(message(topic, "", "", "good-" + i));
        }
        Stock.await("three tries", LIMIT, () -> tries.size() >= 3);
        assertThat(good).hasSize(20);
        Stock.Inbox dead = lettersOf(group);
        dead.awaitCount(1, LIMIT);
        assertThat(List.copyOf(tries)).containsExactly(0, 1, 2);
        MessageExt letter = dead.messages().get(0);
        assertThat(Stock.text(letter)).isEqualTo("poison");
        assertThat(letter.getKeys()).isEqualTo("poison-key");
        assertThat(letter.getProperty("RETRY_TOPIC")).isEqualTo(topic);
        assertThat(letter.getReconsumeTimes()).isEqualTo(3);
        assertLetter(letter, topic, group, 3);
        assertThat(letter.getProperty("DLQ_REASON")).contains("used up: 2");
    }

    /** Reads the dead letters of a group, once there is one: a consumer that comes before the topic looks for it every 20 s only. */
    private Stock.Inbox lettersOf(String group) throws Exception {
        stock.awaitRoute("%DLQ%" + group);
        return stock.consume(Stock.unique("dead-readers"), "%DLQ%" + group, "*");
    }

    // ---- back-off

    /** The settings as mqadmin sends them, with a policy. */
    private static SubscriptionGroupConfig groupWith(String group, RetryPolicy policy) {
        SubscriptionGroupConfig config = new SubscriptionGroupConfig();
        config.setGroupName(group);
        GroupRetryPolicy of = new GroupRetryPolicy();
        if (policy instanceof ExponentialRetryPolicy exponential) {
            of.setType(GroupRetryPolicyType.EXPONENTIAL);
            of.setExponentialRetryPolicy(exponential);
        } else {
            of.setType(GroupRetryPolicyType.CUSTOMIZED);
            of.setCustomizedRetryPolicy((CustomizedRetryPolicy) policy);
        }
        config.setGroupRetryPolicy(of);
        return config;
    }

    /** Lets a message fail as often as it is tried; the times of its tries in milliseconds. */
    private List<Long> triesOf(String group, int retries) throws Exception {
        String topic = Stock.unique("back-off");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 1, null);
        ConcurrentLinkedQueue<Long> tries = new ConcurrentLinkedQueue<>();
        DefaultMQPushConsumer consumer = stock.newPushConsumer(group);
        consumer.setMaxReconsumeTimes(retries);
        consumer.setPollNameServerInterval(500);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            messages.forEach(m -> tries.add(System.currentTimeMillis()));
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        consumer.start();
        producer.send(message(topic, "", "k", "fails"));
        Stock.await("all tries", LIMIT, () -> tries.size() > retries);
        return List.copyOf(tries);
    }

    private static void assertGaps(List<Long> tries, long... leastMillis) {
        for (int i = 0; i < leastMillis.length; i++) {
            assertThat(tries.get(i + 1) - tries.get(i)).as("gap " + i).isGreaterThanOrEqualTo(leastMillis[i]);
        }
    }

    @Test
    void theTableOfAGroupDecidesItsBackOff() throws Exception {
        String group = Stock.unique("readers");
        DefaultMQAdminExt admin = stock.admin();
        admin.createAndUpdateSubscriptionGroupConfig(
                broker.brokerAddress(), groupWith(group, new CustomizedRetryPolicy(new long[] {1_000, 1_500})));
        SubscriptionGroupConfig kept = admin.examineSubscriptionGroupConfig(broker.brokerAddress(), group);
        assertThat(kept.getGroupRetryPolicy().getCustomizedRetryPolicy().getNext())
                .containsExactly(1_000, 1_500);
        assertGaps(triesOf(group, 2), 1_000, 1_500);
    }

    @Test
    void theExponentOfAGroupDecidesItsBackOff() throws Exception {
        String group = Stock.unique("readers");
        stock.admin()
                .createAndUpdateSubscriptionGroupConfig(
                        broker.brokerAddress(), groupWith(group, new ExponentialRetryPolicy(700, 1_500, 2)));
        assertGaps(triesOf(group, 2), 700, 1_400);
    }

    @Test
    void aPolicyThatCannotBeKeptIsRefusedByName() throws Exception {
        String group = Stock.unique("readers");
        DefaultMQAdminExt admin = stock.admin();
        SubscriptionGroupConfig bad = groupWith(group, new ExponentialRetryPolicy(5_000, 100, 2));
        assertThatThrownBy(() -> admin.createAndUpdateSubscriptionGroupConfig(broker.brokerAddress(), bad))
                .hasMessageContaining("exponentialRetryPolicy.max")
                .hasMessageContaining("100");
    }

    // ---- giving up

    private static void assertLetter(MessageExt letter, String topic, String group, int tries) {
        assertThat(letter.getProperty("RETRY_TOPIC")).isEqualTo(topic);
        assertThat(letter.getProperty("DLQ_ORIGIN_TOPIC")).isEqualTo(topic);
        assertThat(letter.getProperty("DLQ_TRIES")).isEqualTo(Integer.toString(tries));
        assertThat(letter.getProperty("DLQ_GROUP")).isEqualTo(group);
        long first = Long.parseLong(letter.getProperty("RETRY_SINCE_MS"));
        assertThat(first).isGreaterThanOrEqualTo(letter.getBornTimestamp());
        assertThat(Long.parseLong(letter.getProperty("DLQ_MS"))).isBetween(first, letter.getStoreTimestamp());
    }

    @Test
    void aConsumerMayGiveUpAtOnce() throws Exception {
        String topic = Stock.unique("retry");
        String group = Stock.unique("readers");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 1, null);
        AtomicInteger tries = new AtomicInteger();
        DefaultMQPushConsumer consumer = stock.consumer(group, topic, "*", (messages, context) -> {
            tries.incrementAndGet();
            context.setDelayLevelWhenNextConsume(-1);
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        producer.send(message(topic, "", "k", "hopeless"));
        Stock.Inbox dead = lettersOf(group);
        dead.awaitCount(1, LIMIT);
        MessageExt letter = dead.messages().get(0);
        assertLetter(letter, topic, group, 1);
        assertThat(letter.getProperty("DLQ_REASON")).contains("consumer");
        assertThat(letter.getProperty("DLQ_CLIENT")).startsWith(consumer.buildMQClientId());
        assertThat(tries).hasValue(1);
    }

    @Test
    void anOrderedConsumerSuspendsRetriesAndGivesUpAndTheQueueGoesOn() throws Exception {
        String topic = Stock.unique("ordered-retry");
        String group = Stock.unique("readers");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 1, null);
        for (String body : List.of("a", "poison", "b", "c")) {
            producer.send(message(topic, "", body, body));
        }
        ConcurrentLinkedQueue<String> seen = new ConcurrentLinkedQueue<>();
        DefaultMQPushConsumer consumer = stock.newPushConsumer(group);
        consumer.setMaxReconsumeTimes(2);
        consumer.setConsumeMessageBatchMaxSize(1);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            String body = Stock.text(messages.get(0));
            seen.add(body + messages.get(0).getReconsumeTimes());
            context.setSuspendCurrentQueueTimeMillis(50);
            return body.equals("poison")
                    ? ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT
                    : ConsumeOrderlyStatus.SUCCESS;
        });
        consumer.start();
        Stock.await("the rest of the queue", LIMIT, () -> seen.contains("c0"));
        assertThat(List.copyOf(seen)).containsExactly("a0", "poison0", "poison1", "poison2", "b0", "c0");
        Stock.Inbox dead = lettersOf(group);
        dead.awaitCount(1, LIMIT);
        MessageExt letter = dead.messages().get(0);
        assertThat(Stock.text(letter)).isEqualTo("poison");
        assertLetter(letter, topic, group, 3);
        assertThat(letter.getProperty("DLQ_REASON")).contains("used up: 2");
        assertThat(letter.getProperty("DLQ_CLIENT")).startsWith(consumer.buildMQClientId());
    }
}
