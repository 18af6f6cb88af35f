/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.time.Instant;

/**
 * Delayed messages after they were sent: cancelling them and moving them to another time. A change and the delivery may meet; the broker decides which came
 * first and answers with that. Reached by {@link Producer#delayed()}; safe for use from any thread, until the producer is closed.
 */
public interface DelayedDeliveries {
    /**
     * Cancels a delayed message.
     *
     * @return true if it will not be delivered; false if it was too late
     * @throws WaybillException of kind INVALID if the receipt is not that of a delayed message
     */
    boolean recall(SendReceipt receipt);

    /** Like {@link #recall(SendReceipt)}, for a handle that was kept elsewhere. */
    boolean recall(String topic, String recallHandle);

    /**
     * Cancels a delayed message, or finds out why that is not possible.
     *
     * @throws WaybillException of kind INVALID if the receipt is not that of a delayed message
     */
    DelayedChange cancel(SendReceipt receipt);

    /** Cancels all delayed messages of a topic that have this business key. */
    DelayedChange cancel(String topic, String key);

    /** Moves a delayed message to another time; a time that has passed means at once. */
    DelayedChange reschedule(SendReceipt receipt, Instant deliverAt);

    /** Moves all delayed messages of a topic that have this business key. */
    DelayedChange reschedule(String topic, String key, Instant deliverAt);
}
