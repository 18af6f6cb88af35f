/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import java.util.function.Consumer;

/**
 * What a server binds to and what it allows. A frame never exceeds {@code maxFrameBytes}, requests read but not answered
 * never much exceed the in-flight limits, and replies a peer does not read never much exceed {@code maxUnsentBytes}.
 *
 * @param port 0 = any free one
 * @param maxFrameBytes largest accepted length word
 * @param maxInFlightBytesPerConnection above it the connection is not read until half of it is answered
 * @param maxInFlightBytesTotal a limit for each use of memory by the connections of this server alone; 0 = what the process
 *     has for all its servers, derived from its heap and direct memory
 * @param maxUnsentBytes a connection whose peer leaves more than this unread is closed
 * @param idleMillis a connection with no byte in either direction for this long is closed
 * @param maxConnections above it new connections are closed at once
 * @param drainMillis how long an orderly close waits for pending replies
 */
public record ServerSettings(
        String host,
        int port,
        int maxFrameBytes,
        long maxInFlightBytesPerConnection,
        long maxInFlightBytesTotal,
        long maxUnsentBytes,
        long idleMillis,
        int maxConnections,
        long drainMillis) {

    private static final int MIB = 1 << 20;

    public ServerSettings {
        require(!host.isBlank(), "host", host);
        require(port >= 0 && port <= 65_535, "port", port);
        require(maxFrameBytes >= 64 && maxFrameBytes <= 64 * MIB, "maxFrameBytes", maxFrameBytes);
        require(maxInFlightBytesPerConnection > 0, "maxInFlightBytesPerConnection", maxInFlightBytesPerConnection);
        require(maxInFlightBytesTotal >= 0, "maxInFlightBytesTotal", maxInFlightBytesTotal);
        require(maxUnsentBytes > 0, "maxUnsentBytes", maxUnsentBytes);
        require(idleMillis > 0, "idleMillis", idleMillis);
        require(maxConnections > 0, "maxConnections", maxConnections);
        require(drainMillis >= 0, "drainMillis", drainMillis);
    }

    public static ServerSettings defaults(String host, int port) {
        return new ServerSettings(host, port, 16 * MIB, 16L * MIB, 0, 32L * MIB, 120_000, 10_000, 3_000);
    }

    public ServerSettings withMaxFrameBytes(int value) {
        return with(copy -> copy.maxFrameBytes = value);
    }

    public ServerSettings withMaxInFlightBytes(long perConnection, long total) {
        return with(copy -> {
            copy.maxInFlightBytesPerConnection = perConnection;
            copy.maxInFlightBytesTotal = total;
        });
    }

    public ServerSettings withMaxUnsentBytes(long value) {
        return with(copy -> copy.maxUnsentBytes = value);
    }

    public ServerSettings withIdleMillis(long value) {
        return with(copy -> copy.idleMillis = value);
    }

    public ServerSettings withMaxConnections(int value) {
        return with(copy -> copy.maxConnections = value);
    }

    public ServerSettings withDrainMillis(long value) {
        return with(copy -> copy.drainMillis = value);
    }

    private ServerSettings with(Consumer<Copy> change) {
        Copy copy = new Copy(this);
        change.accept(copy);
        return copy.toSettings();
    }

    /** The same settings, to change some of them. */
    private static final class Copy {
        private String host;
        private int port;
        private int maxFrameBytes;
        private long maxInFlightBytesPerConnection;
        private long maxInFlightBytesTotal;
        private long maxUnsentBytes;
        private long idleMillis;
        private int maxConnections;
        private long drainMillis;

        Copy(ServerSettings from) {
            host = from.host;
            port = from.port;
            maxFrameBytes = from.maxFrameBytes;
            maxInFlightBytesPerConnection = from.maxInFlightBytesPerConnection;
            maxInFlightBytesTotal = from.maxInFlightBytesTotal;
            maxUnsentBytes = from.maxUnsentBytes;
            idleMillis = from.idleMillis;
            maxConnections = from.maxConnections;
            drainMillis = from.drainMillis;
        }

        ServerSettings toSettings() {
            return new ServerSettings(
                    host,
                    port,
                    maxFrameBytes,
                    maxInFlightBytesPerConnection,
                    maxInFlightBytesTotal,
                    maxUnsentBytes,
                    idleMillis,
                    maxConnections,
                    drainMillis);
        }
    }

    private static void require(boolean holds, String field, Object seen) {
        if (!holds) {
            throw new IllegalArgumentException(field + " out of range: " + seen);
        }
    }
}
