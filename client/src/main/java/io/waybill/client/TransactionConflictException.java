/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import io.waybill.client.TransactionInspector.TransactionState.Stage;
import java.time.Instant;

/**
 * The decision of a local transaction came too late: another one had been taken for its message, by a check that somebody else answered, by an operator,
 * or because nobody answered any check. Service and queue disagree now, until one of them is put right; the message says how. The broker keeps it as
 * well: {@code waybill tx list --conflicts}.
 */
public final class TransactionConflictException extends WaybillException {
    private static final long serialVersionUID = 1L;

    private final String messageId;
    private final Decision decision;
    private final Stage outcome;
    private final Instant decidedAt;
    private final String decidedBy;

    /**
     * Used by the library.
     *
     * @param messageId the message
     * @param decision what this service decided: COMMIT or ROLLBACK
     * @param outcome what had been decided before
     * @param decidedAt when
     * @param decidedBy by whom
     */
    public TransactionConflictException(
            String messageId, Decision decision, Stage outcome, Instant decidedAt, String decidedBy) {
        super(
                Kind.REFUSED,
                604,
                outcome == Stage.COMMITTED,
                "the " + decision + " of the transaction of message " + messageId + " came too late: it was "
                        + word(outcome) + " at " + decidedAt + " by " + decidedBy
                        + ". Service and queue disagree about it",
                advice(messageId, outcome),
                null);
        this.messageId = messageId;
        this.decision = decision;
        this.outcome = outcome;
        this.decidedAt = decidedAt;
        this.decidedBy = decidedBy;
    }

    private static String word(Stage outcome) {
        return switch (outcome) {
            case COMMITTED -> "committed";
            case ROLLED_BACK -> "rolled back";
            case EXHAUSTED -> "given up after its last check";
            case OPEN -> "decided";
        };
    }

    private static String advice(String messageId, Stage outcome) {
        return switch (outcome) {
            case ROLLED_BACK ->
                "deliver the message after all (waybill tx publish " + messageId
                        + " --reason TEXT), or undo what the service committed";
            case EXHAUSTED ->
                "open it again and commit it (waybill tx resume " + messageId + ", then waybill tx commit " + messageId
                        + "), or undo what the service committed";
            case COMMITTED, OPEN -> "consumers may have the message: compensate for it, or do what it says";
        };
    }

    /** The id of the message. */
    public String messageId() {
        return messageId;
    }

    /** What this service decided: COMMIT or ROLLBACK. */
    public Decision decision() {
        return decision;
    }

    /** What had been decided before, and stays. */
    public Stage outcome() {
        return outcome;
    }

    /** When that was, by the broker's clock. */
    public Instant decidedAt() {
        return decidedAt;
    }

    /** Who decided it, as the broker names it. */
    public String decidedBy() {
        return decidedBy;
    }
}
