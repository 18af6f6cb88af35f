/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static io.waybill.verify.stock.Stock.message;
import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.server.EmbeddedBroker;
import io.waybill.verify.embedded.TestBroker;
import java.time.Duration;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ExecutorService;
import java.util.concurrent.Executors;
import java.util.concurrent.Future;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.client.producer.TransactionSendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

@Tag("end-to-end")
class StockTransactionTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @RegisterExtension
    static final TestBroker broker = TestBroker.with("transactionTimeoutMillis", "500")
            .and("transactionCheckMillis", "500")
            .and("transactionCheckMax", "3");

    private final Stock stock = new Stock(broker);

    @Test
    void commitIsDeliveredAndRollbackIsNot() throws Exception {
        String topic = Stock.unique("tx");
        Stock.Inbox inbox = consumerOf(topic);
        TransactionMQProducer producer = stock.transactionProducer(
                Stock.unique("tx-group"),
                listener(
                        m -> m.getTags().equals("commit")
                                ? LocalTransactionState.COMMIT_MESSAGE
                                : LocalTransactionState.ROLLBACK_MESSAGE,
                        m -> LocalTransactionState.UNKNOW));
        producer.sendMessageInTransaction(message(topic, "rollback", "k1", "gone"), null);
        TransactionSendResult committed =
                producer.sendMessageInTransaction(message(topic, "commit", "k2", "kept"), null);
        inbox.awaitCount(1, LIMIT);
        sentinel(topic, inbox);
        assertThat(inbox.bodies()).containsExactlyInAnyOrder("kept", "sentinel");
        MessageExt got = inbox.messages().get(0);
        assertThat(got.getMsgId()).isEqualTo(committed.getMsgId());
        // As RocketMQ 5.5.0 delivers it; the client tells the transaction's id by TRAN_MSG.
        assertThat(got.getTransactionId())
                .isEqualTo(committed.getTransactionId())
                .isNotNull();
        assertThat(got.getProperty("TRAN_MSG")).isEqualTo("true");
        assertThat(got.getProperty("REAL_TOPIC")).isNull();
        assertThat(got.getProperty("REAL_QID")).isNull();
        assertThat(got.getPreparedTransactionOffset()).isNotNegative();
        assertThat(got.getKeys()).isEqualTo("k2");
    }

    /** Two instances of one service, as in issues of RocketMQ where the one that knew nothing rolled back the orders of the other. */
    @Test
    void theSenderIsAskedAsLongAsItLivesAndThenTheOther() throws Exception {
        try (EmbeddedBroker own = EmbeddedBroker.with("transactionTimeoutMillis", "500")
                        .with("transactionCheckMillis", "500")
                        .start();
                Stock clients = new Stock(own.namesrvAddress());
                Stock others = new Stock(own.namesrvAddress())) {
            String topic = Stock.unique("tx");
            String group = Stock.unique("tx-group");
            clients.createTopic(own.brokerAddress(), topic, java.util.Map.of());
            Set<String> askedSender = ConcurrentHashMap.newKeySet();
            Set<String> askedOther = ConcurrentHashMap.newKeySet();
            TransactionMQProducer other = others.transactionProducer(group, listener(m -> fail(m), m -> {
                askedOther.add(m.getKeys());
                return LocalTransactionState.COMMIT_MESSAGE;
            }));
            other.getDefaultMQProducerImpl().getMqClientFactory().updateTopicRouteInfoFromNameServer(topic);
            other.getDefaultMQProducerImpl().getMqClientFactory().sendHeartbeatToAllBrokerWithLock();
            TransactionMQProducer sender =
                    clients.transactionProducer(group, listener(m -> LocalTransactionState.UNKNOW, m -> {
                        askedSender.add(m.getKeys());
                        return LocalTransactionState.UNKNOW;
                    }));
            for (int i = 0; i < 1_000; i++) {
                sender.sendMessageInTransaction(message(topic, "t", "k" + i, "order"), null);
                if (i == 10) { // the first halves came before it
                    sender.getDefaultMQProducerImpl().getMqClientFactory().sendHeartbeatToAllBrokerWithLock();
                }
            }
            Stock.await("checks of all at the sender", LIMIT, () -> askedSender.size() == 1_000);
            assertThat(askedOther).isEmpty();
            sender.getDefaultMQProducerImpl()
                    .getMqClientFactory()
                    .getMQClientAPIImpl()
                    .shutdown(); // no goodbye
            Stock.await("checks of all at the other", LIMIT, () -> askedOther.size() == 1_000);
        }
    }

    private static LocalTransactionState fail(Message message) {
        throw new IllegalStateException("this producer sends nothing: " + message);
    }

    @Test
    void anUndecidedOneIsDecidedByTheCheck() throws Exception {
        String topic = Stock.unique("tx");
        Stock.Inbox inbox = consumerOf(topic);
        Set<String> checked = ConcurrentHashMap.newKeySet();
        TransactionMQProducer producer =
                stock.transactionProducer(Stock.unique("tx-group"), listener(m -> LocalTransactionState.UNKNOW, m -> {
                    checked.add(m.getTags());
                    return m.getTags().equals("commit")
                            ? LocalTransactionState.COMMIT_MESSAGE
                            : LocalTransactionState.ROLLBACK_MESSAGE;
                }));
        producer.sendMessageInTransaction(message(topic, "rollback", "k1", "gone"), null);
        producer.sendMessageInTransaction(message(topic, "commit", "k2", "kept"), null);
        inbox.awaitCount(1, LIMIT);
        Stock.await("both checks", LIMIT, () -> checked.size() == 2);
        sentinel(topic, inbox);
        assertThat(inbox.bodies()).containsExactlyInAnyOrder("kept", "sentinel");
    }

    @Test
    void anotherInstanceOfTheGroupAnswersWhenTheSenderIsGone() throws Exception {
        String topic = Stock.unique("tx");
        String group = Stock.unique("tx-group");
        Stock.Inbox inbox = consumerOf(topic);
        Stock first = new Stock(broker.namesrvAddress());
        TransactionMQProducer sender = first.transactionProducer(
                group, listener(m -> LocalTransactionState.UNKNOW, m -> LocalTransactionState.UNKNOW));
        sender.sendMessageInTransaction(message(topic, "t", "k", "orphan"), null);
        first.closeAndWait();
        stock.transactionProducer(
                group, listener(m -> LocalTransactionState.UNKNOW, m -> LocalTransactionState.COMMIT_MESSAGE), topic);
        inbox.awaitCount(1, LIMIT);
        assertThat(inbox.bodies()).containsExactly("orphan");
    }

    @Test
    void afterTheLastCheckTheMessageIsSetAsideAndNeverDelivered() throws Exception {
        String topic = Stock.unique("tx");
        Stock.Inbox inbox = consumerOf(topic);
        Stock.Inbox aside = stock.consume(Stock.unique("aside"), "TRANS_CHECK_MAX_TIME_TOPIC", "*");
        AtomicInteger checks = new AtomicInteger();
        TransactionMQProducer producer =
                stock.transactionProducer(Stock.unique("tx-group"), listener(m -> LocalTransactionState.UNKNOW, m -> {
                    checks.incrementAndGet();
                    return LocalTransactionState.UNKNOW;
                }));
        producer.sendMessageInTransaction(message(topic, "t", "exhausted-key", "undecided"), null);
        Stock.await("the message to be set aside", LIMIT, () -> aside.bodies().contains("undecided"));
        assertThat(checks).hasValue(3);
        sentinel(topic, inbox);
        assertThat(inbox.bodies()).containsExactly("sentinel");
    }

    @Test
    void aThousandMixedConcurrentTransactionsDeliverExactlyTheCommittedSet() throws Exception {
        String topic = Stock.unique("tx");
        Stock.Inbox inbox = consumerOf(topic);
        // Outcome by number: 0 commit, 1 roll back, 2 commit by check, 3 roll back by check.
        Function<Message, Integer> outcome = m -> Integer.parseInt(m.getKeys()) % 4;
        TransactionMQProducer producer = stock.transactionProducer(
                Stock.unique("tx-group"),
                listener(
                        m -> switch (outcome.apply(m)) {
                            case 0 -> LocalTransactionState.COMMIT_MESSAGE;
                            case 1 -> LocalTransactionState.ROLLBACK_MESSAGE;
                            default -> LocalTransactionState.UNKNOW;
                        },
                        m -> outcome.apply(m) == 2
                                ? LocalTransactionState.COMMIT_MESSAGE
                                : LocalTransactionState.ROLLBACK_MESSAGE));
        ExecutorService senders = Executors.newFixedThreadPool(8);
        try {
            List<? extends Future<?>> sends = IntStream.range(0, 1000)
                    .mapToObj(i -> senders.submit(() ->
                            producer.sendMessageInTransaction(message(topic, "t", String.valueOf(i), "tx-" + i), null)))
                    .toList();
            for (Future<?> send : sends) {
                send.get();
            }
        } finally {
            senders.shutdown();
        }
        Set<String> expected = new HashSet<>(IntStream.range(0, 1000)
                .filter(i -> i % 4 == 0 || i % 4 == 2)
                .mapToObj(i -> "tx-" + i)
                .toList());
        inbox.awaitCount(500, Duration.ofSeconds(60));
        sentinel(topic, inbox);
        List<String> bodies =
                inbox.bodies().stream().filter(b -> !b.equals("sentinel")).toList();
        assertThat(bodies).hasSize(500);
        assertThat(new HashSet<>(bodies)).isEqualTo(expected);
    }

    private Stock.Inbox consumerOf(String topic) throws Exception {
        stock.producer().createTopic("TBW102", topic, 4, null);
        return stock.consume(Stock.unique("readers"), topic, "*");
    }

    /** A plain message to each queue after all decisions: when it is there, nothing earlier can still be on its way. */
    private void sentinel(String topic, Stock.Inbox inbox) throws Exception {
        DefaultMQProducer producer = stock.producer();
        producer.send(message(topic, "t", "", "sentinel"));
        Stock.await("the sentinel", LIMIT, () -> inbox.bodies().contains("sentinel"));
    }

    private static TransactionListener listener(
            Function<Message, LocalTransactionState> execute, Function<MessageExt, LocalTransactionState> check) {
        return new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
                return execute.apply(message);
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                return check.apply(message);
            }
        };
    }
}
