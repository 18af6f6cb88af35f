/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.send;

import io.waybill.client.DelayedDeliveries;
import io.waybill.client.Message;
import io.waybill.client.MessageQueue;
import io.waybill.client.Producer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.SendReceipt;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.group.GroupMembership;
import io.waybill.client.internal.group.MemberRegistry;
import io.waybill.client.internal.id.UniqueIds;
import io.waybill.client.internal.message.EncodedMessage;
import io.waybill.client.internal.route.Route;
import io.waybill.client.internal.route.RouteCache;
import io.waybill.client.internal.runtime.ArgumentChecks;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.client.internal.runtime.ClientRuntime;
import io.waybill.client.internal.runtime.PendingCalls;
import io.waybill.protocol.Names;
import io.waybill.protocol.message.MessageProperties;
import java.time.Duration;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/** The plain producer: makes the bytes once and lets a {@link SendCall} carry them. */
public final class PlainProducer implements Producer {
    public static final long DEFAULT_TIMEOUT_MILLIS = 5_000;
    public static final int DEFAULT_ATTEMPTS = 10;
    public static final int DEFAULT_COMPRESS_FROM = 4_096;

    private final String group;
    private final int compressFrom;
    private final ClientRuntime runtime;
    private final GroupMembership membership;
    private final MemberRegistry registry;
    private final RequestReplyFutures replies;
    private final DelayedDeliveries delayed;
    private final SendContext context;
    private final PendingCalls pending;
    private final BatchAccumulator batches; // null = every message leaves at once

    public PlainProducer(
            ClientRuntime runtime,
            BrokerConnections connections,
            RouteCache routes,
            GroupMembership membership,
            MemberRegistry registry,
            RequestReplyFutures replies,
            Builder settings) {
        this.group = settings.group;
        this.compressFrom = settings.compressFrom;
        this.runtime = runtime;
        this.membership = membership;
        this.registry = registry;
        this.replies = replies;
        this.context = SendContext.of(
                runtime,
                connections,
                routes,
                membership,
                group,
                settings.timeoutMillis,
                new SendRetryPolicy(settings.maxAttempts, true));
        this.pending = new PendingCalls("the producer of group " + group);
        this.delayed = new ProducerDelayed(group, context, new DelayedMessageApi(connections), pending);
        this.batches = settings.lingerMillis == 0
                ? null
                : new BatchAccumulator(settings.lingerMillis, compressFrom, runtime.timers(), this::startBatch);
        membership.addProducer(group);
    }

    @Override
    public String group() {
        return group;
    }

    @Override
    public SendReceipt send(Message message) {
        return ClientExceptions.await(start(message), "sending message " + message.id(), true);
    }

    @Override
    public CompletableFuture<SendReceipt> sendAsync(Message message) {
        try {
            if (batches != null && batches.takes(message)) {
                checkSendable(message);
                pending.begin();
                return pending.until(batches.add(message));
            }
            return start(message);
        } catch (WaybillException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private CompletableFuture<SendReceipt> start(Message message) {
        checkSendable(message);
        EncodedMessage outgoing = EncodedMessage.single(message, runtime.clock().wallMillis(), compressFrom);
        pending.begin();
        leaveBefore(message);
        return pending.until(SendCall.start(context, outgoing, false)).thenApply(receipts -> receipts.get(0));
    }

    private void leaveBefore(Message message) {
        if (batches != null) {
            batches.leaveBefore(message);
        }
    }

    public static void checkSendable(Message message) {
        if (Names.isSendForbidden(message.topic())) {
            throw ClientExceptions.invalid(
                    "topic " + message.topic() + " belongs to the broker", "send to a topic of your own");
        }
    }

    @Override
    public void sendOneway(Message message) {
        checkSendable(message);
        pending.begin();
        try {
            Route route = ClientExceptions.await(
                    context.routes().findForSend(message.topic()), "finding topic " + message.topic(), false);
            if (route.writable().isEmpty() && message.queue() == null) {
                throw ClientExceptions.refused(
                        "sending message " + message.id(),
                        17,
                        "no broker takes messages of topic " + message.topic(),
                        false);
            }
            MessageQueue queue = message.queue() != null
                    ? message.queue()
                    : message.orderingKey() != null
                            ? QueueSelector.byKey(route.writable(), message.orderingKey())
                            : QueueSelector.inTurn(
                                    route.writable(), context.turn().getAndIncrement(), null);
            String address = context.routes().master(queue.broker());
            if (address != null) {
                context.api()
                        .sendOneway(
                                address,
                                group,
                                EncodedMessage.single(message, runtime.clock().wallMillis(), compressFrom),
                                queue);
            }
        } finally {
            pending.end();
        }
    }

    @Override
    public List<SendReceipt> sendAll(List<Message> messages) {
        return ClientExceptions.await(startAll(messages), "sending a batch of " + messages.size() + " messages", true);
    }

    @Override
    public CompletableFuture<List<SendReceipt>> sendAllAsync(List<Message> messages) {
        try {
            return startAll(messages);
        } catch (WaybillException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private CompletableFuture<List<SendReceipt>> startAll(List<Message> messages) {
        if (messages.isEmpty()) {
            return CompletableFuture.completedFuture(List.of());
        }
        checkBatch(messages);
        EncodedMessage outgoing = EncodedMessage.batch(messages, runtime.clock().wallMillis());
        pending.begin();
        leaveBefore(messages.get(0));
        return pending.until(SendCall.start(context, outgoing, false));
    }

    /** A batch whose messages are counted already; one that is alone travels as it would alone. */
    private CompletableFuture<List<SendReceipt>> startBatch(List<Message> messages) {
        long now = runtime.clock().wallMillis();
        EncodedMessage outgoing = messages.size() == 1
                ? EncodedMessage.single(messages.get(0), now, compressFrom)
                : EncodedMessage.batch(messages, now);
        return SendCall.start(context, outgoing, false);
    }

    static void checkBatch(List<Message> messages) {
        Message first = messages.get(0);
        checkSendable(first);
        for (Message message : messages) {
            if (!message.topic().equals(first.topic())) {
                throw ClientExceptions.invalid(
                        "a batch must have one topic, but has " + first.topic() + " and " + message.topic(),
                        "send one batch for each topic");
            }
            if (message.isDelayed()) {
                throw ClientExceptions.invalid(
                        "a batch must not have delayed messages", "send " + message.id() + " by itself");
            }
            if (!Objects.equals(message.queue(), first.queue())
                    || !Objects.equals(message.orderingKey(), first.orderingKey())) {
                throw ClientExceptions.invalid(
                        "the messages of a batch must have the same queue or ordering key",
                        "send one batch for each ordering key");
            }
        }
    }

    @Override
    public DelayedDeliveries delayed() {
        return delayed;
    }

    @Override
    public ReceivedMessage request(Message message, Duration timeout) {
        return ClientExceptions.await(ask(message, timeout), "asking with message " + message.id(), true);
    }

    @Override
    public CompletableFuture<ReceivedMessage> requestAsync(Message message, Duration timeout) {
        try {
            return ask(message, timeout);
        } catch (WaybillException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private CompletableFuture<ReceivedMessage> ask(Message message, Duration timeout) {
        checkSendable(message);
        long timeoutMillis = ArgumentChecks.millis("timeout", timeout);
        // Not the message's id: the same object may be asked with twice.
        String correlationId = UniqueIds.next();
        EncodedMessage outgoing = EncodedMessage.question(
                message,
                Map.of(
                        MessageProperties.CORRELATION_ID,
                        correlationId,
                        MessageProperties.REPLY_TO_CLIENT,
                        runtime.clientId(),
                        MessageProperties.TTL,
                        Long.toString(timeoutMillis)),
                runtime.clock().wallMillis(),
                compressFrom);
        pending.begin();
        CompletableFuture<ReceivedMessage> answer =
                replies.expect(correlationId, timeoutMillis, "asking with message " + message.id(), context.timers());
        SendCall.start(context, outgoing, true).whenComplete((receipts, failure) -> {
            if (failure != null) {
                answer.completeExceptionally(ClientExceptions.unwrap(failure));
            }
        });
        return pending.until(answer);
    }

    @Override
    public List<MessageQueue> queues(String topic) {
        ArgumentChecks.topic(topic);
        return ClientExceptions.await(context.routes().findForSend(topic), "finding topic " + topic, false)
                .writable();
    }

    @Override
    public void close() {
        if (batches != null) {
            batches.close();
        }
        if (pending.close(context.timeoutMillis() + 1_000, runtime.clock())) {
            ClientExceptions.await(membership.removeProducer(group), "leaving group " + group, false);
            registry.forget(this);
        }
    }

    /** Settings until {@link #build()}. */
    public static final class Builder implements Producer.Builder {
        private final String group;
        private final Function<Builder, PlainProducer> maker;
        private long timeoutMillis = DEFAULT_TIMEOUT_MILLIS;
        private int maxAttempts = DEFAULT_ATTEMPTS;
        private int compressFrom = DEFAULT_COMPRESS_FROM;
        private long lingerMillis;

        /** @param maker makes it of these settings when they are complete */
        public Builder(String group, Function<Builder, PlainProducer> maker) {
            ArgumentChecks.group(group);
            this.group = group;
            this.maker = maker;
        }

        @Override
        public Builder sendTimeout(Duration timeout) {
            timeoutMillis = ArgumentChecks.millis("sendTimeout", timeout);
            return this;
        }

        @Override
        public Builder maxAttempts(int attempts) {
            maxAttempts = ArgumentChecks.positive("maxAttempts", attempts);
            return this;
        }

        @Override
        public Builder compressFrom(int bytes) {
            compressFrom = ArgumentChecks.positive("compressFrom", bytes);
            return this;
        }

        @Override
        public Builder linger(Duration time) {
            lingerMillis = time == null || time.isZero() ? 0 : ArgumentChecks.millis("linger", time);
            return this;
        }

        @Override
        public Producer build() {
            return maker.apply(this);
        }
    }
}
