/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static io.waybill.verify.stock.Stock.message;
import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.server.EmbeddedBroker;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.client.QueryResult;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.trace.TraceView;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.topic.TopicValidator;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** The stock client's own tracing: its messages lie in RMQ_SYS_TRACE_TOPIC, and the query of queryMsgTraceById finds them. */
@Tag("end-to-end")
class StockTraceTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @Test
    void whatAProducerAndAConsumerTraceIsFoundByMessageId() throws Exception {
        try (EmbeddedBroker broker = EmbeddedBroker.start()) {
            String topic = Stock.unique("traced");
            DefaultMQProducer producer = new DefaultMQProducer(Stock.unique("producers"), true, null);
            producer.setNamesrvAddr(broker.namesrvAddress());
            producer.setInstanceName(Stock.unique("instance"));
            producer.start();
            producer.createTopic("TBW102", topic, 1, null);
            DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(Stock.unique("readers"), true, null);
            consumer.setNamesrvAddr(broker.namesrvAddress());
            consumer.setInstanceName(Stock.unique("instance"));
            consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
            consumer.subscribe(topic, "*");
            consumer.registerMessageListener(
                    (MessageListenerConcurrently) (messages, context) -> ConsumeConcurrentlyStatus.CONSUME_SUCCESS);
            consumer.start();
            DefaultMQAdminExt admin = new DefaultMQAdminExt();
            admin.setNamesrvAddr(broker.namesrvAddress());
            admin.setInstanceName(Stock.unique("instance"));
            admin.start();
            try {
                SendResult sent = producer.send(message(topic, "PAID", "order-1", "hello"));
                List<TraceView> views = new ArrayList<>();
                Stock.await("the traces of send and consumption", LIMIT, () -> {
                    views.clear();
                    views.addAll(views(admin, sent.getMsgId()));
                    return views.stream().anyMatch(v -> "Pub".equals(v.getMsgType()))
                            && views.stream().anyMatch(v -> "SubAfter".equals(v.getMsgType()));
                });
                assertThat(views).filteredOn(v -> "Pub".equals(v.getMsgType())).allSatisfy(v -> {
                    assertThat(v.getTopic()).isEqualTo(topic);
                    assertThat(v.getKeys()).isEqualTo("order-1");
                    assertThat(v.getStatus()).isEqualTo("success");
                });
            } finally {
                admin.shutdown();
                consumer.shutdown();
                producer.shutdown();
            }
        }
    }

    private static List<TraceView> views(DefaultMQAdminExt admin, String messageId) {
        List<TraceView> views = new ArrayList<>();
        try {
            QueryResult result =
                    admin.queryMessage(TopicValidator.RMQ_SYS_TRACE_TOPIC, messageId, 64, 0, Long.MAX_VALUE);
            for (MessageExt trace : result.getMessageList()) {
                views.addAll(TraceView.decodeFromTraceTransData(messageId, trace));
            }
        } catch (MQClientException | InterruptedException e) {
            return List.of(); // not there yet
        }
        return views;
    }
}
