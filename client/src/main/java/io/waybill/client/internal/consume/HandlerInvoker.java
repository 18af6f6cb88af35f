/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.ConsumeResult;
import io.waybill.client.MessageHandler;
import io.waybill.client.internal.message.InboundMessage;
import io.waybill.platform.Clock;
import io.waybill.protocol.body.ConsumeDirectlyResult;
import java.util.ArrayList;
import java.util.Iterator;
import java.util.List;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Calls an application's handler: whatever it does becomes a {@link ConsumeResult}, and one that takes too long is found. */
public final class HandlerInvoker {
    private static final Logger LOG = LoggerFactory.getLogger(HandlerInvoker.class);

    /** A handler at work. */
    record Running(InboundMessage message, Runnable late, long startNanos) {}

    private final String group;
    private final MessageHandler handler;
    private final Clock clock;
    private final Map<Object, Running> running = new ConcurrentHashMap<>();
    private final ConsumerMetrics metrics;

    public HandlerInvoker(String group, MessageHandler handler, Clock clock) {
        this.group = group;
        this.handler = handler;
        this.clock = clock;
        this.metrics = new ConsumerMetrics(clock);
    }

    /** How the handler fares, and what was fetched for it. */
    public ConsumerMetrics metrics() {
        return metrics;
    }

    /**
     * Handles a message; null if it took so long that {@code late} was run meanwhile, which has settled it.
     *
     * @param late settles the message when its time is over
     */
    public ConsumeResult invoke(InboundMessage message, Runnable late) {
        Object ticket = new Object();
        running.put(ticket, new Running(message, late, clock.nanoTime()));
        ConsumeResult result;
        try {
            result = invoke(message);
        } finally {
            // Whoever removes it settles it.
            late = running.remove(ticket) == null ? null : late;
        }
        if (late == null) {
            LOG.warn(
                    "the handler of group {} came back from message {} after its time: its result {} is ignored",
                    group,
                    message.messageId(),
                    result);
            return null;
        }
        return result;
    }

    public ConsumeResult invoke(InboundMessage message) {
        long begin = clock.nanoTime();
        ConsumeResult result;
        try {
            result = handler.handle(message);
            if (result == null) {
                LOG.warn("the handler of group {} returned null for message {}", group, message.messageId());
                result = ConsumeResult.RETRY_LATER;
            }
        } catch (Throwable e) {
            if (e instanceof InterruptedException) {
                Thread.currentThread().interrupt();
            }
            LOG.warn(
                    "the handler of group {} failed at message {} (attempt {})",
                    group,
                    message.messageId(),
                    message.attempt(),
                    e);
            result = ConsumeResult.RETRY_LATER;
        }
        metrics.handled(message.topic(), result.isDone(), clock.nanoTime() - begin);
        return result;
    }

    /** Settles what runs longer than this. */
    void giveUpAfter(long limitNanos) {
        long now = clock.nanoTime();
        List<Running> over = new ArrayList<>();
        for (Iterator<Map.Entry<Object, Running>> all = running.entrySet().iterator(); all.hasNext(); ) {
            Map.Entry<Object, Running> one = all.next();
            if (now - one.getValue().startNanos() > limitNanos && running.remove(one.getKey()) != null) {
                over.add(one.getValue());
            }
        }
        for (Running one : over) {
            LOG.warn(
                    "the handler of group {} has had message {} for {} s: it is sent back, and will be redelivered",
                    group,
                    one.message().messageId(),
                    (now - one.startNanos()) / 1_000_000_000L);
            one.late().run();
        }
    }

    /** Handles one message by order of an operator. */
    public ConsumeDirectlyResult once(InboundMessage message, boolean ordered) {
        long begin = clock.nanoTime();
        String outcome;
        String remark = null;
        try {
            ConsumeResult result = handler.handle(message);
            outcome = result == null ? "CR_RETURN_NULL" : result.isDone() ? "CR_SUCCESS" : "CR_LATER";
            remark = result == null || result.isDone() ? null : result.toString();
        } catch (Throwable e) {
            outcome = "CR_THROW_EXCEPTION";
            remark = e.toString();
        }
        return new ConsumeDirectlyResult(ordered, true, outcome, remark, (clock.nanoTime() - begin) / 1_000_000);
    }
}
