/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.platform.OpenMode;
import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.platform.simulated.SimulatedClock;
import io.waybill.platform.simulated.SimulatedDuties;
import io.waybill.platform.simulated.SimulatedFiles;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.Decision;
import io.waybill.store.record.PopChange;
import io.waybill.store.record.PopDelta;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.UniqueKey;
import io.waybill.store.view.MemoryBackend;
import io.waybill.store.view.Views;
import io.waybill.store.view.ViewsBackend;
import io.waybill.store.view.ViewsDifference;
import java.io.IOException;
import java.net.InetAddress;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.function.Function;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.EnumSource;

/**
 * One log that leads and one that follows, on two machines; the test carries the frames by hand. What is proven: a log that
 * got the same frames is the same log, byte for byte, and its views are the same, whenever each makes its checkpoints.
 */
class TwoLogsTest {
    private static final int SEGMENT = 8192;
    private static final StoreSettings LEADING = StoreSettings.defaults()
            .withSegmentBytes(SEGMENT)
            .withMaxFrameBytes(2048)
            .withHotBytes(2 * SEGMENT)
            .withMaxWaiting(1024)
            .withRetention(0, 40_000, 0, 1_000)
            .withCheckpoint(SEGMENT, 500);
    /** Decides on no drop itself and makes no checkpoint of its own accord. */
    private static final StoreSettings FOLLOWING =
            LEADING.withRetention(0, 0, 0, 1_000).withCheckpoint(1 << 30, 1_000_000);

    /** One machine. */
    private static final class Node {
        final SimulatedClock clock = new SimulatedClock();
        final MemoryBackend backend = ViewsBackend.memory();
        final StoreSettings settings;
        SimulatedFiles files = new SimulatedFiles(RandomSource.seeded(7));
        SimulatedDuties duties;
        WatchedDuties watched;
        Views views;
        CommitLog log;

        Node(StoreSettings settings, FlushMode mode) throws StoreException {
            this.settings = settings.withFlush(mode);
            open();
        }

        void open() throws StoreException {
            duties = new SimulatedDuties(clock);
            watched = new WatchedDuties(duties);
            views = Views.open(backend);
            log = CommitLog.open(files, new Platform(clock, RandomSource.seeded(1), watched), settings, views.forLog());
            duties.runUntilIdle();
        }

        /** Ends the process; what was written is still there. */
        void kill() {
            files = files.disk().kill();
            backend.crash();
        }

        Stored stored(Function<Completion, LogWrite> change) {
            List<Outcome> outcomes = new ArrayList<>();
            log.submit(change.apply(outcomes::add));
            duties.runUntilIdle();
            assertThat(outcomes).hasSize(1).allMatch(Stored.class::isInstance);
            return (Stored) outcomes.get(0);
        }

        byte[] segment(String plainName) throws IOException {
            Segment from = Segment.open(files.disk().copy(), Segment.startOf(plainName), OpenMode.READ);
            ByteBuffer bytes = ByteBuffer.allocate(SEGMENT);
            from.read(from.start(), bytes);
            from.close();
            return bytes.array();
        }

        long oldest() throws IOException {
            return LogInspection.oldestPosition(files, 0);
        }

        void close() throws StoreException {
            log.close();
            views.close();
        }
    }

    private static MessageDraft draft(String queue, String body) {
        InetSocketAddress host = new InetSocketAddress(InetAddress.getLoopbackAddress(), 10911);
        return MessageDraft.builder()
                .topic(queue)
                .queueId(0)
                .bornHost(host)
                .storeHost(host)
                .body(body.getBytes(StandardCharsets.UTF_8))
                .properties(Map.of("UNIQ_KEY", "u" + body.length(), "KEYS", "all " + body.charAt(0), "TAGS", "a"))
                .build();
    }

    /** Hands over all frames that the follower has not got, and lets it apply them. */
    private static int ship(Node from, Node to) throws Exception {
        List<ByteBuffer> frames = new ArrayList<>();
        long end = to.log.positions().appended();
        LogInspection.walk(from.files.disk().copy(), 0, (info, entries, bytes, at) -> {
            if (info.base() >= end) {
                frames.add(ByteBuffer.allocate(info.length()).put(0, bytes, at, info.length()));
            }
        });
        for (ByteBuffer bytes : frames) {
            WrittenFrame frame = new WrittenFrame();
            assertThat(Records.parse(bytes, 0, frame.entries)).isNull();
            frame.hasBytes = true;
            frame.base = Frame.base(bytes, 0);
            frame.segmentStart = frame.base / SEGMENT * SEGMENT;
            frame.segmentEnd = frame.segmentStart + SEGMENT;
            frame.end = frame.base + bytes.remaining();
            frame.index = Frame.index(bytes, 0);
            frame.epoch = Frame.epoch(bytes, 0);
            frame.storeTimeMillis = Frame.storeTimeMillis(bytes, 0);
            frame.checksum = Frame.checksum(bytes, 0);
            to.watched.flusher.carry(frame, bytes);
            to.duties.runUntilIdle();
        }
        assertThat(to.log.state().isOpen()).as(to.log.state().toString()).isTrue();
        assertThat(to.log.positions().applied())
                .isEqualTo(to.log.positions().appended())
                .isEqualTo(from.log.positions().appended());
        return frames.size();
    }

    private static void same(Node one, Node other) throws IOException {
        int compared = 0;
        List<String> there = other.files.list(Segment.DIRECTORY);
        for (String name : one.files.list(Segment.DIRECTORY)) {
            if (there.contains(name)) {
                assertThat(other.segment(name)).as(name).isEqualTo(one.segment(name));
                compared++;
            }
        }
        assertThat(compared).isGreaterThan(1);
        assertThat(ViewsDifference.between(one.views, other.views)).isNull();
        assertThat(ViewsDifference.between(other.views, one.views)).isNull();
    }

    private static void someOfAll(Node leader, int round) {
        UniqueKey unique = new UniqueKey("t", "k" + round, Long.MAX_VALUE / 2);
        leader.stored(done -> MessageWrites.append(unique, draft("t", "unique" + round), done));
        Stored half =
                leader.stored(done -> MessageWrites.appendHalf(null, draft("t", "half" + round), "g", "", 50, done));
        Stored due = leader.stored(
                done -> MessageWrites.appendTimer(null, draft("t", "due" + round), Long.MAX_VALUE / 2, done));
        if (round % 2 == 0) {
            MessageDraft copy = draft("t", "half" + round);
            leader.stored(done -> MessageWrites.decide(half.handle(), Decision.COMMIT, false, "a", copy, 0, done));
            leader.stored(done -> MessageWrites.cancel(due.handle(), "b", done));
        }
        leader.stored(
                done -> StateWrites.commitOffsets(List.of(new ConsumerOffset("g", "t", 0, round)), List.of(), done));
        leader.stored(done -> StateWrites.putCatalog(
                CatalogKind.TOPIC, "t" + round % 3, round % 4 == 3 ? null : new byte[] {(byte) round}, done));
        List<PopChange> taken = round == 0
                ? List.of(new PopChange.Start(0), new PopChange.Take(0, 1_000, 61_000, 1))
                : List.of(new PopChange.Take(round, 1_000, 61_000, 1));
        leader.stored(done -> StateWrites.pop(List.of(), List.of(new PopDelta(new PopKey("g", "t", 0), taken)), done));
        for (int i = 0; i < 15; i++) {
            leader.stored(done -> MessageWrites.append(null, draft("t", round + "x".repeat(700)), done));
        }
    }

    @ParameterizedTest
    @EnumSource(FlushMode.class)
    void theSameFramesAreTheSameLogAndTheSameViews(FlushMode mode) throws Exception {
        Node leader = new Node(LEADING, mode);
        Node follower = new Node(FOLLOWING, mode);
        leader.log.lead(1);
        for (int round = 0; round < 8; round++) {
            someOfAll(leader, round);
            assertThat(ship(leader, follower)).isGreaterThan(20);
            same(leader, follower);
            // The leader makes checkpoints, drops and deletes; the follower gets the frames and stands still.
            leader.duties.advance(5_000);
            ship(leader, follower);
            same(leader, follower);
            assertThat(follower.views.forLog().droppedTo())
                    .isEqualTo(leader.views.forLog().droppedTo());
        }
        long dropped = leader.oldest();
        assertThat(dropped).as("the leader has deleted").isPositive();
        assertThat(follower.oldest()).as("the follower has not").isZero();
        assertThat(follower.views.forLog().droppedTo()).isEqualTo(dropped);
        assertThat(follower.views.forLog().flushedCheckpoint().position())
                .isLessThan(leader.views.forLog().flushedCheckpoint().position());

        // Its own duty deletes, once its own checkpoint knows; the views are the same as before.
        follower.duties.advance(20_000);
        assertThat(follower.oldest()).isEqualTo(dropped);
        same(leader, follower);

        // It is killed with frames that no checkpoint of it has, and gets the rest when it is back.
        someOfAll(leader, 8);
        ship(leader, follower);
        follower.kill();
        someOfAll(leader, 9);
        follower.open();
        assertThat(ship(leader, follower)).isGreaterThan(20);
        same(leader, follower);

        // The leader goes, and the follower leads on where it ended.
        leader.log.follow();
        ship(leader, follower);
        long offset = leader.views.forLog().nextOffset("t", 0);
        follower.clock.set(leader.clock.wallMillis());
        follower.log.lead(2);
        assertThat(follower.stored(done -> MessageWrites.append(null, draft("t", "on"), done))
                        .queueOffset())
                .isEqualTo(offset);
        ship(follower, leader);
        same(leader, follower);
        leader.close();
        follower.close();
    }
}
