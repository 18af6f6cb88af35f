/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.route;

import io.waybill.client.MessageQueue;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.message.EncodedMessage;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.protocol.Names;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is known of topics and brokers. A known route is used until it is refreshed (every 30 s while in use, and after errors); questions for the same
 * topic at the same time are one question. An old route is better
 * than none: it stays when a refresh fails, and also when the name server does not know the topic any more (it may have been restarted); a deleted
 * topic is refused by its broker.
 */
public final class RouteCache {
    private static final Logger LOG = LoggerFactory.getLogger(RouteCache.class);
    private final NameServerApi nameServers;
    private final Map<String, Route> known = new ConcurrentHashMap<>();
    private final Map<String, CompletableFuture<Route>> asked = new ConcurrentHashMap<>();
    /** Sends that wait for the route of a topic, in their order. Guarded by itself. */
    private final Map<String, Deque<CompletableFuture<Route>>> sends = new HashMap<>();

    private final Map<String, Map<Long, String>> brokers = new ConcurrentHashMap<>();
    private final List<Consumer<Route>> listeners = new CopyOnWriteArrayList<>();

    public RouteCache(BrokerConnections connections) {
        this.nameServers = new NameServerApi(connections);
    }

    /** Hears of every route that is new or has changed, on an I/O thread; must be quick. */
    public void onChange(Consumer<Route> listener) {
        listeners.add(listener);
    }

    public void removeListener(Consumer<Route> listener) {
        listeners.remove(listener);
    }

    /** The route of an existing topic; fails with NOT_FOUND if there is none. */
    public CompletableFuture<Route> find(String topic) {
        Route route = known.get(topic);
        return route == null || route.provisional() ? refresh(topic) : CompletableFuture.completedFuture(route);
    }

    /**
     * The route for a send: of the topic, or if it does not exist the one its first send will give it. Sends of a topic get it in the order in which
     * they asked: a future lets go of those that wait for it last-first, and would turn the first messages of a key around.
     */
    public CompletableFuture<Route> findForSend(String topic) {
        CompletableFuture<Route> mine = new CompletableFuture<>();
        synchronized (sends) {
            Route route = known.get(topic);
            Deque<CompletableFuture<Route>> before = sends.get(topic);
            if (before == null && route != null) {
                return CompletableFuture.completedFuture(route);
            }
            if (before != null) {
                before.add(mine);
                return mine;
            }
            sends.put(topic, new ArrayDeque<>(List.of(mine)));
        }
        askForSend(topic).whenComplete((route, failure) -> letGo(topic, route, failure));
        return mine;
    }

    private void letGo(String topic, Route route, Throwable failure) {
        while (true) {
            CompletableFuture<Route> next;
            synchronized (sends) {
                next = sends.get(topic).poll();
                if (next == null) {
                    sends.remove(topic);
                    return;
                }
            }
            if (failure == null) {
                next.complete(route);
            } else {
                next.completeExceptionally(ClientExceptions.unwrap(failure));
            }
        }
    }

    private CompletableFuture<Route> askForSend(String topic) {
        return refresh(topic)
                .handle((found, failure) -> {
                    if (failure == null) {
                        return CompletableFuture.completedFuture(found);
                    }
                    if (!isNotFound(failure)) {
                        return CompletableFuture.<Route>failedFuture(ClientExceptions.unwrap(failure));
                    }
                    return refresh(Names.DEFAULT_TOPIC).handle((template, none) -> {
                        if (none != null) {
                            throw (RuntimeException) ClientExceptions.unwrap(isNotFound(none) ? failure : none);
                        }
                        return provisional(topic, template);
                    });
                })
                .thenCompose(step -> step);
    }

    private Route provisional(String topic, Route template) {
        List<MessageQueue> queues = new ArrayList<>();
        for (MessageQueue queue : template.writable()) {
            if (queue.id() < EncodedMessage.NEW_TOPIC_QUEUES) {
                queues.add(new MessageQueue(topic, queue.broker(), queue.id()));
            }
        }
        Route route = new Route(topic, List.copyOf(queues), List.copyOf(queues), template.brokers(), true);
        known.putIfAbsent(topic, route);
        return known.get(topic);
    }

    static boolean isNotFound(Throwable failure) {
        return ClientExceptions.unwrap(failure) instanceof WaybillException e
                && e.kind() == WaybillException.Kind.NOT_FOUND;
    }

    /** Asks the name server, whatever is known. */
    public CompletableFuture<Route> refresh(String topic) {
        CompletableFuture<Route> mine = new CompletableFuture<>();
        CompletableFuture<Route> other = asked.putIfAbsent(topic, mine);
        if (other != null) {
            return other;
        }
        nameServers.route(topic).whenComplete((route, failure) -> {
            if (failure == null) {
                learn(route); // before the question is forgotten, so that nobody in between asks again
                asked.remove(topic, mine);
                mine.complete(route);
            } else {
                asked.remove(topic, mine);
                mine.completeExceptionally(ClientExceptions.unwrap(failure));
            }
        });
        return mine;
    }

    private void learn(Route route) {
        brokers.putAll(route.brokers());
        Route old = known.put(route.topic(), route);
        if (!route.equals(old)) {
            for (Consumer<Route> listener : listeners) {
                listener.accept(route);
            }
        }
    }

    /** Asks again for everything in use. */
    public void refreshAll() {
        for (String topic : known.keySet()) {
            refresh(topic).whenComplete((route, failure) -> {
                if (failure != null && !isNotFound(failure)) {
                    LOG.debug("refreshing the route of {} failed: {}", topic, failure.getMessage());
                }
            });
        }
    }

    /** The address of a broker's master, or null. */
    public String master(String broker) {
        Map<Long, String> addresses = brokers.get(broker);
        return addresses == null ? null : addresses.get(Route.MASTER);
    }

    /** The address to read from: the wanted id, else the master, else any; null if the broker is unknown. */
    public String readAddress(String broker, long wantedId) {
        Map<Long, String> addresses = brokers.get(broker);
        if (addresses == null || addresses.isEmpty()) {
            return null;
        }
        String wanted = addresses.get(wantedId);
        if (wanted != null) {
            return wanted;
        }
        String master = addresses.get(Route.MASTER);
        return master != null ? master : addresses.values().iterator().next();
    }

    /** The masters of the brokers of a topic, sorted. */
    public Set<String> masters(Route route) {
        Set<String> addresses = new TreeSet<>();
        route.brokers().values().forEach(ids -> {
            String master = ids.get(Route.MASTER);
            if (master != null) {
                addresses.add(master);
            }
        });
        return addresses;
    }

    /** The masters of all brokers seen in routes. */
    public Set<String> allMasters() {
        Set<String> addresses = new TreeSet<>();
        brokers.values().forEach(ids -> {
            String master = ids.get(Route.MASTER);
            if (master != null) {
                addresses.add(master);
            }
        });
        return addresses;
    }
}
