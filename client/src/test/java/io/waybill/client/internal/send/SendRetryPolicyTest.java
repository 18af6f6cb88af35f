/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.send;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.internal.send.SendRetryPolicy.Trouble;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** What is tried again, and when. */
class SendRetryPolicyTest {
    private final SendRetryPolicy policy = new SendRetryPolicy(10, true);

    @Test
    void pausesGrowAndStopGrowing() {
        assertThat(IntStream.rangeClosed(1, 6)
                        .mapToObj(attempt -> policy.pauseBeforeNext(Trouble.BROKEN, attempt, 10_000, false)))
                .containsExactly(50L, 100L, 200L, 400L, 500L, 500L);
    }

    @Test
    void anotherBrokerIsTriedAtOnce() {
        assertThat(policy.pauseBeforeNext(Trouble.TIMEOUT, 1, 1_000, true)).isZero();
        assertThat(policy.pauseBeforeNext(Trouble.TIMEOUT, 2, 1_000, true)).isEqualTo(100);
    }

    @Test
    void nothingIsTriedBeyondTheTimeOrTheNumberOfAttempts() {
        assertThat(policy.pauseBeforeNext(Trouble.BROKEN, 1, 50, false)).isEqualTo(SendRetryPolicy.NO);
        assertThat(policy.pauseBeforeNext(Trouble.BROKEN, 1, 0, true)).isEqualTo(SendRetryPolicy.NO);
        assertThat(policy.pauseBeforeNext(Trouble.BROKEN, 10, 9_000, false)).isEqualTo(SendRetryPolicy.NO);
        assertThat(new SendRetryPolicy(1, true).pauseBeforeNext(Trouble.NOT_SENT, 1, 9_000, false))
                .isEqualTo(SendRetryPolicy.NO);
    }

    @Test
    void aRefusalForGoodIsNotRepeated() {
        assertThat(policy.pauseBeforeNext(Trouble.FINAL, 1, 9_000, true)).isEqualTo(SendRetryPolicy.NO);
    }

    @Test
    void aDenialIsTriedOnceMoreAndAnErrorTwice() {
        assertThat(policy.pauseBeforeNext(Trouble.DENIED, 1, 9_000, false)).isEqualTo(50);
        assertThat(policy.pauseBeforeNext(Trouble.DENIED, 2, 9_000, false)).isEqualTo(SendRetryPolicy.NO);
        assertThat(policy.pauseBeforeNext(Trouble.ERROR, 2, 9_000, false)).isEqualTo(100);
        assertThat(policy.pauseBeforeNext(Trouble.ERROR, 3, 9_000, false)).isEqualTo(SendRetryPolicy.NO);
    }

    @Test
    void aHalfMessageThatMayBeStoredIsNotRepeated() {
        SendRetryPolicy half = new SendRetryPolicy(10, false);
        assertThat(half.pauseBeforeNext(Trouble.TIMEOUT, 1, 9_000, false)).isEqualTo(SendRetryPolicy.NO);
        assertThat(half.pauseBeforeNext(Trouble.BROKEN, 1, 9_000, false)).isEqualTo(SendRetryPolicy.NO);
        assertThat(half.pauseBeforeNext(Trouble.ERROR, 1, 9_000, false)).isEqualTo(SendRetryPolicy.NO);
        assertThat(half.pauseBeforeNext(Trouble.NOT_SENT, 1, 9_000, false)).isEqualTo(50);
        assertThat(half.pauseBeforeNext(Trouble.BUSY, 1, 9_000, false)).isEqualTo(50);
    }

    @ParameterizedTest
    @CsvSource({
        "1,ERROR",
        "2,BUSY",
        "14,BUSY",
        "215,BUSY",
        "1500,BUSY",
        "16,DENIED",
        "17,DENIED",
        "204,DENIED",
        "205,DENIED",
        "13,FINAL",
        "29,FINAL",
        "604,FINAL",
        "26,FINAL"
    })
    void codesAreSortedAsTheReferenceSays(int code, Trouble trouble) {
        assertThat(Trouble.ofCode(code)).isEqualTo(trouble);
    }

    @Test
    void anAttemptTakesAllTheTimeUnlessThereIsAnotherBroker() {
        assertThat(SendRetryPolicy.attemptMillis(3_000, false)).isEqualTo(3_000);
        assertThat(SendRetryPolicy.attemptMillis(3_000, true)).isEqualTo(1_500);
        assertThat(SendRetryPolicy.attemptMillis(600, true)).isEqualTo(500);
        assertThat(SendRetryPolicy.attemptMillis(300, true)).isEqualTo(300);
    }
}
