/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import io.waybill.client.ConsumeResult;
import io.waybill.client.MessageQueue;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.WaybillException;
import io.waybill.protocol.Names;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.PushReplyHeader;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.remoting.Request;
import java.net.InetSocketAddress;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Request-reply: the questions of this client that wait for their answers, and how an answer is made. */
final class Questions {
    private static final Logger LOG = LoggerFactory.getLogger(Questions.class);

    static final String REPLY_TYPE = "reply";

    private final Map<String, CompletableFuture<ReceivedMessage>> waiting = new ConcurrentHashMap<>();

    /** The answer to a correlation id; fails with TIMEOUT. */
    CompletableFuture<ReceivedMessage> expect(String correlationId, long timeoutMillis, String doing, Timers timers) {
        CompletableFuture<ReceivedMessage> answer = new CompletableFuture<>();
        waiting.put(correlationId, answer);
        Timers.Timer timer = timers.after(
                timeoutMillis,
                () -> answer.completeExceptionally(new WaybillException(
                        WaybillException.Kind.TIMEOUT,
                        -1,
                        true,
                        doing + " got no answer in " + timeoutMillis + " ms",
                        "see that a consumer of the topic lives and replies, or give it more time",
                        null)));
        return answer.whenComplete((done, failure) -> {
            waiting.remove(correlationId, answer);
            timer.cancel();
        });
    }

    /** An answer has come. True if somebody waits for it. */
    boolean answered(Request request) {
        Command command = request.command();
        PushReplyHeader header = PushReplyHeader.read(command.fields());
        Map<String, String> properties =
                MessageProperties.decode(header.message().properties());
        String correlationId = properties.get(MessageProperties.CORRELATION_ID);
        CompletableFuture<ReceivedMessage> answer = correlationId == null ? null : waiting.get(correlationId);
        if (answer == null) {
            return false;
        }
        Message stored = new Message(
                command.body().remaining(),
                0,
                header.message().queueId(),
                header.message().flag(),
                0,
                0,
                header.message().sysFlag(),
                header.message().bornTimestamp(),
                address(header.bornHost()),
                header.storeTimestamp(),
                address(header.storeHost()),
                header.message().reconsumeTimes(),
                0,
                command.bodyBytes(),
                header.message().topic(),
                properties);
        return answer.complete(new InboundMessage(stored, new MessageQueue(stored.topic(), "", stored.queueId()), 0));
    }

    /** Fails every question that still waits: the timers that would end them are gone soon. */
    void close() {
        waiting.values().forEach(answer -> answer.completeExceptionally(Failures.closed("the client")));
    }

    private static InetSocketAddress address(String text) {
        int colon = text.lastIndexOf(':');
        return new InetSocketAddress(
                text.substring(text.startsWith("/") ? 1 : 0, Math.max(1, colon)),
                Integer.parseInt(text.substring(colon + 1)));
    }

    /** Hands over what a handler answers, if the message is a question. The asker has a time-out of its own, so a lost answer is only noted. */
    static void reply(ClientCore client, String group, InboundMessage message, ConsumeResult result) {
        byte[] body = result.reply();
        Outgoing answer =
                body == null ? null : answer(message, body, client.clock().wallMillis());
        String broker = message.queue().broker();
        String address = answer == null ? null : client.routes().master(broker);
        if (address != null) {
            client.calls().reply(address, group, broker, answer).exceptionally(failure -> {
                LOG.warn("the answer to message {} was not handed over: {}", message.messageId(), failure.getMessage());
                return null;
            });
        }
    }

    /** The answer to a question as it goes to the broker; null if the message is no question. */
    static Outgoing answer(ReceivedMessage question, byte[] body, long nowMillis) {
        String cluster = question.property(MessageProperties.CLUSTER);
        String correlationId = question.property(MessageProperties.CORRELATION_ID);
        String asker = question.property(MessageProperties.REPLY_TO_CLIENT);
        if (cluster == null || correlationId == null || asker == null) {
            return null;
        }
        Map<String, String> properties = new LinkedHashMap<>();
        properties.put(MessageProperties.UNIQ_KEY, UniqueIds.next());
        properties.put(MessageProperties.MSG_TYPE, REPLY_TYPE);
        properties.put(MessageProperties.CORRELATION_ID, correlationId);
        properties.put(MessageProperties.REPLY_TO_CLIENT, asker);
        String life = question.property(MessageProperties.TTL);
        if (life != null) {
            properties.put(MessageProperties.TTL, life);
        }
        return new Outgoing(
                Names.replyTopic(cluster),
                null,
                null,
                0,
                nowMillis,
                Outgoing.text(properties),
                body,
                List.of(properties.get(MessageProperties.UNIQ_KEY)),
                false);
    }
}
