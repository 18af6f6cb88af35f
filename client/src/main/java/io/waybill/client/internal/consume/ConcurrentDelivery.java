/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.ConsumeResult;
import io.waybill.client.MessageQueue;
import io.waybill.client.internal.message.InboundMessage;
import io.waybill.protocol.Names;
import java.time.Duration;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Messages of a queue in parallel and in no order. A message is done when its handler has succeeded, or when the broker has it back and will redeliver it;
 * a broadcast consumer redelivers to itself, since nobody else is to get it.
 */
final class ConcurrentDelivery extends DeliveryOrder {
    private static final Logger LOG = LoggerFactory.getLogger(ConcurrentDelivery.class);
    private static final int LOCAL_RETRY_FACTOR = 5;
    private static final int REJECT_LEVEL = -1;

    private final String retryTopic;

    ConcurrentDelivery(DeliveryParts parts) {
        super(parts);
        this.retryTopic = Names.retryTopic(settings.group());
    }

    @Override
    void deliver(ProcessQueue queue, List<InboundMessage> messages) {
        for (InboundMessage message : messages) {
            executor.submit(() -> handle(queue, message));
        }
    }

    private void handle(ProcessQueue queue, InboundMessage message) {
        if (queue.isDropped()) {
            return;
        }
        ConsumeResult result = invoker.invoke(message, () -> settle(queue, message, ConsumeResult.RETRY_LATER));
        if (result != null) {
            settle(queue, message, result);
        }
    }

    private void settle(ProcessQueue queue, InboundMessage message, ConsumeResult result) {
        switch (result.kind()) {
            case DONE -> {
                queue.doneAt(runtime.clock().nanoTime());
                replies.reply(message, result);
                done(queue, message);
            }
            case RETRY -> {
                if (settings.broadcast()) {
                    redeliverHere(queue, message, result.delay());
                } else {
                    sendBack(queue, message, RetryMessages.level(result.delay()));
                }
            }
            case REJECTED -> {
                if (settings.broadcast()) {
                    discard(queue, message, "rejected");
                } else {
                    sendBack(queue, message, REJECT_LEVEL);
                }
            }
        }
    }

    /** Broadcast: nobody else is to get it again. */
    private void redeliverHere(ProcessQueue queue, InboundMessage message, Duration delay) {
        if (message.attempt() >= settings.maxAttempts()) {
            discard(queue, message, "tried " + message.attempt() + " times");
            return;
        }
        redeliver(queue, message, delay == null ? runtime.timeouts().retryDelay() : delay.toMillis());
    }

    private void redeliver(ProcessQueue queue, InboundMessage message, long afterMillis) {
        runtime.timers().after(afterMillis, () -> executor.submit(() -> handle(queue, message.triedOnceMore())));
    }

    private void discard(ProcessQueue queue, InboundMessage message, String why) {
        LOG.warn("group {} drops message {}: {}", settings.group(), message.messageId(), why);
        done(queue, message);
    }

    private void done(ProcessQueue queue, InboundMessage message) {
        if (queue.done(message)) {
            fetcher.fetch(queue);
        }
    }

    /** To the broker, which redelivers it later; if that fails as a new message to the retry topic; if that fails too it is redelivered from here. */
    private void sendBack(ProcessQueue queue, InboundMessage message, int delayLevel) {
        if (!returns.tryBegin()) {
            // Its offset is not committed, so the next owner of the queue gets it: sent back it would come twice.
            LOG.info(
                    "message {} is not sent back, since the consumer of group {} is closed; it comes again",
                    message.messageId(),
                    settings.group());
            return;
        }
        String address = routes.master(message.queue().broker());
        CompletableFuture<Void> back = address == null
                ? CompletableFuture.failedFuture(new IllegalStateException("the broker's address is gone"))
                : api.sendBack(address, settings.group(), message, delayLevel, settings.maxRetries());
        back.handle((ok, failure) -> {
                    if (failure == null || address == null) {
                        return back;
                    }
                    LOG.warn("sending message {} back failed: {}", message.messageId(), failure.getMessage());
                    return api.resend(
                            address,
                            settings.group(),
                            new MessageQueue(retryTopic, message.queue().broker(), 0),
                            RetryMessages.resend(message, retryTopic),
                            message.stored().reconsumeTimes() + 1,
                            settings.maxRetries());
                })
                .thenCompose(step -> step)
                .whenComplete((ok, failure) -> {
                    returns.end();
                    if (failure == null) {
                        done(queue, message);
                    } else if (!queue.isDropped()) {
                        redeliver(queue, message, runtime.timeouts().retryDelay() * LOCAL_RETRY_FACTOR);
                    }
                });
    }
}
