/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static io.waybill.verify.stock.Stock.message;
import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.Decision;
import io.waybill.client.TransactionInspector;
import io.waybill.client.WaybillClient;
import io.waybill.verify.embedded.TestBroker;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;
import java.util.function.Function;
import java.util.stream.IntStream;
import org.apache.rocketmq.client.hook.SendMessageContext;
import org.apache.rocketmq.client.hook.SendMessageHook;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.client.producer.TransactionSendResult;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageConst;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.remoting.protocol.header.EndTransactionRequestHeader;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What happens to transactions of stock producers when decisions come twice, late, from somebody else, or by hand. */
@Tag("end-to-end")
class StockTransactionEdgesTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final int COMMIT = 8;
    private static final int ROLLBACK = 12;
    private static final LocalTransactionState UNKNOWN = LocalTransactionState.UNKNOW;

    @RegisterExtension
    static final TestBroker broker = TestBroker.with("transactionTimeoutMillis", "500")
            .and("transactionCheckMillis", "500")
            .and("transactionCheckMax", "5");

    private static WaybillClient operator;
    private final Stock stock = new Stock(broker);

    /** Of half messages by message id: the stock client keeps the offset id of a transactional send for itself. */
    private final Map<String, String> offsetIds = new ConcurrentHashMap<>();

    @BeforeAll
    static void startBroker() throws Exception {
        operator = WaybillClient.connect(broker.namesrvAddress());
    }

    @AfterAll
    static void stopBroker() throws Exception {
        operator.close();
    }

    private static TransactionListener listener(Function<MessageExt, LocalTransactionState> check) {
        return new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
                return UNKNOWN;
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                return check.apply(message);
            }
        };
    }

    private TransactionMQProducer producer(Function<MessageExt, LocalTransactionState> check) throws Exception {
        return producer(stock, check);
    }

    private TransactionMQProducer producer(Stock of, Function<MessageExt, LocalTransactionState> check)
            throws Exception {
        TransactionMQProducer producer = of.transactionProducer(Stock.unique("tx-group"), listener(check));
        producer.getDefaultMQProducerImpl().registerSendMessageHook(new SendMessageHook() {
            @Override
            public String hookName() {
                return "offset ids";
            }

            @Override
            public void sendMessageBefore(SendMessageContext context) {}

            @Override
            public void sendMessageAfter(SendMessageContext context) {
                SendResult result = context.getSendResult();
                offsetIds.put(result.getMsgId(), result.getOffsetMsgId());
            }
        });
        return producer;
    }

    /** One that is not asked about while a test looks at something else. */
    private static Message unhurried(String topic, String body) {
        Message message = message(topic, "t", "k", body);
        message.putUserProperty(MessageConst.PROPERTY_CHECK_IMMUNITY_TIME_IN_SECONDS, "600");
        return message;
    }

    private Stock.Inbox consumerOf(String topic) throws Exception {
        stock.producer().createTopic("TBW102", topic, 4, null);
        return stock.consume(Stock.unique("readers"), topic, "*");
    }

    /** An END_TRANSACTION that waits for its answer, which the stock client never does. */
    private RemotingCommand end(TransactionMQProducer producer, SendResult half, int decision, boolean fromCheck)
            throws Exception {
        EndTransactionRequestHeader header = new EndTransactionRequestHeader();
        header.setProducerGroup(producer.getProducerGroup());
        header.setTranStateTableOffset(half.getQueueOffset());
        header.setCommitLogOffset(
                MessageDecoder.decodeMessageId(offsetIds.get(half.getMsgId())).getOffset());
        header.setCommitOrRollback(decision);
        header.setFromTransactionCheck(fromCheck);
        header.setMsgId(half.getMsgId());
        header.setTransactionId(half.getMsgId());
        return producer.getDefaultMQProducerImpl()
                .getMqClientFactory()
                .getMQClientAPIImpl()
                .getRemotingClient()
                .invokeSync(broker.brokerAddress(), RemotingCommand.createRequestCommand(37, header), 10_000);
    }

    private static TransactionInspector.Details inspect(SendResult half) {
        return operator.admin().transactions().find(half.getMsgId()).orElseThrow();
    }

    @Test
    void theFirstOfTwoDecisionsWinsAndTheSecondIsToldWhatWhoAndWhen() throws Exception {
        String topic = Stock.unique("tx");
        Stock.Inbox inbox = consumerOf(topic);
        TransactionMQProducer producer = producer(m -> UNKNOWN);
        TransactionSendResult half = producer.sendMessageInTransaction(unhurried(topic, "once"), null);
        assertThat(end(producer, half, COMMIT, false).getCode()).isZero();
        assertThat(end(producer, half, COMMIT, false).getCode()).isZero();
        RemotingCommand late = end(producer, half, ROLLBACK, true);
        assertThat(late.getCode()).isEqualTo(604);
        assertThat(late.getRemark())
                .contains("committed at 20")
                .contains(producer.getProducerGroup())
                .contains(producer.buildMQClientId());
        inbox.awaitCount(1, LIMIT);
        sentinels(topic, inbox);
        assertThat(inbox.bodies()).containsOnlyOnce("once");

        TransactionSendResult gone = producer.sendMessageInTransaction(unhurried(topic, "never"), null);
        assertThat(end(producer, gone, ROLLBACK, false).getCode()).isZero();
        RemotingCommand tooLate = end(producer, gone, COMMIT, false);
        assertThat(tooLate.getCode()).isEqualTo(604);
        assertThat(tooLate.getRemark()).contains("rolled back at 20");
        sentinels(topic, inbox);
        assertThat(inbox.bodies()).doesNotContain("never");
    }

    @Test
    void aDecisionMayComeAfterChecksThatWereAnsweredWithUnknown() throws Exception {
        String topic = Stock.unique("tx");
        Stock.Inbox inbox = consumerOf(topic);
        AtomicInteger checks = new AtomicInteger();
        TransactionMQProducer producer = producer(m -> {
            checks.incrementAndGet();
            return UNKNOWN;
        });
        TransactionSendResult half = decidedAfterACheck(producer, topic);
        inbox.awaitCount(1, LIMIT);
        assertThat(inbox.messages().get(0).getProperty("TRANSACTION_CHECK_TIMES"))
                .isNotNull();
        List<TransactionInspector.Check> history = inspect(half).checks();
        assertThat(history.get(0).number()).isEqualTo(1);
        assertThat(history.get(0).client()).startsWith(producer.buildMQClientId());
        assertThat(history.get(0).answer()).isEqualTo("UNKNOWN");
        assertThat(checks).hasPositiveValue();
    }

    /** On a machine that is slow for a moment all checks may be over before the decision comes: then with another one. */
    private TransactionSendResult decidedAfterACheck(TransactionMQProducer producer, String topic) throws Exception {
        while (true) {
            TransactionSendResult half = producer.sendMessageInTransaction(message(topic, "t", "k", "at last"), null);
            Stock.await(
                    "an answer to a check",
                    LIMIT,
                    () -> inspect(half).checks().stream().anyMatch(check -> "UNKNOWN".equals(check.answer())));
            RemotingCommand answer = end(producer, half, COMMIT, false);
            if (answer.getCode() == 0) {
                return half;
            }
            assertThat(answer.getRemark()).contains("given up");
        }
    }

    @Test
    void tagsKeysShardingKeyAndTheChosenQueueStayThroughACommit() throws Exception {
        String topic = Stock.unique("tx");
        TransactionMQProducer producer = producer(m -> UNKNOWN);
        producer.createTopic("TBW102", topic, 4, null);
        Stock.Inbox inbox = stock.consume(Stock.unique("readers"), topic, "PAID");
        for (int step = 0; step < 5; step++) {
            Message message = message(topic, step == 2 ? "OTHER" : "PAID", "order-1 step-" + step, "step " + step);
            MessageAccessor.putProperty(message, MessageConst.PROPERTY_SHARDING_KEY, "customer-7");
            // The stock client has no transaction with a queue of one's choice: a half message sent by hand is one.
            MessageAccessor.putProperty(message, MessageConst.PROPERTY_TRANSACTION_PREPARED, "true");
            MessageAccessor.putProperty(message, MessageConst.PROPERTY_PRODUCER_GROUP, producer.getProducerGroup());
            String brokerName = producer.fetchPublishMessageQueues(topic).get(0).getBrokerName();
            SendResult half = producer.send(message, new MessageQueue(topic, brokerName, 3));
            producer.getDefaultMQProducerImpl()
                    .endTransaction(message, half, LocalTransactionState.COMMIT_MESSAGE, null);
        }
        inbox.awaitCount(4, LIMIT);
        assertThat(inbox.messages().stream()
                        .sorted(Comparator.comparing(MessageExt::getQueueOffset))
                        .map(Stock::text))
                .containsExactly("step 0", "step 1", "step 3", "step 4");
        assertThat(inbox.messages()).allSatisfy(m -> {
            assertThat(m.getQueueId()).isEqualTo(3);
            assertThat(m.getTags()).isEqualTo("PAID");
            assertThat(m.getProperty(MessageConst.PROPERTY_SHARDING_KEY)).isEqualTo("customer-7");
            assertThat(m.getProperty("TRAN_MSG")).isEqualTo("true");
        });
        assertThat(stock.admin()
                        .queryMessage(topic, "step-3", 10, 0, Long.MAX_VALUE)
                        .getMessageList())
                .hasSize(1);
    }

    @Test
    void aMessageMayAskForALaterFirstCheckAndIsThenDecidedByIt() throws Exception {
        String topic = Stock.unique("tx");
        Stock.Inbox inbox = consumerOf(topic);
        AtomicReference<Long> askedMillis = new AtomicReference<>();
        TransactionMQProducer producer = stock.transactionProducer(Stock.unique("tx-group"), listener(m -> {
            askedMillis.compareAndSet(null, System.currentTimeMillis());
            return LocalTransactionState.COMMIT_MESSAGE;
        }));
        Message message = message(topic, "t", "k", "patient");
        message.putUserProperty(MessageConst.PROPERTY_CHECK_IMMUNITY_TIME_IN_SECONDS, "2");
        long sentMillis = System.currentTimeMillis();
        TransactionSendResult half = producer.sendMessageInTransaction(message, null);
        inbox.awaitCount(1, LIMIT);
        assertThat(askedMillis.get() - sentMillis).isGreaterThanOrEqualTo(2_000);

        // A word that nobody asked for is too late once a message's own time is over.
        TransactionMQProducer silent = producer(m -> UNKNOWN);
        Message hasty = message(topic, "t", "k", "hasty");
        hasty.putUserProperty(MessageConst.PROPERTY_CHECK_IMMUNITY_TIME_IN_SECONDS, "1");
        TransactionSendResult late = silent.sendMessageInTransaction(hasty, null);
        Stock.await("a check", LIMIT, () -> !inspect(late).checks().isEmpty());
        RemotingCommand refused = end(silent, late, COMMIT, false);
        assertThat(refused.getCode()).isEqualTo(604);
        assertThat(end(silent, late, ROLLBACK, true).getCode()).isIn(0, 604); // 604: given up by now
        assertThat(half.getMsgId()).isEqualTo(inbox.messages().get(0).getMsgId());
    }

    @Test
    void anExhaustedTransactionIsResumedByTheToolsAndCommitted() throws Exception {
        String topic = Stock.unique("tx");
        Stock.Inbox inbox = consumerOf(topic);
        Stock.Inbox aside = stock.consume(Stock.unique("aside"), "TRANS_CHECK_MAX_TIME_TOPIC", "*");
        AtomicReference<LocalTransactionState> answer = new AtomicReference<>(UNKNOWN);
        TransactionMQProducer producer = producer(m -> answer.get());
        TransactionSendResult half = producer.sendMessageInTransaction(message(topic, "t", "k", "revived"), null);
        Stock.await("the message to be set aside", LIMIT, () -> aside.bodies().contains("revived"));
        assertThat(end(producer, half, COMMIT, false).getCode()).isEqualTo(604);
        answer.set(LocalTransactionState.COMMIT_MESSAGE);
        assertThat(stock.admin().resumeCheckHalfMessage("TRANS_CHECK_MAX_TIME_TOPIC", half.getMsgId()))
                .isTrue();
        inbox.awaitCount(1, LIMIT);
        assertThat(inbox.messages().get(0).getMsgId()).isEqualTo(half.getMsgId());
        assertThat(stock.admin().resumeCheckHalfMessage("TRANS_CHECK_MAX_TIME_TOPIC", half.getMsgId()))
                .isFalse();
        sentinels(topic, inbox);
        assertThat(inbox.bodies()).containsOnlyOnce("revived");
    }

    @Test
    void anOperatorDecidesWhatItsProducerCannot() throws Exception {
        String topic = Stock.unique("tx");
        Stock.Inbox inbox = consumerOf(topic);
        Stock first = new Stock(broker.namesrvAddress());
        TransactionMQProducer producer = producer(first, m -> UNKNOWN);
        TransactionSendResult half = producer.sendMessageInTransaction(unhurried(topic, "by hand"), null);
        first.closeAndWait();
        TransactionInspector inspector = operator.admin().transactions();
        assertThat(inspector.list(TransactionInspector.Query.first(10)
                        .topic(topic)
                        .producerGroup(producer.getProducerGroup())
                        .olderThan(Duration.ZERO)))
                .hasSize(1);
        inspector.decide(half.getMsgId(), Decision.COMMIT, "the service is gone", "kim");
        inbox.awaitCount(1, LIMIT);
        assertThat(inbox.bodies()).containsExactly("by hand");
        TransactionMQProducer again =
                stock.transactionProducer(producer.getProducerGroup(), listener(m -> UNKNOWN), topic);
        RemotingCommand late = end(again, half, ROLLBACK, true);
        assertThat(late.getCode()).isEqualTo(604);
        assertThat(late.getRemark()).contains("kim").contains("the service is gone");
    }

    @Test
    void producersComeAndGoDuringTheChecksAndEachTransactionIsDecidedOnce() throws Exception {
        String topic = Stock.unique("tx");
        String group = Stock.unique("tx-group");
        Stock.Inbox inbox = consumerOf(topic);
        Stock.Inbox aside = stock.consume(Stock.unique("aside"), "TRANS_CHECK_MAX_TIME_TOPIC", "*");
        Map<String, Integer> checks = new ConcurrentHashMap<>();
        Stock first = new Stock(broker.namesrvAddress());
        TransactionMQProducer sender = first.transactionProducer(group, listener(m -> {
            checks.merge(m.getKeys(), 1, Integer::sum);
            return UNKNOWN;
        }));
        for (int i = 0; i < 40; i++) {
            sender.sendMessageInTransaction(message(topic, "t", "" + i, "tx-" + i), null);
        }
        Stock.await("first checks", LIMIT, () -> !checks.isEmpty());
        Stock second = new Stock(broker.namesrvAddress());
        // Even ones are committed by whoever comes second, odd ones by whoever stays.
        second.transactionProducer(
                group,
                listener(m -> Integer.parseInt(m.getKeys()) % 2 == 0 ? LocalTransactionState.COMMIT_MESSAGE : UNKNOWN),
                topic);
        first.closeAndWait();
        stock.transactionProducer(group, listener(m -> LocalTransactionState.COMMIT_MESSAGE), topic);
        second.closeAndWait();
        // Given up is possible too: there are five checks, and members that come and go may waste them.
        Stock.await(
                "all to be decided",
                LIMIT,
                () -> inbox.bodies().size() + ofTopic(aside, topic).size() >= 40);
        sentinels(topic, inbox);
        List<String> decided = new ArrayList<>(ofTopic(aside, topic));
        inbox.bodies().stream().filter(b -> !b.equals("sentinel")).forEach(decided::add);
        assertThat(decided)
                .containsExactlyInAnyOrderElementsOf(
                        IntStream.range(0, 40).mapToObj(i -> "tx-" + i).toList());
    }

    private static List<String> ofTopic(Stock.Inbox aside, String topic) {
        return aside.messages().stream()
                .filter(m -> topic.equals(m.getProperty("REAL_TOPIC")))
                .map(Stock::text)
                .toList();
    }

    /** A plain message to each queue after all decisions: when they are there, nothing earlier can still be on its way. */
    private void sentinels(String topic, Stock.Inbox inbox) throws Exception {
        long wanted = count(inbox);
        DefaultMQProducer producer = stock.producer();
        for (MessageQueue queue : producer.fetchPublishMessageQueues(topic)) {
            producer.send(message(topic, "t", "", "sentinel"), queue);
            wanted++;
        }
        long all = wanted;
        Stock.await("the sentinels", LIMIT, () -> count(inbox) == all);
    }

    private static long count(Stock.Inbox inbox) {
        return inbox.bodies().stream().filter("sentinel"::equals).count();
    }
}
