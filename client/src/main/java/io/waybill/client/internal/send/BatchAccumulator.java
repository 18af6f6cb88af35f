/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.send;

import io.waybill.client.Message;
import io.waybill.client.MessageQueue;
import io.waybill.client.SendReceipt;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.client.internal.runtime.Timers;
import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.function.Function;

/**
 * Messages that wait a moment for others to travel with. A batch leaves when its time has come or it is full, in the order in which its messages came;
 * what fails fails all of its messages.
 */
final class BatchAccumulator {
    private static final int MAX_MESSAGES = 128;
    private static final int MAX_BYTES = 128 << 10;

    private record Target(String topic, MessageQueue queue, String orderingKey) {}

    /** Messages of one target; guarded by the batches. */
    private static final class OpenBatch {
        final Target target;
        final List<Message> messages = new ArrayList<>();
        final List<CompletableFuture<SendReceipt>> receipts = new ArrayList<>();
        int bytes;

        OpenBatch(Target target) {
            this.target = target;
        }
    }

    private final long lingerMillis;
    private final int maxBody;
    private final Timers timers;
    private final Function<List<Message>, CompletableFuture<List<SendReceipt>>> sender;
    private final Map<Target, OpenBatch> open = new HashMap<>(); // guarded by this
    private boolean closed; // guarded by this

    /** @param maxBody larger bodies travel alone, since they may be compressed */
    BatchAccumulator(
            long lingerMillis,
            int maxBody,
            Timers timers,
            Function<List<Message>, CompletableFuture<List<SendReceipt>>> sender) {
        this.lingerMillis = lingerMillis;
        this.maxBody = Math.min(maxBody, MAX_BYTES / 4);
        this.timers = timers;
        this.sender = sender;
    }

    /** True if this message may travel with others. */
    boolean takes(Message message) {
        return !message.isDelayed() && message.priority() < 0 && message.body().length < maxBody;
    }

    CompletableFuture<SendReceipt> add(Message message) {
        CompletableFuture<SendReceipt> receipt = new CompletableFuture<>();
        Target target = target(message);
        OpenBatch full = null;
        OpenBatch begun = null;
        synchronized (this) {
            OpenBatch batch = open.get(target);
            if (batch == null) {
                batch = new OpenBatch(target);
                open.put(target, batch);
                begun = batch;
            }
            batch.messages.add(message);
            batch.receipts.add(receipt);
            batch.bytes += message.body().length;
            if (closed || batch.messages.size() >= MAX_MESSAGES || batch.bytes >= MAX_BYTES) {
                open.remove(target);
                full = batch;
            }
        }
        if (full != null) {
            send(full);
        } else if (begun != null) {
            OpenBatch waiting = begun;
            timers.after(lingerMillis, () -> leave(waiting));
        }
        return receipt;
    }

    private static Target target(Message message) {
        return new Target(message.topic(), message.queue(), message.orderingKey());
    }

    /** Lets those leave that a message which travels alone must not overtake: those for its queue, or with its ordering key. */
    void leaveBefore(Message message) {
        if (message.queue() == null && message.orderingKey() == null) {
            return;
        }
        OpenBatch earlier;
        synchronized (this) {
            earlier = open.remove(target(message));
        }
        if (earlier != null) {
            send(earlier);
        }
    }

    private void leave(OpenBatch batch) {
        synchronized (this) {
            if (!open.remove(batch.target, batch)) {
                return; // it was full before its time
            }
        }
        send(batch);
    }

    /** Lets everything that waits leave now, and what comes from now on without waiting. */
    void close() {
        List<OpenBatch> all;
        synchronized (this) {
            closed = true;
            all = List.copyOf(open.values());
            open.clear();
        }
        all.forEach(this::send);
    }

    private void send(OpenBatch batch) {
        CompletableFuture<List<SendReceipt>> sent;
        try {
            sent = sender.apply(batch.messages);
        } catch (RuntimeException e) {
            sent = CompletableFuture.failedFuture(e);
        }
        sent.whenComplete((receipts, failure) -> {
            for (int i = 0; i < batch.receipts.size(); i++) {
                if (failure == null) {
                    batch.receipts.get(i).complete(receipts.get(i));
                } else {
                    batch.receipts.get(i).completeExceptionally(ClientExceptions.unwrap(failure));
                }
            }
        });
    }
}
