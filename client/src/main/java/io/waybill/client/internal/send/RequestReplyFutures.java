/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.send;

import io.waybill.client.MessageQueue;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.message.InboundMessage;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.client.internal.runtime.Timers;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.PushReplyHeader;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.remoting.Request;
import java.net.InetSocketAddress;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;

/** Request-reply: the questions of this client that wait for their answers. */
public final class RequestReplyFutures {
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
    public boolean answered(Request request) {
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
    public void close() {
        waiting.values().forEach(answer -> answer.completeExceptionally(ClientExceptions.closed("the client")));
    }

    private static InetSocketAddress address(String text) {
        int colon = text.lastIndexOf(':');
        return new InetSocketAddress(
                text.substring(text.startsWith("/") ? 1 : 0, Math.max(1, colon)),
                Integer.parseInt(text.substring(colon + 1)));
    }
}
