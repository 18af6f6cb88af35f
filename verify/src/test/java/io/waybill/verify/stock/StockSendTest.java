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
import java.util.Map;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendCallback;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.compression.CompressionType;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What the stock producer can do to a message, and that it arrives as it was meant. */
@Tag("end-to-end")
class StockSendTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @RegisterExtension
    static final TestBroker broker = TestBroker.withDefaults();

    private static final Stock stock = new Stock(broker);
    private static DefaultMQProducer plain;

    @BeforeAll
    static void start() throws Exception {
        plain = stock.producer();
    }

    private static DefaultMQProducer producer() {
        DefaultMQProducer producer = new DefaultMQProducer(Stock.unique("producers"));
        producer.setNamesrvAddr(broker.namesrvAddress());
        producer.setInstanceName(Stock.unique("instance"));
        return producer;
    }

    private static String topic(Map<String, String> attributes) throws Exception {
        String topic = Stock.unique("sends");
        stock.createTopic(broker.brokerAddress(), topic, attributes == null ? Map.of() : attributes);
        return topic;
    }

    @Test
    void prioritiesChooseTheQueue() throws Exception {
        for (Map<String, String> attributes : List.of(Map.<String, String>of(), Map.of("+message.type", "PRIORITY"))) {
            String topic = topic(attributes);
            for (int priority = 0; priority < 6; priority++) {
                Message message = message(topic, "", "", "p" + priority);
                message.setPriority(priority);
                assertThat(plain.send(message).getMessageQueue().getQueueId()).isEqualTo(Math.min(priority, 3));
            }
            Stock.Inbox inbox = stock.consume(Stock.unique("readers"), topic, "*");
            inbox.awaitCount(6, LIMIT);
            assertThat(inbox.messages())
                    .allSatisfy(m -> assertThat(m.getPriority())
                            .isEqualTo(Integer.parseInt(Stock.text(m).substring(1))));
        }
    }

    @Test
    void compressedBodiesOfEveryKindArriveAndAreFoundByTagAndKey() throws Exception {
        String topic = topic(null);
        Stock.Inbox inbox = stock.consume(Stock.unique("readers"), topic, "PAID");
        String body = "the same text again and again ".repeat(400);
        for (CompressionType type : CompressionType.values()) {
            DefaultMQProducer producer = producer();
            producer.setCompressType(type);
            producer.start();
            producer.send(message(topic, "PAID", "key-" + type, type + body));
            producer.send(message(topic, "OTHER", "key-" + type, type + body));
            producer.shutdown();
        }
        inbox.awaitCount(3, LIMIT);
        assertThat(inbox.bodies()).containsExactlyInAnyOrder("ZLIB" + body, "LZ4" + body, "ZSTD" + body);
        for (CompressionType type : CompressionType.values()) {
            List<MessageExt> found = plain.queryMessage(topic, "key-" + type, 10, 0, Long.MAX_VALUE)
                    .getMessageList();
            assertThat(found)
                    .hasSize(2)
                    .allSatisfy(m -> assertThat(Stock.text(m)).isEqualTo(type + body));
            assertThat(found.get(0).getStoreSize()).isLessThan(2_000);
        }
    }

    @Test
    void anyTextInBodyKeysTagsAndPropertiesArrives() throws Exception {
        String topic = topic(null);
        String text = "Stra\u00dfe \u4f60\u597d \ud83d\ude00\ud83c\uddea\ud83c\uddfa \u0000\t\n\\\"{}\u2028";
        String word = "\ud83d\ude00\u4f60";
        Stock.Inbox inbox = stock.consume(Stock.unique("readers"), topic, word);
        Message message = message(topic, word, word, text);
        message.putUserProperty("name " + word, text);
        plain.send(message);
        inbox.awaitCount(1, LIMIT);
        MessageExt got = inbox.messages().get(0);
        assertThat(Stock.text(got)).isEqualTo(text);
        assertThat(got.getUserProperty("name " + word)).isEqualTo(text);
        assertThat(got.getTags()).isEqualTo(word);
        assertThat(plain.queryMessage(topic, word, 10, 0, Long.MAX_VALUE).getMessageList())
                .hasSize(1);
    }

    @Test
    void separatorsInAPropertyAreRefused() throws Exception {
        String topic = topic(null);
        for (char separator : new char[] {1, 2}) {
            Message message = message(topic, "", "", "m");
            message.putUserProperty("name", "a" + separator + "b");
            assertThatThrownBy(() -> plain.send(message))
                    .isInstanceOf(MQBrokerException.class)
                    .hasMessageContaining("CODE: 13")
                    .hasMessageContaining("U+0001 and U+0002");
        }
    }

    @Test
    void automaticBatchesAreStoredOneByOne() throws Exception {
        String topic = topic(null);
        DefaultMQProducer producer = producer();
        producer.setAutoBatch(true);
        producer.batchMaxDelayMs(20);
        producer.start();
        ExecutorService threads = Executors.newFixedThreadPool(16);
        List<Future<SendResult>> sends = new ArrayList<>();
        Set<String> bodies = new HashSet<>();
        for (int i = 0; i < 200; i++) {
            String body = "m" + i;
            bodies.add(body);
            sends.add(threads.submit(() -> producer.send(message(topic, "T", "k-" + body, body))));
        }
        Set<String> ids = new HashSet<>();
        for (Future<SendResult> send : sends) {
            SendResult result = send.get(60, TimeUnit.SECONDS);
            assertThat(result.getSendStatus()).isEqualTo(SendStatus.SEND_OK);
            ids.add(result.getOffsetMsgId());
        }
        threads.shutdown();
        producer.shutdown();
        assertThat(ids).hasSize(200);
        Stock.Inbox inbox = stock.consume(Stock.unique("readers"), topic, "T");
        inbox.awaitCount(200, LIMIT);
        assertThat(inbox.bodies()).containsExactlyInAnyOrderElementsOf(bodies);
        assertThat(plain.queryMessage(topic, "k-m77", 10, 0, Long.MAX_VALUE).getMessageList())
                .hasSize(1);
    }

    @Test
    void onewayAsyncAndChosenQueues() throws Exception {
        String topic = topic(null);
        MessageQueue third = new MessageQueue(topic, "broker-a", 2);
        third.setBrokerName(plain.fetchPublishMessageQueues(topic).get(0).getBrokerName());
        plain.sendOneway(message(topic, "", "", "oneway"), third);
        CompletableFuture<SendResult> async = new CompletableFuture<>();
        plain.send(message(topic, "", "", "async"), third, new SendCallback() {
            @Override
            public void onSuccess(SendResult result) {
                async.complete(result);
            }

            @Override
            public void onException(Throwable e) {
                async.completeExceptionally(e);
            }
        });
        assertThat(async.get(60, TimeUnit.SECONDS).getMessageQueue()).isEqualTo(third);
        SendResult selected =
                plain.send(message(topic, "", "", "selected"), (queues, message, arg) -> queues.get((Integer) arg), 2);
        int chosen = selected.getMessageQueue().getQueueId();
        Stock.Inbox inbox = stock.consume(Stock.unique("readers"), topic, "*");
        inbox.awaitCount(3, LIMIT);
        assertThat(inbox.messages())
                .allSatisfy(
                        m -> assertThat(m.getQueueId()).isEqualTo(Stock.text(m).equals("selected") ? chosen : 2));
    }

    @Test
    void namespacesAndUnitsArePartsOfNamesToTheBroker() throws Exception {
        String topic = Stock.unique("sends");
        plain.createTopic("TBW102", "tenant%" + topic, 2, null);
        DefaultMQProducer producer = producer();
        producer.setNamespace("tenant");
        producer.setUnitName("east");
        producer.setUnitMode(true);
        producer.start();
        Set<String> got = java.util.concurrent.ConcurrentHashMap.newKeySet();
        DefaultMQPushConsumer consumer = stock.newPushConsumer(Stock.unique("readers"));
        consumer.setNamespace("tenant");
        consumer.setUnitName("east");
        consumer.setUnitMode(true);
        consumer.subscribe(topic, "*");
        consumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            context.setDelayLevelWhenNextConsume(1);
            messages.forEach(m -> got.add(m.getTopic() + " " + Stock.text(m) + " " + m.getReconsumeTimes()));
            return messages.get(0).getReconsumeTimes() == 0
                    ? ConsumeConcurrentlyStatus.RECONSUME_LATER
                    : ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        consumer.start();
        SendResult sent = producer.send(message(topic, "", "", "of a tenant"));
        assertThat(sent.getMessageQueue().getTopic()).isEqualTo(topic);
        Stock.await("both deliveries", LIMIT, () -> got.size() == 2);
        assertThat(got).containsExactlyInAnyOrder(topic + " of a tenant 0", topic + " of a tenant 1");
        producer.shutdown();
        Stock.Inbox raw = stock.consume(Stock.unique("readers"), "tenant%" + topic, "*");
        raw.awaitCount(1, LIMIT);
        assertThat(raw.bodies()).containsExactly("of a tenant");
    }
}
