/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.pop;

import io.waybill.client.internal.consume.ConsumerMetrics;
import io.waybill.client.internal.consume.FetchLoop;
import io.waybill.client.internal.group.GroupMembership;
import io.waybill.client.internal.route.RouteCache;
import io.waybill.client.internal.runtime.ClientRuntime;
import java.util.List;
import java.util.concurrent.CompletableFuture;
import java.util.function.BiConsumer;
import java.util.function.BooleanSupplier;
import java.util.function.Function;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Keeps one held pop at each source of a push consumer. The broker is told of the group before it is asked. */
final class PopFetcher extends FetchLoop<PopSource, PopRequest, List<PoppedMessage>> {
    private static final Logger LOG = LoggerFactory.getLogger(PopFetcher.class);

    private final ClientRuntime runtime;
    private final RouteCache routes;
    private final GroupMembership membership;
    private final PopApi pops;
    private final ConsumerMetrics metrics;
    private final BooleanSupplier closing;
    private final Function<PopSource, PopRequest> next;
    private final BiConsumer<PopSource, List<PoppedMessage>> delivery;

    /**
     * @param closing whether a failure needs no further attempt
     * @param next claims a source and says what to ask; null if it must not be asked now
     */
    PopFetcher(
            ClientRuntime runtime,
            RouteCache routes,
            GroupMembership membership,
            PopApi pops,
            ConsumerMetrics metrics,
            BooleanSupplier closing,
            Function<PopSource, PopRequest> next,
            BiConsumer<PopSource, List<PoppedMessage>> delivery) {
        super(runtime.clock(), runtime.timers());
        this.runtime = runtime;
        this.routes = routes;
        this.membership = membership;
        this.pops = pops;
        this.metrics = metrics;
        this.closing = closing;
        this.next = next;
        this.delivery = delivery;
    }

    @Override
    protected PopRequest begin(PopSource source) {
        PopRequest request = next.apply(source);
        if (request != null) {
            source.lastPopMillis = runtime.clock().wallMillis();
        }
        return request;
    }

    @Override
    protected String address(PopSource source, PopRequest request) {
        return routes.master(source.broker);
    }

    @Override
    protected CompletableFuture<List<PoppedMessage>> ask(String address, PopRequest request) {
        return membership.announce(address).thenCompose(known -> pops.pop(address, request));
    }

    @Override
    protected Runnable fetched(PopSource source, PopRequest request, List<PoppedMessage> messages, long tookNanos) {
        metrics.pulled(source.topic, messages.size(), tookNanos);
        source.popping.set(false);
        return () -> {
            delivery.accept(source, messages);
            fetchNext(source, messages.isEmpty(), tookNanos);
        };
    }

    @Override
    protected void failed(PopSource source, PopRequest request, Throwable failure) {
        source.popping.set(false);
        if (!closing.getAsBoolean()) {
            LOG.info("taking from {} failed: {}", source, failure.getMessage());
            routes.refresh(source.topic);
            fetchAfter(source, runtime.timeouts().retryDelay());
        }
    }
}
