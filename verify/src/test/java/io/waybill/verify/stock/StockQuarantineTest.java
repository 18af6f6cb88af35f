/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static io.waybill.verify.stock.Stock.message;
import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.Admin;
import io.waybill.client.Groups;
import io.waybill.client.WaybillClient;
import io.waybill.verify.embedded.TestBroker;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** A stock ordered consumer in a group with a quarantine: what it gives up is quarantined, not a dead letter. */
@Tag("end-to-end")
class StockQuarantineTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @RegisterExtension
    final TestBroker broker = TestBroker.withDefaults();

    private WaybillClient operator;
    private final Stock stock = new Stock(broker);
    private final ConcurrentLinkedQueue<String> seen = new ConcurrentLinkedQueue<>();
    private volatile boolean broken = true;

    @BeforeEach
    void start() {
        operator = WaybillClient.connect(broker.namesrvAddress());
    }

    @AfterEach
    void stop() {
        operator.close();
    }

    @Test
    void whatItGivesUpIsQuarantinedWithItsKeyAndComesBackInOrder() throws Exception {
        String topic = Stock.unique("orders");
        String group = Stock.unique("shipping");
        Admin admin = operator.admin();
        admin.groups().put(admin.groups().settings(group).attribute(Groups.QUARANTINE_AFTER, "3"));
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 1, null);
        for (String body : List.of("p0", "a0", "p1", "c0", "p2", "a1", "c1")) {
            producer.send(message(topic, "", body.substring(0, 1), body));
        }
        consumer(group, topic);
        Stock.await("the other keys", LIMIT, () -> seen.containsAll(List.of("a0", "c0", "a1", "c1")));
        assertThat(seen).as("cached ones of the key were dropped").doesNotContain("p1", "p2");
        assertThat(seen.stream().filter("p0 failed"::equals)).hasSize(3);
        assertThat(admin.groups().backlog(group).total().quarantined().messages())
                .isEqualTo(3);
        assertThat(admin.groups().backlog(group).total().dead().messages()).isZero();
        assertThat(admin.deadLetters().list(group, 0, 10, true).deadLetters()).isEmpty();

        broken = false;
        admin.quarantine().release(group, topic, "p", "test");
        producer.send(message(topic, "", "p", "p3"));
        producer.send(message(topic, "", "a", "a2"));
        Stock.await("the key and what came later", LIMIT, () -> seen.containsAll(List.of("p0", "p3", "a2")));
        assertThat(seen.stream().filter(body -> body.startsWith("p") && !body.endsWith("failed")))
                .containsExactly("p0", "p1", "p2", "p3");
        Stock.await(
                "the end of the quarantine",
                LIMIT,
                () -> admin.quarantine().list(group).isEmpty());
    }

    private void consumer(String group, String topic) throws Exception {
        DefaultMQPushConsumer consumer = stock.newPushConsumer(group);
        consumer.setMaxReconsumeTimes(2);
        consumer.setConsumeMessageBatchMaxSize(1);
        consumer.setPersistConsumerOffsetInterval(200);
        consumer.setPollNameServerInterval(500);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
            String body = Stock.text(messages.get(0));
            boolean fails = broken && body.startsWith("p");
            seen.add(fails ? body + " failed" : body);
            context.setSuspendCurrentQueueTimeMillis(20);
            return fails ? ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT : ConsumeOrderlyStatus.SUCCESS;
        });
        consumer.start();
    }
}
