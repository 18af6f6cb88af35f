/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.group;

import io.waybill.platform.Clock;
import io.waybill.remoting.Connection;
import io.waybill.remoting.LogRateLimiter;
import java.net.InetSocketAddress;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Client ids that more than one living process uses.
 *
 * <p>A client has one connection to a broker for its heartbeats. When it makes a new one it never uses the old one again, so a heartbeat on a connection
 * after another one of the same client on a younger one can only be another process's. Such processes share queues and progress without knowing
 * of each other: the broker keeps them apart where it can (locks), and tells people.
 *
 * <p>What always holds: a client id is listed while at least two of its connections are open. Safe from any thread.
 */
public final class SharedClientIds {
    private static final Logger log = LoggerFactory.getLogger(SharedClientIds.class);

    /** Of one client id; more are not told apart. */
    private static final int MOST_CONNECTIONS = 64;

    private static final int MOST_IDS = 10_000;

    private final LogRateLimiter lines;
    private final AtomicLong found = new AtomicLong();
    /** Connections by client id and connection number. */
    private final Map<String, Map<Long, Connection>> shared = new ConcurrentHashMap<>();

    SharedClientIds(Clock clock) {
        this.lines = new LogRateLimiter(clock);
    }

    /** Two connections of a client are both alive. */
    synchronized void found(String clientId, Connection one, Connection other) {
        Map<Long, Connection> connections = shared.get(clientId);
        if (connections == null && shared.size() >= MOST_IDS
                || connections != null && connections.size() >= MOST_CONNECTIONS) {
            return;
        }
        Map<Long, Connection> more = new LinkedHashMap<>(connections == null ? Map.of() : connections);
        more.put(one.id(), one);
        more.put(other.id(), other);
        if (connections != null && more.size() == connections.size()) {
            return;
        }
        shared.put(clientId, more);
        found.incrementAndGet();
        String left = lines.admit();
        if (left != null) {
            log.warn(
                    "Two processes use the client id {}: at {} and at {}. Each takes itself for the owner of what belongs to that id;"
                            + " give each process an instance name of its own{}",
                    clientId,
                    text(one),
                    text(other),
                    left);
        }
    }

    synchronized void closed(Connection connection) {
        if (shared.isEmpty()) {
            return;
        }
        shared.replaceAll((clientId, connections) -> without(connections, connection.id()));
        shared.values().removeIf(connections -> connections.size() < 2);
    }

    private static Map<Long, Connection> without(Map<Long, Connection> connections, long id) {
        if (!connections.containsKey(id)) {
            return connections;
        }
        Map<Long, Connection> rest = new LinkedHashMap<>(connections);
        rest.remove(id);
        return rest;
    }

    /** Whether no client id is shared, as usual. */
    public boolean isEmpty() {
        return shared.isEmpty();
    }

    /** The client ids that are shared now. */
    public Set<String> ids() {
        return Set.copyOf(shared.keySet());
    }

    /** The addresses of the processes that share a client id; empty when it is not shared. */
    public List<String> addresses(String clientId) {
        return shared.getOrDefault(clientId, Map.of()).values().stream()
                .map(SharedClientIds::text)
                .toList();
    }

    /** How often a process was found that shares its client id with another one. */
    public long count() {
        return found.get();
    }

    private static String text(Connection connection) {
        InetSocketAddress address = connection.remoteAddress();
        return address.getHostString() + ":" + address.getPort();
    }
}
