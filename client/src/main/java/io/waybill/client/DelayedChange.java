/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.time.Instant;
import java.util.List;

/**
 * What became of the order to cancel or move a delayed message: always one of five definite answers. A business key may speak of several messages,
 * then {@link #answer} is the best of theirs in the order of {@link Answer}.
 *
 * @param answer the answer on all of them
 * @param messages each message the order spoke of; empty if none ever existed
 */
public record DelayedChange(Answer answer, List<Part> messages) {
    /** The answers, the best first. */
    public enum Answer {
        /** It will not be delivered. */
        CANCELLED,
        /** It will be delivered at the new time. */
        MOVED,
        /** Too late: consumers can see it. */
        ALREADY_DELIVERED,
        /** Somebody has cancelled it before. */
        ALREADY_CANCELLED,
        /** No delayed message of this name is or was known (records of cancelled ones go with the log). */
        NEVER_EXISTED
    }

    /**
     * One message.
     *
     * @param broker the broker that keeps it
     * @param messageId its id, or null if no longer known
     * @param storedId broker address and log position, or null
     * @param handle its number at that broker
     * @param answer what became of it
     * @param deliverAt when it is delivered, or null
     */
    public record Part(
            String broker, String messageId, String storedId, long handle, Answer answer, Instant deliverAt) {}

    /** True if everything that still could be changed was changed and something was. */
    public boolean done() {
        return answer == Answer.CANCELLED || answer == Answer.MOVED;
    }
}
