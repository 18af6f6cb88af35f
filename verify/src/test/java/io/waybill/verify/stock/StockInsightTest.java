/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static io.waybill.verify.stock.Stock.message;
import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.remoting.ClientSettings;
import io.waybill.remoting.EventLoops;
import io.waybill.remoting.RemotingClient;
import io.waybill.verify.embedded.TestBroker;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.function.BooleanSupplier;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.LocalTransactionState;
import org.apache.rocketmq.client.producer.SendResult;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.awaitility.Awaitility;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** What the broker tells of lives that stock clients lead. */
@Tag("end-to-end")
class StockInsightTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);

    @RegisterExtension
    static final TestBroker broker = TestBroker.with("messageDelayLevels", "500ms 1s 1s 1s");

    private static EventLoops loops;
    private static RemotingClient operator;
    private final Stock stock = new Stock(broker);

    @BeforeAll
    static void startBroker() throws Exception {
        loops = EventLoops.shared();
        operator = new RemotingClient(
                loops, ClientSettings.defaults(), request -> request.refuse(ResponseCode.SYSTEM_ERROR, "not here"));
    }

    @AfterAll
    static void stopBroker() throws Exception {
        operator.close();
        loops.close();
    }

    private static JsonObject ask(int code, String json) throws Exception {
        Command reply = operator.call(
                        broker.brokerAddress(),
                        Command.request(code)
                                .body(json.getBytes(StandardCharsets.UTF_8))
                                .build(),
                        10_000)
                .get(20, TimeUnit.SECONDS);
        return reply.code() == ResponseCode.SUCCESS ? Json.parse(reply.body()) : null;
    }

    private static List<JsonObject> findings(String group, String id) {
        try {
            return ask(RequestCode.DOCTOR, "{\"group\":\"" + group + "\",\"messageId\":\"" + id + "\"}")
                    .getArray("findings")
                    .objects("findings");
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private static String cause(String group, String id) {
        return findings(group, id).get(0).getString("cause");
    }

    private static List<String> events(String id) {
        try {
            JsonObject answer = ask(RequestCode.TRACE_MESSAGE, "{\"id\":\"" + id + "\"}");
            return answer == null
                    ? List.of()
                    : answer
                            .getArray("messages")
                            .objects("messages")
                            .get(0)
                            .getArray("events")
                            .objects("events")
                            .stream()
                            .map(event -> event.getString("event"))
                            .toList();
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private static JsonObject total(String group) {
        try {
            JsonObject answer = ask(RequestCode.GROUP_BACKLOG, "{\"group\":\"" + group + "\"}");
            return answer == null ? Json.parse("{}") : answer.getObject("total");
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    private DefaultMQPushConsumer consumer(
            String group, String topic, String tags, MessageListenerConcurrently listener) throws Exception {
        DefaultMQPushConsumer consumer = stock.newPushConsumer(group);
        consumer.setPersistConsumerOffsetInterval(200);
        consumer.setPollNameServerInterval(500);
        consumer.subscribe(topic, tags);
        consumer.registerMessageListener(listener);
        consumer.start();
        return consumer;
    }

    /**
     * A stock client commits by itself only 10 s after its start; before that the pull that follows a message tells how far it is. So messages are sent
     * until it has.
     */
    private static void awaitCommit(DefaultMQProducer producer, String topic, BooleanSupplier condition) {
        Awaitility.await("the commit")
                .atMost(LIMIT)
                .pollInterval(Duration.ofMillis(200))
                .until(() -> {
                    producer.send(message(topic, "A", "nudge", "nudge"));
                    return condition.getAsBoolean();
                });
    }

    @Test
    void aConsumedMessageAndOneTheFilterExcludes() throws Exception {
        String topic = Stock.unique("insight");
        String group = Stock.unique("readers");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 1, null);
        SendResult wanted = producer.send(message(topic, "A", "key-1", "wanted"));
        SendResult other = producer.send(message(topic, "B", "key-2", "other"));
        assertThat(cause(group, wanted.getMsgId())).isEqualTo("NOBODY_CONNECTED");
        consumer(group, topic, "A", (messages, context) -> ConsumeConcurrentlyStatus.CONSUME_SUCCESS);
        Stock.await(
                "the acknowledgement",
                LIMIT,
                () -> cause(group, wanted.getMsgId()).equals("CONSUMED"));
        Stock.await("all passed", LIMIT, () -> total(group).getLong("ready", -1) == 0);
        assertThat(cause(group, other.getMsgId())).isEqualTo("FILTERED_OUT");
        assertThat(cause(group, wanted.getOffsetMsgId())).isEqualTo("CONSUMED");
        assertThat(events(wanted.getMsgId())).containsExactly("STORED", "DELIVERED", "ACKNOWLEDGED");
        assertThat(events(wanted.getOffsetMsgId())).containsExactly("STORED", "DELIVERED", "ACKNOWLEDGED");
    }

    @Test
    void oneInTheHandsOfASlowConsumer() throws Exception {
        String topic = Stock.unique("insight");
        String group = Stock.unique("readers");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 1, null);
        CountDownLatch got = new CountDownLatch(1);
        CountDownLatch go = new CountDownLatch(1);
        DefaultMQPushConsumer consumer = consumer(group, topic, "*", (messages, context) -> {
            got.countDown();
            try {
                go.await(60, TimeUnit.SECONDS);
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        SendResult sent = producer.send(message(topic, "A", "key-1", "slow"));
        assertThat(got.await(60, TimeUnit.SECONDS)).isTrue();
        JsonObject finding = findings(group, sent.getMsgId()).get(0);
        assertThat(finding.getString("cause")).as(finding.toString()).isEqualTo("IN_FLIGHT");
        assertThat(finding.getObject("evidence").getString("client"))
                .isEqualTo(consumer.getDefaultMQPushConsumerImpl()
                        .getmQClientFactory()
                        .getClientId());
        assertThat(total(group).getLong("inFlight", -1)).isEqualTo(1);
        go.countDown();
        Stock.await(
                "the acknowledgement",
                LIMIT,
                () -> cause(group, sent.getMsgId()).equals("CONSUMED"));
        assertThat(total(group).getLong("inFlight", -1)).isZero();
    }

    @Test
    void oneThatFailsAndBecomesADeadLetter() throws Exception {
        String topic = Stock.unique("insight");
        String group = Stock.unique("readers");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 1, null);
        AtomicInteger tries = new AtomicInteger();
        DefaultMQPushConsumer consumer = consumer(group, topic, "*", (messages, context) -> {
            tries.incrementAndGet();
            context.setDelayLevelWhenNextConsume(1);
            return ConsumeConcurrentlyStatus.RECONSUME_LATER;
        });
        consumer.setMaxReconsumeTimes(1);
        SendResult sent = producer.send(message(topic, "A", "key-1", "poison"));
        Stock.await(
                "the dead letter", LIMIT, () -> cause(group, sent.getMsgId()).equals("DEAD_LETTER"));
        assertThat(events(sent.getMsgId())).contains("STORED", "DELIVERED", "RETRY", "VISIBLE", "DEAD_LETTERED");
        assertThat(total(group).getLong("dead", -1)).isEqualTo(1);
        assertThat(tries).hasValueGreaterThanOrEqualTo(2);
    }

    @Test
    void delayedAndHalfOnes() throws Exception {
        String topic = Stock.unique("insight");
        String group = Stock.unique("readers");
        DefaultMQProducer producer = stock.producer();
        producer.createTopic("TBW102", topic, 1, null);
        Stock.Inbox inbox = new Stock.Inbox();
        consumer(group, topic, "*", (messages, context) -> {
            inbox.addAll(messages);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        Message later = message(topic, "A", "key-1", "later");
        later.setDelayTimeMs(3_600_000);
        SendResult delayed = producer.send(later);
        TransactionMQProducer teller = stock.transactionProducer(Stock.unique("tellers"), new TransactionListener() {
            @Override
            public LocalTransactionState executeLocalTransaction(Message message, Object argument) {
                return LocalTransactionState.UNKNOW;
            }

            @Override
            public LocalTransactionState checkLocalTransaction(MessageExt message) {
                return LocalTransactionState.UNKNOW;
            }
        });
        SendResult half = teller.sendMessageInTransaction(message(topic, "A", "key-2", "half"), null);
        Stock.await("the consumer", LIMIT, () -> total(group).getLong("half", -1) == 1);
        assertThat(cause(group, delayed.getMsgId())).isEqualTo("DELAYED");
        assertThat(cause(group, half.getMsgId())).isEqualTo("HALF");
        assertThat(total(group).getLong("delayed", -1)).isEqualTo(1);
        JsonObject decided = ask(
                RequestCode.DECIDE_TRANSACTION,
                "{\"id\":\"" + half.getMsgId() + "\",\"decision\":\"COMMIT\",\"reason\":\"test\"}");
        assertThat(decided).isNotNull();
        inbox.awaitCount(1, LIMIT);
        awaitCommit(
                producer,
                topic,
                () -> events(half.getMsgId())
                        .containsAll(List.of("HALF_STORED", "COMMITTED", "VISIBLE", "DELIVERED", "ACKNOWLEDGED")));
        assertThat(total(group).getLong("half", -1)).isZero();
    }
}
