/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.server.EmbeddedBroker;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.net.ServerSocket;
import java.time.Duration;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** Clients with the VIP channel on dial the broker's port less two: the default of 4.2 to 4.4 and of the stock dashboard. */
@Tag("end-to-end")
class StockVipChannelTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    /** A port whose neighbour two below is free as well. */
    private static int portWithVipChannel() throws IOException {
        InetAddress loopback = InetAddress.getLoopbackAddress();
        while (true) {
            try (ServerSocket vip = new ServerSocket(0, 1, loopback);
                    ServerSocket port = new ServerSocket(vip.getLocalPort() + 2, 1, loopback)) {
                return port.getLocalPort();
            } catch (IOException | IllegalArgumentException taken) {
                // another pair
            }
        }
    }

    @Test
    void sendsAndConsumesThroughThePortLessTwo() throws Exception {
        int port = portWithVipChannel();
        try (EmbeddedBroker broker =
                EmbeddedBroker.with("autoCreateTopic", "true").ports(0, port).start()) {
            DefaultMQProducer producer = new DefaultMQProducer(Stock.unique("producers"));
            producer.setNamesrvAddr(broker.namesrvAddress());
            producer.setInstanceName(Stock.unique("instance"));
            producer.setVipChannelEnabled(true);
            producer.start();
            DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(Stock.unique("consumers"));
            try {
                String topic = Stock.unique("vip");
                for (int i = 0; i < 10; i++) {
                    producer.send(Stock.message(topic, "", "", "m" + i));
                }
                Set<String> seen = ConcurrentHashMap.newKeySet();
                consumer.setNamesrvAddr(broker.namesrvAddress());
                consumer.setInstanceName(Stock.unique("instance"));
                consumer.setVipChannelEnabled(true);
                consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
                consumer.subscribe(topic, "*");
                consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
                    messages.forEach(m -> seen.add(new String(m.getBody())));
                    return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
                });
                consumer.start();
                Awaitility.await().atMost(LIMIT).until(() -> seen.size() == 10);
            } finally {
                consumer.shutdown();
                producer.shutdown();
            }
        }
    }

    @Test
    void aBrokerStartsThoughThePortLessTwoIsTaken() throws Exception {
        int port = portWithVipChannel();
        try (ServerSocket taken = new ServerSocket()) {
            taken.bind(new InetSocketAddress(InetAddress.getLoopbackAddress(), port - 2));
            try (EmbeddedBroker broker = EmbeddedBroker.with("autoCreateTopic", "true")
                    .ports(0, port)
                    .start()) {
                assertThat(broker.brokerAddress()).endsWith(":" + port);
            }
        }
    }
}
