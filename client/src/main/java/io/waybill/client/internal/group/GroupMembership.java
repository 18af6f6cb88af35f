/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.group;

import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.route.RouteCache;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.client.internal.runtime.ClientRuntime;
import io.waybill.client.internal.runtime.Timers;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Which groups this client belongs to, and which brokers have been told. A broker forgets a client when its connection closes, so a lost connection
 * is followed by a new announcement.
 */
public final class GroupMembership {
    private static final Logger LOG = LoggerFactory.getLogger(GroupMembership.class);
    /** After so many failed announcements in a row a broker hears from us by the ordinary heartbeat only. */
    private static final int QUICK_ANNOUNCEMENTS = 30;

    private final String clientId;
    private final GroupApi api;
    private final RouteCache routes;
    private final Timers timers;
    private final long retryDelayMillis;
    private final Map<String, ConsumerGroup> consumers = new TreeMap<>(); // guarded by this
    private final Map<String, Integer> producers = new TreeMap<>(); // guarded by this; group to number of producers
    private long version; // guarded by this
    private final Map<String, Long> told = new ConcurrentHashMap<>(); // address to the version it has confirmed
    private final Map<String, Integer> losses = new ConcurrentHashMap<>();
    private volatile boolean closed;

    public GroupMembership(ClientRuntime runtime, BrokerConnections connections, RouteCache routes) {
        this.clientId = runtime.clientId();
        this.api = new GroupApi(connections);
        this.routes = routes;
        this.timers = runtime.timers();
        this.retryDelayMillis = runtime.timeouts().retryDelay();
        connections.onLost(this::lost);
    }

    public synchronized void addConsumer(ConsumerGroup consumer) {
        if (consumers.containsKey(consumer.group())) {
            throw ClientExceptions.invalid(
                    "this client has a consumer of group " + consumer.group() + " already",
                    "close it first, or open another WaybillClient for a second member");
        }
        consumers.put(consumer.group(), consumer);
        version++;
    }

    /** Changes the subscriptions of a group that is a member. */
    public synchronized void replaceConsumer(ConsumerGroup consumer) {
        consumers.put(consumer.group(), consumer);
        version++;
    }

    public synchronized void addProducer(String group) {
        if (producers.merge(group, 1, Integer::sum) == 1) {
            version++;
        }
    }

    /** Removes the group and unregisters it at every broker; completes when they have answered or not. */
    public CompletableFuture<Void> removeConsumer(String group) {
        synchronized (this) {
            consumers.remove(group);
            version++;
        }
        return unregister(group, true);
    }

    public CompletableFuture<Void> removeProducer(String group) {
        synchronized (this) {
            if (producers.merge(group, -1, Integer::sum) > 0) {
                return CompletableFuture.completedFuture(null);
            }
            producers.remove(group);
            version++;
        }
        return unregister(group, false);
    }

    private CompletableFuture<Void> unregister(String group, boolean consumer) {
        List<CompletableFuture<Void>> all = new ArrayList<>();
        for (String address : told.keySet()) {
            all.add(api.unregister(address, clientId, group, consumer).exceptionally(failure -> {
                LOG.debug("unregistering {} at {} failed: {}", group, address, failure.getMessage());
                return null;
            }));
        }
        return CompletableFuture.allOf(all.toArray(CompletableFuture[]::new));
    }

    /** Completes when the broker knows all groups of this client; at once if it does already. */
    public CompletableFuture<Void> announce(String address) {
        long wanted;
        synchronized (this) {
            wanted = version;
        }
        Long known = told.get(address);
        return known != null && known >= wanted ? CompletableFuture.completedFuture(null) : heartbeat(address);
    }

    /** Completes when all these brokers know all groups; fails if one cannot be told. */
    public CompletableFuture<Void> announce(Set<String> addresses) {
        return CompletableFuture.allOf(addresses.stream().map(this::announce).toArray(CompletableFuture[]::new));
    }

    /** Tells a broker in any case. */
    public CompletableFuture<Void> heartbeat(String address) {
        long current;
        byte[] body;
        synchronized (this) {
            current = version;
            body = GroupApi.heartbeatBody(clientId, consumers.values(), producers.keySet());
        }
        return api.heartbeat(address, body).thenAccept(done -> {
            told.merge(address, current, Math::max);
            losses.remove(address);
        });
    }

    /** Tells every broker, so that none forgets this client. */
    public void heartbeatAll() {
        synchronized (this) {
            if (consumers.isEmpty() && producers.isEmpty()) {
                return;
            }
        }
        for (String address : routes.allMasters()) {
            heartbeat(address).exceptionally(failure -> {
                LOG.debug("heartbeat to {} failed: {}", address, failure.getMessage());
                return null;
            });
        }
    }

    /** The connection to this address is gone. Any thread. */
    public void lost(String address) {
        boolean knewUs = told.remove(address) != null;
        Integer earlier = losses.get(address);
        synchronized (this) {
            if (closed || consumers.isEmpty() && producers.isEmpty() || !knewUs && earlier == null) {
                return;
            }
        }
        int count = earlier == null ? 1 : earlier + 1;
        if (count > QUICK_ANNOUNCEMENTS) {
            losses.remove(address);
            return;
        }
        if (knewUs ? losses.putIfAbsent(address, count) == null : losses.replace(address, earlier, count)) {
            timers.after(retryDelayMillis, () -> reannounce(address));
        }
    }

    private void reannounce(String address) {
        if (!closed && !told.containsKey(address) && routes.allMasters().contains(address)) {
            heartbeat(address).exceptionally(failure -> null);
        }
    }

    public void close() {
        closed = true;
    }
}
