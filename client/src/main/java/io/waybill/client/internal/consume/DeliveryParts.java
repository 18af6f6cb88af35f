/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.internal.route.RouteCache;
import io.waybill.client.internal.runtime.ClientRuntime;
import io.waybill.client.internal.runtime.PendingCalls;

/** What each way of delivering works with. */
record DeliveryParts(
        PushSettings settings,
        ClientRuntime runtime,
        RouteCache routes,
        ConsumeApi api,
        ConsumeExecutor executor,
        HandlerInvoker invoker,
        PendingCalls returns,
        QueueFetcher fetcher) {}
