/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static io.waybill.verify.stock.Stock.message;
import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.server.EmbeddedBroker;
import java.lang.reflect.Field;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentLinkedQueue;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.stream.IntStream;
import org.apache.rocketmq.client.consumer.AckCallback;
import org.apache.rocketmq.client.consumer.AckResult;
import org.apache.rocketmq.client.consumer.AckStatus;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.PopCallback;
import org.apache.rocketmq.client.consumer.PopResult;
import org.apache.rocketmq.client.consumer.PopStatus;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.impl.MQClientAPIImpl;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.common.constant.ConsumeInitMode;
import org.apache.rocketmq.common.message.MessageConst;
import org.apache.rocketmq.common.message.MessageDecoder;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.common.message.MessageQueue;
import org.apache.rocketmq.common.message.MessageRequestMode;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.remoting.protocol.RequestCode;
import org.apache.rocketmq.remoting.protocol.header.AckMessageRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.ChangeInvisibleTimeRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.ExtraInfoUtil;
import org.apache.rocketmq.remoting.protocol.header.NotificationRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.NotificationResponseHeader;
import org.apache.rocketmq.remoting.protocol.header.PeekMessageRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.PopMessageRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.QueryConsumerOffsetRequestHeader;
import org.apache.rocketmq.remoting.protocol.subscription.SubscriptionGroupConfig;
import org.junit.jupiter.api.AfterAll;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Pop with the stock client: its push consumer in POP mode, and single requests as a proxy would send them. */
@Tag("end-to-end")
class StockPopTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static EmbeddedBroker broker;
    private Stock stock;
    private String topic;
    private String group;
    private DefaultMQProducer producer;
    private String address;

    @BeforeAll
    static void startBroker() throws Exception {
        broker = EmbeddedBroker.start();
    }

    @AfterAll
    static void stopBroker() throws Exception {
        broker.close();
    }

    @BeforeEach
    void connect() throws Exception {
        connect(broker);
    }

    private void connect(EmbeddedBroker to) throws Exception {
        stock = new Stock(to.namesrvAddress());
        address = to.brokerAddress();
        topic = Stock.unique("pop");
        group = Stock.unique("poppers");
        producer = stock.producer();
        producer.createTopic("TBW102", topic, 4, null);
    }

    @AfterEach
    void disconnect() {
        stock.close();
    }

    // ---- the push consumer

    private MQClientAPIImpl api() {
        return producer.getDefaultMQProducerImpl().getMqClientFactory().getMQClientAPIImpl();
    }

    private void mode(MessageRequestMode mode) throws Exception {
        api().setMessageRequestMode(broker.brokerAddress(), topic, group, mode, 0, 3_000);
    }

    private DefaultMQPushConsumer popper(String tags, MessageListenerConcurrently listener) throws Exception {
        DefaultMQPushConsumer consumer = stock.newPushConsumer(group);
        consumer.setClientRebalance(false);
        consumer.setPopInvisibleTime(5_000);
        consumer.subscribe(topic, tags);
        consumer.registerMessageListener(listener);
        consumer.start();
        return consumer;
    }

    private static MessageListenerConcurrently into(Stock.Inbox inbox) {
        return (messages, context) -> {
            inbox.addAll(messages);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        };
    }

    private Set<String> send(String stem, int count) throws Exception {
        Set<String> bodies = ConcurrentHashMap.newKeySet();
        for (int i = 0; i < count; i++) {
            producer.send(message(topic, "", "", stem + i));
            bodies.add(stem + i);
        }
        return bodies;
    }

    private static void awaitAll(Stock.Inbox inbox, Set<String> bodies) {
        Stock.await("all messages", LIMIT, () -> inbox.bodies().containsAll(bodies));
    }

    /** The delays of the stock client's retries are fixed, from 10 s on; here they are a second. */
    private static void retryAfterASecond(DefaultMQPushConsumer consumer) throws Exception {
        Field delays = consumer.getDefaultMQPushConsumerImpl().getClass().getDeclaredField("popDelayLevel");
        delays.setAccessible(true);
        Arrays.fill((int[]) delays.get(consumer.getDefaultMQPushConsumerImpl()), 1);
    }

    @Test
    void severalMembersShareAllMessages() throws Exception {
        mode(MessageRequestMode.POP);
        Stock.Inbox one = new Stock.Inbox();
        Stock.Inbox two = new Stock.Inbox();
        Set<String> bodies = send("m", 60);
        popper("*", into(one));
        popper("*", into(two));
        Stock.await("all messages", LIMIT, () -> {
            List<String> both = new ArrayList<>(one.bodies());
            both.addAll(two.bodies());
            return both.containsAll(bodies);
        });
        assertThat(one.messages().isEmpty() ? two.messages() : one.messages())
                .allSatisfy(message -> assertThat(message.getProperty(MessageConst.PROPERTY_POP_CK))
                        .isNotNull());
        Set<String> more = send("n", 60);
        Stock.await("all messages", LIMIT, () -> {
            List<String> both = new ArrayList<>(one.bodies());
            both.addAll(two.bodies());
            return both.containsAll(more);
        });
    }

    @Test
    void aFailingMessageComesAgainWithItsCountAndIsADeadLetterAtLast() throws Exception {
        SubscriptionGroupConfig config = new SubscriptionGroupConfig();
        config.setGroupName(group);
        config.setRetryMaxTimes(2);
        api().createSubscriptionGroup(broker.brokerAddress(), config, 3_000);
        mode(MessageRequestMode.POP);
        ConcurrentLinkedQueue<Integer> tries = new ConcurrentLinkedQueue<>();
        ConcurrentLinkedQueue<String> good = new ConcurrentLinkedQueue<>();
        DefaultMQPushConsumer consumer = popper("*", (messages, context) -> {
            for (MessageExt message : messages) {
                if (Stock.text(message).equals("poison")) {
                    assertThat(message.getTopic()).isEqualTo(topic);
                    tries.add(message.getReconsumeTimes());
                    return ConsumeConcurrentlyStatus.RECONSUME_LATER;
                }
                good.add(Stock.text(message));
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        retryAfterASecond(consumer);
        producer.send(message(topic, "", "poison-key", "poison"));
        send("good", 10);
        Stock.await("three tries", LIMIT, () -> tries.size() >= 3);
        Stock.await("the topic of dead letters", LIMIT, () -> hasRoute("%DLQ%" + group));
        Stock.Inbox dead = stock.consume(Stock.unique("dead-readers"), "%DLQ%" + group, "*");
        dead.awaitCount(1, LIMIT);
        assertThat(List.copyOf(tries)).containsExactly(0, 1, 2);
        MessageExt letter = dead.messages().get(0);
        assertThat(Stock.text(letter)).isEqualTo("poison");
        assertThat(letter.getKeys()).isEqualTo("poison-key");
        assertThat(letter.getReconsumeTimes()).isEqualTo(3);
        assertThat(letter.getProperty("DLQ_ORIGIN_TOPIC")).isEqualTo(topic);
        Stock.await("the good ones", LIMIT, () -> good.size() >= 10);
    }

    /** Asked for too early, a consumer would ask again half a minute later. */
    private boolean hasRoute(String name) {
        try {
            return api().getTopicRouteInfoFromNameServer(name, 3_000) != null;
        } catch (Exception e) {
            return false;
        }
    }

    @Test
    void whatAMemberHeldWhenItDiedComesToAnother() throws Exception {
        mode(MessageRequestMode.POP);
        CountDownLatch never = new CountDownLatch(1);
        ConcurrentLinkedQueue<String> held = new ConcurrentLinkedQueue<>();
        DefaultMQPushConsumer dying = popper("*", (messages, context) -> {
            messages.forEach(message -> held.add(Stock.text(message)));
            try {
                never.await();
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
            }
            return null;
        });
        Set<String> bodies = send("m", 8);
        Stock.await("the dying one holds something", LIMIT, () -> !held.isEmpty());
        Thread ending = new Thread(dying::shutdown);
        ending.setDaemon(true);
        ending.start();
        Stock.Inbox inbox = new Stock.Inbox();
        popper("*", into(inbox));
        awaitAll(inbox, bodies);
        assertThat(inbox.messages())
                .anySatisfy(message -> assertThat(message.getReconsumeTimes()).isPositive());
        never.countDown();
    }

    @Test
    void onlyTheTagsAskedForCome() throws Exception {
        mode(MessageRequestMode.POP);
        Stock.Inbox inbox = new Stock.Inbox();
        popper("PAID || SENT", into(inbox));
        for (int i = 0; i < 20; i++) {
            producer.send(message(topic, i % 2 == 0 ? "PAID" : "OPEN", "", "m" + i));
        }
        producer.send(message(topic, "SENT", "", "last"));
        Set<String> wanted = ConcurrentHashMap.newKeySet();
        IntStream.range(0, 10).forEach(i -> wanted.add("m" + 2 * i));
        wanted.add("last");
        awaitAll(inbox, wanted);
        assertThat(inbox.bodies()).containsOnlyOnceElementsOf(wanted).hasSize(wanted.size());
    }

    @Test
    void aGroupThatSwitchesToPopAndBackLosesNothing() throws Exception {
        mode(MessageRequestMode.PULL);
        Stock.Inbox inbox = new Stock.Inbox();
        popper("*", into(inbox));
        awaitAll(inbox, send("pulled", 20));
        assertThat(inbox.messages())
                .allSatisfy(message -> assertThat(message.getProperty(MessageConst.PROPERTY_POP_CK))
                        .isNull());
        mode(MessageRequestMode.POP);
        int[] round = {0};
        Stock.await("a popped message", LIMIT, () -> {
            awaitAll(inbox, sendUnchecked("popped" + round[0]++ + "-", 4));
            return inbox.messages().stream().anyMatch(m -> m.getProperty(MessageConst.PROPERTY_POP_CK) != null);
        });
        mode(MessageRequestMode.PULL);
        Stock.await("a pulled message again", LIMIT, () -> {
            Set<String> bodies = sendUnchecked("again" + round[0]++ + "-", 4);
            awaitAll(inbox, bodies);
            return inbox.messages().stream()
                    .anyMatch(
                            m -> bodies.contains(Stock.text(m)) && m.getProperty(MessageConst.PROPERTY_POP_CK) == null);
        });
    }

    private Set<String> sendUnchecked(String stem, int count) {
        try {
            return send(stem, count);
        } catch (Exception e) {
            throw new AssertionError(e);
        }
    }

    // ---- single requests

    private PopMessageRequestHeader popHeader(int max, boolean order, String attempt) {
        PopMessageRequestHeader header = new PopMessageRequestHeader();
        header.setConsumerGroup(group);
        header.setTopic(topic);
        header.setQueueId(order ? 0 : -1);
        header.setMaxMsgNums(max);
        header.setInvisibleTime(60_000);
        header.setPollTime(0);
        header.setBornTime(System.currentTimeMillis());
        header.setInitMode(ConsumeInitMode.MIN);
        header.setExpType("TAG");
        header.setExp("*");
        header.setOrder(order);
        header.setAttemptId(attempt);
        return header;
    }

    private PopResult pop(PopMessageRequestHeader header) throws Exception {
        CompletableFuture<PopResult> result = new CompletableFuture<>();
        api().popMessageAsync("broker-a", address, header, 10_000, new PopCallback() {
            @Override
            public void onSuccess(PopResult popped) {
                result.complete(popped);
            }

            @Override
            public void onException(Throwable e) {
                result.completeExceptionally(e);
            }
        });
        return result.get(20, TimeUnit.SECONDS);
    }

    private static final class Answer implements AckCallback {
        private final CompletableFuture<AckResult> result = new CompletableFuture<>();

        @Override
        public void onSuccess(AckResult acked) {
            result.complete(acked);
        }

        @Override
        public void onException(Throwable e) {
            result.completeExceptionally(e);
        }

        AckResult get() throws Exception {
            return result.get(20, TimeUnit.SECONDS);
        }
    }

    private AckStatus ack(MessageExt message) throws Exception {
        AckMessageRequestHeader header = new AckMessageRequestHeader();
        header.setConsumerGroup(group);
        header.setTopic(topic);
        header.setQueueId(message.getQueueId());
        header.setOffset(message.getQueueOffset());
        header.setExtraInfo(message.getProperty(MessageConst.PROPERTY_POP_CK));
        Answer answer = new Answer();
        api().ackMessageAsync(address, 10_000, answer, header);
        return answer.get().getStatus();
    }

    private AckResult change(MessageExt message, String handle, long invisibleMillis) throws Exception {
        ChangeInvisibleTimeRequestHeader header = new ChangeInvisibleTimeRequestHeader();
        header.setConsumerGroup(group);
        header.setTopic(topic);
        header.setQueueId(message.getQueueId());
        header.setOffset(message.getQueueOffset());
        header.setExtraInfo(handle);
        header.setInvisibleTime(invisibleMillis);
        Answer answer = new Answer();
        api().changeInvisibleTimeAsync("broker-a", address, header, 10_000, answer);
        return answer.get();
    }

    private static List<String> bodies(PopResult popped) {
        return popped.getMsgFoundList() == null
                ? List.of()
                : popped.getMsgFoundList().stream().map(Stock::text).toList();
    }

    private void sendInOrder(String... bodies) throws Exception {
        MessageQueue queue = new MessageQueue(topic, "broker-a", 0);
        for (String body : bodies) {
            producer.send(message(topic, "", "", body), queue);
        }
    }

    @Test
    void inOrderTheQueueIsHeldUntilAllIsAcknowledged() throws Exception {
        sendInOrder("a", "b", "c");
        PopResult first = pop(popHeader(2, true, "try-1"));
        assertThat(bodies(first)).containsExactly("a", "b");
        assertThat(ExtraInfoUtil.isOrder(
                        ExtraInfoUtil.split(first.getMsgFoundList().get(0).getProperty(MessageConst.PROPERTY_POP_CK))))
                .isTrue();
        assertThat(pop(popHeader(2, true, "try-2")).getPopStatus()).isEqualTo(PopStatus.POLLING_NOT_FOUND);
        PopResult again = pop(popHeader(2, true, "try-1"));
        assertThat(bodies(again)).containsExactly("a", "b");
        ack(again.getMsgFoundList().get(0));
        assertThat(bodies(pop(popHeader(2, true, "try-3")))).isEmpty();
        // Renewed for a moment, it comes again with its count.
        MessageExt b = again.getMsgFoundList().get(1);
        AckResult renewed = change(b, b.getProperty(MessageConst.PROPERTY_POP_CK), 50);
        assertThat(renewed.getStatus()).isEqualTo(AckStatus.OK);
        List<PopResult> next = new ArrayList<>();
        Stock.await("the renewed one", LIMIT, () -> {
            try {
                next.add(pop(popHeader(2, true, "try-4")));
            } catch (Exception e) {
                throw new AssertionError(e);
            }
            return next.get(next.size() - 1).getPopStatus() == PopStatus.FOUND;
        });
        PopResult last = next.get(next.size() - 1);
        assertThat(bodies(last)).containsExactly("b", "c");
        assertThat(last.getMsgFoundList())
                .extracting(MessageExt::getReconsumeTimes)
                .containsExactly(1, 0);
    }

    @Test
    void aChangedHandleReplacesTheOldOne() throws Exception {
        sendInOrder("a");
        MessageExt message = pop(popHeader(8, false, null)).getMsgFoundList().get(0);
        String old = message.getProperty(MessageConst.PROPERTY_POP_CK);
        AckResult changed = change(message, old, 30_000);
        assertThat(changed.getStatus()).isEqualTo(AckStatus.OK);
        assertThat(changed.getExtraInfo()).isNotNull().isNotEqualTo(old);
        assertThat(change(message, old, 30_000).getStatus()).isEqualTo(AckStatus.NO_EXIST);
        assertThat(change(message, changed.getExtraInfo(), 30_000).getStatus()).isEqualTo(AckStatus.OK);
    }

    @Test
    void aBatchOfAcksEndsThemAll() throws Exception {
        send("m", 12);
        PopResult popped = pop(popHeader(32, false, null));
        List<String> handles = new ArrayList<>();
        popped.getMsgFoundList().forEach(m -> handles.add(m.getProperty(MessageConst.PROPERTY_POP_CK)));
        assertThat(handles).hasSize(12);
        Answer answer = new Answer();
        api().batchAckMessageAsync(address, 10_000, answer, topic, group, handles);
        assertThat(answer.get().getStatus()).isEqualTo(AckStatus.OK);
        for (int queue = 0; queue < 4; queue++) {
            assertThat(api().queryConsumerOffset(address, queryHeader(queue), 3_000))
                    .isEqualTo(api().getMaxOffset(address, new MessageQueue(topic, "broker-a", queue), 3_000));
        }
    }

    private QueryConsumerOffsetRequestHeader queryHeader(int queue) {
        QueryConsumerOffsetRequestHeader header = new QueryConsumerOffsetRequestHeader();
        header.setConsumerGroup(group);
        header.setTopic(topic);
        header.setQueueId(queue);
        return header;
    }

    @Test
    void peekAndNotificationTakeNothing() throws Exception {
        assertThat(notified()).isFalse();
        sendInOrder("a", "b");
        PeekMessageRequestHeader header = new PeekMessageRequestHeader();
        header.setConsumerGroup(group);
        header.setTopic(topic);
        header.setQueueId(0);
        header.setMaxMsgNums(5);
        RemotingCommand peeked = api().getRemotingClient()
                .invokeSync(address, RemotingCommand.createRequestCommand(RequestCode.PEEK_MESSAGE, header), 10_000);
        assertThat(peeked.getCode()).isZero();
        assertThat(MessageDecoder.decodes(ByteBuffer.wrap(peeked.getBody())))
                .extracting(Stock::text)
                .containsExactly("a", "b");
        assertThat(notified()).isTrue();
        assertThat(bodies(pop(popHeader(5, false, null)))).containsExactly("a", "b");
        assertThat(notified()).isFalse();
    }

    private boolean notified() throws Exception {
        NotificationRequestHeader header = new NotificationRequestHeader();
        header.setConsumerGroup(group);
        header.setTopic(topic);
        header.setQueueId(-1);
        header.setPollTime(0);
        header.setBornTime(System.currentTimeMillis());
        RemotingCommand answer = api().getRemotingClient()
                .invokeSync(address, RemotingCommand.createRequestCommand(RequestCode.NOTIFICATION, header), 10_000);
        assertThat(answer.getCode()).isZero();
        return answer.decodeCommandCustomHeader(NotificationResponseHeader.class)
                .isHasMsg();
    }

    @Test
    void acksOutliveARestartOfTheBroker(@TempDir Path directory) throws Exception {
        try (EmbeddedBroker first = EmbeddedBroker.in(directory).start()) {
            stock.close();
            connect(first);
            sendInOrder("a", "b", "c");
            PopResult popped = pop(popHeader(3, false, null));
            assertThat(ack(popped.getMsgFoundList().get(0))).isEqualTo(AckStatus.OK);
            assertThat(ack(popped.getMsgFoundList().get(2))).isEqualTo(AckStatus.OK);
            MessageExt b = popped.getMsgFoundList().get(1);
            assertThat(change(b, b.getProperty(MessageConst.PROPERTY_POP_CK), 1).getStatus())
                    .isEqualTo(AckStatus.OK);
            stock.closeAndWait();
        }
        try (EmbeddedBroker second = EmbeddedBroker.in(directory).start()) {
            String sameTopic = topic;
            String sameGroup = group;
            connect(second);
            topic = sameTopic;
            group = sameGroup;
            producer.send(message(topic, "", "", "warm-up"), new MessageQueue(topic, "broker-a", 1));
            List<String> got = new ArrayList<>();
            Stock.await("what was not acknowledged", LIMIT, () -> {
                try {
                    got.addAll(bodies(pop(popHeader(8, false, null))));
                } catch (Exception e) {
                    throw new AssertionError(e);
                }
                return got.contains("b") && got.contains("warm-up");
            });
            assertThat(got).containsExactlyInAnyOrder("b", "warm-up");
        }
    }
}
