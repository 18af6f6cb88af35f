/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static io.waybill.verify.stock.Stock.message;

import io.waybill.server.ServerSettings;
import io.waybill.server.WaybillServer;
import java.nio.file.Path;
import java.time.Duration;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Stock clients go on when the broker was started anew under them. */
@Tag("end-to-end")
class StockRestartTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @TempDir
    Path data;

    /** Its heartbeats leave out what it subscribes to; the next one that says it comes long after the test. */
    @Test
    void aConsumerWithShortHeartbeatsIsServedAgainWithoutWaitingForAFullOne() throws Exception {
        String topic = Stock.unique("orders");
        WaybillServer server = WaybillServer.start(ServerSettings.in(data).ports(0, 0));
        int namesrv = server.namesrvAddress().getPort();
        int broker = server.brokerAddress().getPort();
        try (Stock stock = new Stock("127.0.0.1:" + namesrv)) {
            DefaultMQProducer producer = stock.producer();
            producer.createTopic("TBW102", topic, 1, null);
            Stock.Inbox inbox = new Stock.Inbox();
            DefaultMQPushConsumer consumer = stock.newPushConsumer(Stock.unique("readers"));
            consumer.setUseHeartbeatV2(true);
            consumer.setHeartbeatBrokerInterval(600_000);
            consumer.subscribe(topic, "PAID");
            consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                inbox.addAll(messages);
                return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
            });
            consumer.start();
            producer.send(message(topic, "PAID", "", "before"));
            Stock.await("the first", LIMIT, () -> inbox.bodies().contains("before"));

            server.close();
            server = WaybillServer.start(ServerSettings.in(data).ports(namesrv, broker));
            Stock.await("a send", LIMIT, () -> {
                try {
                    producer.send(message(topic, "PAID", "", "after"));
                    return true;
                } catch (Exception e) {
                    return false; // its connection is made anew
                }
            });
            Stock.await("what came after", LIMIT, () -> inbox.bodies().contains("after"));
        } finally {
            server.close();
        }
    }
}
