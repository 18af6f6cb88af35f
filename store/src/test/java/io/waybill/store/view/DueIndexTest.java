/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.RandomSource;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.TreeSet;
import org.junit.jupiter.api.Test;

/** The window over the table, at sizes where it fills, shrinks and is loaded again all the time. */
class DueIndexTest {
    private static final Comparator<DueItem> ORDER = Comparator.comparingLong(DueItem::dueMillis)
            .thenComparing(DueItem::handle)
            .thenComparing(DueItem::kind);

    @Test
    void answersAsASortedSetWhateverTheWindowHolds() {
        for (long seed = 1; seed <= 200; seed++) {
            RandomSource random = RandomSource.seeded(seed);
            ViewsBackend backend = ViewsBackend.memory();
            Table table = new Table(backend, Family.DUE);
            int page = 1 + random.nextInt(4);
            int limit = page + 2 + random.nextInt(4);
            DueIndex index = new DueIndex(table, page, limit);
            TreeSet<DueItem> model = new TreeSet<>(ORDER);
            for (int step = 0; step < 300; step++) {
                int action = random.nextInt(10);
                boolean growing = step / 50 % 2 == 0;
                if (action < (growing ? 6 : 2)) {
                    DueItem item = new DueItem(
                            random.nextInt(50) - 5,
                            step,
                            random.nextInt(2) == 0 ? DueItem.DueAction.DELIVER : DueItem.DueAction.CHECK);
                    index.add(item, true);
                    model.add(item);
                } else if (action < 8 && !model.isEmpty()) {
                    List<DueItem> items = new ArrayList<>(model);
                    DueItem item = random.nextInt(2) == 0 ? model.first() : items.get(random.nextInt(items.size()));
                    index.remove(item);
                    model.remove(item);
                } else if (action == 8) {
                    table.swap();
                    try (ViewBatch batch = backend.newBatch()) {
                        table.write(batch);
                        backend.write(batch);
                    }
                    table.written();
                    if (random.nextInt(3) == 0) {
                        table = new Table(backend, Family.DUE);
                        index = new DueIndex(table, page, limit);
                        // What came since the checkpoint is nothing here, so the new one is whole.
                    }
                }
                index.publish();
                verify(seed, random, index, model);
            }
        }
    }

    private static void verify(long seed, RandomSource random, DueIndex index, TreeSet<DueItem> model) {
        assertThat(index.nextDueMillis())
                .as("seed %d", seed)
                .isEqualTo(model.isEmpty() ? Long.MAX_VALUE : model.first().dueMillis());
        long now = random.nextInt(50);
        int max = 1 + random.nextInt(12);
        List<DueItem> expected = model.stream()
                .filter(item -> item.dueMillis() <= now)
                .limit(max)
                .toList();
        DueBatch batch = index.upTo(now, max);
        assertThat(batch.items()).as("seed %d", seed).isEqualTo(expected);
        assertThat(batch.nextDueMillis())
                .as("seed %d", seed)
                .isEqualTo(model.stream()
                        .skip(expected.size())
                        .mapToLong(DueItem::dueMillis)
                        .findFirst()
                        .orElse(Long.MAX_VALUE));
    }

    @Test
    void wakesOnlyWhenTheHeadMovesEarlier() {
        Table table = new Table(ViewsBackend.memory(), Family.DUE);
        DueIndex index = new DueIndex(table);
        int[] woken = new int[1];
        index.onEarlier(() -> woken[0]++);
        DueItem late = new DueItem(100, 1, DueItem.DueAction.DELIVER);
        index.add(late, true);
        index.publish();
        assertThat(woken[0]).isEqualTo(1);
        index.add(new DueItem(200, 2, DueItem.DueAction.CHECK), true);
        index.publish();
        assertThat(woken[0]).isEqualTo(1);
        index.remove(late);
        index.publish();
        assertThat(woken[0]).isEqualTo(1);
        assertThat(index.nextDueMillis()).isEqualTo(200);
        index.add(new DueItem(50, 3, DueItem.DueAction.CHECK), true);
        index.publish();
        assertThat(woken[0]).isEqualTo(2);
    }
}
