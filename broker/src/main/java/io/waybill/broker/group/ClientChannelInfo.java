/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.group;

import io.waybill.remoting.Connection;
import java.util.Map;

/**
 * A client that is connected for a group. One client may be there twice for a moment, on its old and its new connection.
 */
public final class ClientChannelInfo {
    private final String clientId;
    private final Connection connection;
    private volatile Map<String, Subscription> subscriptions = Map.of();
    private volatile byte language;
    private volatile int version;
    /** Of the newest heartbeat that said what it wants; guarded by {@link ClientRegistry}. */
    private long newestArrival;

    private volatile long lastSeenNanos;
    private volatile long lastSeenMillis;

    ClientChannelInfo(String clientId, Connection connection) {
        this.clientId = clientId;
        this.connection = connection;
    }

    void seen(byte clientLanguage, int clientVersion, long nowNanos, long nowMillis) {
        this.language = clientLanguage;
        this.version = clientVersion;
        this.lastSeenNanos = nowNanos;
        this.lastSeenMillis = nowMillis;
    }

    /** Whether nothing that came later was applied already: one heartbeat may overtake another that waits for a topic to be made. */
    boolean isNewest(long arrival) {
        if (arrival < newestArrival) {
            return false;
        }
        newestArrival = arrival;
        return true;
    }

    public String clientId() {
        return clientId;
    }

    public Connection connection() {
        return connection;
    }

    /** What this member wants, by topic; never changed, only replaced. */
    Map<String, Subscription> subscriptions() {
        return subscriptions;
    }

    void subscriptions(Map<String, Subscription> own) {
        subscriptions = Map.copyOf(own);
    }

    /** The client's language as on the wire. */
    public byte language() {
        return language;
    }

    /** The client's protocol version as on the wire. */
    public int version() {
        return version;
    }

    /** Wall-clock time of the last heartbeat, for people; expiry goes by the monotonic clock. */
    public long lastSeenMillis() {
        return lastSeenMillis;
    }

    boolean isSilent(long nowNanos, long limitNanos) {
        return nowNanos - lastSeenNanos > limitNanos;
    }
}
