/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.platform.RandomSource;
import io.waybill.store.record.PopChange;
import io.waybill.store.record.PopDelta;
import io.waybill.store.record.PopFold;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopState;
import io.waybill.store.record.PopSteps;
import io.waybill.store.record.ViewsDamaged;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** A pop state is what a plain map of every single offset says, after any steps in any order. */
class PopStateTest {
    private static final PopKey KEY = new PopKey("g", "t", 3);

    /** Every offset by itself; null = finished. */
    private static final class Naive {
        long base;
        final TreeMap<Long, PopState.InFlight> messages = new TreeMap<>();

        Naive(long base) {
            this.base = base;
        }

        boolean isAcked(long offset) {
            return offset < base || messages.containsKey(offset) && messages.get(offset) == null;
        }

        void apply(PopChange change) {
            if (change instanceof PopChange.Take take) {
                if (!isAcked(take.offset())) {
                    messages.put(
                            take.offset(),
                            new PopState.InFlight(
                                    take.offset(), take.popTimeMillis(), take.deadlineMillis(), take.deliveries()));
                }
            } else if (change instanceof PopChange.Ack ack) {
                for (long offset = Math.max(base, ack.from()); offset < ack.to(); offset++) {
                    messages.put(offset, null);
                }
                while (messages.containsKey(base) && messages.get(base) == null) {
                    messages.remove(base++);
                }
            } else if (change instanceof PopChange.Reset reset) {
                messages.clear();
                base = reset.base();
            }
        }
    }

    private static PopChange step(RandomSource random, int span) {
        long offset = random.nextInt(span);
        return switch (random.nextInt(20)) {
            case 0 -> random.happens(0.2) ? new PopChange.Reset(offset) : new PopChange.Start(offset);
            case 1, 2 -> new PopChange.Ack(offset, offset + random.nextInt(span));
            case 3, 4, 5, 6, 7, 8, 9, 10 -> new PopChange.Ack(offset, offset + random.nextInt(4));
            default ->
                new PopChange.Take(offset, random.nextInt(1_000) - 10, random.nextInt(100_000) - 10, random.nextInt(5));
        };
    }

    private static void same(PopState state, Naive naive, int span) {
        assertThat(state.base()).isEqualTo(naive.base);
        long frontier = naive.base;
        for (long offset = 0; offset < 3L * span; offset++) {
            assertThat(state.isAcked(offset)).as("offset %s", offset).isEqualTo(naive.isAcked(offset));
            assertThat(state.inFlight(offset)).isEqualTo(naive.messages.get(offset));
            frontier = naive.messages.containsKey(offset) ? offset + 1 : frontier;
        }
        assertThat(state.frontier()).isEqualTo(frontier);
        long last = state.base();
        for (long[] range : state.ackedRanges()) {
            assertThat(range[0]).isGreaterThan(last);
            assertThat(range[1]).isGreaterThan(range[0]);
            last = range[1];
        }
        assertThat(new ArrayList<>(state.inFlight().values()))
                .isEqualTo(
                        naive.messages.values().stream().filter(m -> m != null).toList());
    }

    @Test
    void anyStepsAreWhatTheNaiveModelSays() {
        for (int seed = 0; seed < 300; seed++) {
            RandomSource random = RandomSource.seeded(seed);
            int span = 2 + random.nextInt(60);
            long base = random.nextInt(span);
            PopState state = new PopState(base);
            Naive naive = new Naive(base);
            PopState frozen = state.copy();
            byte[] before = state.encode();
            for (int i = 0; i < 120; i++) {
                PopChange change = step(random, span);
                state.apply(change);
                naive.apply(change);
                if (random.happens(0.1)) {
                    same(state, naive, span);
                    assertThat(frozen.encode()).as("a copy is its own").isEqualTo(before);
                    PopState decoded = PopState.decode(state.encode());
                    assertThat(decoded).isEqualTo(state);
                    assertThat(decoded.encode()).isEqualTo(state.encode());
                    frozen = state.copy();
                    before = state.encode();
                }
            }
            same(state, naive, span);
        }
    }

    /** The views rely on it: a reader may fold records that are in its state already. */
    @Test
    void recordsThatAreInTheStateChangeNothing() {
        for (int seed = 0; seed < 2_000; seed++) {
            RandomSource random = RandomSource.seeded(seed);
            PopFold fold = new PopFold(KEY, 0, 0, random.happens(0.5) ? new PopState(random.nextInt(10)) : null);
            List<PopDelta> steps = new ArrayList<>();
            for (int i = random.nextInt(5); i >= 0; i--) {
                List<PopChange> changes = new ArrayList<>();
                for (int k = random.nextInt(8); k >= 0; k--) {
                    changes.add(random.happens(0.1) ? new PopChange.Drop() : step(random, 12));
                }
                steps.add(new PopDelta(KEY, changes));
            }
            int repeatedFrom = random.nextInt(steps.size());
            for (int i = 0; i < steps.size(); i++) {
                fold.entry(new PopSteps(100 + i, List.of(steps.get(i))));
            }
            String once = fold.since() + " " + fold.state();
            for (int i = repeatedFrom; i < steps.size(); i++) {
                fold.entry(new PopSteps(100 + i, List.of(steps.get(i))));
            }
            assertThat(fold.since() + " " + fold.state()).as("seed %s", seed).isEqualTo(once);
        }
    }

    @Test
    void deltasAreTheSameAfterTheirBytes() {
        for (int seed = 0; seed < 500; seed++) {
            RandomSource random = RandomSource.seeded(seed);
            List<PopDelta> deltas = new ArrayList<>();
            for (int i = random.nextInt(4); i > 0; i--) {
                List<PopChange> changes = new ArrayList<>();
                for (int k = random.nextInt(20); k > 0; k--) {
                    changes.add(
                            random.happens(0.05) ? new PopChange.Drop() : step(random, 1 + random.nextInt(100_000)));
                }
                long first = random.nextInt(1_000);
                for (int k = random.nextInt(40); k > 0; k--) {
                    changes.add(new PopChange.Take(first++, 1_700_000_000_000L, 1_700_000_060_000L, 1));
                }
                deltas.add(new PopDelta(new PopKey("g" + i, "topic", i), changes));
            }
            assertThat(PopDelta.decode(PopDelta.encode(deltas))).isEqualTo(deltas);
        }
    }

    @Test
    void aTakeOfManyIsSmall() {
        List<PopChange> takes = new ArrayList<>();
        for (int i = 0; i < 32; i++) {
            takes.add(new PopChange.Take(5_000_000 + i, 1_700_000_000_000L, 1_700_000_060_000L, 1));
        }
        assertThat(PopDelta.encode(List.of(new PopDelta(KEY, takes)))).hasSizeLessThan(40);
    }

    @Test
    void manyInFlightStillWork() {
        PopState state = new PopState(7);
        for (int i = 0; i < 100_000; i++) {
            state.apply(new PopChange.Take(7 + i, 1_700_000_000_000L + i / 32, 1_700_000_060_000L + i / 32, 1));
        }
        byte[] bytes = state.encode();
        assertThat(bytes.length).isLessThan(800_000);
        PopState other = PopState.decode(bytes);
        for (int i = 99_999; i >= 0; i--) {
            other.apply(new PopChange.Ack(7 + i, 8 + i));
            assertThat(other.base()).isEqualTo(i == 0 ? 100_007 : 7);
        }
        assertThat(other.frontier()).isEqualTo(100_007);
        assertThat(other.inFlight()).isEmpty();
        assertThat(other.ackedRanges()).isEmpty();
        assertThat(state.inFlight()).hasSize(100_000);
    }

    @Test
    void whatIsNoStateIsRefused() {
        byte[] bytes = new PopState(7).encode();
        assertThatThrownBy(() -> PopState.decode(Arrays.copyOf(bytes, bytes.length - 1)))
                .isInstanceOf(ViewsDamaged.class);
        bytes[0] = 9;
        assertThatThrownBy(() -> PopState.decode(bytes))
                .isInstanceOf(ViewsDamaged.class)
                .hasMessageContaining("version 9");
        assertThatThrownBy(() -> new PopChange.Ack(5, 4)).hasMessageContaining("ends at 4");
        assertThatThrownBy(() -> new PopChange.Take(-1, 0, 0, 0)).hasMessageContaining("-1");
    }
}
