/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.platform.Duties;
import io.waybill.platform.OpenMode;
import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.platform.simulated.Fault;
import io.waybill.platform.simulated.FileCall;
import io.waybill.platform.simulated.SimulatedClock;
import io.waybill.platform.simulated.SimulatedDuties;
import io.waybill.platform.simulated.SimulatedFiles;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.store.record.Decision;
import io.waybill.store.view.Views;
import io.waybill.store.view.ViewsBackend;
import io.waybill.store.view.ViewsDifference;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CountDownLatch;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/** One log, led by one writer after the other; in between it follows. */
class TenureTest {
    private static final StoreSettings SMALL = StoreSettings.defaults()
            .withSegmentBytes(8192)
            .withMaxFrameBytes(2048)
            .withHotBytes(16_384)
            .withMaxWaiting(1024)
            .withRetention(0, 0, 0, 1_000)
            .withCheckpoint(1 << 20, 1_000_000);

    private final SimulatedClock clock = new SimulatedClock();
    private final SimulatedFiles files = new SimulatedFiles(RandomSource.seeded(7));
    private final SimulatedDuties duties = new SimulatedDuties(clock);
    private final ViewsBackend backend = ViewsBackend.memory();
    private Views views;
    private CommitLog log;

    private void open(FlushMode mode) throws StoreException {
        views = Views.open(backend);
        log = CommitLog.open(
                files, new Platform(clock, RandomSource.seeded(1), duties), SMALL.withFlush(mode), views.forLog());
        duties.runUntilIdle();
    }

    private static MessageDraft draft(String body) {
        InetSocketAddress host = new InetSocketAddress(InetAddress.getLoopbackAddress(), 10911);
        return MessageDraft.builder()
                .topic("t")
                .queueId(0)
                .bornHost(host)
                .storeHost(host)
                .body(body.getBytes(StandardCharsets.UTF_8))
                .properties(Map.of("UNIQ_KEY", body))
                .build();
    }

    private static void isMoved(Outcome outcome) {
        assertThat(outcome).isInstanceOf(Failed.class);
        assertThat(((Failed) outcome).cause()).isEqualTo(Failed.FailureCause.MOVED);
        assertThat(((Failed) outcome).maybeStored()).isFalse();
        assertThat(((Failed) outcome).text()).isEqualTo("moved, not stored");
    }

    @ParameterizedTest
    @EnumSource(FlushMode.class)
    void tenTenuresWriteOneLog(FlushMode mode) throws Exception {
        open(mode);
        List<Outcome> outcomes = new ArrayList<>();
        int stored = 0;
        for (int epoch = 1; epoch <= 10; epoch++) {
            log.submit(MessageWrites.append(null, draft("between " + epoch), outcomes::add));
            isMoved(outcomes.remove(0));
            log.lead(3 * epoch);
            assertThat(log.epoch()).isEqualTo(3L * epoch);
            for (int i = 0; i < 20; i++) {
                log.submit(MessageWrites.append(null, draft("m" + epoch + "x".repeat(200)), outcomes::add));
                duties.runUntilIdle();
            }
            // These are in a frame and not confirmed when the tenure ends (ASYNC confirms at once).
            log.submit(MessageWrites.append(null, draft("last " + epoch), outcomes::add));
            log.follow();
            log.follow();
            assertThat(outcomes).hasSize(21).allMatch(Stored.class::isInstance);
            for (Outcome outcome : outcomes) {
                assertThat(((Stored) outcome).queueOffset()).isEqualTo(stored++);
            }
            outcomes.clear();
            assertThat(log.positions().applied()).isEqualTo(log.positions().appended());
            assertThat(views.forLog().nextOffset("t", 0)).isEqualTo(stored);
            clock.set(clock.wallMillis() - 5_000);
        }
        log.lead(31);
        duties.runUntilIdle();
        log.close();
        views.close();

        List<Long> epochs = new ArrayList<>();
        long[] time = {Long.MIN_VALUE};
        LogInspection.End end = LogInspection.walk(files, 0, (frame, records, bytes, at) -> {
            if (epochs.isEmpty() || epochs.get(epochs.size() - 1) != frame.epoch()) {
                epochs.add(frame.epoch());
            }
            assertThat(frame.storeTimeMillis()).as("store time over tenures").isGreaterThanOrEqualTo(time[0]);
            time[0] = frame.storeTimeMillis();
        });
        assertThat(end.damage()).isNull();
        assertThat(epochs).containsExactly(3L, 6L, 9L, 12L, 15L, 18L, 21L, 24L, 27L, 30L, 31L);

        // Views that lived through all of them are what the log makes anew.
        Views lived = Views.open(backend);
        Views fresh = Views.open(ViewsBackend.memory());
        CommitLog again = CommitLog.open(
                files, new Platform(clock, RandomSource.seeded(1), new SimulatedDuties(clock)), SMALL, fresh.forLog());
        assertThat(ViewsDifference.between(lived, fresh)).isNull();
        assertThat(again.epoch()).isEqualTo(31);
        again.close();
    }

    @ParameterizedTest
    @EnumSource(FlushMode.class)
    void whatWaitsForASegmentWhenTheTenureEndsIsNotStored(FlushMode mode) throws Exception {
        open(mode);
        log.lead(1);
        List<Outcome> outcomes = new ArrayList<>();
        // Nobody steps the duties: the first segment fills, and the second one is taken, but no third one is made.
        for (int i = 0; i < 40; i++) {
            log.submit(MessageWrites.append(null, draft("x".repeat(700)), outcomes::add));
        }
        log.follow();
        assertThat(outcomes).hasSize(40);
        long stored = outcomes.stream().filter(Stored.class::isInstance).count();
        assertThat(stored).isBetween(8L, 39L);
        outcomes.stream().filter(outcome -> !(outcome instanceof Stored)).forEach(TenureTest::isMoved);
        assertThat(views.forLog().nextOffset("t", 0)).isEqualTo(stored);
        duties.runUntilIdle();

        // The next tenure goes on behind them, in the segment that is there by now.
        log.lead(2);
        log.submit(MessageWrites.append(null, draft("next"), outcomes::add));
        duties.runUntilIdle();
        assertThat(((Stored) outcomes.get(40)).queueOffset()).isEqualTo(stored);
        log.close();
        views.close();
    }

    @ParameterizedTest
    @EnumSource(FlushMode.class)
    void viewsAreWrittenAndCheckedWhileItFollows(FlushMode mode) throws Exception {
        open(mode);
        log.lead(1);
        List<Outcome> outcomes = new ArrayList<>();
        log.submit(MessageWrites.append(null, draft("one"), outcomes::add));
        log.follow();
        duties.advance(SMALL.checkpointMillis() + 1_000_000);
        assertThat(views.forLog().flushedCheckpoint().position())
                .isEqualTo(log.positions().applied());
        log.close();
        log.submit(MessageWrites.append(null, draft("two"), outcomes::add));
        assertThat(((Failed) outcomes.get(1)).cause()).isEqualTo(Failed.FailureCause.CLOSED);
        views.close();
    }

    @ParameterizedTest
    @EnumSource(FlushMode.class)
    void aTenureBeginsOnceAndWithALaterEpoch(FlushMode mode) throws Exception {
        open(mode);
        log.lead(5);
        assertThatThrownBy(() -> log.lead(6)).isInstanceOf(IllegalStateException.class);
        log.follow();
        assertThatThrownBy(() -> log.lead(5)).isInstanceOf(IllegalStateException.class);
        log.lead(6);
        log.close();
        assertThatThrownBy(() -> log.lead(7)).isInstanceOf(IllegalStateException.class);
        views.close();
    }

    private WatchedDuties openWatched(FlushMode mode) throws StoreException {
        WatchedDuties watched = new WatchedDuties(duties);
        views = Views.open(backend);
        log = CommitLog.open(
                files, new Platform(clock, RandomSource.seeded(1), watched), SMALL.withFlush(mode), views.forLog());
        duties.runUntilIdle();
        return watched;
    }

    /** Once the flusher has a frame, it alone answers its changes, whatever fails. */
    @ParameterizedTest
    @EnumSource(FlushMode.class)
    void aFrameThatWasTakenIsAnsweredOnce(FlushMode mode) throws Exception {
        WatchedDuties watched = openWatched(mode);
        log.lead(1);
        duties.runUntilIdle();
        List<Outcome> outcomes = new ArrayList<>();
        watched.failNext = true;
        log.submit(MessageWrites.append(null, draft("one"), outcomes::add));
        duties.runUntilIdle();
        assertThat(watched.failNext).as("it was met").isFalse();
        assertThat(outcomes).hasSize(1);
        assertThat(log.state().kind()).isEqualTo(StoreState.StoreMode.FROZEN);
        log.submit(MessageWrites.append(null, draft("two"), outcomes::add));
        duties.runUntilIdle();
        assertThat(outcomes).hasSize(2);
        assertThat(((Failed) outcomes.get(1)).maybeStored()).isFalse();
        log.close();
        assertThat(outcomes).hasSize(2);
        views.close();
    }

    /** A writer holds a buffer for the largest change: it goes with its tenure. */
    @ParameterizedTest
    @EnumSource(FlushMode.class)
    void nothingHoldsAWriterWhoseTenureHasEnded(FlushMode mode) throws Exception {
        WatchedDuties watched = openWatched(mode);
        log.lead(1);
        log.submit(MessageWrites.append(null, draft("one"), Completion.NONE));
        duties.runUntilIdle();
        log.follow();
        duties.runUntilIdle();
        assertThat(watched.writers).hasSize(1);
        for (int i = 0; i < 10 && watched.writers.get(0).get() != null; i++) {
            System.gc();
        }
        assertThat(watched.writers.get(0).get()).isNull();
        log.close();
        views.close();
    }

    /** Frame 1, without a record, as if another node had sent it; one change waits for it. */
    private void carry(WatchedDuties watched, long end, long statedBase, List<Outcome> outcomes) {
        ByteBuffer bytes = ByteBuffer.allocate(100);
        Frame.seal(bytes, 100, 1, 1, statedBase, 1, 0, 0, new CRC32C());
        WrittenFrame frame = new WrittenFrame();
        frame.hasBytes = true;
        frame.segmentEnd = SMALL.segmentBytes();
        frame.base = log.positions().appended();
        frame.end = end;
        frame.index = 1;
        frame.changes.add(new LogWrite(outcomes::add) {
            @Override
            int size() {
                return 0;
            }

            @Override
            Outcome encode(FrameBuilder builder, Pending pending) {
                throw new IllegalStateException("it is in its frame already");
            }
        });
        watched.flusher.carry(frame, bytes);
    }

    private int wordAt(long position) throws IOException {
        Segment first = Segment.open(files.disk().copy(), 0, OpenMode.READ);
        ByteBuffer word = ByteBuffer.allocate(Integer.BYTES);
        first.read(position, word);
        first.close();
        return word.getInt(0);
    }

    /** What was carried while it followed is forced before it leads; if that fails, nothing may be written any more, nor cut. */
    @Test
    void aLogThatFreezesOnTheWayToLeadIsNotCut() throws Exception {
        WatchedDuties watched = openWatched(FlushMode.SYNC);
        long base = oneFrame();
        List<Outcome> outcomes = new ArrayList<>();
        carry(watched, base + 100, base, outcomes);
        files.faults().failAt(FileCall.FORCE, 1, Fault.EIO);
        long writes = files.faults().count(FileCall.WRITE);
        assertThatThrownBy(() -> log.lead(2)).isInstanceOf(StoreException.class).hasMessageContaining("forcing");
        duties.runUntilIdle();
        assertThat(files.faults().count(FileCall.WRITE)).isEqualTo(writes);
        assertThat(wordAt(base)).isEqualTo(Frame.MAGIC);
        isFrozen(outcomes);
    }

    /** The same if what stands there cannot be cut; who waits is told by the flusher, which goes on. */
    @Test
    void aLogThatCannotBeCutIsFrozen() throws Exception {
        WatchedDuties watched = openWatched(FlushMode.SYNC);
        long base = oneFrame();
        List<Outcome> outcomes = new ArrayList<>();
        // Its end is never reached, so nobody confirms it; it says that it belongs elsewhere.
        carry(watched, Long.MAX_VALUE, base + 1, outcomes);
        assertThatThrownBy(() -> log.lead(2))
                .isInstanceOf(StoreException.class)
                .hasMessageContaining("no frame begins");
        duties.runUntilIdle();
        assertThat(wordAt(base)).isEqualTo(Frame.MAGIC);
        isFrozen(outcomes);
    }

    private long oneFrame() throws StoreException {
        log.lead(1);
        log.submit(MessageWrites.append(null, draft("one"), Completion.NONE));
        duties.runUntilIdle();
        log.follow();
        duties.runUntilIdle();
        return log.positions().applied();
    }

    private void isFrozen(List<Outcome> outcomes) throws StoreException {
        assertThat(log.state().kind()).isEqualTo(StoreState.StoreMode.FROZEN);
        assertThat(outcomes).hasSize(1);
        assertThat(((Failed) outcomes.get(0)).cause()).isEqualTo(Failed.FailureCause.FROZEN);
        assertThat(((Failed) outcomes.get(0)).maybeStored()).isTrue();
        log.close();
        assertThat(outcomes).hasSize(1);
        views.close();
    }

    /** An answer that waits for the frames before it does not wait for one that was planned and never made. */
    @ParameterizedTest
    @EnumSource(FlushMode.class)
    void aBarrierBehindAPlannedSegmentWaitsForWhatWasCarried(FlushMode mode) throws Exception {
        open(mode);
        log.lead(1);
        List<Outcome> outcomes = new ArrayList<>();
        log.submit(MessageWrites.appendHalf(null, draft("half"), "g", "", 50, outcomes::add));
        log.submit(MessageWrites.append(null, draft("x".repeat(1_500)), outcomes::add));
        duties.runUntilIdle();
        long handle = ((Stored) outcomes.get(0)).handle();
        outcomes.clear();
        log.submit(MessageWrites.decide(handle, Decision.ROLLBACK, false, "a", null, 0, outcomes::add));
        log.submit(new LogWrite(outcomes::add) {
            @Override
            int size() {
                return 8_000;
            }

            @Override
            Outcome encode(FrameBuilder frame, Pending pending) {
                throw new IllegalStateException("a defect");
            }
        });
        log.submit(MessageWrites.decide(handle, Decision.ROLLBACK, false, "b", null, 0, outcomes::add));
        duties.runUntilIdle();
        assertThat(outcomes).hasSize(3);
        assertThat(outcomes).hasAtLeastOneElementOfType(Refused.class);
        log.close();
        views.close();
    }

    /** Real threads send all the time while tenures begin and end: each change is answered once, and truly. */
    @ParameterizedTest
    @EnumSource(FlushMode.class)
    void sendersAreAnsweredOnceWhoeverLeads(FlushMode mode) throws Exception {
        Duties real = Duties.real();
        views = Views.open(backend);
        log = CommitLog.open(
                files, new Platform(clock, RandomSource.seeded(1), real), SMALL.withFlush(mode), views.forLog());
        AtomicInteger answers = new AtomicInteger();
        AtomicInteger stored = new AtomicInteger();
        List<Outcome> others = Collections.synchronizedList(new ArrayList<>());
        int each = 2_000;
        int senders = 3;
        CountDownLatch sent = new CountDownLatch(senders);
        for (int sender = 0; sender < senders; sender++) {
            real.thread("sender", () -> {
                        for (int i = 0; i < each; i++) {
                            log.submit(MessageWrites.append(null, draft("x"), outcome -> {
                                answers.incrementAndGet();
                                if (outcome instanceof Stored) {
                                    stored.incrementAndGet();
                                } else {
                                    others.add(outcome);
                                }
                            }));
                        }
                        sent.countDown();
                    })
                    .start();
        }
        for (int epoch = 1; sent.getCount() > 0; epoch++) {
            log.lead(epoch);
            while (sent.getCount() > 0 && answers.get() < epoch * 200) {
                Thread.onSpinWait();
            }
            log.follow();
        }
        sent.await();
        log.close();
        assertThat(answers).hasValue(senders * each);
        assertThat(views.forLog().nextOffset("t", 0)).isEqualTo(stored.get());
        assertThat(others)
                .allSatisfy(outcome -> assertThat(((Failed) outcome).cause())
                        .isIn(Failed.FailureCause.MOVED, Failed.FailureCause.OVERLOADED));
        views.close();
        real.close();
        for (Thread thread : Thread.getAllStackTraces().keySet()) {
            if (thread.getName().startsWith("log-")) {
                // A closed duty has run for the last time; its thread ends a moment later.
                thread.join(10_000);
                assertThat(thread.isAlive()).as(thread.getName()).isFalse();
            }
        }
    }
}
