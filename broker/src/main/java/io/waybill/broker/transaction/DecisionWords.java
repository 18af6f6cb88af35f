/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.store.view.Decision;
import io.waybill.store.view.DecisionRecord;
import java.time.Instant;

/** A decision in words for people and tools. */
final class DecisionWords {
    private DecisionWords() {}

    /** {@code COMMITTED}, {@code ROLLED_BACK} or {@code EXHAUSTED}. */
    static String state(Decision outcome) {
        return switch (outcome) {
            case COMMIT -> "COMMITTED";
            case ROLLBACK -> "ROLLED_BACK";
            case EXHAUSTED -> "EXHAUSTED";
        };
    }

    static String sentence(DecisionRecord decision) {
        String what = switch (decision.outcome()) {
            case COMMIT -> "committed";
            case ROLLBACK -> "rolled back";
            case EXHAUSTED -> "given up";
        };
        return "the transaction was " + what + " at " + Instant.ofEpochMilli(decision.atMillis()) + " by "
                + decision.by();
    }
}
