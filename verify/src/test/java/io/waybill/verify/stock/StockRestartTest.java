/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static io.waybill.verify.stock.Stock.message;
import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.server.ServerSettings;
import io.waybill.server.WaybillServer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.CountDownLatch;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeOrderlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.consumer.listener.MessageListenerOrderly;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.exception.RemotingException;
import org.apache.rocketmq.remoting.protocol.body.LockBatchRequestBody;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;
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

    /** The holder of an ordered queue works on a message while the broker restarts: nobody else may have the queue meanwhile. */
    @Test
    void anOrderedQueueStaysWithTheConsumerThatWorksOnItOverARestart() throws Exception {
        String topic = Stock.unique("ordered");
        String group = Stock.unique("readers");
        WaybillServer server = WaybillServer.start(ServerSettings.in(data).ports(0, 0));
        int namesrv = server.namesrvAddress().getPort();
        int broker = server.brokerAddress().getPort();
        CountDownLatch working = new CountDownLatch(1);
        CountDownLatch workDone = new CountDownLatch(1);
        List<String> consumed = new CopyOnWriteArrayList<>();
        try (Stock stock = new Stock("127.0.0.1:" + namesrv)) {
            DefaultMQProducer producer = stock.producer();
            producer.createTopic("TBW102", topic, 1, null);
            DefaultMQAdminExt second = stock.admin();
            DefaultMQPushConsumer holder = stock.newPushConsumer(group);
            holder.subscribe(topic, "*");
            holder.registerMessageListener((MessageListenerOrderly) (messages, context) -> {
                working.countDown();
                try {
                    workDone.await();
                } catch (InterruptedException e) {
                    return ConsumeOrderlyStatus.SUSPEND_CURRENT_QUEUE_A_MOMENT;
                }
                messages.forEach(one -> consumed.add(Stock.text(one)));
                return ConsumeOrderlyStatus.SUCCESS;
            });
            holder.start();
            producer.send(message(topic, "", "", "first"));
            working.await();
            MessageQueue queue = producer.fetchPublishMessageQueues(topic).get(0);

            server.close();
            server = WaybillServer.start(ServerSettings.in(data).ports(namesrv, broker));
            assertThat(lock(second, broker, group, queue))
                    .as("what a second client gets while the first works")
                    .isEmpty();
            assertThat(consumed).isEmpty();

            workDone.countDown();
            Stock.await("the first one's work", LIMIT, () -> consumed.contains("first"));
            Stock.await("a send", LIMIT, () -> {
                try {
                    producer.send(message(topic, "", "", "second"));
                    return true;
                } catch (Exception e) {
                    return false; // its connection is made anew
                }
            });
            Stock.await("the holder to go on", LIMIT, () -> consumed.contains("second"));
            assertThat(lock(second, broker, group, queue)).isEmpty();

            holder.shutdown();
            Stock.await(
                    "the lock that was given back",
                    LIMIT,
                    () -> lock(second, broker, group, queue).contains(queue));
        } finally {
            workDone.countDown();
            server.close();
        }
    }

    /** What a client beside the consumer holds once it has asked for the queue; it asks until the broker answers. */
    private static Set<MessageQueue> lock(DefaultMQAdminExt client, int brokerPort, String group, MessageQueue queue) {
        LockBatchRequestBody body = new LockBatchRequestBody();
        body.setConsumerGroup(group);
        body.setClientId("second");
        body.setMqSet(Set.of(queue));
        CopyOnWriteArrayList<Set<MessageQueue>> answer = new CopyOnWriteArrayList<>();
        Stock.await("an answer about the lock", LIMIT, () -> {
            try {
                answer.add(client.getDefaultMQAdminExtImpl()
                        .getMqClientInstance()
                        .getMQClientAPIImpl()
                        .lockBatchMQ("127.0.0.1:" + brokerPort, body, 5_000));
                return true;
            } catch (RemotingException e) {
                return false; // its connection is made anew
            } catch (MQBrokerException | InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
        return answer.get(0);
    }
}
