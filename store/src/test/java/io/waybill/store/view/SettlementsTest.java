/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.store.record.Settlement;
import java.util.ArrayList;
import java.util.List;
import java.util.Random;
import org.junit.jupiter.api.Test;

class SettlementsTest {
    private static final String TOPIC = "letters";

    private final FailingBackend backend = new FailingBackend(ViewsBackend.memory());

    private static Settlement range(long from, long to) {
        return new Settlement(Settlement.SetAsideKind.DEAD_LETTER, TOPIC, 0, from, to, Settlement.How.REDRIVEN, "kim");
    }

    private Settlements written(List<Settlement> ranges) {
        Table table = new Table(backend, Family.STATE);
        Settlements settlements = new Settlements(backend, table, null, 0);
        ranges.forEach(range -> settlements.fold(range.at(1, 1)));
        table.swap();
        ViewBatch batch = backend.newBatch();
        table.write(batch);
        backend.write(batch);
        table.written();
        return settlements;
    }

    /** The writer of the log asks it for each range before it settles: everything that is sent waits meanwhile. */
    @Test
    void whatIsSettledIsFoundWithoutALookAtAllThatIsSettledBefore() {
        List<Settlement> single = new ArrayList<>();
        for (long offset = 0; offset < 3 * Settlement.MAX_SPAN; offset++) {
            single.add(range(offset, offset + 1));
        }
        Settlements settlements = written(single);
        backend.takeVisited();

        long next = single.size();
        assertThat(settlements.overlapping(range(next, next + 1))).isNull();
        assertThat(settlements.overlapping(range(next - 1, next)).fromOffset()).isEqualTo(next - 1);
        assertThat(backend.takeVisited()).isLessThan(100);
    }

    @Test
    void whateverTheRangesAreAnOverlapIsFoundAndNothingElse() {
        Random random = new Random(7);
        List<Settlement> ranges = new ArrayList<>();
        long offset = 0;
        while (offset < 40_000) {
            long from = offset + (random.nextInt(4) == 0 ? random.nextInt(5_000) : random.nextInt(3));
            long to = from + 1 + (random.nextInt(5) == 0 ? random.nextInt(Settlement.MAX_SPAN) : random.nextInt(20));
            ranges.add(range(from, to));
            offset = to;
        }
        ranges.add(range(offset + 10, offset + 10 + Settlement.MAX_SPAN));
        Settlements settlements = written(ranges);

        for (int i = 0; i < 2_000; i++) {
            long from = random.nextInt((int) offset + 6_000);
            Settlement asked = range(from, from + 1 + random.nextInt(i % 2 == 0 ? 1 : 50));
            Settlement expected = ranges.stream()
                    .filter(one -> one.overlaps(asked))
                    .findFirst()
                    .orElse(null);
            Settlement found = settlements.overlapping(asked);
            assertThat(found == null ? -1 : found.fromOffset())
                    .as("%s", asked)
                    .isEqualTo(expected == null ? -1 : expected.fromOffset());
        }
    }
}
