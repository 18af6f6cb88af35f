/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

/**
 * How a transactional send ended.
 *
 * @param half the receipt of the half message
 * @param decision what the listener answered (UNKNOWN if it threw)
 * @param decided true if the broker has confirmed the decision; false if it will ask the listener's check
 * @param failure what the listener threw or what kept the decision from the broker, or null
 */
public record TransactionReceipt(SendReceipt half, Decision decision, boolean decided, Throwable failure) {
    /** The id of the message. */
    public String messageId() {
        return half.messageId();
    }
}
