/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.store.record.FirstMessage;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.UniqueKey;
import io.waybill.store.record.UniqueKeyClaim;
import io.waybill.store.record.UniqueKeyOwner;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;

class RewriteSetTest {
    private static final int KEYS = 2 * Views.MOST_UNIQUES + 5_000;

    @Test
    void uniqueKeysAreGatheredInPiecesAndNoneIsLeftOut() {
        Views views = Views.open(ViewsBackend.memory());
        List<LogRecord> entries = new ArrayList<>();
        for (int i = 0; i < KEYS; i++) {
            entries.add(unique(100L * i, i));
        }
        views.apply(entries, 100L * KEYS, 1, 1, 1_000);
        long below = 100L * KEYS;
        int[] visited = new int[1];
        views.uniqueKeys().visitBelow(below, holder -> ++visited[0] > 0);
        assertThat(visited[0]).isEqualTo(KEYS);

        List<String> carried = new ArrayList<>();
        long end = below;
        for (int round = 2; round < 10; round++) {
            List<UniqueKeyOwner> some = views.forLog().pendingBefore(below).uniques();
            assertThat(some).hasSizeLessThanOrEqualTo(Views.MOST_UNIQUES);
            List<LogRecord> restated = new ArrayList<>();
            for (UniqueKeyOwner holder : some) {
                carried.add(holder.key().key());
                restated.add(new UniqueKeyClaim(end, holder.key(), holder.first(), 1_000));
                end += 100;
            }
            views.apply(restated, end, round, 1, 1_000);
        }
        assertThat(carried).hasSize(KEYS).doesNotHaveDuplicates();
        assertThat(views.forLog().pendingBefore(below).isEmpty()).isTrue();
        assertThat(views.uniqueKeys().get("t", "k0").first().queueOffset()).isZero();
    }

    private static UniqueKeyClaim unique(long position, int number) {
        return new UniqueKeyClaim(
                position,
                new UniqueKey("t", "k" + number, 100_000),
                new FirstMessage(position, number, 0, 1_000),
                1_000);
    }
}
