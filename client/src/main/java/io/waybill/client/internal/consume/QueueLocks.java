/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.MessageQueue;
import io.waybill.client.internal.route.RouteCache;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.client.internal.runtime.ClientRuntime;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The locks an ordered consumer takes at the brokers, one request to each. A broker that fails locks nothing. */
final class QueueLocks {
    private static final Logger LOG = LoggerFactory.getLogger(QueueLocks.class);

    private final String group;
    private final ClientRuntime runtime;
    private final RouteCache routes;
    private final ConsumeApi api;

    QueueLocks(String group, ClientRuntime runtime, RouteCache routes, ConsumeApi api) {
        this.group = group;
        this.runtime = runtime;
        this.routes = routes;
        this.api = api;
    }

    /** Those of the wanted that are now locked for this client. Blocks. */
    List<MessageQueue> lock(List<MessageQueue> wanted) {
        Map<String, List<MessageQueue>> byBroker = new TreeMap<>();
        wanted.forEach(queue -> byBroker.computeIfAbsent(queue.broker(), name -> new ArrayList<>())
                .add(queue));
        List<MessageQueue> locked = new ArrayList<>();
        byBroker.forEach((broker, list) -> {
            try {
                locked.addAll(api.lock(address(broker), runtime.clientId(), group, list)
                        .join());
            } catch (RuntimeException e) {
                LOG.warn("locking queues of {} failed: {}", broker, e.getMessage());
            }
        });
        locked.retainAll(wanted);
        return locked;
    }

    private String address(String broker) {
        String address = routes.master(broker);
        if (address == null) {
            throw ClientExceptions.refused("finding broker " + broker, 17, "its address is not known", false);
        }
        return address;
    }

    /** Never fails: what is not unlocked expires. */
    CompletableFuture<Void> unlock(MessageQueue queue) {
        String address = routes.master(queue.broker());
        return address == null
                ? CompletableFuture.<Void>completedFuture(null)
                : api.unlock(address, runtime.clientId(), group, List.of(queue)).exceptionally(failure -> {
                    LOG.warn("{} stays locked for a minute: {}", queue, failure.getMessage());
                    return null;
                });
    }
}
