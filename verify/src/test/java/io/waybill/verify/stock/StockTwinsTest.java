/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static io.waybill.verify.stock.Stock.message;
import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.server.EmbeddedBroker;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicIntegerArray;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Two processes of a stock client with one client id, as containers that share an address and a process id make them. */
@Tag("end-to-end")
class StockTwinsTest {
    private static final Duration LIMIT = Duration.ofSeconds(90);
    private static final int QUEUES = 4;

    private final AtomicIntegerArray inside = new AtomicIntegerArray(QUEUES);
    private final AtomicInteger overlaps = new AtomicInteger();
    private final Set<String> seen = ConcurrentHashMap.newKeySet();

    private void handle(int queueId, String body) {
        if (inside.incrementAndGet(queueId) > 1) {
            overlaps.incrementAndGet();
        }
        long until = System.nanoTime() + 500_000;
        while (System.nanoTime() - until < 0) {
            Thread.onSpinWait();
        }
        seen.add(body);
        inside.decrementAndGet(queueId);
    }

    @Test
    void inOrderTheyNeverConsumeAQueueAtOnceAndOneTakesOverFromTheOther() throws Exception {
        String topic = Stock.unique("ordered");
        String group = Stock.unique("readers");
        String instance = Stock.unique("instance");
        try (EmbeddedBroker broker = EmbeddedBroker.start();
                Stock stock = new Stock(broker.namesrvAddress())) {
            DefaultMQProducer producer = stock.producer();
            producer.createTopic("TBW102", topic, QUEUES, null);
            Runnable one = OrderedTwin.startApart(broker.namesrvAddress(), group, topic, instance, this::handle);
            Runnable other = OrderedTwin.startApart(broker.namesrvAddress(), group, topic, instance, this::handle);
            DefaultMQAdminExt admin = stock.admin();
            Stock.await("both to be connected", LIMIT, () -> connections(admin, group) == 2);
            for (int i = 0; i < 400; i++) {
                producer.send(message(topic, "", "", "m" + i));
            }
            Stock.await("all to be consumed", LIMIT, () -> seen.size() == 400);
            assertThat(overlaps.get()).isZero();

            one.run();
            for (int i = 400; i < 440; i++) {
                producer.send(message(topic, "", "", "m" + i));
            }
            Stock.await("the other one to go on", LIMIT, () -> seen.size() == 440);
            assertThat(overlaps.get()).isZero();
            other.run();
        }
    }

    private static int connections(DefaultMQAdminExt admin, String group) {
        try {
            return admin.examineConsumerConnectionInfo(group).getConnectionSet().size();
        } catch (Exception e) {
            return 0; // not yet
        }
    }
}
