/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.send;

import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.group.GroupMembership;
import io.waybill.client.internal.route.RouteCache;
import io.waybill.client.internal.runtime.ClientRuntime;
import io.waybill.client.internal.runtime.Timers;
import io.waybill.platform.Clock;
import java.util.concurrent.atomic.AtomicInteger;

/**
 * What all sends of a producer share.
 *
 * @param turn chooses the next queue; begins anywhere, so that not all producers begin at the same one
 */
public record SendContext(
        String group,
        SendApi api,
        RouteCache routes,
        GroupMembership membership,
        Timers timers,
        Clock clock,
        long timeoutMillis,
        SendRetryPolicy policy,
        AtomicInteger turn) {
    public static SendContext of(
            ClientRuntime runtime,
            BrokerConnections connections,
            RouteCache routes,
            GroupMembership membership,
            String group,
            long timeoutMillis,
            SendRetryPolicy policy) {
        return new SendContext(
                group,
                new SendApi(connections),
                routes,
                membership,
                runtime.timers(),
                runtime.clock(),
                timeoutMillis,
                policy,
                new AtomicInteger(runtime.random(1 << 16)));
    }
}
