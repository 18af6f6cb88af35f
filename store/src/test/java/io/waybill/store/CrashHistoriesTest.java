/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.RandomSource;
import org.junit.jupiter.api.Test;

/** Many random lives of a store; {@code -Dwaybill.histories=N} for more, {@code -Dwaybill.seed=S} to repeat. */
class CrashHistoriesTest {

    @Test
    void acknowledgedIsKeptAndNothingElseAppears() {
        long first = Long.getLong("waybill.seed", RandomSource.system().nextLong() >>> 16);
        int count = Integer.getInteger("waybill.histories", 2_000);
        System.out.println("crash histories: -Dwaybill.seed=" + first + " -Dwaybill.histories=" + count);
        int[] sums = new int[8];
        for (long seed = first; seed < first + count; seed++) {
            CrashHistory history = new CrashHistory(seed);
            history.run();
            sums[0] += history.lives;
            sums[1] += history.crashes;
            sums[2] += history.acknowledged;
            sums[3] += history.survivedUnacknowledged;
            sums[4] += history.segmentsDropped;
            sums[5] += history.frozen;
            sums[6] += history.diskFull;
            sums[7] += history.published;
        }
        System.out.printf(
                "lives %d, crashes %d, acknowledged %d, survived unacknowledged %d, segments dropped %d, frozen %d, disk full %d, published %d%n",
                sums[0], sums[1], sums[2], sums[3], sums[4], sums[5], sums[6], sums[7]);
        if (count >= 1_000) {
            // Without evidence that faults happened the run would prove nothing.
            assertThat(sums).doesNotContain(0);
        }
    }
}
