/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.transaction;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.Decision;
import org.junit.jupiter.api.Test;

/** What a process knows of its own transactional sends. */
class RunningTransactionsTest {
    /** A connection can break at once: what was given up must not answer for what the next send of the message does. */
    @Test
    void twoSendsOfOneMessageInOneMillisecondHaveAnswersOfTheirOwn() {
        RunningTransactions running = new RunningTransactions();
        RunningTransactions.SendRun lost = running.begin("tx", "id", 7);
        lost.abandoned();
        RunningTransactions.SendRun again = running.begin("tx", "id", 7);
        again.stored("broker-a", 5);
        again.decided(Decision.UNKNOWN);
        again.ended();
        assertThat(running.answer("tx", "id", "broker-a", 1, lost.bornMillis())).isEqualTo(Decision.ROLLBACK);
        assertThat(running.answer("tx", "id", "broker-a", 5, again.bornMillis()))
                .as("whether it committed is the listener's to say")
                .isNull();
    }

    @Test
    void whatIsRememberedOfEndedSendsIsBounded() {
        RunningTransactions running = new RunningTransactions();
        for (int i = 0; i <= RunningTransactions.MOST_REMEMBERED; i++) {
            RunningTransactions.SendRun run = running.begin("tx", "id" + i, 7);
            run.stored("broker-a", i);
            run.decided(Decision.COMMIT);
            run.untold();
            run.untold();
        }
        assertThat(running.size()).isEqualTo(RunningTransactions.MOST_REMEMBERED);
        assertThat(running.answer("tx", "id0", "broker-a", 0, 7)).isNull();
        assertThat(running.answer("tx", "id1", "broker-a", 1, 7)).isEqualTo(Decision.COMMIT);
        assertThat(running.answer("tx", "id1", "broker-a", 2, 7)).isNull();
        assertThat(running.answer("tx", "id1", "broker-b", 1, 7)).isNull();
        assertThat(running.answer("tx", "id1", null, 1, 7)).isEqualTo(Decision.COMMIT);
        assertThat(running.answer("other", "id1", "broker-a", 1, 7)).isNull();
    }
}
