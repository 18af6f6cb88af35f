/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.internal.message.InboundMessage;
import io.waybill.client.internal.route.RouteCache;
import io.waybill.client.internal.runtime.ClientRuntime;
import io.waybill.client.internal.runtime.PendingCalls;
import java.util.List;

/** How what was fetched gets to the handler: in parallel, or one message of a queue after the other. */
abstract sealed class DeliveryOrder permits ConcurrentDelivery, OrderedDelivery {
    final PushSettings settings;
    final ClientRuntime runtime;
    final RouteCache routes;
    final ConsumeApi api;
    final ConsumeExecutor executor;
    final HandlerInvoker invoker;
    final PendingCalls returns;
    final QueueFetcher fetcher;
    final ReplySender replies;

    DeliveryOrder(DeliveryParts parts) {
        settings = parts.settings();
        runtime = parts.runtime();
        routes = parts.routes();
        api = parts.api();
        executor = parts.executor();
        invoker = parts.invoker();
        returns = parts.returns();
        fetcher = parts.fetcher();
        replies = new ReplySender(settings.group(), runtime.clock(), routes, api);
    }

    /** These have come, in their order; the queue has them already. On an I/O thread; must not block. */
    abstract void deliver(ProcessQueue queue, List<InboundMessage> messages);
}
