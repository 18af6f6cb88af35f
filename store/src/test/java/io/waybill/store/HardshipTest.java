/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import static io.waybill.store.Simulation.draft;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.waybill.platform.OpenMode;
import io.waybill.platform.simulated.Fault;
import io.waybill.platform.simulated.FileCall;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.log.Failed;
import io.waybill.store.log.FlushMode;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.StoreSettings;
import io.waybill.store.log.Stored;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;
import org.junit.jupiter.params.provider.ValueSource;

/** Rare moments and hostile neighbours. */
class HardshipTest {
    private static final String FIRST = "log/00000000000000000000.seg";

    @ParameterizedTest
    @ValueSource(ints = {0, 3, 5000})
    void aFirstSegmentThatWasNeverFinishedIsMadeAgain(int bytes) throws Exception {
        Simulation sim = Simulation.sync();
        sim.close();
        sim.files = sim.files.disk().copy();
        sim.backend.deleteAll();
        sim.files.delete(FIRST);
        sim.files.open(FIRST, OpenMode.CREATE_NEW).allocate(bytes);
        sim.open();
        assertThat(sim.files.size(FIRST)).isEqualTo(sim.settings.segmentBytes());
        for (int i = 0; i < 30; i++) {
            sim.put("t", i + "x".repeat(500));
        }
        assertThat(sim.bodies("t")).hasSize(30);
        sim.kill();
        sim.open();
        assertThat(sim.bodies("t")).hasSize(30);
        sim.close();
    }

    @Test
    void anUnfinishedSegmentBehindAFullOneIsMadeAgain() throws Exception {
        Simulation sim = Simulation.sync();
        sim.put("t", "a");
        long room = sim.settings.segmentBytes() - sim.store.status().positions().appended();
        int overhead = 56 + draft("t", "").size();
        // The body stands in the record four times: as body, unique key, key and tag.
        int length = 1;
        while (56 + draft("t", "y".repeat(length + 1)).size() <= room - overhead - 40) {
            length++;
        }
        sim.put("t", "y".repeat(length));
        long left = sim.settings.segmentBytes() - sim.store.status().positions().appended();
        MessageDraft exact = filler((int) left - 56);
        sim.stored((s, done) -> s.messages().append(exact, done));
        assertThat(sim.store.status().positions().appended()).isEqualTo(sim.settings.segmentBytes());
        sim.checkpoint();
        sim.kill();
        String second = "log/00000000000000008192.seg";
        sim.files.delete(second);
        sim.files.open(second, OpenMode.CREATE_NEW).close();
        sim.open();
        sim.put("t", "b");
        assertThat(sim.bodies("t")).hasSize(4).last().isEqualTo("b");
        assertThat(sim.files.size(second)).isEqualTo(sim.settings.segmentBytes());
        sim.close();
    }

    private static MessageDraft filler(int size) {
        MessageDraft.Builder empty =
                MessageDraft.copyOf(ByteBuffer.wrap(draft("t", "").bytes()), 0);
        int bare = draft("t", "").size();
        return empty.body(new byte[size - bare]).build();
    }

    @ParameterizedTest
    @EnumSource(FlushMode.class)
    void aCompletionThatThrowsTakesNobodyElsesAnswer(FlushMode mode) throws Exception {
        try (Simulation sim = new Simulation(Simulation.SMALL.withFlush(mode))) {
            List<Outcome> outcomes = new ArrayList<>();
            sim.store.messages().append(draft("t", "first"), first -> {
                sim.store.messages().append(draft("t", "a"), outcomes::add);
                sim.store.messages().append(draft("t", "b"), outcome -> {
                    throw new StackOverflowError("in a completion");
                });
                sim.store.messages().append(draft("t", "c"), outcomes::add);
            });
            sim.store.queues().onVisible((topic, queueId, max) -> {
                throw new AssertionError("in a listener");
            });
            sim.duties.runUntilIdle();
            assertThat(outcomes).hasSize(2).hasOnlyElementsOfType(Stored.class);
            assertThat(sim.store.status().state().isOpen()).isTrue();
            sim.put("t", "d");
        }
    }

    @ParameterizedTest
    @EnumSource(FlushMode.class)
    void viewsThatCannotBeWrittenBoundTheMemoryAndLoseNothing(FlushMode mode) throws Exception {
        StoreSettings settings = Simulation.SMALL
                .withFlush(mode)
                .withViewsBytes(8_192)
                .withCheckpoint(1 << 20, 1_000)
                .withAsyncFlushMillis(1);
        Simulation sim = new Simulation(settings);
        List<String> acknowledged = new ArrayList<>();
        Failed refused = null;
        for (int i = 0; refused == null; i++) {
            assertThat(i).isLessThan(1_000);
            sim.backend.failNextWrite();
            sim.duties.advance(2);
            String body = "m" + i;
            Outcome outcome = sim.outcome((s, done) -> s.messages().append(draft("t", body), done));
            if (outcome instanceof Failed failed) {
                refused = failed;
            } else {
                acknowledged.add(body);
            }
        }
        assertThat(refused.cause()).isEqualTo(Failed.FailureCause.OVERLOADED);
        assertThat(refused.maybeStored()).isFalse();
        assertThat(refused.text()).contains("cannot be written");
        assertThat(sim.store.status().state().isOpen()).isTrue();
        assertThat(sim.store.status().statistics().checkpoints()).isZero();
        assertThat(sim.bodies("t")).isEqualTo(acknowledged);

        sim.kill();
        sim.open();
        assertThat(sim.bodies("t")).as("the log replays all of it").isEqualTo(acknowledged);
        sim.duties.advance(10_000);
        sim.put("t", "more");
        sim.close();
    }

    @Test
    void viewsThatCanBeWrittenAgainLetTheStoreGoOn() throws Exception {
        try (Simulation sim =
                new Simulation(Simulation.SMALL.withViewsBytes(8_192).withCheckpoint(1 << 20, 1_000))) {
            Outcome outcome;
            do {
                sim.backend.failNextWrite();
                sim.duties.advance(2);
                outcome = sim.outcome((s, done) -> s.messages().append(draft("t", "m"), done));
            } while (outcome instanceof Stored);
            sim.duties.advance(20_000);
            sim.put("t", "again");
            assertThat(sim.store.status().statistics().checkpoints()).isPositive();
        }
    }

    @Test
    void aForceThatFailedIsNotTrustedByTheNextProcess() throws Exception {
        for (int seed = 0; seed < 20; seed++) {
            Simulation sim = Simulation.sync();
            sim.put("t", "a");
            sim.files.faults().failAt(FileCall.FORCE, 1, Fault.EIO);
            sim.outcome((s, done) -> s.messages().append(draft("t", "b"), done));
            sim.store.close();
            sim.kill();
            sim.open();
            List<String> shown = sim.bodies("t");
            sim.files = sim.files.disk().crash(io.waybill.platform.RandomSource.seeded(seed));
            sim.backend.crash();
            sim.open();
            assertThat(sim.bodies("t")).as("what was shown is kept").isEqualTo(shown);
            sim.close();
        }
    }

    @Test
    void aMessageInsideAMessageIsNotServed() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            Stored first = sim.put("t", "a");
            long next = sim.store.status().positions().appended() + 56;
            MessageDraft forged = draft("t", "forged");
            MessageDraft carrier = MessageDraft.copyOf(
                            ByteBuffer.wrap(draft("t", "").bytes()), 0)
                    .body(forged.bytes())
                    .build();
            long inside = next + StoredMessage.bodyIndex(ByteBuffer.wrap(carrier.bytes()), 0);
            for (long offset = 0; offset < 3; offset++) {
                for (int size : new int[] {forged.size(), 50 << 20, Integer.MAX_VALUE, 0, -1}) {
                    ByteBuffer bytes = ByteBuffer.wrap(forged.bytes().clone());
                    StoredMessage.patchPosition(bytes, 0, inside);
                    StoredMessage.patchQueueOffset(bytes, 0, offset);
                    bytes.putInt(0, size);
                    MessageDraft put = MessageDraft.copyOf(
                                    ByteBuffer.wrap(draft("t", "").bytes()), 0)
                            .body(bytes.array())
                            .build();
                    Stored stored = sim.stored((s, done) -> s.messages().append(put, done));
                    assertThat(stored.position()).isEqualTo(next);
                    assertThat(sim.store.messages().readAt(stored.position())).isNotNull();
                    assertThat(sim.store.messages().readAt(inside)).isNull();
                    inside += stored.size() + 56;
                    next += stored.size() + 56;
                    if (next + stored.size() > sim.settings.segmentBytes()) {
                        return;
                    }
                }
            }
            assertThat(first).isNotNull();
        }
    }

    @Test
    void coldFramesAreReadManyAtATime() throws Exception {
        Simulation sim = new Simulation(Simulation.SMALL.withSegmentBytes(1 << 20));
        for (int i = 0; i < 500; i++) {
            sim.put("t", "message " + i);
        }
        sim.close();
        sim.files = sim.files.disk().copy();
        sim.open();
        assertThat(sim.bodies("t")).hasSize(500);
        assertThat(sim.store.status().statistics().coldReads()).isLessThan(10);
        sim.store.close();
        assertThat(sim.files.faults().count(FileCall.READ)).isLessThan(100);
    }

    @Test
    void damageIsNeverServedWhateverLeadsToIt() throws Exception {
        Simulation sim = Simulation.sync();
        sim.put("t", "a");
        Stored bad = sim.put("t", "b");
        Stored due = sim.stored((s, done) -> s.timers().appendTimer(null, draft("t", "d"), Long.MAX_VALUE, done));
        sim.put("t", "c");
        sim.close();
        sim.files = sim.files.disk().copy();
        sim.files.disk().flipBit(FIRST, (bad.position() + 95) * 8);
        sim.files.disk().flipBit(FIRST, (due.position() + 95) * 8);
        sim.open();
        assertThat(sim.store.messages().readAt(bad.position())).isNull();
        assertThat(sim.store.messages().findByKey("t", "b", 10, 0, Long.MAX_VALUE))
                .isEmpty();
        assertThat(sim.store.messages().findByKey("t", "all", 10, 0, Long.MAX_VALUE))
                .hasSize(2);
        assertThat(sim.store.messages().readPending(due.handle())).isNull();
        ReadResult read = sim.store.queues().readQueue("t", 0, 1, 10, 10_000, null, null);
        assertThat(read.status()).isEqualTo(ReadResult.Status.DAMAGED);
        assertThat(read.damage()).contains(FIRST).containsPattern("at byte [0-9]+");
        assertThat(sim.bodies("t")).containsExactly("a");
        sim.store.close();
    }

    @Test
    void aClosedStoreIsNotADamagedOne() throws Exception {
        Simulation sim = Simulation.sync();
        Stored stored = sim.put("t", "a");
        sim.close();
        sim.files = sim.files.disk().copy();
        sim.open();
        sim.close();
        assertThatIllegalStateException()
                .isThrownBy(() -> sim.store.messages().readAt(stored.position()))
                .withMessageContaining("closed");
    }

    @Test
    void aFilterThatTakesNothingDoesNotHoldTheReader() throws Exception {
        try (Simulation sim = new Simulation(Simulation.SMALL
                .withSegmentBytes(4 << 20)
                .withMaxFrameBytes(1 << 20)
                .withViewsBytes(64 << 20))) {
            List<MessageDraft> batch = new ArrayList<>();
            for (int i = 0; i < 1_000; i++) {
                batch.add(draft("t", "m"));
            }
            for (int i = 0; i < 70; i++) {
                sim.stored((s, done) -> s.messages().appendBatch(batch, done));
            }
            long offset = 0;
            for (int reads = 0; offset < 70_000; reads++) {
                ReadResult read = sim.store.queues().readQueue("t", 0, offset, 32, 1 << 20, code -> false, null);
                assertThat(read.status()).isEqualTo(ReadResult.Status.NO_MATCH);
                assertThat(read.nextOffset() - offset).isBetween(1L, (long) QueueReader.MOST_EXAMINED);
                assertThat(reads).isLessThan(10);
                offset = read.nextOffset();
            }
        }
    }
}
