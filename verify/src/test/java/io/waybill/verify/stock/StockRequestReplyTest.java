/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static io.waybill.verify.stock.Stock.message;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.verify.embedded.TestBroker;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.apache.rocketmq.client.consumer.listener.ConsumeConcurrentlyStatus;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.RequestCallback;
import org.apache.rocketmq.client.utils.MessageUtil;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageAccessor;
import org.apache.rocketmq.common.message.MessageExt;
import org.junit.jupiter.api.BeforeAll;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** Request and reply of the stock client: the answer finds the client that asked. */
@Tag("end-to-end")
class StockRequestReplyTest {
    private static final int LIMIT_MILLIS = 60_000;

    @RegisterExtension
    static final TestBroker broker = TestBroker.withDefaults();

    private static final Stock stock = new Stock(broker);
    private static DefaultMQProducer asker;
    private static DefaultMQProducer replier;

    @BeforeAll
    static void start() throws Exception {
        asker = stock.producer();
        replier = stock.producer();
    }

    private static String echo() throws Exception {
        String topic = Stock.unique("questions");
        asker.createTopic("TBW102", topic, 2, null);
        stock.consumer(Stock.unique("answerers"), topic, "*", (messages, context) -> {
            for (MessageExt question : messages) {
                try {
                    byte[] answer = ("re: " + Stock.text(question)).getBytes(StandardCharsets.UTF_8);
                    replier.send(MessageUtil.createReplyMessage(question, answer), LIMIT_MILLIS);
                } catch (Exception e) {
                    return ConsumeConcurrentlyStatus.RECONSUME_LATER;
                }
            }
            return ConsumeConcurrentlyStatus.CONSUME_SUCCESS;
        });
        return topic;
    }

    private static String text(Message message) {
        return new String(message.getBody(), StandardCharsets.UTF_8);
    }

    @Test
    void everyQuestionGetsItsOwnAnswer() throws Exception {
        String topic = echo();
        assertThat(text(asker.request(message(topic, "", "", "first"), LIMIT_MILLIS)))
                .isEqualTo("re: first");
        List<CompletableFuture<String>> answers = new ArrayList<>();
        Set<String> expected = new HashSet<>();
        for (int i = 0; i < 20; i++) {
            CompletableFuture<String> answer = new CompletableFuture<>();
            answers.add(answer);
            expected.add("re: q" + i);
            asker.request(
                    message(topic, "", "", "q" + i),
                    new RequestCallback() {
                        @Override
                        public void onSuccess(Message message) {
                            answer.complete(text(message));
                        }

                        @Override
                        public void onException(Throwable e) {
                            answer.completeExceptionally(e);
                        }
                    },
                    LIMIT_MILLIS);
        }
        Set<String> seen = new HashSet<>();
        for (CompletableFuture<String> answer : answers) {
            seen.add(answer.get(LIMIT_MILLIS, TimeUnit.MILLISECONDS));
        }
        assertThat(seen).isEqualTo(expected);
    }

    @Test
    void aLongAnswerComesCompressedAndIsReadable() throws Exception {
        String topic = echo();
        String question = "all of it ".repeat(2_000);
        assertThat(text(asker.request(message(topic, "", "", question), LIMIT_MILLIS)))
                .isEqualTo("re: " + question);
    }

    @Test
    void aReplyToAClientThatIsGoneIsRefusedAndKept() throws Exception {
        Message reply = new Message("DefaultCluster_REPLY_TOPIC", Stock.utf8("too late"));
        reply.putUserProperty("waited", "long");
        MessageAccessor.putProperty(reply, "MSG_TYPE", "reply");
        MessageAccessor.putProperty(reply, "REPLY_TO_CLIENT", "nobody@1");
        MessageAccessor.putProperty(reply, "CORRELATION_ID", "c");
        reply.setKeys("late-reply");
        assertThatThrownBy(() -> replier.send(reply, LIMIT_MILLIS))
                .rootCause() // the client tries a reply three times
                .isInstanceOf(MQBrokerException.class)
                .hasMessageContaining("nobody@1")
                .hasMessageContaining("stored as");
        Stock.await("the reply to be found", Duration.ofMillis(LIMIT_MILLIS), () -> {
            try {
                return !asker.queryMessage("DefaultCluster_REPLY_TOPIC", "late-reply", 10, 0, Long.MAX_VALUE)
                        .getMessageList()
                        .isEmpty();
            } catch (Exception e) {
                return false;
            }
        });
    }
}
