/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

/** Learns of connections on their event loop, opened before the first request and closed after the last; must not block. */
public interface ConnectionListener {
    /** Wants to know nothing. */
    ConnectionListener NONE = new ConnectionListener() {};

    default void opened(Connection connection) {}

    default void closed(Connection connection) {}
}
