/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.stock;

import static io.waybill.verify.stock.Stock.message;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.verify.embedded.TestBroker;
import java.time.Duration;
import java.util.ArrayList;
import java.util.List;
import org.apache.rocketmq.client.exception.MQBrokerException;
import org.apache.rocketmq.client.exception.MQClientException;
import org.apache.rocketmq.client.producer.DefaultMQProducer;
import org.apache.rocketmq.client.producer.SendStatus;
import org.apache.rocketmq.common.message.Message;
import org.apache.rocketmq.common.message.MessageExt;
import org.apache.rocketmq.remoting.netty.NettyClientConfig;
import org.apache.rocketmq.remoting.netty.NettyRemotingClient;
import org.apache.rocketmq.remoting.protocol.RemotingCommand;
import org.apache.rocketmq.remoting.protocol.RequestCode;
import org.apache.rocketmq.remoting.protocol.header.EndTransactionRequestHeader;
import org.apache.rocketmq.remoting.protocol.header.GetMaxOffsetRequestHeader;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.extension.RegisterExtension;

/** At and beyond the limits: what fits is kept whole, what does not is refused by name, and the connection goes on. */
@Tag("end-to-end")
class StockLimitsTest {
    private static final Duration LIMIT = Duration.ofSeconds(60);
    private static final int MAX_BODY = 4 * 1024 * 1024;

    @RegisterExtension
    static final TestBroker broker = TestBroker.with("segmentBytes", String.valueOf(16 << 20));

    private final Stock stock = new Stock(broker);

    private DefaultMQProducer uncompressed() throws Exception {
        DefaultMQProducer producer = stock.producer();
        producer.setMaxMessageSize(64 * 1024 * 1024);
        producer.setCompressMsgBodyOverHowmuch(Integer.MAX_VALUE);
        producer.setSendMsgTimeout(20_000);
        return producer;
    }

    @Test
    void bodiesFromOneByteToTheLimitArriveWhole() throws Exception {
        String topic = Stock.unique("sizes");
        DefaultMQProducer producer = uncompressed();
        List<Integer> sizes =
                List.of(1, 2, 255, 256, 4095, 4096, 4097, 65_535, 65_536, 1 << 20, MAX_BODY - 1, MAX_BODY);
        for (int size : sizes) {
            assertThat(producer.send(new Message(topic, body(size))).getSendStatus())
                    .isEqualTo(SendStatus.SEND_OK);
        }
        Stock.Inbox inbox = stock.consume(Stock.unique("readers"), topic, "*");
        inbox.awaitCount(sizes.size(), LIMIT);
        List<Integer> got = new ArrayList<>();
        for (MessageExt m : inbox.messages()) {
            assertThat(m.getBody()).isEqualTo(body(m.getBody().length));
            got.add(m.getBody().length);
        }
        assertThat(got).containsExactlyInAnyOrderElementsOf(sizes);
        assertThatThrownBy(() -> producer.send(new Message(topic, body(MAX_BODY + 1))))
                .isInstanceOf(MQBrokerException.class)
                .hasMessageContaining(String.valueOf(MAX_BODY));
    }

    private static byte[] body(int size) {
        byte[] body = new byte[size];
        for (int i = 0; i < size; i++) {
            body[i] = (byte) (i * 31 + size);
        }
        return body;
    }

    @Test
    void propertiesUpToTheLimitAreKeptAndMoreIsRefused() throws Exception {
        String topic = Stock.unique("properties");
        DefaultMQProducer producer = uncompressed();
        Message large = message(topic, "tag", "key", "m");
        large.putUserProperty("large", "v".repeat(30_000));
        producer.send(large);
        Stock.Inbox inbox = stock.consume(Stock.unique("readers"), topic, "tag");
        inbox.awaitCount(1, LIMIT);
        assertThat(inbox.messages().get(0).getUserProperty("large")).hasSize(30_000);
        Message tooLarge = message(topic, "tag", "key", "m");
        // The layout has room for it, its copies would not.
        tooLarge.putUserProperty("large", "v".repeat(32_000));
        assertThatThrownBy(() -> producer.send(tooLarge))
                .isInstanceOf(MQBrokerException.class)
                .hasMessageContaining("properties: must be at most 30719 bytes");
        assertThat(producer.send(message(topic, "tag", "key", "after")).getSendStatus())
                .isEqualTo(SendStatus.SEND_OK);
    }

    @Test
    void topicNamesOutsideTheGrammarAreRefused() throws Exception {
        DefaultMQProducer producer = stock.producer();
        String longest = "t".repeat(127);
        assertThat(producer.send(message(longest, "", "", "m")).getSendStatus()).isEqualTo(SendStatus.SEND_OK);
        for (String name : List.of("a b", "../escape", "tööpic", "t".repeat(300))) {
            assertThatThrownBy(() -> producer.send(message(name, "", "", "m"))).isInstanceOf(MQClientException.class);
        }
    }

    @Test
    void theEndOfAnUnknownTransactionChangesNothingAndTheConnectionGoesOn() throws Exception {
        String topic = Stock.unique("unknown");
        DefaultMQProducer producer = stock.producer();
        producer.send(message(topic, "", "", "before"));
        NettyRemotingClient client = new NettyRemotingClient(new NettyClientConfig());
        client.start();
        try {
            for (long offset : new long[] {0, 100, -1, Long.MAX_VALUE}) {
                for (int decision : new int[] {8, 12, 0, 99}) {
                    EndTransactionRequestHeader header = new EndTransactionRequestHeader();
                    header.setTopic(topic);
                    header.setProducerGroup("nobody");
                    header.setTranStateTableOffset(offset);
                    header.setCommitLogOffset(offset);
                    header.setCommitOrRollback(decision);
                    header.setMsgId("00000000000000000000000000000000");
                    client.invokeOneway(
                            broker.brokerAddress(),
                            RemotingCommand.createRequestCommand(RequestCode.END_TRANSACTION, header),
                            3_000);
                }
            }
            GetMaxOffsetRequestHeader max = new GetMaxOffsetRequestHeader();
            max.setTopic(topic);
            max.setQueueId(0);
            assertThat(client.invokeSync(
                                    broker.brokerAddress(),
                                    RemotingCommand.createRequestCommand(RequestCode.GET_MAX_OFFSET, max),
                                    3_000)
                            .getCode())
                    .isZero();
        } finally {
            client.shutdown();
        }
        producer.send(message(topic, "", "", "after"));
        Stock.Inbox inbox = stock.consume(Stock.unique("readers"), topic, "*");
        inbox.awaitCount(2, LIMIT);
        assertThat(inbox.bodies()).containsExactlyInAnyOrder("before", "after");
    }
}
