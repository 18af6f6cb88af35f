/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import io.waybill.platform.Clock;
import io.waybill.protocol.Names;
import io.waybill.remoting.Connection;
import java.util.Map;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.TimeUnit;
import java.util.function.Function;

/**
 * Where the client is that a reply is for: on the connection of its last heartbeat, or, when it has sent none, on the one its request came on.
 *
 * <p>What always holds: at most {@value #MOST} clients are remembered by their requests, each for the time it waits, 30 s at least and ten minutes at most; an
 * id takes at most 255 characters. Of one that heartbeats know nothing is remembered. Safe from any thread.
 */
final class Requesters {
    static final int MOST = 4_096;
    private static final long SHORTEST_WAIT_MILLIS = 30_000;
    private static final long LONGEST_WAIT_MILLIS = 600_000;

    private record ReplyAddress(Connection connection, long untilNanos) {}

    private final Function<String, Connection> known;
    private final Clock clock;
    private final Map<String, ReplyAddress> asked = new ConcurrentHashMap<>();

    /** @param known the living connection on which a client sent its last heartbeat, or null */
    Requesters(Function<String, Connection> known, Clock clock) {
        this.known = known;
        this.clock = clock;
    }

    /**
     * A message came that asks for a reply.
     *
     * @param ttlMillis how long its client waits, as it says; null if it does not
     */
    void asks(String clientId, String ttlMillis, Connection connection) {
        if (clientId == null
                || clientId.length() > Names.MAX_GROUP_TOPIC_LENGTH
                || known.apply(clientId) != null
                || !connection.isOpen()) {
            return;
        }
        long now = clock.nanoTime();
        if (asked.size() >= MOST && !asked.containsKey(clientId)) {
            asked.values().removeIf(one -> isOver(one, now));
            if (asked.size() >= MOST) {
                return; // the reply is kept, and its sender told, as for any client that is not there
            }
        }
        long until = now + TimeUnit.MILLISECONDS.toNanos(waitMillis(ttlMillis));
        // The first one holds: a consumer that passes the message on sends the same property.
        asked.merge(clientId, new ReplyAddress(connection, until), (before, fresh) -> {
            boolean isOwn = before.connection() == connection && before.untilNanos() - until <= 0;
            return isOwn || isOver(before, now) ? fresh : before;
        });
    }

    private static long waitMillis(String ttlMillis) {
        try {
            long wanted = ttlMillis == null ? 0 : Long.parseLong(ttlMillis);
            return Math.max(SHORTEST_WAIT_MILLIS, Math.min(wanted, LONGEST_WAIT_MILLIS));
        } catch (NumberFormatException e) {
            return SHORTEST_WAIT_MILLIS;
        }
    }

    /** The living connection of a client, or null. */
    Connection connectionOf(String clientId) {
        Connection connection = known.apply(clientId);
        if (connection != null) {
            return connection;
        }
        ReplyAddress one = asked.get(clientId);
        if (one == null) {
            return null;
        }
        if (isOver(one, clock.nanoTime())) {
            asked.remove(clientId, one);
            return null;
        }
        return one.connection();
    }

    /** Forgets a connection. */
    void closed(Connection connection) {
        if (!asked.isEmpty()) {
            asked.values().removeIf(one -> one.connection().id() == connection.id());
        }
    }

    int size() {
        return asked.size();
    }

    private static boolean isOver(ReplyAddress one, long now) {
        return now - one.untilNanos() > 0 || !one.connection().isOpen();
    }
}
