/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

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
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.message.MessageIds;
import io.waybill.remoting.Connection;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The transactional producer. The order is fixed: the broker knows the group, the half message is stored, the local transaction runs, the decision
 * goes out. The local transaction runs only for a half message that is surely stored, and never twice for one send. While it runs, and until the broker has
 * answered its decision, checks are answered from {@link RunningTransactions} and the listener is not asked.
 */
final class TransactionCore implements TransactionProducer {
    private static final Logger LOG = LoggerFactory.getLogger(TransactionCore.class);
    private static final int MAX_REMARK = 512;

    private final ClientCore client;
    private final String group;
    private final TransactionListener listener;
    private final int compressFrom;
    private final SendCall.Context context;
    private final InFlight inFlight;
    private final RunningTransactions running = RunningTransactions.ofProcess();

    TransactionCore(
            ClientCore client, String group, TransactionListener listener, long timeoutMillis, int compressFrom) {
        this.client = client;
        this.group = group;
        this.listener = listener;
        this.compressFrom = compressFrom;
        this.context = client.sendContext(
                group, timeoutMillis, new SendPolicy(ProducerCore.DEFAULT_ATTEMPTS, false), new AtomicInteger());
        this.inFlight = new InFlight("the transactional producer of group " + group);
        client.membership().addProducer(group);
    }

    @Override
    public String group() {
        return group;
    }

    @Override
    public TransactionReceipt send(Message message, Object argument) {
        ProducerCore.checkSendable(message);
        inFlight.begin();
        try {
            Half half = storeHalf(message);
            SendReceipt receipt;
            try {
                receipt = Failures.await(half.stored(), "storing the half message " + message.id(), true);
            } catch (WaybillException e) {
                half.notExecuted();
                throw e;
            }
            Executed executed = execute(message, argument, receipt, half.run());
            return told(receipt, executed, tell(receipt, executed, half.run()));
        } finally {
            inFlight.end();
        }
    }

    /** Waits. Interrupted, it says what was decided all the same: an exception would say that nothing was done. */
    private static TransactionReceipt told(
            SendReceipt half, Executed executed, CompletableFuture<TransactionReceipt> told) {
        try {
            return Failures.await(told, "telling the decision on " + half.messageId(), false);
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
        Half half;
        try {
            ProducerCore.checkSendable(message);
            inFlight.begin();
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
                        client.threads()
                                .listeners
                                .execute(() -> Workers.asHandler(() -> {
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
        return inFlight.until(result);
    }

    /** A half message on its way. */
    private record Half(RunningTransactions.Run run, CompletableFuture<SendReceipt> stored) {
        /** Its sender gave up: once the outcome of the send is known nothing runs any more. */
        void notExecuted() {
            stored.whenComplete((receipt, failure) -> {
                boolean surelyNot = Failures.unwrap(failure) instanceof WaybillException e && !e.mayHaveBeenStored();
                if (surelyNot || receipt != null && receipt.duplicate()) {
                    run.ended();
                } else {
                    run.abandoned();
                }
            });
        }
    }

    private Half storeHalf(Message message) {
        RunningTransactions.Run run =
                running.begin(group, message.id(), client.clock().wallMillis());
        CompletableFuture<SendReceipt> stored;
        try {
            Outgoing outgoing = Outgoing.half(message, group, run.bornMillis(), compressFrom);
            stored = SendCall.start(context, outgoing, true).thenApply(receipts -> {
                SendReceipt half = receipts.get(0);
                run.stored(half.queue().broker(), positionOf(half));
                return half;
            });
        } catch (WaybillException e) {
            stored = CompletableFuture.failedFuture(e);
        }
        return new Half(run, stored);
    }

    private static long positionOf(SendReceipt half) {
        return MessageIds.decode(half.storedId()).position();
    }

    private record Executed(Decision decision, Throwable failure) {}

    private Executed execute(Message message, Object argument, SendReceipt half, RunningTransactions.Run run) {
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
            SendReceipt half, Executed executed, RunningTransactions.Run run) {
        try {
            return tellBroker(half, executed, run);
        } catch (RuntimeException e) {
            run.untold();
            throw e;
        }
    }

    private CompletableFuture<TransactionReceipt> tellBroker(
            SendReceipt half, Executed executed, RunningTransactions.Run run) {
        Calls.HalfId id = new Calls.HalfId(
                half.queue().topic(),
                half.queue().broker(),
                half.offset(),
                positionOf(half),
                half.messageId(),
                half.messageId());
        String address = context.routes().master(half.queue().broker());
        if (half.duplicate()) {
            run.ended();
            return CompletableFuture.completedFuture(
                    new TransactionReceipt(half, Decision.UNKNOWN, false, executed.failure()));
        }
        if (executed.decision() == Decision.UNKNOWN) {
            // A stock broker does not answer this one; the check follows anyway.
            if (address != null) {
                context.calls()
                        .links
                        .oneway(address, Calls.end(group, id, Decision.UNKNOWN, false, remark(executed.failure())));
            }
            run.ended();
            return CompletableFuture.completedFuture(
                    new TransactionReceipt(half, Decision.UNKNOWN, false, executed.failure()));
        }
        CompletableFuture<Void> told = address == null
                ? CompletableFuture.failedFuture(
                        new IllegalStateException("the address of broker " + id.broker() + " is gone"))
                : context.calls().endTransaction(address, group, id, executed.decision(), remark(executed.failure()));
        return told.handle((done, failure) -> {
            Throwable inner = Failures.unwrap(failure);
            if (inner == null || inner instanceof Refusal || inner instanceof TransactionConflictException) {
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
                    : Calls.explained(failure, "telling the decision on " + half.messageId());
            return new TransactionReceipt(half, executed.decision(), failure == null, why);
        });
    }

    /** The broker asks for a decision. Called on an I/O thread; the answer goes the way the question came. */
    void check(Connection asker, Calls.HalfId half, ReceivedMessage message) {
        Decision known = answerOf(half, message);
        if (known != null) {
            answer(asker, half, known, null);
            return;
        }
        try {
            client.threads().listeners.execute(() -> Workers.asHandler(() -> ask(asker, half, message)));
        } catch (RejectedExecutionException e) {
            LOG.warn("no thread for the check of message {}; the broker will ask again", half.messageId());
        }
    }

    /** What is known without the listener, or null. */
    private Decision answerOf(Calls.HalfId half, ReceivedMessage message) {
        return running.answer(
                group,
                half.messageId(),
                half.broker(),
                half.position(),
                message.bornAt().toEpochMilli());
    }

    private void ask(Connection asker, Calls.HalfId half, ReceivedMessage message) {
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

    private void answer(Connection asker, Calls.HalfId half, Decision decision, Throwable thrown) {
        Command end = Calls.end(group, half, decision, true, remark(thrown));
        if (asker.isOpen()) {
            asker.send(end);
        } else {
            String address = half.broker() == null ? null : context.routes().master(half.broker());
            if (address != null) {
                context.calls().links.oneway(address, end);
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
            Route route = Failures.await(context.routes().findForSend(topic), "finding topic " + topic, false);
            for (MessageQueue queue : route.writable()) {
                String address = context.routes().master(queue.broker());
                if (address != null) {
                    try {
                        client.membership().announce(address).join();
                    } catch (RuntimeException e) {
                        throw Calls.explained(e, "telling the broker at " + address + " of group " + group);
                    }
                }
            }
        }
    }

    @Override
    public void close() {
        if (inFlight.close(context.timeoutMillis() + 1_000, client.clock())) {
            client.forgetTransactions(group);
            // Of whoever says goodbye a broker does not wait for the decision: it asks somebody else at once.
            if (inFlight.isOver(this::leave)) {
                Failures.await(client.membership().removeProducer(group), "leaving group " + group, false);
            } else {
                LOG.warn("a transaction of group {} outlasts the close; the group is left when it has ended", group);
            }
            client.forget(this);
        }
    }

    private void leave() {
        try {
            client.membership().removeProducer(group);
        } catch (RuntimeException e) {
            LOG.debug("leaving group {} failed: {}", group, e.getMessage());
        }
    }

    /** Settings until {@link #build()}. */
    static final class Settings implements Builder {
        private final ClientCore client;
        private final String group;
        private TransactionListener listener;
        private long timeoutMillis = ProducerCore.DEFAULT_TIMEOUT_MILLIS;
        private int compressFrom = ProducerCore.DEFAULT_COMPRESS_FROM;
        private List<String> topics = List.of();

        Settings(ClientCore client, String group) {
            MessageChecks.group(group);
            this.client = client;
            this.group = group;
        }

        @Override
        public Builder listener(TransactionListener value) {
            listener = value;
            return this;
        }

        @Override
        public Builder sendTimeout(Duration timeout) {
            timeoutMillis = Checks.millis("sendTimeout", timeout);
            return this;
        }

        @Override
        public Builder compressFrom(int bytes) {
            compressFrom = Checks.positive("compressFrom", bytes);
            return this;
        }

        @Override
        public Builder topics(String... names) {
            topics = List.of(names);
            topics.forEach(MessageChecks::topic);
            return this;
        }

        @Override
        public TransactionProducer build() {
            Checks.given("listener", listener);
            TransactionCore core = client.keepTransactions(
                    group, () -> new TransactionCore(client, group, listener, timeoutMillis, compressFrom));
            try {
                core.announceFor(topics);
            } catch (RuntimeException e) {
                core.close();
                throw e;
            }
            return core;
        }
    }
}
