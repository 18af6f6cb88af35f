/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.MessageQueue;
import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.group.ConsumerGroup;
import io.waybill.client.internal.message.InboundMessage;
import io.waybill.client.internal.message.SubscriptionFilter;
import io.waybill.client.internal.route.RouteCache;
import io.waybill.client.internal.runtime.BrokerRefusal;
import io.waybill.client.internal.runtime.ClientRuntime;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.message.Message;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiConsumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Keeps one held pull at each queue of a push consumer and gives what comes to its delivery. */
final class QueueFetcher extends FetchLoop<ProcessQueue, PullRequest, PullResult> {
    private static final Logger LOG = LoggerFactory.getLogger(QueueFetcher.class);
    private static final int PULL_MESSAGES = 32;
    private static final long FLOW_CONTROL_PAUSE_MILLIS = 20;

    private final ClientRuntime runtime;
    private final RouteCache routes;
    private final PullApi pulls;
    private final ConsumerGroup consumerGroup;
    private final ProcessQueues queues;
    private final OffsetCommitter committer;
    private final ConsumerMetrics metrics;
    private final BiConsumer<ProcessQueue, List<InboundMessage>> delivery;

    QueueFetcher(
            ClientRuntime runtime,
            BrokerConnections connections,
            RouteCache routes,
            ConsumerGroup consumerGroup,
            ProcessQueues queues,
            OffsetCommitter committer,
            ConsumerMetrics metrics,
            BiConsumer<ProcessQueue, List<InboundMessage>> delivery) {
        super(runtime.clock(), runtime.timers());
        this.runtime = runtime;
        this.routes = routes;
        this.pulls = new PullApi(connections);
        this.consumerGroup = consumerGroup;
        this.queues = queues;
        this.committer = committer;
        this.metrics = metrics;
        this.delivery = delivery;
    }

    @Override
    protected PullRequest begin(ProcessQueue queue) {
        if (queues.isPaused() || queues.isClosing()) {
            return null;
        }
        long offset = queue.beginPull(runtime.clock().nanoTime());
        if (offset < 0) {
            return null;
        }
        return new PullRequest(
                consumerGroup.group(),
                queue.queue,
                offset,
                PULL_MESSAGES,
                runtime.timeouts().pullHold(),
                filter(queue.queue),
                consumerGroup.version(),
                committer.isLocal() ? -1 : queue.uncommitted(),
                false);
    }

    private SubscriptionFilter filter(MessageQueue queue) {
        return consumerGroup.subscriptions().get(queue.topic());
    }

    @Override
    protected String address(ProcessQueue queue, PullRequest request) {
        return routes.readAddress(queue.queue.broker(), queue.suggestedBroker());
    }

    @Override
    protected CompletableFuture<PullResult> ask(String address, PullRequest request) {
        return pulls.pull(address, request);
    }

    @Override
    protected Runnable fetched(ProcessQueue queue, PullRequest request, PullResult result, long tookNanos) {
        if (result.isMoved()) {
            queue.pullFailed();
            return () -> moveTo(queue, result.nextOffset());
        }
        metrics.pulled(queue.queue.topic(), result.messages().size(), tookNanos);
        SubscriptionFilter filter = filter(queue.queue);
        List<InboundMessage> matching = new ArrayList<>(result.messages().size());
        for (Message stored : result.messages()) {
            if (filter.matches(stored.tags())) {
                matching.add(new InboundMessage(stored, queue.queue, 0));
            }
        }
        if (!queue.pulled(matching, result.nextOffset(), result.suggestedBroker())) {
            return null;
        }
        return () -> {
            delivery.accept(queue, matching);
            fetchNext(queue, result.nextOffset() <= request.offset(), tookNanos);
        };
    }

    @Override
    protected void failed(ProcessQueue queue, PullRequest request, Throwable failure) {
        queue.pullFailed();
        if (queues.isClosing() || queue.isDropped()) {
            return;
        }
        long pause = runtime.timeouts().retryDelay();
        if (failure instanceof BrokerRefusal refusal) {
            if (refusal.code() == ResponseCode.FLOW_CONTROL) {
                pause = FLOW_CONTROL_PAUSE_MILLIS;
            } else {
                LOG.warn("pulling {} was refused with {}: {}", queue.queue, refusal.code(), refusal.getMessage());
                routes.refresh(queue.queue.topic());
            }
        } else {
            LOG.info("pulling {} failed: {}", queue.queue, failure.getMessage());
        }
        fetchAfter(queue, pause);
    }

    /** Goes on at another offset, as when the broker has moved the group by a reset or the offset is gone; what was fetched is dropped. */
    void moveTo(ProcessQueue queue, long offset) {
        queue.pullFailed();
        LOG.info("group {} moves to offset {} in {}", consumerGroup.group(), offset, queue.queue);
        ProcessQueue next = queue.at(offset);
        if (queues.replace(queue, next)) {
            queue.drop(() -> {
                if (queues.get(next.queue) == next) {
                    committer.commit(next);
                    fetch(next);
                }
            });
        }
    }
}
