/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

import static org.assertj.core.api.Assertions.assertThat;

import java.util.List;
import org.junit.jupiter.api.Test;

class MemoryBudgetTest {
    @Test
    void somethingIsAlwaysLeftForOneWhoHoldsLittle() {
        MemoryBudget budget = new MemoryBudget(1_000_000);
        long[] hogs = new long[9];
        boolean grew = true;
        while (grew) {
            grew = false;
            for (int i = 0; i < hogs.length; i++) {
                if (budget.admits(hogs[i], 1_000)) {
                    hogs[i] += 1_000;
                    budget.add(1_000);
                    grew = true;
                }
            }
        }
        assertThat(hogs).containsOnly(100_000);
        assertThat(budget.freeBytes()).isEqualTo(100_000);
        assertThat(budget.admits(0, 100_000)).isTrue();
        budget.add(-hogs[0]);
        assertThat(budget.admits(0, 150_000)).isTrue();
    }

    @Test
    void socketsOfPeersLeaveDescriptorsForTheStore() {
        assertThat(Descriptors.forPeers(1024)).isEqualTo(768);
        assertThat(Descriptors.forPeers(256)).isEqualTo(128);
        assertThat(Descriptors.forPeers(64)).isEqualTo(16);
        assertThat(Descriptors.forPeers(1_048_576)).isEqualTo(786_432);
        assertThat(Descriptors.limit(List.of(
                        "Limit                     Soft Limit           Hard Limit           Units     ",
                        "Max open files            1024                 1048576              files     ")))
                .isEqualTo(1024);
        assertThat(Descriptors.limit(List.of("Max open files            unlimited            unlimited     files")))
                .isEqualTo(Integer.MAX_VALUE);
        assertThat(Descriptors.limit(List.of())).isEqualTo(Integer.MAX_VALUE);
        assertThat(Descriptors.forPeers()).isPositive();
    }
}
