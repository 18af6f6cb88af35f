/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

/**
 * The change does not fit what is already so; nothing was written. The truth that refused it is confirmed.
 *
 * @param text one sentence for people
 * @param prior for ALREADY_DECIDED the {@link io.waybill.store.record.DecisionRecord} that was first; for DUPLICATE the
 *     {@link io.waybill.store.record.FirstMessage}; else null
 */
public record Refused(Reason reason, String text, Object prior) implements Outcome {
    public enum Reason {
        /** The half message has its decision already. */
        ALREADY_DECIDED,
        /** No such pending message: never there, delivered, cancelled, or gone by retention. */
        NOT_FOUND,
        /** The delayed message was rescheduled to a later time. */
        NOT_DUE,
        /** Another message of the topic holds the unique key. */
        DUPLICATE
    }
}
