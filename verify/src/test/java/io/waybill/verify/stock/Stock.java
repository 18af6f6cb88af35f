/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import io.waybill.verify.embedded.TestBroker;
import io.waybill.verify.embedded.TestClients;
import io.waybill.verify.embedded.TestInbox;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import org.apache.rocketmq.client.consumer.DefaultLitePullConsumer;
import org.apache.rocketmq.client.consumer.DefaultMQPushConsumer;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.consumer.listener.MessageListenerConcurrently;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.TransactionListener;
import org.apache.rocketmq.client.producer.TransactionMQProducer;
import org.apache.rocketmq.common.TopicConfig;
import org.apache.rocketmq.common.consumer.ConsumeFromWhere;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.exception.RemotingException;
import org.apache.rocketmq.tools.admin.DefaultMQAdminExt;

/**
 * Stock clients against one name server. {@link #close} begins to shut down everything it started and does not wait: a stock client may sit up to
 * 3 s in its own shutdown. {@link #closeAndWait} is for tests in which clients must be gone.
 */
final class Stock extends TestClients {
    static {
        // Where broadcast members keep their offsets. The client reads the property once for a process, and a member
        // that is being shut down may still
        // write there: so it is no directory of a test, and a new one for each process, because names repeat.
        System.setProperty(
                "rocketmq.client.localOffsetStoreDir",
                Path.of("target", "stock-offsets-" + ProcessHandle.current().pid() + "-" + System.currentTimeMillis())
                        .toAbsolutePath()
                        .toString());
    }

    private final List<Runnable> closers = new ArrayList<>();

    Stock(String namesrv) {
        super(namesrv);
    }

    Stock(TestBroker broker) {
        super(broker);
    }

    static String text(MessageExt message) {
        return new String(message.getBody(), StandardCharsets.UTF_8);
    }

    DefaultMQProducer producer() throws Exception {
        DefaultMQProducer producer = new DefaultMQProducer(unique("producers"));
        producer.setNamesrvAddr(namesrv());
        producer.setInstanceName(unique("instance"));
        producer.start();
        closers.add(producer::shutdown);
        return producer;
    }

    /** Creates a topic of four queues with attributes, {@code +name} to value; the producer's own way drops them. */
    void createTopic(String brokerAddress, String topic, Map<String, String> attributes) throws Exception {
        TopicConfig config = new TopicConfig(topic, 4, 4, 6);
        config.setAttributes(attributes);
        DefaultMQAdminExt admin = new DefaultMQAdminExt();
        admin.setNamesrvAddr(namesrv());
        admin.setInstanceName(unique("instance"));
        admin.start();
        admin.createAndUpdateTopicConfig(brokerAddress, config);
        admin.shutdown();
    }

    /** One that may be asked about transactions of the topics before it sends itself: without a topic it knows no broker to announce itself to. */
    TransactionMQProducer transactionProducer(String group, TransactionListener listener, String... topics)
            throws Exception {
        TransactionMQProducer producer = new TransactionMQProducer(group, List.of(topics));
        producer.setNamesrvAddr(namesrv());
        producer.setInstanceName(unique("instance"));
        producer.setTransactionListener(listener);
        producer.start();
        closers.add(producer::shutdown);
        return producer;
    }

    /** A concurrent consumer from the first offset that keeps all it gets. */
    Inbox consume(String group, String topic, String expression) throws Exception {
        Inbox inbox = new Inbox();
        consumer(group, topic, expression, (messages, context) -> {
            inbox.addAll(messages);
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        return inbox;
    }

    DefaultMQPushConsumer consumer(String group, String topic, String expression, MessageListenerConcurrently listener)
            throws Exception {
        DefaultMQPushConsumer consumer = newPushConsumer(group);
        consumer.subscribe(topic, expression);
        consumer.registerMessageListener(listener);
        consumer.start();
        return consumer;
    }

    DefaultMQPushConsumer newPushConsumer(String group) {
        DefaultMQPushConsumer consumer = new DefaultMQPushConsumer(group);
        consumer.setNamesrvAddr(namesrv());
        consumer.setInstanceName(unique("instance"));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        closers.add(consumer::shutdown);
        return consumer;
    }

    DefaultLitePullConsumer newLitePullConsumer(String group) {
        DefaultLitePullConsumer consumer = new DefaultLitePullConsumer(group);
        consumer.setNamesrvAddr(namesrv());
        consumer.setInstanceName(unique("instance"));
        consumer.setConsumeFromWhere(ConsumeFromWhere.CONSUME_FROM_FIRST_OFFSET);
        closers.add(consumer::shutdown);
        return consumer;
    }

    /** What mqadmin is built on. */
    DefaultMQAdminExt admin() throws Exception {
        DefaultMQAdminExt admin = new DefaultMQAdminExt();
        admin.setNamesrvAddr(namesrv());
        admin.setInstanceName(unique("instance"));
        admin.start();
        closers.add(admin::shutdown);
        return admin;
    }

    /** Returns when the name server knows the topic. */
    void awaitRoute(String topic) throws Exception {
        DefaultMQAdminExt admin = admin();
        await("the route of " + topic, Duration.ofSeconds(60), () -> {
            try {
                return !admin.examineTopicRouteInfo(topic).getQueueDatas().isEmpty();
            } catch (MQClientException e) {
                return false; // not there yet
            } catch (RemotingException | InterruptedException e) {
                throw new IllegalStateException(e);
            }
        });
    }

    static Message message(String topic, String tag, String key, String body) {
        return new Message(topic, tag, key, utf8(body));
    }

    @Override
    public void close() {
        beginShutdown();
    }

    void closeAndWait() throws InterruptedException {
        for (Thread thread : beginShutdown()) {
            thread.join();
        }
    }

    private List<Thread> beginShutdown() {
        List<Thread> threads = closers.stream().map(Thread::new).toList();
        closers.clear();
        threads.forEach(thread -> {
            thread.setDaemon(true);
            thread.start();
        });
        return threads;
    }

    static final class Inbox extends TestInbox<MessageExt> {
        void addAll(List<MessageExt> more) {
            more.forEach(this::keep);
        }

        List<String> bodies() {
            return messages().stream().map(Stock::text).toList();
        }
    }
}
