/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static io.waybill.verify.stock.Stock.message;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.verify.embedded.TestBroker;
import java.time.Duration;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageConst;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

@Tag("end-to-end")
class StockTimerTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @RegisterExtension
    static final TestBroker broker = TestBroker.withDefaults();

    private final Stock stock = new Stock(broker);

    @Test
    void everyWayToDelayIsNeverEarly() throws Exception {
        String topic = Stock.unique("timer");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 4, null);
        Map<String, Long> earliest = new ConcurrentHashMap<>();
        Map<String, Long> arrived = new ConcurrentHashMap<>();
        stock.consumer(Stock.unique("readers"), topic, "*", (messages, context) -> {
            long now = System.currentTimeMillis();
            messages.forEach(m -> arrived.put(Stock.text(m), now));
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        for (int i = 0; i < 5; i++) {
            Message level = message(topic, "", "", "level-" + i);
            level.setDelayTimeLevel(1);
            send(producer, level, 1000, earliest);
            Message millis = message(topic, "", "", "millis-" + i);
            millis.setDelayTimeMs(300 + 100L * i);
            send(producer, millis, 300 + 100L * i, earliest);
            Message seconds = message(topic, "", "", "seconds-" + i);
            seconds.setDelayTimeSec(1);
            send(producer, seconds, 1000, earliest);
            Message at = message(topic, "", "", "at-" + i);
            long due = System.currentTimeMillis() + 700;
            at.setDeliverTimeMs(due);
            producer.send(at);
            earliest.put("at-" + i, due);
            Message past = message(topic, "", "", "past-" + i);
            past.setDeliverTimeMs(System.currentTimeMillis() - 5000);
            send(producer, past, 0, earliest);
            Message cloud = message(topic, "", "", "cloud-" + i);
            long start = System.currentTimeMillis() + 500;
            MessageAccessor.putProperty(cloud, "__STARTDELIVERTIME", Long.toString(start));
            producer.send(cloud);
            earliest.put("cloud-" + i, start);
        }
        Stock.await("all delayed messages", LIMIT, () -> arrived.size() == 30);
        earliest.forEach((body, due) -> assertThat(arrived.get(body)).as(body).isGreaterThanOrEqualTo(due));
    }

    private static void send(DefaultMQProducer producer, Message message, long delay, Map<String, Long> earliest)
            throws Exception {
        long before = System.currentTimeMillis();
        producer.send(message);
        earliest.put(new String(message.getBody(), java.nio.charset.StandardCharsets.UTF_8), before + delay);
    }

    @Test
    void aRecalledMessageNeverArrivesAndTheAnswerIsTrue() throws Exception {
        String topic = Stock.unique("recall");
        DefaultMQProducer producer = stock.producer();
        Stock.Inbox inbox = inboxOf(producer, topic);
        Message recalled = message(topic, "", "", "recalled");
        recalled.setDelayTimeMs(2_000);
        SendResult result = producer.send(recalled);
        assertThat(result.getRecallHandle()).isNotNull();
        assertThat(producer.recallMessage(topic, result.getRecallHandle())).isEqualTo(result.getMsgId());
        Message later = message(topic, "", "", "later");
        later.setDelayTimeMs(2_500);
        producer.send(later);
        inbox.awaitCount(1, LIMIT);
        assertThat(inbox.bodies()).containsExactly("later");
        assertThatThrownBy(() -> producer.recallMessage(topic, result.getRecallHandle()))
                .isInstanceOf(Exception.class);
    }

    @Test
    void aCancelMarkerTakesADelayedMessageBackAndIsNotDelivered() throws Exception {
        String topic = Stock.unique("marker");
        DefaultMQProducer producer = stock.producer();
        Stock.Inbox inbox = inboxOf(producer, topic);
        Message cancelled = message(topic, "", "", "cancelled");
        cancelled.setDelayTimeMs(2_000);
        String key = producer.send(cancelled).getMsgId();
        assertThat(producer.send(marker(topic, key)).getSendStatus()).isEqualTo(SendStatus.SEND_OK);
        assertThatThrownBy(() -> producer.send(marker(topic, key)))
                .isInstanceOfSatisfying(
                        MQBrokerException.class,
                        e -> assertThat(e.getResponseCode()).isEqualTo(604));
        Message later = message(topic, "", "", "later");
        later.setDelayTimeMs(2_500);
        producer.send(later);
        inbox.awaitCount(1, LIMIT);
        assertThat(inbox.bodies()).containsExactly("later");
    }

    private static Message marker(String topic, String key) {
        Message marker = message(topic, "", "", "0");
        MessageAccessor.putProperty(marker, MessageConst.PROPERTY_TIMER_DEL_UNIQKEY, key);
        marker.setDelayTimeMs(2_000);
        return marker;
    }

    private Stock.Inbox inboxOf(DefaultMQProducer producer, String topic) throws Exception {
        producer.createTopic("TBW102", topic, 4, null);
        return stock.consume(Stock.unique("readers"), topic, "*");
    }
}
