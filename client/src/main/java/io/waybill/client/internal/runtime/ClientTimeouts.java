/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.runtime;

/**
 * The rhythms of a client, in milliseconds. Constants of the product; tests change them.
 *
 * @param callTimeout the time for a question to a server
 * @param routeRefresh how often routes in use are asked for again
 * @param heartbeat how often brokers hear from this client
 * @param rebalance how often a push consumer compares its queues with its share
 * @param commit how often progress is kept at the broker
 * @param pullHold how long the broker may hold a pull that finds nothing
 * @param retryDelay the pause after a failed pull, rebalance or announcement
 * @param lockRenewal how often an ordered consumer renews its locks
 * @param lockLife how long a lock counts after its last renewal; well below the broker's 60 s
 * @param closeWait how long close waits for running handlers
 */
public record ClientTimeouts(
        long callTimeout,
        long routeRefresh,
        long heartbeat,
        long rebalance,
        long commit,
        long pullHold,
        long retryDelay,
        long lockRenewal,
        long lockLife,
        long closeWait) {
    /** What the reference describes for stock clients. */
    public static ClientTimeouts standard() {
        return new ClientTimeouts(3_000, 30_000, 30_000, 20_000, 5_000, 15_000, 1_000, 20_000, 30_000, 30_000);
    }
}
