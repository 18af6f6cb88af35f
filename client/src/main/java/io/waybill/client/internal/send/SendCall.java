/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.send;

import io.waybill.client.MessageQueue;
import io.waybill.client.SendReceipt;
import io.waybill.client.SendReceipt.Durability;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.message.EncodedMessage;
import io.waybill.client.internal.route.Route;
import io.waybill.client.internal.runtime.BrokerRefusal;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.remoting.RemotingException;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;

/**
 * One send with all its attempts: route, queue, request, and on trouble a pause and the same again, until a receipt or the end of the time. Its steps
 * follow one another, each on the thread that completed the last, so its fields need no lock.
 */
public final class SendCall {
    private final SendContext context;
    private final EncodedMessage message;
    private final boolean announceFirst;
    private final long startNanos;
    private final CompletableFuture<List<SendReceipt>> result = new CompletableFuture<>();
    private int attempts;
    private boolean maybeStored;
    private String lastBroker;
    private boolean provisional;
    private boolean severalBrokers;

    private SendCall(SendContext context, EncodedMessage message, boolean announceFirst) {
        this.context = context;
        this.message = message;
        this.announceFirst = announceFirst;
        this.startNanos = context.clock().nanoTime();
    }

    /**
     * Begins a send; the future gives one receipt for each message or fails with a {@link WaybillException}.
     *
     * @param announceFirst the broker must know the producer's group before it gets the message
     */
    public static CompletableFuture<List<SendReceipt>> start(
            SendContext context, EncodedMessage message, boolean announceFirst) {
        SendCall call = new SendCall(context, message, announceFirst);
        call.attempt();
        return call.result;
    }

    private long remainingMillis() {
        return context.timeoutMillis() - (context.clock().nanoTime() - startNanos) / 1_000_000;
    }

    private void attempt() {
        guarded(this::findRoute);
    }

    /** A mistake in a step must end the send, not leave its caller waiting. */
    private void guarded(Runnable step) {
        try {
            step.run();
        } catch (RuntimeException e) {
            result.completeExceptionally(explain(e));
        }
    }

    private void findRoute() {
        CompletableFuture<Route> found = context.routes().findForSend(message.topic());
        if (found.isDone() && !found.isCompletedExceptionally()) {
            withRoute(found.join());
            return;
        }
        found.whenComplete((route, failure) -> guarded(() -> {
            if (failure == null) {
                withRoute(route);
            } else if (ClientExceptions.unwrap(failure) instanceof WaybillException known && known.code() >= 0) {
                result.completeExceptionally(mayBe(known));
            } else {
                attempts++;
                trouble(failure, SendRetryPolicy.Trouble.NOT_SENT);
            }
        }));
    }

    private void withRoute(Route route) {
        provisional = route.provisional();
        severalBrokers = route.hasSeveralWritableBrokers();
        MessageQueue queue = choose(route);
        if (queue == null) {
            result.completeExceptionally(mayBe(ClientExceptions.refused(
                    message.name(), 17, "no broker takes messages of topic " + message.topic(), maybeStored)));
            return;
        }
        attempts++;
        String address = context.routes().master(queue.broker());
        if (address == null) {
            trouble(
                    new RemotingException(
                            RemotingException.CallFailure.CONNECT_FAILED,
                            false,
                            "the address of broker " + queue.broker() + " is not known"),
                    SendRetryPolicy.Trouble.NOT_SENT);
            return;
        }
        lastBroker = queue.broker();
        if (!announceFirst) {
            send(address, queue);
            return;
        }
        context.membership()
                .announce(address)
                .whenComplete((done, failure) -> guarded(() -> {
                    if (failure == null) {
                        send(address, queue);
                    } else {
                        Throwable inner = ClientExceptions.unwrap(failure);
                        trouble(
                                inner,
                                inner instanceof BrokerRefusal refusal
                                        ? SendRetryPolicy.Trouble.ofCode(refusal.code())
                                        : SendRetryPolicy.Trouble.NOT_SENT);
                    }
                }));
    }

    private MessageQueue choose(Route route) {
        if (message.queue() != null) {
            return message.queue();
        }
        if (route.writable().isEmpty()) {
            return null;
        }
        return message.orderingKey() != null
                ? QueueSelector.byKey(route.writable(), message.orderingKey())
                : QueueSelector.inTurn(route.writable(), context.turn().getAndIncrement(), lastBroker(route));
    }

    private String lastBroker(Route route) {
        return attempts > 0 && route.hasSeveralWritableBrokers() ? lastBroker : null;
    }

    private void send(String address, MessageQueue queue) {
        long remaining = remainingMillis();
        if (remaining <= 0) {
            trouble(
                    new RemotingException(RemotingException.CallFailure.TIMEOUT, false, "no time was left to send"),
                    SendRetryPolicy.Trouble.NOT_SENT);
            return;
        }
        context.api()
                .send(
                        address,
                        context.group(),
                        message,
                        queue,
                        SendRetryPolicy.attemptMillis(remaining, severalBrokers && free()))
                .whenComplete((stored, failure) -> guarded(() -> {
                    if (failure == null) {
                        stored(stored, queue);
                    } else {
                        failed(ClientExceptions.unwrap(failure));
                    }
                }));
    }

    /** True if another attempt may go to another broker. */
    private boolean free() {
        return message.queue() == null && message.orderingKey() == null;
    }

    private void failed(Throwable failure) {
        SendRetryPolicy.Trouble trouble;
        if (failure instanceof BrokerRefusal refusal) {
            trouble = SendRetryPolicy.Trouble.ofCode(refusal.code());
            maybeStored |= trouble.unsure;
        } else if (failure instanceof RemotingException remoting) {
            maybeStored |= remoting.maybeDelivered();
            trouble = !remoting.maybeDelivered()
                    ? SendRetryPolicy.Trouble.NOT_SENT
                    : remoting.kind() == RemotingException.CallFailure.TIMEOUT
                            ? SendRetryPolicy.Trouble.TIMEOUT
                            : SendRetryPolicy.Trouble.BROKEN;
        } else {
            // An answer that cannot be read: the broker did something.
            maybeStored = true;
            trouble = SendRetryPolicy.Trouble.FINAL;
        }
        trouble(failure, trouble);
    }

    private void trouble(Throwable failure, SendRetryPolicy.Trouble trouble) {
        long pause = context.policy().pauseBeforeNext(trouble, attempts, remainingMillis(), severalBrokers && free());
        if (pause == SendRetryPolicy.NO) {
            result.completeExceptionally(explain(ClientExceptions.unwrap(failure)));
            return;
        }
        if (lastBroker != null) {
            context.routes().refresh(message.topic());
        }
        context.timers().after(pause, this::attempt);
    }

    private WaybillException explain(Throwable failure) {
        String doing = message.name() + (attempts > 1 ? " (" + attempts + " attempts, all with the same id)" : "");
        return mayBe(ClientExceptions.of(failure, doing, maybeStored));
    }

    /** The same failure with what this call knows of earlier attempts. */
    private WaybillException mayBe(WaybillException failure) {
        return failure.mayHaveBeenStored() == maybeStored
                ? failure
                : new WaybillException(
                        failure.kind(),
                        failure.code(),
                        maybeStored,
                        message.name() + " failed: " + failure.getMessage(),
                        failure.advice(),
                        failure);
    }

    private void stored(SendApi.Stored stored, MessageQueue asked) {
        if (provisional) {
            context.routes().refresh(message.topic());
        }
        Durability durability = switch (stored.code()) {
            case 10 -> Durability.FLUSH_TIMEOUT;
            case 11 -> Durability.NO_REPLICA;
            case 12 -> Durability.REPLICA_TIMEOUT;
            default -> Durability.CONFIRMED;
        };
        MessageQueue queue = new MessageQueue(message.topic(), asked.broker(), stored.queueId());
        String[] storedIds = stored.storedId().split(",");
        List<SendReceipt> receipts = new ArrayList<>(message.ids().size());
        boolean single = message.ids().size() == 1;
        long offset = stored.queueOffset();
        for (int i = 0; i < message.ids().size(); i++) {
            String id = message.ids().get(i);
            boolean known = stored.isDuplicate(i);
            // An earlier attempt of this very call is no other message.
            boolean own = known && single && attempts > 1 && id.equals(stored.uniqueKey());
            receipts.add(new SendReceipt(
                    known && single && stored.uniqueKey() != null ? stored.uniqueKey() : id,
                    storedIds[Math.min(i, storedIds.length - 1)],
                    queue,
                    !known ? offset++ : single ? offset : -1,
                    durability,
                    stored.recallHandle(),
                    attempts,
                    known && !own,
                    maybeStored && !known));
        }
        result.complete(List.copyOf(receipts));
    }
}
