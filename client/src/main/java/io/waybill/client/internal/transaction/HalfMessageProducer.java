/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.transaction;

import io.waybill.client.Decision;
import io.waybill.client.Message;
import io.waybill.client.MessageQueue;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.SendReceipt;
import io.waybill.client.TransactionConflictException;
import io.waybill.client.TransactionListener;
import io.waybill.client.TransactionProducer;
import io.waybill.client.TransactionReceipt;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.group.CheckedProducer;
import io.waybill.client.internal.group.GroupMembership;
import io.waybill.client.internal.group.MemberRegistry;
import io.waybill.client.internal.message.EncodedMessage;
import io.waybill.client.internal.message.InboundMessage;
import io.waybill.client.internal.route.Route;
import io.waybill.client.internal.route.RouteCache;
import io.waybill.client.internal.runtime.ArgumentChecks;
import io.waybill.client.internal.runtime.BrokerRefusal;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.client.internal.runtime.ClientRuntime;
import io.waybill.client.internal.runtime.HandlerThread;
import io.waybill.client.internal.runtime.PendingCalls;
import io.waybill.client.internal.send.PlainProducer;
import io.waybill.client.internal.send.SendCall;
import io.waybill.client.internal.send.SendContext;
import io.waybill.client.internal.send.SendRetryPolicy;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.message.MessageIds;
import io.waybill.remoting.Connection;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The transactional producer. The order is fixed: the broker knows the group, the half message is stored, the local transaction runs, the decision
 * goes out. The local transaction runs only for a half message that is surely stored, and never twice for one send. While it runs, and until the broker has
 * answered its decision, checks are answered from {@link RunningTransactions} and the listener is not asked.
 */
public final class HalfMessageProducer implements TransactionProducer, CheckedProducer {
    private static final Logger LOG = LoggerFactory.getLogger(HalfMessageProducer.class);
    private static final int MAX_REMARK = 512;

    private final String group;
    private final TransactionListener listener;
    private final int compressFrom;
    private final ClientRuntime runtime;
    private final RouteCache routes;
    private final GroupMembership membership;
    private final MemberRegistry registry;
    private final TransactionApi api;
    private final SendContext context;
    private final PendingCalls pending;
    private final RunningTransactions running = RunningTransactions.ofProcess();

    public HalfMessageProducer(
            ClientRuntime runtime,
            BrokerConnections connections,
            RouteCache routes,
            GroupMembership membership,
            MemberRegistry registry,
            Builder settings) {
        this.group = settings.group;
        this.listener = settings.listener;
        this.compressFrom = settings.compressFrom;
        this.runtime = runtime;
        this.routes = routes;
        this.membership = membership;
        this.registry = registry;
        this.api = new TransactionApi(connections);
        this.context = SendContext.of(
                runtime,
                connections,
                routes,
                membership,
                group,
                settings.timeoutMillis,
                new SendRetryPolicy(PlainProducer.DEFAULT_ATTEMPTS, false));
        this.pending = new PendingCalls("the transactional producer of group " + group);
        membership.addProducer(group);
    }

    @Override
    public String group() {
        return group;
    }

    @Override
    public TransactionReceipt send(Message message, Object argument) {
        PlainProducer.checkSendable(message);
        pending.begin();
        try {
            HalfSend half = storeHalf(message);
            SendReceipt receipt;
            try {
                receipt = ClientExceptions.await(half.stored(), "storing the half message " + message.id(), true);
            } catch (WaybillException e) {
                half.notExecuted();
                throw e;
            }
            Executed executed = execute(message, argument, receipt, half.run());
            return told(receipt, executed, tell(receipt, executed, half.run()));
        } finally {
            pending.end();
        }
    }

    /** Waits. Interrupted, it says what was decided all the same: an exception would say that nothing was done. */
    private static TransactionReceipt told(
            SendReceipt half, Executed executed, CompletableFuture<TransactionReceipt> told) {
        try {
            return ClientExceptions.await(told, "telling the decision on " + half.messageId(), false);
        } catch (WaybillException e) {
            if (e.kind() != WaybillException.Kind.INTERRUPTED) {
                throw e;
            }
            Throwable why = executed.failure() == null ? e : executed.failure();
            return new TransactionReceipt(half, executed.decision(), false, why);
        }
    }

    @Override
    public CompletableFuture<TransactionReceipt> sendAsync(Message message, Object argument) {
        HalfSend half;
        try {
            PlainProducer.checkSendable(message);
            pending.begin();
        } catch (WaybillException e) {
            return CompletableFuture.failedFuture(e);
        }
        half = storeHalf(message);
        CompletableFuture<TransactionReceipt> result = half.stored()
                .handle((receipt, failure) -> {
                    if (failure != null) {
                        half.notExecuted();
                        return CompletableFuture.<TransactionReceipt>failedFuture(failure);
                    }
                    CompletableFuture<Executed> executed = new CompletableFuture<>();
                    try {
                        runtime.listeners()
                                .execute(() -> HandlerThread.run(() -> {
                                    try {
                                        executed.complete(execute(message, argument, receipt, half.run()));
                                    } catch (Throwable e) {
                                        executed.completeExceptionally(e);
                                        throw e;
                                    }
                                }));
                    } catch (RejectedExecutionException e) {
                        half.notExecuted();
                        executed.completeExceptionally(e);
                    }
                    return executed.thenCompose(outcome -> tell(receipt, outcome, half.run()));
                })
                .thenCompose(told -> told);
        return pending.until(result);
    }

    /** A half message on its way. */
    private record HalfSend(RunningTransactions.SendRun run, CompletableFuture<SendReceipt> stored) {
        /** Its sender gave up: once the outcome of the send is known nothing runs any more. */
        void notExecuted() {
            stored.whenComplete((receipt, failure) -> {
                boolean surelyNot =
                        ClientExceptions.unwrap(failure) instanceof WaybillException e && !e.mayHaveBeenStored();
                if (surelyNot || receipt != null && receipt.duplicate()) {
                    run.ended();
                } else {
                    run.abandoned();
                }
            });
        }
    }

    private HalfSend storeHalf(Message message) {
        RunningTransactions.SendRun run =
                running.begin(group, message.id(), runtime.clock().wallMillis());
        CompletableFuture<SendReceipt> stored;
        try {
            EncodedMessage outgoing = EncodedMessage.half(message, group, run.bornMillis(), compressFrom);
            stored = SendCall.start(context, outgoing, true).thenApply(receipts -> {
                SendReceipt half = receipts.get(0);
                run.stored(half.queue().broker(), positionOf(half));
                return half;
            });
        } catch (WaybillException e) {
            stored = CompletableFuture.failedFuture(e);
        }
        return new HalfSend(run, stored);
    }

    private static long positionOf(SendReceipt half) {
        return MessageIds.decode(half.storedId()).position();
    }

    private record Executed(Decision decision, Throwable failure) {}

    private Executed execute(Message message, Object argument, SendReceipt half, RunningTransactions.SendRun run) {
        boolean returned = false;
        try {
            Executed executed = execute(message, argument, half);
            run.decided(executed.decision());
            returned = true;
            return executed;
        } finally {
            if (!returned) { // an Error: nobody here knows what it did
                run.ended();
            }
        }
    }

    private Executed execute(Message message, Object argument, SendReceipt half) {
        if (half.duplicate()) {
            return new Executed(
                    Decision.UNKNOWN,
                    new IllegalStateException("the topic has a message of this key already, so nothing was done"));
        }
        if (half.durability() != SendReceipt.Durability.CONFIRMED) {
            // The broker could lose the half message and with it the event of a transaction that went through.
            return new Executed(
                    Decision.ROLLBACK,
                    new IllegalStateException("the half message is not safe yet: " + half.durability()));
        }
        try {
            Decision decision = listener.execute(message, argument);
            return decision == null
                    ? new Executed(Decision.UNKNOWN, new NullPointerException("the listener returned null"))
                    : new Executed(decision, null);
        } catch (Exception e) {
            LOG.warn("the local transaction of message {} threw; the broker will ask for its outcome", message.id(), e);
            return new Executed(Decision.UNKNOWN, e);
        }
    }

    private CompletableFuture<TransactionReceipt> tell(
            SendReceipt half, Executed executed, RunningTransactions.SendRun run) {
        try {
            return tellBroker(half, executed, run);
        } catch (RuntimeException e) {
            run.untold();
            throw e;
        }
    }

    private CompletableFuture<TransactionReceipt> tellBroker(
            SendReceipt half, Executed executed, RunningTransactions.SendRun run) {
        HalfId id = new HalfId(
                half.queue().topic(),
                half.queue().broker(),
                half.offset(),
                positionOf(half),
                half.messageId(),
                half.messageId());
        String address = routes.master(half.queue().broker());
        if (half.duplicate()) {
            run.ended();
            return CompletableFuture.completedFuture(
                    new TransactionReceipt(half, Decision.UNKNOWN, false, executed.failure()));
        }
        if (executed.decision() == Decision.UNKNOWN) {
            // A stock broker does not answer this one; the check follows anyway.
            if (address != null) {
                api.oneway(
                        address, TransactionApi.oneway(group, id, Decision.UNKNOWN, false, remark(executed.failure())));
            }
            run.ended();
            return CompletableFuture.completedFuture(
                    new TransactionReceipt(half, Decision.UNKNOWN, false, executed.failure()));
        }
        CompletableFuture<Void> told = address == null
                ? CompletableFuture.failedFuture(
                        new IllegalStateException("the address of broker " + id.broker() + " is gone"))
                : api.end(address, group, id, executed.decision(), remark(executed.failure()));
        return told.handle((done, failure) -> {
            Throwable inner = ClientExceptions.unwrap(failure);
            if (inner == null || inner instanceof BrokerRefusal || inner instanceof TransactionConflictException) {
                run.ended();
            } else {
                run.untold();
            }
            if (inner instanceof TransactionConflictException conflict) {
                throw conflict;
            }
            if (failure != null) {
                LOG.warn(
                        "the decision {} on message {} did not reach the broker, which will ask for it: {}",
                        executed.decision(),
                        half.messageId(),
                        failure.getMessage());
            }
            Throwable why = executed.failure() != null || failure == null
                    ? executed.failure()
                    : ClientExceptions.explained(failure, "telling the decision on " + half.messageId());
            return new TransactionReceipt(half, executed.decision(), failure == null, why);
        });
    }

    @Override
    public void check(Connection asker, Command question, InboundMessage message) {
        HalfId half = new HalfId(
                message.stored().topic(),
                question.fields().get("bname"),
                question.fields().requireLong("tranStateTableOffset"),
                question.fields().requireLong("commitLogOffset"),
                message.stored().uniqueKey() == null
                        ? question.fields().get("msgId")
                        : message.stored().uniqueKey(),
                question.fields().get("transactionId"));
        Decision known = answerOf(half, message);
        if (known != null) {
            answer(asker, half, known, null);
            return;
        }
        try {
            runtime.listeners().execute(() -> HandlerThread.run(() -> ask(asker, half, message)));
        } catch (RejectedExecutionException e) {
            LOG.warn("no thread for the check of message {}; the broker will ask again", half.messageId());
        }
    }

    /** What is known without the listener, or null. */
    private Decision answerOf(HalfId half, ReceivedMessage message) {
        return running.answer(
                group,
                half.messageId(),
                half.broker(),
                half.position(),
                message.bornAt().toEpochMilli());
    }

    private void ask(Connection asker, HalfId half, ReceivedMessage message) {
        Decision known = answerOf(half, message); // the application may have sent it again while this waited
        if (known != null) {
            answer(asker, half, known, null);
            return;
        }
        Decision decision = Decision.UNKNOWN;
        Throwable thrown = null;
        try {
            Decision answer = listener.check(message);
            if (answer != null) {
                decision = answer;
            }
        } catch (Exception e) {
            LOG.warn("the check of message {} threw; the broker will ask again", message.messageId(), e);
            thrown = e;
        }
        answer(asker, half, decision, thrown);
    }

    private void answer(Connection asker, HalfId half, Decision decision, Throwable thrown) {
        Command end = TransactionApi.oneway(group, half, decision, true, remark(thrown));
        if (asker.isOpen()) {
            asker.send(end);
        } else {
            String address = half.broker() == null ? null : routes.master(half.broker());
            if (address != null) {
                api.oneway(address, end);
            }
        }
    }

    private static String remark(Throwable failure) {
        if (failure == null) {
            return null;
        }
        String text = failure.toString();
        return text.length() > MAX_REMARK ? text.substring(0, MAX_REMARK) : text;
    }

    /** Tells the brokers of these topics of the group. */
    void announceFor(List<String> topics) {
        for (String topic : topics) {
            Route route = ClientExceptions.await(routes.findForSend(topic), "finding topic " + topic, false);
            for (MessageQueue queue : route.writable()) {
                String address = routes.master(queue.broker());
                if (address != null) {
                    try {
                        membership.announce(address).join();
                    } catch (RuntimeException e) {
                        throw ClientExceptions.explained(e, "telling the broker at " + address + " of group " + group);
                    }
                }
            }
        }
    }

    @Override
    public void close() {
        if (pending.close(context.timeoutMillis() + 1_000, runtime.clock())) {
            registry.forgetChecked(group);
            // A broker does not wait for the decision of a producer that has left: it asks another one at once.
            if (pending.isOver(this::leave)) {
                ClientExceptions.await(membership.removeProducer(group), "leaving group " + group, false);
            } else {
                LOG.warn("a transaction of group {} outlasts the close; the group is left when it has ended", group);
            }
            registry.forget(this);
        }
    }

    private void leave() {
        try {
            membership.removeProducer(group);
        } catch (RuntimeException e) {
            LOG.debug("leaving group {} failed: {}", group, e.getMessage());
        }
    }

    /** Settings until {@link #build()}. */
    public static final class Builder implements TransactionProducer.Builder {
        private final String group;
        private final Function<Builder, HalfMessageProducer> maker;
        private TransactionListener listener;
        private long timeoutMillis = PlainProducer.DEFAULT_TIMEOUT_MILLIS;
        private int compressFrom = PlainProducer.DEFAULT_COMPRESS_FROM;
        private List<String> topics = List.of();

        /** @param maker makes it of these settings when they are complete */
        public Builder(String group, Function<Builder, HalfMessageProducer> maker) {
            ArgumentChecks.group(group);
            this.group = group;
            this.maker = maker;
        }

        @Override
        public Builder listener(TransactionListener value) {
            listener = value;
            return this;
        }

        @Override
        public Builder sendTimeout(Duration timeout) {
            timeoutMillis = ArgumentChecks.millis("sendTimeout", timeout);
            return this;
        }

        @Override
        public Builder compressFrom(int bytes) {
            compressFrom = ArgumentChecks.positive("compressFrom", bytes);
            return this;
        }

        @Override
        public Builder topics(String... names) {
            topics = List.of(names);
            topics.forEach(ArgumentChecks::topic);
            return this;
        }

        @Override
        public TransactionProducer build() {
            ArgumentChecks.given("listener", listener);
            HalfMessageProducer producer = maker.apply(this);
            try {
                producer.announceFor(topics);
            } catch (RuntimeException e) {
                producer.close();
                throw e;
            }
            return producer;
        }
    }
}
