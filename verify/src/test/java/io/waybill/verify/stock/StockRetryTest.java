/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static io.waybill.verify.stock.Stock.message;
import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.server.EmbeddedBroker;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageExt;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

class StockRetryTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static EmbeddedBroker broker;
    private Stock stock;

    @BeforeAll
    static void startBroker() throws Exception {
        broker = EmbeddedBroker.start();
    }

    @AfterAll
    static void stopBroker() throws Exception {
        broker.close();
    }

    @BeforeEach
    void connect() {
        stock = new Stock(broker.namesrvAddress());
    }

    @AfterEach
    void disconnect() {
        stock.close();
    }

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
        Stock.Inbox dead = stock.consume(Stock.unique("dead-readers"), "%DLQ%" + group, "*");
        dead.awaitCount(1, LIMIT);
        assertThat(List.copyOf(tries)).containsExactly(0, 1, 2);
        MessageExt letter = dead.messages().get(0);
        assertThat(Stock.text(letter)).isEqualTo("poison");
        assertThat(letter.getKeys()).isEqualTo("poison-key");
        assertThat(letter.getProperty("RETRY_TOPIC")).isEqualTo(topic);
        assertThat(letter.getReconsumeTimes()).isEqualTo(3);
    }
}
