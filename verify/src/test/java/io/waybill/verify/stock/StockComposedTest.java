/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static io.waybill.verify.stock.Stock.message;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.client.Admin;
import io.waybill.client.DelayedChange;
import io.waybill.client.DelayedMessages;
import io.waybill.client.WaybillClient;
import io.waybill.verify.embedded.TestBroker;
import java.time.Duration;
import java.time.Instant;
import java.util.Map;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageConst;
import org.apache.rocketmq.common.message.MessageExt;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What the stock client can combine in one message, and what it gets from a broker that knows more than its own: conditions, duplicates, changes. */
@Tag("end-to-end")
class StockComposedTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @RegisterExtension
    static final TestBroker broker = TestBroker.withDefaults();

    private static final Stock stock = new Stock(broker);
    private static DefaultMQProducer producer;

    @BeforeAll
    static void start() throws Exception {
        producer = stock.producer();
    }

    private static String topic(Map<String, String> attributes) throws Exception {
        String topic = Stock.unique("composed");
        stock.createTopic(broker.brokerAddress(), topic, attributes == null ? Map.of() : attributes);
        return topic;
    }

    private static Message sharded(Message message, String key) {
        message.putUserProperty("color", "red");
        org.apache.rocketmq.common.message.MessageAccessor.putProperty(
                message, MessageConst.PROPERTY_SHARDING_KEY, key);
        return message;
    }

    @Test
    void anOrderedDelayedMessageWithPriorityTagAndKeyArrivesAsAllOfThem() throws Exception {
        String topic = topic(Map.of("+message.type", "PRIORITY"));
        Stock.Inbox inbox = stock.consume(Stock.unique("readers"), topic, "PAID");
        long sent = 0;
        for (int i = 0; i < 3; i++) {
            Message message = sharded(message(topic, "PAID", "order-" + i, "m" + i), "customer");
            message.setPriority(2);
            message.setDelayTimeMs(600);
            sent = System.currentTimeMillis();
            assertThat(producer.send(message).getMessageQueue().getQueueId()).isEqualTo(2);
        }
        inbox.awaitCount(3, LIMIT);
        assertThat(System.currentTimeMillis() - sent).isGreaterThanOrEqualTo(600);
        assertThat(inbox.messages()).allSatisfy(m -> {
            assertThat(m.getQueueId()).isEqualTo(2);
            assertThat(m.getPriority()).isEqualTo(2);
            assertThat(m.getProperty(MessageConst.PROPERTY_SHARDING_KEY)).isEqualTo("customer");
        });
        assertThat(inbox.messages().stream()
                        .sorted(java.util.Comparator.comparingLong(MessageExt::getQueueOffset))
                        .map(Stock::text))
                .containsExactly("m0", "m1", "m2");
        assertThat(producer.queryMessage(topic, "order-1", 10, 0, Long.MAX_VALUE)
                        .getMessageList())
                .hasSize(1);
    }

    @Test
    void anOrderedTransactionWithPriorityTagAndKeyArrivesAsAllOfThem() throws Exception {
        String topic = topic(Map.of("+message.type", "PRIORITY"));
        TransactionMQProducer transactional = stock.transactionProducer(
                Stock.unique("shop"),
                new TransactionListener() {
                    @Override
                    public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
                        return argument == null
                                ? LocalTransactionState.COMMIT_MESSAGE
                                : LocalTransactionState.ROLLBACK_MESSAGE;
                    }

                    @Override
                    public LocalTransactionState checkLocalTransaction(MessageExt message) {
                        return LocalTransactionState.UNKNOW;
                    }
                },
                topic);
        Stock.Inbox inbox = stock.consume(Stock.unique("readers"), topic, "PAID || SENT");
        for (int i = 0; i < 4; i++) {
            Message message = sharded(message(topic, i % 2 == 0 ? "PAID" : "SENT", "order-" + i, "m" + i), "customer");
            message.setPriority(3);
            transactional.sendMessageInTransaction(message, i == 2 ? "roll back" : null);
        }
        inbox.awaitCount(3, LIMIT);
        assertThat(inbox.bodies()).containsExactlyInAnyOrder("m0", "m1", "m3");
        assertThat(inbox.messages()).allSatisfy(m -> assertThat(m.getQueueId()).isEqualTo(3));
        Message delayed = message(topic, "", "", "refused by the client itself");
        delayed.setDelayTimeMs(100);
        assertThatThrownBy(() -> transactional.sendMessageInTransaction(delayed, null))
                .isInstanceOf(MQClientException.class);
    }

    @Test
    void theSameMessageSentTwiceIsOneWhereTheTopicWantsIt() throws Exception {
        String topic = topic(Map.of("+waybill.dedup", "7d"));
        Message message = message(topic, "", "", "once");
        SendResult first = producer.send(message);
        SendResult again = producer.send(message); // keeps its unique key, as a retry does
        assertThat(again.getOffsetMsgId()).isEqualTo(first.getOffsetMsgId());
        assertThat(again.getMessageQueue()).isEqualTo(first.getMessageQueue());
        assertThat(again.getQueueOffset()).isEqualTo(first.getQueueOffset());
        Message sameOrder = message(topic, "", "", "same order");
        sameOrder.putUserProperty("WAYBILL_DEDUP_KEY", "order-1");
        Message sameOrderAgain = message(topic, "", "", "same order, another message");
        sameOrderAgain.putUserProperty("WAYBILL_DEDUP_KEY", "order-1");
        assertThat(producer.send(sameOrderAgain).getOffsetMsgId())
                .isNotEqualTo(first.getOffsetMsgId())
                .isEqualTo(producer.send(sameOrder).getOffsetMsgId());
        producer.send(message(topic, "", "", "last"));
        Stock.Inbox inbox = stock.consume(Stock.unique("readers"), topic, "*");
        inbox.awaitCount(3, LIMIT);
        assertThat(inbox.bodies()).containsExactlyInAnyOrder("once", "same order, another message", "last");
    }

    @Test
    void conditionsCancellationsAndMovesReachMessagesOfTheStockClient() throws Exception {
        String topic = topic(null);
        String payments = topic(null);
        Stock.Inbox inbox = stock.consume(Stock.unique("readers"), topic, "*");
        for (String name : new String[] {"paid", "unpaid", "cancelled", "moved"}) {
            Message reminder = message(topic, "", "order-" + name, name);
            reminder.putUserProperty("WAYBILL_UNLESS", payments + "|order-" + name + "|PAID");
            reminder.setDelayTimeMs(name.equals("unpaid") ? 1_500 : name.equals("paid") ? 1_000 : 3_600_000);
            producer.send(reminder);
        }
        producer.send(message(payments, "PAID", "order-paid", "x"));
        producer.send(message(payments, "REFUSED", "order-unpaid", "x"));
        try (WaybillClient client = WaybillClient.connect(broker.namesrvAddress())) {
            Admin admin = client.admin();
            DelayedChange cancelled =
                    admin.delayed().cancel(DelayedMessages.Selector.key(topic, "order-cancelled"), "a test");
            assertThat(cancelled.answer()).isEqualTo(DelayedChange.Answer.CANCELLED);
            assertThat(admin.delayed()
                            .reschedule(
                                    DelayedMessages.Selector.key(topic, "order-moved"),
                                    Instant.now().plusMillis(2_000),
                                    "a test")
                            .answer())
                    .isEqualTo(DelayedChange.Answer.MOVED);
            inbox.awaitCount(2, LIMIT);
            assertThat(inbox.bodies()).containsExactlyInAnyOrder("unpaid", "moved");
            for (String[] answer : new String[][] {
                {"order-paid", "ALREADY_CANCELLED"},
                {"order-cancelled", "ALREADY_CANCELLED"},
                {"order-unpaid", "ALREADY_DELIVERED"},
                {"order-unknown", "NEVER_EXISTED"}
            }) {
                assertThat(admin.delayed()
                                .cancel(DelayedMessages.Selector.key(topic, answer[0]), "a test")
                                .answer())
                        .as(answer[0])
                        .hasToString(answer[1]);
            }
        }
    }
}
