/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.namesrv;

/**
 * Where a name server listens and how long it believes a silent broker.
 *
 * @param port 0 = any free one
 * @param brokerExpiryMillis a broker that neither registers nor beats for this long is forgotten
 * @param insecure an address that other machines reach is meant, although nobody is asked who they are
 */
public record NameServerSettings(String host, int port, long brokerExpiryMillis, boolean insecure) {
    public static final int DEFAULT_PORT = 9876;
    public static final long DEFAULT_BROKER_EXPIRY_MILLIS = 120_000;

    public NameServerSettings {
        if (brokerExpiryMillis <= 0) {
            throw new IllegalArgumentException("brokerExpiryMillis must be positive, but was " + brokerExpiryMillis);
        }
    }

    public static NameServerSettings defaults() {
        return on("127.0.0.1", DEFAULT_PORT);
    }

    public static NameServerSettings on(String host, int port) {
        return new NameServerSettings(host, port, DEFAULT_BROKER_EXPIRY_MILLIS, false);
    }

    public NameServerSettings withInsecure(boolean exposed) {
        return new NameServerSettings(host, port, brokerExpiryMillis, exposed);
    }
}
