/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import io.waybill.client.StartFrom;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.SubscriptionData;
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
final class Membership {
    private static final Logger LOG = LoggerFactory.getLogger(Membership.class);
    /** After so many failed announcements in a row a broker hears from us by the ordinary heartbeat only. */
    private static final int QUICK_ANNOUNCEMENTS = 30;

    /**
     * A consumer group as brokers must know it.
     *
     * @param type how it gets messages, one of the constants of {@link ConsumerData}
     * @param broadcast every member gets every message
     * @param subscriptions topic to filter, the retry topic included
     * @param version of the subscriptions; a later one replaces them
     */
    record Consumer(
            String group,
            String type,
            boolean broadcast,
            StartFrom start,
            Map<String, WireFilter> subscriptions,
            long version) {
        /** @param pulls true for consumers that ask (no rebalance among them) */
        Consumer(String group, boolean pulls, StartFrom start, Map<String, WireFilter> subscriptions, long version) {
            this(
                    group,
                    pulls ? ConsumerData.CONSUME_ACTIVELY : ConsumerData.CONSUME_PASSIVELY,
                    false,
                    start,
                    subscriptions,
                    version);
        }

        List<SubscriptionData> wireSubscriptions() {
            List<SubscriptionData> all = new ArrayList<>();
            subscriptions.forEach((topic, filter) -> all.add(filter.subscription(topic, version)));
            return all;
        }
    }

    private final String clientId;
    private final Calls calls;
    private final Routes routes;
    private final Timers timers;
    private final Map<String, Consumer> consumers = new TreeMap<>(); // guarded by this
    private final Map<String, Integer> producers = new TreeMap<>(); // guarded by this; group to number of producers
    private long version; // guarded by this
    private final Map<String, Long> told = new ConcurrentHashMap<>(); // address to the version it has confirmed
    private final Map<String, Integer> losses = new ConcurrentHashMap<>();
    private volatile boolean closed;

    Membership(String clientId, Calls calls, Routes routes, Timers timers) {
        this.clientId = clientId;
        this.calls = calls;
        this.routes = routes;
        this.timers = timers;
        calls.links.onLost(this::lost);
    }

    String clientId() {
        return clientId;
    }

    synchronized void addConsumer(Consumer consumer) {
        if (consumers.containsKey(consumer.group())) {
            throw Failures.invalid(
                    "this client has a consumer of group " + consumer.group() + " already",
                    "close it first, or open another WaybillClient for a second member");
        }
        consumers.put(consumer.group(), consumer);
        version++;
    }

    /** Changes the subscriptions of a group that is a member. */
    synchronized void replaceConsumer(Consumer consumer) {
        consumers.put(consumer.group(), consumer);
        version++;
    }

    synchronized void addProducer(String group) {
        if (producers.merge(group, 1, Integer::sum) == 1) {
            version++;
        }
    }

    /** Removes the group and says goodbye to every broker; completes when they have answered or not. */
    CompletableFuture<Void> removeConsumer(String group) {
        synchronized (this) {
            consumers.remove(group);
            version++;
        }
        return goodbye(group, true);
    }

    CompletableFuture<Void> removeProducer(String group) {
        synchronized (this) {
            if (producers.merge(group, -1, Integer::sum) > 0) {
                return CompletableFuture.completedFuture(null);
            }
            producers.remove(group);
            version++;
        }
        return goodbye(group, false);
    }

    private CompletableFuture<Void> goodbye(String group, boolean consumer) {
        List<CompletableFuture<Void>> all = new ArrayList<>();
        for (String address : told.keySet()) {
            all.add(calls.unregister(address, clientId, group, consumer).exceptionally(failure -> {
                LOG.debug("unregistering {} at {} failed: {}", group, address, failure.getMessage());
                return null;
            }));
        }
        return CompletableFuture.allOf(all.toArray(CompletableFuture[]::new));
    }

    /** Completes when the broker knows all groups of this client; at once if it does already. */
    CompletableFuture<Void> announce(String address) {
        long wanted;
        synchronized (this) {
            wanted = version;
        }
        Long known = told.get(address);
        return known != null && known >= wanted ? CompletableFuture.completedFuture(null) : heartbeat(address);
    }

    /** Completes when all these brokers know all groups; fails if one cannot be told. */
    CompletableFuture<Void> announce(Set<String> addresses) {
        return CompletableFuture.allOf(addresses.stream().map(this::announce).toArray(CompletableFuture[]::new));
    }

    /** Tells a broker in any case. */
    CompletableFuture<Void> heartbeat(String address) {
        long current;
        byte[] body;
        synchronized (this) {
            current = version;
            body = WireBodies.heartbeat(clientId, consumers.values(), producers.keySet());
        }
        return calls.heartbeat(address, body).thenAccept(done -> {
            told.merge(address, current, Math::max);
            losses.remove(address);
        });
    }

    /** Tells every broker, so that none forgets this client. */
    void heartbeatAll() {
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
    void lost(String address) {
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
            timers.after(calls.timings.retryDelay(), () -> reannounce(address));
        }
    }

    private void reannounce(String address) {
        if (!closed && !told.containsKey(address) && routes.allMasters().contains(address)) {
            heartbeat(address).exceptionally(failure -> null);
        }
    }

    void close() {
        closed = true;
    }
}
