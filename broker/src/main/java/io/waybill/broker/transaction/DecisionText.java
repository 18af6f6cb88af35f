/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.PublishRecord;
import java.time.Instant;

/** A decision in words for people and tools. */
final class DecisionText {
    private static final int LONGEST_TEXT = 512;

    private DecisionText() {}

    /** {@code COMMITTED}, {@code ROLLED_BACK} or {@code EXHAUSTED}. */
    static String state(Decision outcome) {
        return switch (outcome) {
            case COMMIT -> "COMMITTED";
            case ROLLBACK -> "ROLLED_BACK";
            case EXHAUSTED -> "EXHAUSTED";
        };
    }

    /** As much of a text of a peer as is kept in records. */
    static String cut(String text) {
        return text.length() <= LONGEST_TEXT ? text : text.substring(0, LONGEST_TEXT - 3) + "...";
    }

    static String sentence(PublishRecord published) {
        return "the transaction was rolled back, and its message was delivered after all at "
                + Instant.ofEpochMilli(published.atMillis()) + " by " + published.by();
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
