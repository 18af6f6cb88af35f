/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import io.waybill.client.DelayedChange;
import io.waybill.client.DelayedMessages;
import io.waybill.client.Message;
import io.waybill.client.MessageQueue;
import io.waybill.client.Producer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.SendReceipt;
import io.waybill.client.WaybillException;
import io.waybill.protocol.Names;
import io.waybill.protocol.message.MessageProperties;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Base64;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Set;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.atomic.AtomicInteger;

/** The plain producer: makes the bytes once and lets a {@link SendCall} carry them. */
final class ProducerCore implements Producer {
    static final long DEFAULT_TIMEOUT_MILLIS = 5_000;
    static final int DEFAULT_ATTEMPTS = 10;
    static final int DEFAULT_COMPRESS_FROM = 4_096;

    private static final int ILLEGAL_OPERATION = 604;

    private final ClientCore client;
    private final String group;
    private final int compressFrom;
    private final SendCall.Context context;
    private final InFlight inFlight;

    private final Batches batches; // null = every message leaves at once

    ProducerCore(
            ClientCore client, String group, long timeoutMillis, int maxAttempts, int compressFrom, long lingerMillis) {
        this.client = client;
        this.group = group;
        this.compressFrom = compressFrom;
        this.context = client.sendContext(group, timeoutMillis, new SendPolicy(maxAttempts, true), new AtomicInteger());
        this.inFlight = new InFlight("the producer of group " + group);
        this.batches = lingerMillis == 0
                ? null
                : new Batches(lingerMillis, compressFrom, client.threads().timers, this::startBatch);
        client.membership().addProducer(group);
    }

    @Override
    public String group() {
        return group;
    }

    @Override
    public SendReceipt send(Message message) {
        return Failures.await(start(message), "sending message " + message.id(), true);
    }

    @Override
    public CompletableFuture<SendReceipt> sendAsync(Message message) {
        try {
            if (batches != null && batches.takes(message)) {
                checkSendable(message);
                inFlight.begin();
                return inFlight.until(batches.add(message));
            }
            return start(message);
        } catch (WaybillException e) {
            return CompletableFuture.failedFuture(e);
        }
    }

    private CompletableFuture<SendReceipt> start(Message message) {
        checkSendable(message);
        Outgoing outgoing = Outgoing.single(message, client.clock().wallMillis(), compressFrom);
        inFlight.begin();
        leaveBefore(message);
        return inFlight.until(SendCall.start(context, outgoing, false)).thenApply(receipts -> receipts.get(0));
    }

    private void leaveBefore(Message message) {
        if (batches != null) {
            batches.leaveBefore(message);
        }
    }

    static void checkSendable(Message message) {
        if (Names.isSendForbidden(message.topic())) {
            throw Failures.invalid(
                    "topic " + message.topic() + " belongs to the broker", "send to a topic of your own");
        }
    }

    @Override
    public void sendOneway(Message message) {
        checkSendable(message);
        inFlight.begin();
        try {
            Route route = Failures.await(
                    context.routes().findForSend(message.topic()), "finding topic " + message.topic(), false);
            if (route.writable().isEmpty() && message.queue() == null) {
                throw Failures.refused(
                        "sending message " + message.id(),
                        17,
                        "no broker takes messages of topic " + message.topic(),
                        false);
            }
            MessageQueue queue = message.queue() != null
                    ? message.queue()
                    : message.orderingKey() != null
                            ? QueueChoice.byKey(route.writable(), message.orderingKey())
                            : QueueChoice.inTurn(
                                    route.writable(), context.turn().getAndIncrement(), null);
            String address = context.routes().master(queue.broker());
            if (address != null) {
                context.calls()
                        .sendOneway(
                                address,
                                group,
                                Outgoing.single(message, client.clock().wallMillis(), compressFrom),
                                queue);
            }
        } finally {
            inFlight.end();
        }
    }

    @Override
    public List<SendReceipt> sendAll(List<Message> messages) {
        return Failures.await(startAll(messages), "sending a batch of " + messages.size() + " messages", true);
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
        Outgoing outgoing = Outgoing.batch(messages, client.clock().wallMillis());
        inFlight.begin();
        leaveBefore(messages.get(0));
        return inFlight.until(SendCall.start(context, outgoing, false));
    }

    /** A batch whose messages are counted already; one that is alone travels as it would alone. */
    private CompletableFuture<List<SendReceipt>> startBatch(List<Message> messages) {
        long now = client.clock().wallMillis();
        Outgoing outgoing = messages.size() == 1
                ? Outgoing.single(messages.get(0), now, compressFrom)
                : Outgoing.batch(messages, now);
        return SendCall.start(context, outgoing, false);
    }

    static void checkBatch(List<Message> messages) {
        Message first = messages.get(0);
        checkSendable(first);
        for (Message message : messages) {
            if (!message.topic().equals(first.topic())) {
                throw Failures.invalid(
                        "a batch must have one topic, but has " + first.topic() + " and " + message.topic(),
                        "send one batch for each topic");
            }
            if (message.isDelayed()) {
                throw Failures.invalid("a batch must not have delayed messages", "send " + message.id() + " by itself");
            }
            if (!Objects.equals(message.queue(), first.queue())
                    || !Objects.equals(message.orderingKey(), first.orderingKey())) {
                throw Failures.invalid(
                        "the messages of a batch must have the same queue or ordering key",
                        "send one batch for each ordering key");
            }
        }
    }

    @Override
    public boolean recall(SendReceipt receipt) {
        if (receipt.recallHandle() == null) {
            throw Failures.invalid(
                    "message " + receipt.messageId() + " has no recall handle",
                    "recall only messages sent with a delay");
        }
        return recall(receipt.queue().topic(), receipt.recallHandle());
    }

    @Override
    public boolean recall(String topic, String recallHandle) {
        MessageChecks.topic(topic);
        String broker = brokerOf(recallHandle);
        inFlight.begin();
        try {
            String doing = "recalling a message of topic " + topic;
            Failures.await(context.routes().find(topic), "finding topic " + topic, false);
            String address = context.routes().master(broker);
            if (address == null) {
                throw Failures.invalid(
                        "the recall handle names broker " + broker + ", which does not keep topic " + topic,
                        "give the topic and the handle of one message");
            }
            try {
                context.calls()
                        .recall(address, group, topic, broker, recallHandle)
                        .get();
                return true;
            } catch (InterruptedException e) {
                Thread.currentThread().interrupt();
                throw new WaybillException(
                        WaybillException.Kind.INTERRUPTED,
                        -1,
                        false,
                        doing + " was interrupted; it may have been recalled",
                        "recall it again",
                        e);
            } catch (java.util.concurrent.ExecutionException e) {
                if (Failures.unwrap(e) instanceof Refusal refusal
                        && (refusal.code() == ILLEGAL_OPERATION || refusal.code() == 22)) {
                    return false;
                }
                throw Calls.explained(e, doing);
            }
        } finally {
            inFlight.end();
        }
    }

    /** The broker a handle names: its text is {@code v1 topic broker time id} in base64. */
    static String brokerOf(String recallHandle) {
        try {
            String text = new String(Base64.getUrlDecoder().decode(recallHandle), StandardCharsets.UTF_8);
            String[] parts = text.split(" ");
            if (parts.length == 5 && parts[0].equals("v1")) {
                return parts[2];
            }
        } catch (IllegalArgumentException e) {
            // said below
        }
        throw Failures.invalid("the recall handle cannot be read", "give the handle of a send receipt unchanged");
    }

    @Override
    public DelayedChange cancel(SendReceipt receipt) {
        return change(which(receipt), receipt.queue().broker(), null);
    }

    @Override
    public DelayedChange cancel(String topic, String key) {
        return change(DelayedMessages.Selector.key(topic, key), null, null);
    }

    @Override
    public DelayedChange reschedule(SendReceipt receipt, Instant deliverAt) {
        return change(which(receipt), receipt.queue().broker(), Checks.given("time", deliverAt));
    }

    @Override
    public DelayedChange reschedule(String topic, String key, Instant deliverAt) {
        return change(DelayedMessages.Selector.key(topic, key), null, Checks.given("time", deliverAt));
    }

    private static DelayedMessages.Selector which(SendReceipt receipt) {
        if (receipt.recallHandle() == null) {
            throw Failures.invalid(
                    "message " + receipt.messageId() + " has no recall handle",
                    "cancel or move only messages sent with a delay");
        }
        return DelayedMessages.Selector.message(receipt.queue().topic(), receipt.messageId());
    }

    /** @param broker the broker that keeps it, or null to ask all of the topic */
    private DelayedChange change(DelayedMessages.Selector which, String broker, Instant deliverAt) {
        MessageChecks.topic(which.topic());
        Checks.given("key", which.name());
        inFlight.begin();
        try {
            Route route = Failures.await(context.routes().find(which.topic()), "finding topic " + which.topic(), false);
            List<DelayedChange> answers = new ArrayList<>();
            for (String name : broker == null ? route.brokers().keySet() : Set.of(broker)) {
                String address = context.routes().master(name);
                if (address == null) {
                    throw Failures.refused("finding broker " + name, 17, "its address is not known", false);
                }
                answers.add(Failures.await(
                        context.calls().changeTimer(address, name, which, deliverAt, "producer group " + group),
                        "changing the delayed message of " + which.topic() + " named " + which.name(),
                        false));
            }
            return AdminDelayed.best(answers);
        } finally {
            inFlight.end();
        }
    }

    @Override
    public ReceivedMessage request(Message message, Duration timeout) {
        return Failures.await(ask(message, timeout), "asking with message " + message.id(), true);
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
        long timeoutMillis = Checks.millis("timeout", timeout);
        // Not the message's id: the same object may be asked with twice.
        String correlationId = UniqueIds.next();
        Outgoing outgoing = Outgoing.question(
                message,
                Map.of(
                        MessageProperties.CORRELATION_ID,
                        correlationId,
                        MessageProperties.REPLY_TO_CLIENT,
                        client.clientId(),
                        MessageProperties.TTL,
                        Long.toString(timeoutMillis)),
                client.clock().wallMillis(),
                compressFrom);
        inFlight.begin();
        CompletableFuture<ReceivedMessage> answer = client.questions()
                .expect(correlationId, timeoutMillis, "asking with message " + message.id(), context.timers());
        SendCall.start(context, outgoing, true).whenComplete((receipts, failure) -> {
            if (failure != null) {
                answer.completeExceptionally(Failures.unwrap(failure));
            }
        });
        return inFlight.until(answer);
    }

    @Override
    public List<MessageQueue> queues(String topic) {
        MessageChecks.topic(topic);
        return Failures.await(context.routes().findForSend(topic), "finding topic " + topic, false)
                .writable();
    }

    @Override
    public void close() {
        if (batches != null) {
            batches.close();
        }
        if (inFlight.close(context.timeoutMillis() + 1_000, client.clock())) {
            Failures.await(client.membership().removeProducer(group), "leaving group " + group, false);
            client.forget(this);
        }
    }

    /** Settings until {@link #build()}. */
    static final class Settings implements Builder {
        private final ClientCore client;
        private final String group;
        private long timeoutMillis = DEFAULT_TIMEOUT_MILLIS;
        private int maxAttempts = DEFAULT_ATTEMPTS;
        private int compressFrom = DEFAULT_COMPRESS_FROM;
        private long lingerMillis;

        Settings(ClientCore client, String group) {
            MessageChecks.group(group);
            this.client = client;
            this.group = group;
        }

        @Override
        public Builder sendTimeout(Duration timeout) {
            timeoutMillis = Checks.millis("sendTimeout", timeout);
            return this;
        }

        @Override
        public Builder maxAttempts(int attempts) {
            maxAttempts = Checks.positive("maxAttempts", attempts);
            return this;
        }

        @Override
        public Builder compressFrom(int bytes) {
            compressFrom = Checks.positive("compressFrom", bytes);
            return this;
        }

        @Override
        public Builder linger(Duration time) {
            lingerMillis = time == null || time.isZero() ? 0 : Checks.millis("linger", time);
            return this;
        }

        @Override
        public Producer build() {
            return client.keep(new ProducerCore(client, group, timeoutMillis, maxAttempts, compressFrom, lingerMillis));
        }
    }
}
