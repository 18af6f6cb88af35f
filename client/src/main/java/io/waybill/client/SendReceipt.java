/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

/**
 * What the broker answered to a send: the message is stored.
 *
 * @param messageId the id of the message, as in {@link Message#id()}; of a single duplicate the id of the first
 * @param storedId broker address and log position as hex digits
 * @param queue the queue that got it
 * @param offset its offset there, -1 for a duplicate in a batch; for a delayed or transactional message a number of the broker's own
 * @param durability how much of its promise the broker has kept when it answered
 * @param recallHandle cancels a delayed message with {@link Producer#recall}, or null
 * @param attempts how often it was sent, 1 if the first attempt was answered
 * @param duplicate true if the topic's de-duplication had a message of this key already: nothing was stored, and stored id, queue and offset are those
 *     of the first
 * @param mayBeDuplicated true if an attempt before the successful one may have been stored too, under the same id
 */
public record SendReceipt(
        String messageId,
        String storedId,
        MessageQueue queue,
        long offset,
        Durability durability,
        String recallHandle,
        int attempts,
        boolean duplicate,
        boolean mayBeDuplicated) {

    /** How far a stored message had got when the broker answered. */
    public enum Durability {
        /** As promised by the broker's settings: by default on its disk. */
        CONFIRMED,
        /** Stored in memory; the disk did not confirm in time. */
        FLUSH_TIMEOUT,
        /** Stored by the master; the replica did not confirm in time. */
        REPLICA_TIMEOUT,
        /** Stored by the master; there is no replica. */
        NO_REPLICA
    }
}
