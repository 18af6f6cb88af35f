/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.delivery;

/**
 * Who reads a queue for a group, and how far.
 *
 * @param client its id, or its address as long as no heartbeat named it
 * @param isNamed whether a heartbeat named the client; false as well when only the log knows of it
 * @param isConnected whether its connection is open; false as well when only the log knows of it
 * @param sinceMillis since when no other client of the group read the queue; 0 when only the log knows of it
 * @param lastPullMillis when it asked last; 0 when only the log knows of it
 * @param fromOffset where it began to read without a gap
 * @param toOffset behind the last message it was handed
 * @param lastDeliveryMillis when it was handed the last one; 0 when it was handed none
 */
public record QueueOwner(
        String client,
        boolean isNamed,
        boolean isConnected,
        long sinceMillis,
        long lastPullMillis,
        long fromOffset,
        long toOffset,
        long lastDeliveryMillis) {}
