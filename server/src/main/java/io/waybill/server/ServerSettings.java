/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.server;

import io.waybill.broker.settings.BrokerSettings;
import java.nio.file.Path;

/**
 * What a server is started with. The broker's own {@code port} and {@code namesrv} settings are filled in by the server.
 *
 * @param data directory of the store, created if missing
 * @param namesrvPort port of the name server; 0 takes a free one
 * @param brokerPort port of the broker; 0 takes a free one
 * @param broker everything else; both listen on its {@code host}
 */
public record ServerSettings(Path data, int namesrvPort, int brokerPort, BrokerSettings broker) {
    /** The port every RocketMQ user knows. */
    public static final int DEFAULT_NAMESRV_PORT = 9876;

    /** The port every RocketMQ user knows. */
    public static final int DEFAULT_BROKER_PORT = 10911;

    /** Defaults: loopback, well-known ports. */
    public static ServerSettings in(Path data) {
        return new ServerSettings(data, DEFAULT_NAMESRV_PORT, DEFAULT_BROKER_PORT, BrokerSettings.defaults());
    }

    /** These with other ports; 0 takes a free one. */
    public ServerSettings ports(int namesrv, int brokers) {
        return new ServerSettings(data, namesrv, brokers, broker);
    }

    /**
     * These with one setting of the broker changed.
     *
     * @throws IllegalArgumentException naming key, limit and what was seen
     */
    public ServerSettings with(String key, String value) {
        return new ServerSettings(data, namesrvPort, brokerPort, broker.with(key, value));
    }
}
