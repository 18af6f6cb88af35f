/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.own;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.Message;
import io.waybill.client.Producer;
import io.waybill.client.PushConsumer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.SendReceipt;
import io.waybill.client.StartFrom;
import io.waybill.verify.embedded.TestBroker;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentLinkedQueue;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.common.compression.CompressionType;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** The stock client 5.5.0 and the own client on one topic: each reads what the other wrote, and both may be members of one group. */
@Tag("end-to-end")
class MixedClientsTest {
    @RegisterExtension
    final TestBroker broker = TestBroker.withDefaults();

    private final Own own = new Own(broker);
    private final String topic = Own.unique("mixed");
    private DefaultMQProducer stockProducer;
    private DefaultMQPushConsumer stockConsumer;

    @BeforeEach
    void start() throws Exception {
        own.client().admin().topics().create(topic, 4);
        stockProducer = new DefaultMQProducer(Own.unique("stock-producers"));
        stockProducer.setNamesrvAddr(broker.namesrvAddress());
        stockProducer.setInstanceName(Own.unique("stock"));
        stockProducer.start();
    }

    @AfterEach
    void stop() {
        if (stockProducer != null) {
            stockProducer.shutdown();
        }
        if (stockConsumer != null) {
            stockConsumer.shutdown();
        }
    }

    private ConcurrentLinkedQueue<MessageExt> stockInbox(String group) throws Exception {
        ConcurrentLinkedQueue<MessageExt> inbox = new ConcurrentLinkedQueue<>();
        stockConsumer = new DefaultMQPushConsumer(group);
        stockConsumer.setNamesrvAddr(broker.namesrvAddress());
        stockConsumer.setInstanceName(Own.unique("stock"));
        stockConsumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        stockConsumer.subscribe(topic, "*");
        stockConsumer.registerMessageListener((MessageListenerConcurrently) (messages, context) -> {
            inbox.addAll(messages);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        stockConsumer.start();
        return inbox;
    }

    private static String text(MessageExt message) {
        return new String(message.getBody(), StandardCharsets.UTF_8);
    }

    @Test
    void bodiesThatTheStockProducerCompressedAreReadByBoth() throws Exception {
        String body = "the same text again and again ".repeat(400);
        for (CompressionType type : CompressionType.values()) {
            DefaultMQProducer producer = new DefaultMQProducer(Own.unique("stock-producers"));
            producer.setNamesrvAddr(broker.namesrvAddress());
            producer.setInstanceName(Own.unique("stock"));
            producer.setCompressType(type);
            producer.start();
            producer.send(new org.apache.rocketmq.common.message.Message(
                    topic, (type + body).getBytes(StandardCharsets.UTF_8)));
            producer.shutdown();
        }
        String[] bodies = {"ZLIB" + body, "LZ4" + body, "ZSTD" + body};
        Own.Inbox inbox = own.consume(Own.unique("readers"), topic, "*");
        ConcurrentLinkedQueue<MessageExt> stock = stockInbox(Own.unique("stock-readers"));
        inbox.awaitCount(3);
        assertThat(inbox.texts()).containsExactlyInAnyOrder(bodies);
        Own.await("all at the stock consumer", () -> stock.size() == 3);
        assertThat(stock).extracting(MixedClientsTest::text).containsExactlyInAnyOrder(bodies);
    }

    @Test
    void theStockConsumerReadsWhatTheOwnProducerWrote() throws Exception {
        Producer producer = own.client().producer("order-service").build();
        SendReceipt plain = producer.send(Message.to(topic)
                .tag("标签")
                .key("k1")
                .key("k2")
                .property("farbe", "grün \"quoted\" \\ 🚚")
                .orderingKey("order-1")
                .body("тело 🚚")
                .build());
        String large = "large ".repeat(20_000);
        producer.send(Message.to(topic).body(large).build());
        producer.sendAll(List.of(
                Own.message(topic, "batch", "b", "batch-0"),
                Own.message(topic, "batch", "b", "batch-1"),
                Own.message(topic, "batch", "b", "batch-2")));
        producer.sendOneway(Own.message(topic, "t", "o", "one-way"));
        producer.send(Message.to(topic)
                .body("later")
                .deliverAfter(Duration.ofMillis(300))
                .build());

        ConcurrentLinkedQueue<MessageExt> inbox = stockInbox(Own.unique("stock-readers"));
        Own.await("all seven", () -> inbox.size() == 7);
        assertThat(inbox)
                .extracting(MixedClientsTest::text)
                .containsExactlyInAnyOrder("тело 🚚", large, "batch-0", "batch-1", "batch-2", "one-way", "later");
        MessageExt got = inbox.stream()
                .filter(m -> text(m).equals("тело 🚚"))
                .findFirst()
                .orElseThrow();
        assertThat(got.getMsgId()).isEqualTo(plain.messageId());
        assertThat(got.getTags()).isEqualTo("标签");
        assertThat(got.getKeys()).isEqualTo("k1 k2");
        assertThat(got.getUserProperty("farbe")).isEqualTo("grün \"quoted\" \\ 🚚");
        assertThat(got.getQueueId()).isEqualTo(plain.queue().id());
        assertThat(got.getQueueOffset()).isEqualTo(plain.offset());
        assertThat(text(stockProducer.viewMessage(topic, plain.storedId()))).isEqualTo("тело 🚚");
    }

    @Test
    void theOwnConsumerReadsWhatTheStockProducerWrote() throws Exception {
        org.apache.rocketmq.common.message.Message message = new org.apache.rocketmq.common.message.Message(
                topic, "标签", "k1 k2", 7, "тело 🚚".getBytes(StandardCharsets.UTF_8), true);
        message.putUserProperty("farbe", "grün \"quoted\" \\ 🚚");
        SendResult plain = stockProducer.send(message);
        String large = "large ".repeat(20_000);
        stockProducer.send(new org.apache.rocketmq.common.message.Message(
                topic, large.getBytes(StandardCharsets.UTF_8))); // compressed by the client
        List<org.apache.rocketmq.common.message.Message> batch = new ArrayList<>();
        for (int i = 0; i < 3; i++) {
            batch.add(new org.apache.rocketmq.common.message.Message(
                    topic, "batch", ("batch-" + i).getBytes(StandardCharsets.UTF_8)));
        }
        stockProducer.send(batch);

        Own.Inbox inbox = own.consume(Own.unique("readers"), topic, "*");
        inbox.awaitCount(5);
        assertThat(inbox.texts()).containsExactlyInAnyOrder("тело 🚚", large, "batch-0", "batch-1", "batch-2");
        ReceivedMessage got = inbox.messages().stream()
                .filter(m -> m.text().equals("тело 🚚"))
                .findFirst()
                .orElseThrow();
        assertThat(got.messageId()).isEqualTo(plain.getMsgId());
        assertThat(got.delivery().storedId()).isEqualToIgnoringCase(plain.getOffsetMsgId());
        assertThat(got.tag()).isEqualTo("标签");
        assertThat(got.keys()).containsExactly("k1", "k2");
        assertThat(got.property("farbe")).isEqualTo("grün \"quoted\" \\ 🚚");
        assertThat(got.flag()).isEqualTo(7);
    }

    @Test
    void bothMayBeMembersOfOneGroupAndShareItsQueues() throws Exception {
        String group = Own.unique("both");
        Own.Inbox ours = new Own.Inbox();
        PushConsumer member = own.client()
                .pushConsumer(group)
                .subscribe(topic)
                .from(StartFrom.FIRST)
                .onMessage(ours::add)
                .start();
        ConcurrentLinkedQueue<MessageExt> theirs = stockInbox(group);
        Own.await(
                "each to have two queues",
                () -> member.assignment().stream()
                                        .filter(q -> q.topic().equals(topic))
                                        .count()
                                == 2
                        && stockQueues() == 2);
        Producer producer = own.client().producer("order-service").build();
        Set<String> sent = new HashSet<>();
        for (int i = 0; i < 200; i++) {
            sent.add("m" + i);
            producer.send(Message.to(topic).body("m" + i).build());
        }
        Own.await("all of them", () -> ours.messages().size() + theirs.size() >= 200);
        List<String> got = new ArrayList<>(ours.texts());
        theirs.forEach(m -> got.add(text(m)));
        assertThat(got).containsExactlyInAnyOrderElementsOf(sent);
        assertThat(ours.messages()).isNotEmpty();
        assertThat(theirs).isNotEmpty();

        member.close();
        Own.await("the stock member to take over", () -> stockQueues() == 4);
    }

    private long stockQueues() {
        return stockConsumer.getDefaultMQPushConsumerImpl().getRebalanceImpl().getProcessQueueTable().keySet().stream()
                .filter(queue -> queue.getTopic().equals(topic))
                .count();
    }
}
