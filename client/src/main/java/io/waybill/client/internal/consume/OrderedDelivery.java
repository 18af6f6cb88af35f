/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.ConsumeResult;
import io.waybill.client.internal.message.InboundMessage;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Messages of a queue strictly one after the other, and only while this member holds the lock of the queue. A message that fails stays at the head until it
 * succeeds, goes to the dead letters, or its key is quarantined.
 */
final class OrderedDelivery extends DeliveryOrder {
    private static final Logger LOG = LoggerFactory.getLogger(OrderedDelivery.class);

    private final QuarantineThreshold threshold;

    OrderedDelivery(DeliveryParts parts) {
        super(parts);
        this.threshold = new QuarantineThreshold(settings, routes, api);
    }

    /** Asks the broker anew what an operator may have changed. Blocks. */
    void refresh() {
        threshold.refresh();
    }

    @Override
    void deliver(ProcessQueue queue, List<InboundMessage> messages) {
        run(queue);
    }

    /** Begins to handle what waits, unless that is under way. */
    void run(ProcessQueue queue) {
        if (queue.beginRun()) {
            submit(queue);
        }
    }

    /** The run rests until a thread takes its next step; given up meanwhile it is over. */
    private void submit(ProcessQueue queue) {
        executor.submit(() -> {
            if (queue.resumeRun()) {
                step(queue);
            }
        });
    }

    private boolean isLockFresh(ProcessQueue queue) {
        return queue.isLockFresh(runtime.clock().nanoTime(), runtime.timeouts().lockLife());
    }

    /** Handles the head of the line; the run goes on with the next step, or ends. */
    private void step(ProcessQueue queue) {
        InboundMessage head = isLockFresh(queue) ? queue.head() : null;
        if (head == null) {
            endRun(queue);
            return;
        }
        ConsumeResult result = invoker.invoke(head);
        if (result.isDone()) {
            queue.doneAt(runtime.clock().nanoTime());
            replies.reply(head, result);
            headDone(queue, head);
        } else if (result.kind() == ConsumeResult.Kind.REJECTED || head.attempt() >= settings.maxAttempts()) {
            toDeadLetters(queue, head);
        } else if (head.attempt() >= threshold.failures() && keyOf(head) != null) {
            quarantine(queue, head);
        } else {
            suspend(queue, head, result.delay());
        }
    }

    private void headDone(ProcessQueue queue, InboundMessage head) {
        if (queue.headDone(head)) {
            fetcher.fetch(queue);
        }
        if (queue.rest()) {
            submit(queue);
        } else {
            endRun(queue);
        }
    }

    private void endRun(ProcessQueue queue) {
        Runnable waiting = queue.endRun();
        if (waiting != null) {
            waiting.run();
        } else if (isLockFresh(queue)) {
            run(queue); // something may have come between the look and the end
        }
    }

    private void suspend(ProcessQueue queue, InboundMessage head, Duration delay) {
        if (!queue.suspendRun(head)) {
            endRun(queue);
            return;
        }
        long millis = delay == null ? settings.suspendMillis() : delay.toMillis();
        runtime.timers().after(millis, () -> submit(queue));
    }

    private static String keyOf(InboundMessage message) {
        String key = message.orderingKey();
        return key != null
                ? key
                : message.keys().isEmpty() ? null : message.keys().get(0);
    }

    /** The broker sets the key of a message that keeps failing aside; the queue goes on from here without it. */
    private void quarantine(ProcessQueue queue, InboundMessage head) {
        String key = keyOf(head);
        String address = routes.master(queue.queue.broker());
        CompletableFuture<Void> quarantined = address == null
                ? CompletableFuture.failedFuture(new IllegalStateException("the broker's address is gone"))
                : api.quarantine(address, settings.group(), head, key, runtime.clientId());
        quarantined.whenComplete((ok, failure) -> {
            if (failure != null) {
                LOG.warn("key {} of group {} is not quarantined: {}", key, settings.group(), failure.getMessage());
                suspend(queue, head, null);
                return;
            }
            LOG.warn(
                    "group {} has quarantined key {} of {} after {} failures",
                    settings.group(),
                    key,
                    queue.queue,
                    head.attempt());
            // What was fetched may hold more of the key. Fetched again it does not.
            fetcher.moveTo(queue, head.offset());
            endRun(queue);
        });
    }

    private void toDeadLetters(ProcessQueue queue, InboundMessage head) {
        if (!returns.tryBegin()) {
            // Its offset is not committed, so the next owner of the queue gets it: as a dead letter it would be there
            // twice.
            LOG.info(
                    "message {} does not go to the dead letters, since the consumer of group {} is closed; it comes again",
                    head.messageId(),
                    settings.group());
            endRun(queue);
            return;
        }
        String address = routes.master(queue.queue.broker());
        CompletableFuture<Void> sent = address == null
                ? CompletableFuture.failedFuture(new IllegalStateException("the broker's address is gone"))
                : api.sendBack(address, settings.group(), head, -1, settings.maxRetries());
        sent.whenComplete((ok, failure) -> {
            returns.end();
            if (failure != null) {
                LOG.warn("message {} cannot go to the dead letters: {}", head.messageId(), failure.getMessage());
                suspend(queue, head, null);
                return;
            }
            headDone(queue, head);
        });
    }
}
