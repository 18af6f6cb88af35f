/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

/**
 * What a client allows on each of its connections.
 *
 * @param connectTimeoutMillis after it an attempt to connect has failed
 * @param maxFrameBytes largest accepted length word
 * @param maxPendingCalls calls without response per connection; one more fails as overloaded
 * @param maxUnsentBytes requests the peer does not read; above it calls fail as overloaded
 * @param idleMillis a connection with no byte in either direction for this long is closed
 */
public record ClientSettings(
        long connectTimeoutMillis, int maxFrameBytes, int maxPendingCalls, long maxUnsentBytes, long idleMillis) {

    private static final int MIB = 1 << 20;

    public ClientSettings {
        if (connectTimeoutMillis <= 0
                || connectTimeoutMillis > Integer.MAX_VALUE
                || maxFrameBytes < 64
                || maxFrameBytes > 64 * MIB
                || maxPendingCalls <= 0
                || maxUnsentBytes <= 0
                || idleMillis <= 0) {
            throw new IllegalArgumentException("client settings out of range");
        }
    }

    public static ClientSettings defaults() {
        return new ClientSettings(3_000, 16 * MIB, 65_535, 64L * MIB, 120_000);
    }
}
