/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.Files;
import io.waybill.platform.RandomSource;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.Checkpoint;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.DecisionConflict;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.PopFold;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.QueueKey;
import io.waybill.store.record.RewriteSet;
import io.waybill.store.record.UniqueKeyOwner;
import io.waybill.store.record.VisibleMessage;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/**
 * Random histories of entries, checkpoints, crashes, reopenings, deletions and trims: whatever happened, the views are what
 * the plainest fold of the same log is.
 */
class ViewsHistoryTest {
    private static final int SEEDS = Integer.getInteger("waybill.histories", 40);

    @TempDir
    Path directory;

    @Test
    void memoryHistories() {
        for (long seed = 1; seed <= SEEDS; seed++) {
            MemoryBackend backend = ViewsBackend.memory();
            new History(seed, backend, random -> backend.crash(random), 60).run();
        }
    }

    @Test
    void rocksHistories() {
        for (long seed = 1; seed <= Math.max(3, SEEDS / 50); seed++) {
            ViewsBackend backend = ViewsBackend.rocks(Files.real(directory.resolve("s" + seed)));
            new History(seed, backend, random -> {}, 80).run();
        }
    }

    private interface Crash {
        void now(RandomSource random);
    }

    private static final class History {
        private final long seed;
        private final RandomSource random;
        private final ViewsBackend backend;
        private final Crash crash;
        private final int steps;
        private final ViewsModel model;
        private Views views;
        private boolean prepared;

        History(long seed, ViewsBackend backend, Crash crash, int steps) {
            this.seed = seed;
            this.random = RandomSource.seeded(seed);
            this.backend = backend;
            this.crash = crash;
            this.steps = steps;
            this.model = new ViewsModel(random);
        }

        void run() {
            views = Views.open(backend);
            for (int step = 0; step < steps; step++) {
                try {
                    step();
                    if (random.nextInt(6) == 0) {
                        verify();
                    }
                } catch (RuntimeException | AssertionError e) {
                    throw new AssertionError("seed " + seed + " step " + step + ": " + e.getMessage(), e);
                }
            }
            try {
                verify();
            } catch (RuntimeException | AssertionError e) {
                throw new AssertionError("seed " + seed + " at the end: " + e.getMessage(), e);
            }
            views.close();
        }

        private void apply(ViewsModel.Frame frame) {
            views.apply(frame.entries(), frame.end(), frame.index(), 1, frame.storeTimeMillis());
        }

        private void step() {
            switch (random.nextInt(20)) {
                case 0, 1 -> prepared |= views.prepareCheckpoint();
                case 2, 3 -> {
                    views.writeCheckpoint(random.nextInt(2) == 0);
                    prepared = false;
                }
                case 4 -> {
                    views.close();
                    if (random.nextInt(2) == 0) {
                        crash.now(random);
                    } else if (random.nextInt(4) == 0) {
                        backend.deleteAll();
                    }
                    reopen();
                }
                case 5 -> trim();
                default -> apply(model.frame());
            }
        }

        private void reopen() {
            views = Views.open(backend);
            prepared = false;
            Checkpoint checkpoint = views.checkpoint();
            verifyAsOf(checkpoint);
            for (ViewsModel.Frame frame : model.log) {
                if (frame.base() >= checkpoint.position()) {
                    apply(frame);
                }
            }
            views.trimBefore(model.oldest);
        }

        /** What was found is exactly the fold up to the checkpoint, trimmed as it says: not older here and newer there. */
        private void verifyAsOf(Checkpoint checkpoint) {
            Views fold = Views.open(ViewsBackend.memory());
            for (ViewsModel.Frame frame : model.everything) {
                if (frame.end() <= checkpoint.position()) {
                    fold.apply(frame.entries(), frame.end(), frame.index(), 1, frame.storeTimeMillis());
                }
            }
            fold.trimBefore(checkpoint.oldestPosition());
            assertThat(ViewsDifference.between(views, fold))
                    .as("as of %s", checkpoint)
                    .isNull();
        }

        private void trim() {
            if (model.log.isEmpty()) {
                return;
            }
            long position = model.log.get(random.nextInt(model.log.size())).base();
            RewriteSet carried = views.forLog().pendingBefore(position);
            RewriteSet expected = model.carried(position, views.forLog().keyTimeMillis());
            assertThat(carried.halves()).isEqualTo(expected.halves());
            assertThat(carried.dues()).isEqualTo(expected.dues());
            assertThat(carried.progress()).isEqualTo(expected.progress());
            assertThat(carried.pops()).isEqualTo(expected.pops());
            assertThat(carried.uniques()).isEqualTo(expected.uniques());
            assertThat(carried.catalog())
                    .usingRecursiveFieldByFieldElementComparator()
                    .containsExactlyInAnyOrderElementsOf(expected.catalog());
            assertThat(carried.queueBases()).isEqualTo(expected.queueBases());
            apply(model.carry(carried));
            if (prepared) {
                views.writeCheckpoint(random.nextInt(2) == 0);
            }
            assertThat(views.prepareCheckpoint()).isTrue();
            // Trimmed after the swap: this checkpoint is still as of the oldest position before it.
            boolean late = random.nextInt(2) == 0;
            if (late) {
                views.trimBefore(position);
            }
            if (random.nextInt(2) == 0) {
                apply(model.frame());
            }
            views.writeCheckpoint(true);
            prepared = false;
            views.trimBefore(position);
            model.drop(position);
            if (random.nextInt(3) == 0) {
                views.close();
                crash.now(random);
                reopen();
            }
        }

        private void verify() {
            verifyQueues();
            verifyKeys();
            assertThat(views.transactions().first(1000)).isEqualTo(List.copyOf(model.halves.values()));
            assertThat(views.transactions().openCount()).isEqualTo(model.halves.size());
            assertThat(views.timers().first(1000)).isEqualTo(List.copyOf(model.dues.values()));
            assertThat(views.timers().count()).isEqualTo(model.dues.size());
            model.halves.forEach((handle, half) ->
                    assertThat(views.transactions().get(handle)).isEqualTo(half));
            model.dues.forEach(
                    (handle, due) -> assertThat(views.timers().get(handle)).isEqualTo(due));
            verifyDueKeys();
            model.checks.forEach((handle, events) ->
                    assertThat(views.transactions().checksOf(handle)).isEqualTo(model.checksOf(handle)));
            Map<String, DecisionConflict> conflicts = new TreeMap<>();
            views.transactions()
                    .visitConflicts(conflict -> conflicts.put(
                                    conflict.handle() + "/" + conflict.late().code(), conflict)
                            == null);
            assertThat(conflicts).isEqualTo(model.conflicts);
            for (ViewsModel.Frame frame : model.log) {
                for (LogRecord entry : frame.entries()) {
                    if (entry instanceof DecisionRecord decided) {
                        long handle = decided.handle();
                        assertThat(views.transactions().decisionOf(handle)).isEqualTo(model.decisions.get(handle));
                        assertThat(views.transactions().rolledBack(handle)).isEqualTo(model.rolledBack.get(handle));
                        assertThat(views.transactions().published(handle)).isEqualTo(model.published.get(handle));
                    }
                }
            }
            verifyDue();
            verifyPops();
            verifyUniques();
            verifyJournal();
            assertThat(views.offsets().all())
                    .isEqualTo(model.progress.values().stream()
                            .map(ViewsModel.Located::value)
                            .toList());
            model.progress.values().forEach(located -> {
                ConsumerOffset entry = located.value();
                assertThat(views.offsets().get(entry.group(), entry.topic(), entry.queueId()))
                        .isEqualTo(entry.offset());
                assertThat(views.offsets().of(entry.group())).contains(entry);
                assertThat(views.offsets().groups(entry.topic())).contains(entry.group());
            });
            for (CatalogKind kind : CatalogKind.values()) {
                assertThat(views.catalog().all(kind).size()).isEqualTo((int) model.catalog.values().stream()
                        .filter(located -> located.value().of() == kind)
                        .count());
            }
            model.catalog
                    .values()
                    .forEach(located -> assertThat(views.catalog()
                                    .get(located.value().of(), located.value().name()))
                            .isEqualTo(located.value().value()));
            assertThat(views.applied().position()).isEqualTo(model.end);

            Views fresh = Views.open(ViewsBackend.memory());
            for (ViewsModel.Frame frame : model.log) {
                fresh.apply(frame.entries(), frame.end(), frame.index(), 1, frame.storeTimeMillis());
            }
            fresh.trimBefore(model.oldest);
            assertThat(ViewsDifference.between(views, fresh)).isNull();
            assertThat(ViewsDifference.between(fresh, views)).isNull();
            List<String> here = new ArrayList<>();
            List<String> there = new ArrayList<>();
            ViewsDifference.dump(views, here::add);
            ViewsDifference.dump(fresh, there::add);
            assertThat(here).isEqualTo(there);
        }

        private void verifyQueues() {
            assertThat(views.consumeQueues().all()).containsExactlyInAnyOrderElementsOf(model.evidence.keySet());
            for (QueueKey key : model.evidence.keySet()) {
                QueueView queue = views.consumeQueues().view(key.topic(), key.queueId());
                long min = model.min(key);
                long max = model.next(key);
                assertThat(queue.min()).as("min of %s", key).isEqualTo(min);
                assertThat(queue.max()).as("max of %s", key).isEqualTo(max);
                assertThat(views.consumeQueues().of(key.topic())).contains(key);
                List<VisibleMessage> kept = model.kept(key);
                List<VisibleMessage> seen = new ArrayList<>();
                long end = queue.visit(0, Long.MAX_VALUE, (offset, position, size, frameDelta, tagsCode, time) -> {
                    seen.add(new VisibleMessage(
                            position, size, frameDelta, key.topic(), key.queueId(), offset, tagsCode, time, null));
                    return true;
                });
                assertThat(end).isEqualTo(max);
                assertThat(seen)
                        .isEqualTo(kept.stream()
                                .map(m -> new VisibleMessage(
                                        m.position(),
                                        m.size(),
                                        m.frameDelta(),
                                        m.topic(),
                                        m.queueId(),
                                        m.queueOffset(),
                                        m.tagsCode(),
                                        m.storeTimeMillis(),
                                        null))
                                .toList());
                for (int i = 0; i < 20 && min < max; i++) {
                    long offset = min + random.nextInt((int) (max - min));
                    VisibleMessage message = kept.get((int) (offset - min));
                    assertThat(queue.positionOf(offset)).isEqualTo(message.position());
                    assertThat(queue.storeTimeOf(offset)).isEqualTo(message.storeTimeMillis());
                    verifyTime(queue, kept, message.storeTimeMillis() + random.nextInt(3) - 1);
                }
                verifyTime(queue, kept, 0);
                verifyTime(queue, kept, model.now + 1);
                verifyTime(queue, kept, Long.MAX_VALUE);
                assertThat(queue.positionOf(min - 1)).isEqualTo(-1);
                assertThat(queue.positionOf(max)).isEqualTo(-1);
            }
        }

        private static void verifyTime(QueueView queue, List<VisibleMessage> kept, long time) {
            long lower = kept.stream()
                    .filter(message -> message.storeTimeMillis() >= time)
                    .mapToLong(VisibleMessage::queueOffset)
                    .findFirst()
                    .orElse(queue.max());
            long upper = kept.stream()
                    .filter(message -> message.storeTimeMillis() <= time)
                    .mapToLong(VisibleMessage::queueOffset)
                    .max()
                    .orElse(queue.min());
            assertThat(queue.offsetByTime(time, Boundary.LOWER)).isEqualTo(lower);
            assertThat(queue.offsetByTime(time, Boundary.UPPER)).isEqualTo(upper);
        }

        private void verifyKeys() {
            for (int topic = 0; topic < 3; topic++) {
                for (int key = 0; key < 41; key++) {
                    long before = random.nextInt(2) == 0 ? Long.MAX_VALUE : random.nextInt((int) model.end + 1);
                    int max = 1 + random.nextInt(64);
                    assertThat(views.keyPositions(
                                    ViewsModel.topic(topic), ViewsModel.key(key), 0, Long.MAX_VALUE, before, max))
                            .isEqualTo(model.positions(ViewsModel.topic(topic), ViewsModel.key(key), before, max));
                    verifyKeyTimes(ViewsModel.topic(topic), ViewsModel.key(key));
                }
            }
        }

        /** Times only narrow: all positions in the span must be there, and nothing that has not the key. */
        private void verifyKeyTimes(String topic, String key) {
            long from = 1_000_000 + random.nextInt((int) (model.now - 1_000_000) + 1);
            long to = from + random.nextInt(5_000);
            List<Long> all = Arrays.stream(model.positions(topic, key, Long.MAX_VALUE, 1000))
                    .boxed()
                    .toList();
            List<Long> within = model.messages.stream()
                    .filter(message -> message.storeTimeMillis() >= from && message.storeTimeMillis() <= to)
                    .map(VisibleMessage::position)
                    .filter(all::contains)
                    .toList();
            List<Long> found = Arrays.stream(views.keyPositions(topic, key, from, to, Long.MAX_VALUE, 1000))
                    .boxed()
                    .toList();
            assertThat(all).containsAll(found);
            assertThat(found).containsAll(within);
        }

        private void verifyDueKeys() {
            assertThat(views.timers().count(ViewsModel.topic(0))).isEqualTo(model.dues.size());
            assertThat(views.timers().count(ViewsModel.topic(1))).isZero();
            for (int i = 0; i < 40; i++) {
                String key = ViewsModel.key(i);
                assertThat(views.timers().byKey(ViewsModel.topic(0), key))
                        .isEqualTo(model.dues.keySet().stream()
                                .filter(handle ->
                                        Arrays.asList(model.dueKeys.get(handle)).contains(key))
                                .toList());
                assertThat(views.timers().byKey(ViewsModel.topic(1), key)).isEmpty();
                assertThat(views.timers().cancelledByKey(ViewsModel.topic(0), key))
                        .isEqualTo(model.cancelled.values().stream()
                                .filter(ended -> ended.position() >= model.oldest)
                                .map(ViewsModel.Located::value)
                                .filter(ended -> Arrays.asList(model.dueKeys.get(ended.handle()))
                                        .contains(key))
                                .toList());
            }
            model.cancelled.forEach((handle, ended) -> assertThat(views.timers().cancelled(handle))
                    .isEqualTo(ended.position() >= model.oldest ? ended.value() : null));
        }

        private void verifyUniques() {
            long now = views.applied().storeTimeMillis();
            for (int i = 0; i < 12; i++) {
                UniqueKeyOwner holder = views.uniqueKeys().get(ViewsModel.topic(0), "unique-" + i);
                UniqueKeyOwner expected = model.uniques.get("unique-" + i);
                boolean isHeld = expected != null && expected.key().untilMillis() > now;
                assertThat(holder != null && holder.key().untilMillis() > now).isEqualTo(isHeld);
                if (isHeld) {
                    assertThat(holder).isEqualTo(expected);
                }
                assertThat(views.uniqueKeys().get(ViewsModel.topic(1), "unique-" + i))
                        .isNull();
            }
        }

        private void verifyJournal() {
            for (int i = 0; i < 20; i++) {
                QueueKey queue = model.anyQueue();
                long offset = random.nextInt(7_000);
                int max = 1 + random.nextInt(20);
                assertThat(views.deliveries().of(queue.topic(), queue.queueId(), offset, max))
                        .isEqualTo(model.journal.stream()
                                .filter(located -> located.position() >= model.oldest)
                                .map(ViewsModel.Located::value)
                                .filter(entry -> entry.topic().equals(queue.topic())
                                        && entry.queueId() == queue.queueId()
                                        && entry.fromOffset() <= offset
                                        && entry.toOffset() > offset)
                                .limit(max)
                                .toList());
            }
        }

        private void verifyPops() {
            assertThat(views.pops().keys()).containsExactlyInAnyOrderElementsOf(model.pops.keySet());
            List<PopKey> paged = new ArrayList<>();
            for (List<PopKey> page = views.pops().after(null, 3); !page.isEmpty(); ) {
                paged.addAll(page);
                page = views.pops().after(page.get(page.size() - 1), 3);
            }
            assertThat(paged).as("in pages").containsAll(model.pops.keySet());
            model.pops.forEach((key, state) -> {
                PopFold fold = views.pops().fold(key);
                assertThat(fold.state()).isEqualTo(state.value());
                assertThat(fold.since()).isEqualTo(state.position());
            });
        }

        private void verifyDue() {
            List<DueItem> schedule = model.schedule();
            assertThat(views.schedule().nextMillis())
                    .isEqualTo(
                            schedule.isEmpty()
                                    ? Long.MAX_VALUE
                                    : schedule.get(0).dueMillis());
            for (long now : new long[] {0, model.now, model.now + 10_000, Long.MAX_VALUE}) {
                int max = 1 + random.nextInt(30);
                List<DueItem> expected = schedule.stream()
                        .filter(item -> item.dueMillis() <= now)
                        .limit(max)
                        .toList();
                DueBatch batch = views.schedule().upTo(now, max);
                assertThat(batch.items()).isEqualTo(expected);
                assertThat(batch.nextDueMillis())
                        .isEqualTo(
                                expected.size() < schedule.size()
                                        ? schedule.get(expected.size()).dueMillis()
                                        : Long.MAX_VALUE);
            }
        }
    }
}
