/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.pull;

import io.waybill.client.WaybillException;
import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.consume.ConsumerMetrics;
import io.waybill.client.internal.consume.FetchLoop;
import io.waybill.client.internal.consume.PullApi;
import io.waybill.client.internal.consume.PullRequest;
import io.waybill.client.internal.consume.PullResult;
import io.waybill.client.internal.message.InboundMessage;
import io.waybill.client.internal.message.SubscriptionFilter;
import io.waybill.client.internal.route.RouteCache;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.client.internal.runtime.ClientRuntime;
import io.waybill.protocol.message.Message;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Fetches for a pull consumer: at most one pull of each queue is under way, begun by a poll. Whatever comes of it changes the reader under the monitor of the
 * consumer, whose poll is notified and decides what to fetch next.
 */
final class ReaderFetcher extends FetchLoop<QueueReader, ReaderFetcher.Pull, PullResult> {
    private static final Logger LOG = LoggerFactory.getLogger(ReaderFetcher.class);
    private static final int PULL_MESSAGES = 32;

    /**
     * A pull under way.
     *
     * @param round of the reader when it was begun
     */
    record Pull(int round, long suggestedBroker, PullRequest request) {}

    private final ClientRuntime runtime;
    private final RouteCache routes;
    private final PullApi pulls;
    private final String group;
    private final SubscriptionFilter filter;
    private final long version;
    private final ConsumerMetrics metrics;
    private final Object monitor;

    ReaderFetcher(
            ClientRuntime runtime,
            BrokerConnections connections,
            RouteCache routes,
            String group,
            SubscriptionFilter filter,
            long version,
            ConsumerMetrics metrics,
            Object monitor) {
        super(runtime.clock(), runtime.timers());
        this.runtime = runtime;
        this.routes = routes;
        this.pulls = new PullApi(connections);
        this.group = group;
        this.filter = filter;
        this.version = version;
        this.metrics = metrics;
        this.monitor = monitor;
    }

    @Override
    protected Pull begin(QueueReader reader) {
        synchronized (monitor) {
            if (!reader.wantsPull()) {
                return null;
            }
            reader.pulling = true;
            reader.lastPullMillis = runtime.clock().wallMillis();
            PullRequest request = new PullRequest(
                    group,
                    reader.queue,
                    reader.fetchedTo,
                    PULL_MESSAGES,
                    runtime.timeouts().pullHold(),
                    filter,
                    version,
                    -1, // it commits when it is told to
                    false);
            return new Pull(reader.round, reader.suggestedBroker, request);
        }
    }

    @Override
    protected String address(QueueReader reader, Pull pull) {
        return routes.readAddress(reader.queue.broker(), pull.suggestedBroker());
    }

    @Override
    protected CompletableFuture<PullResult> ask(String address, Pull pull) {
        return pulls.pull(address, pull.request());
    }

    @Override
    protected Runnable fetched(QueueReader reader, Pull pull, PullResult result, long tookNanos) {
        synchronized (monitor) {
            if (reader.round != pull.round()) {
                return null; // whoever moved the reader has let go of the claim
            }
            take(reader, pull.request().offset(), result, tookNanos);
            reader.pulling = false;
            monitor.notifyAll();
        }
        return null; // a poll decides what to fetch next
    }

    private void take(QueueReader reader, long asked, PullResult result, long tookNanos) {
        reader.trouble = null;
        metrics.pulled(reader.queue.topic(), result.messages().size(), tookNanos);
        reader.suggestedBroker = result.suggestedBroker();
        if (result.isMoved()) {
            LOG.info("group {} moves from offset {} to {} in {}", group, asked, result.nextOffset(), reader.queue);
            reader.moveTo(result.nextOffset());
            return;
        }
        for (Message stored : result.messages()) {
            if (filter.matches(stored.tags())) {
                reader.buffer.add(new InboundMessage(stored, reader.queue, 0));
            }
        }
        reader.fetchedTo = result.nextOffset();
        long pause = pauseMillis(result.nextOffset() <= asked, tookNanos);
        if (pause > 0) {
            rest(reader, pause);
        }
    }

    @Override
    protected void failed(QueueReader reader, Pull pull, Throwable failure) {
        synchronized (monitor) {
            if (reader.round != pull.round()) {
                return;
            }
            reader.pulling = false;
            WaybillException trouble = ClientExceptions.explained(failure, "pulling " + reader.queue);
            if (reader.trouble == null) {
                LOG.info("{}", trouble.getMessage());
            }
            reader.trouble = trouble;
            routes.refresh(reader.queue.topic());
            rest(reader, runtime.timeouts().retryDelay());
            monitor.notifyAll();
        }
    }

    private void rest(QueueReader reader, long millis) {
        reader.resting = true;
        runtime.timers().after(millis, () -> {
            synchronized (monitor) {
                reader.resting = false;
                monitor.notifyAll();
            }
        });
    }
}
