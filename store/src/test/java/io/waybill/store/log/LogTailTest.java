/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.platform.OpenMode;
import io.waybill.platform.RandomSource;
import io.waybill.platform.simulated.Fault;
import io.waybill.platform.simulated.FileCall;
import io.waybill.platform.simulated.SimulatedFiles;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.TreeSet;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** The rules of the only physical append, as the leader and a node that follows must both find them. */
class LogTailTest {
    private static final int SEGMENT = 8192;
    private static final StoreSettings SETTINGS = StoreSettings.defaults()
            .withSegmentBytes(SEGMENT)
            .withHotBytes(SEGMENT)
            .withRetention(0, 0, 0, 1_000);

    private final SimulatedFiles files = new SimulatedFiles(RandomSource.seeded(1));
    private Positions positions;
    private Segments segments;
    private SegmentMaker maker;
    private LogTail tail;
    /** Where frames stand; how many are before one is its index. */
    private final TreeSet<Long> bases = new TreeSet<>();

    @BeforeEach
    void open() throws IOException {
        files.createDirectories(Segment.DIRECTORY);
        Segment first = Segment.create(files, 0, SEGMENT);
        first.heat(0);
        segments = new Segments(new Segment[] {first});
        positions = new Positions(FlushMode.SYNC, 0);
        maker = new SegmentMaker(files, SETTINGS, SEGMENT);
        tail = new LogTail(SETTINGS, segments, positions, maker, 0);
    }

    private static ByteBuffer frame(long base, long index, int length, int filler) {
        ByteBuffer frame = ByteBuffer.allocate(length);
        for (int i = Frame.HEADER; i < length; i++) {
            frame.put(i, (byte) filler);
        }
        Frame.seal(frame, length, 1, index, base, 1, 1, 0, new CRC32C());
        return frame;
    }

    private static long start(long base) {
        return base / SEGMENT * SEGMENT;
    }

    private void append(long base, int length, int filler) throws IOException, StoreException {
        append(base, bases.headSet(base).size(), length, filler);
        bases.tailSet(base).clear();
        bases.add(base);
    }

    private void append(long base, long index, int length, int filler) throws IOException, StoreException {
        tail.append(base, start(base), start(base) + SEGMENT, frame(base, index, length, filler));
    }

    private int byteAt(long position) throws IOException {
        ByteBuffer one = ByteBuffer.allocate(1);
        segments.of(position).read(position, one);
        return one.get(0);
    }

    private void confirm(long end) throws IOException {
        tail.force(end);
        positions.confirm(end);
    }

    @Test
    void framesStandBackToBackOrAtTheStartOfTheNextSegment() throws Exception {
        append(0, 1000, 1);
        append(1000, 500, 2);
        assertThat(tail.end()).isEqualTo(1500);
        assertThat(tail.frames()).isEqualTo(2);
        assertThat(tail.records()).isEqualTo(2);
        maker.run();
        append(SEGMENT, 700, 3);
        assertThat(tail.end()).isEqualTo(SEGMENT + 700);
        assertThat(tail.newestSegment().start()).isEqualTo(SEGMENT);
        assertThat(segments.all()).hasSize(2);
        assertThat(segments.all()[0].hot()).as("cooled").isNull();
        assertThat(byteAt(SEGMENT + 600)).isEqualTo(3);
        assertThat(byteAt(1600)).as("the rest of a segment stays zero").isZero();
    }

    @Test
    void aGapIsRefusedAndNothingIsWritten() throws Exception {
        append(0, 1000, 1);
        assertThatThrownBy(() -> append(1200, 100, 2)).isInstanceOf(LogGap.class);
        maker.run();
        assertThatThrownBy(() -> append(SEGMENT + 100, 100, 2)).isInstanceOf(LogGap.class);
        assertThatThrownBy(() -> append(2 * SEGMENT, 100, 2)).isInstanceOf(LogGap.class);
        assertThat(tail.end()).isEqualTo(1000);
        assertThat(tail.frames()).isEqualTo(1);
        assertThat(byteAt(1250)).isZero();
    }

    /** The position alone would do where the log rolls: the rest of a segment may be unused. */
    @Test
    void aFrameOfAnotherIndexIsRefusedAndNothingIsWritten() throws Exception {
        append(0, 1000, 1);
        maker.run();
        assertThatThrownBy(() -> append(SEGMENT, 2, 100, 9)).isInstanceOf(LogGap.class);
        assertThatThrownBy(() -> append(SEGMENT, 0, 100, 9)).isInstanceOf(StoreDamaged.class);
        assertThatThrownBy(() -> append(1000, 5, 100, 9)).isInstanceOf(LogGap.class);
        append(1000, 1000, 2);
        append(SEGMENT, 700, 3);
        assertThatThrownBy(() -> append(1000, 2, 100, 9)).isInstanceOf(LogGap.class);
        assertThatThrownBy(() -> append(1000, 0, 100, 9)).isInstanceOf(StoreDamaged.class);
        assertThatThrownBy(() -> append(2000, 1, 100, 9)).isInstanceOf(StoreDamaged.class);
        assertThatThrownBy(() -> append(1500, 2, 100, 9)).as("within a frame").isInstanceOf(StoreDamaged.class);
        assertThat(tail.end()).isEqualTo(SEGMENT + 700);
        // Behind the frame before it nothing stands but the next one of the next segment.
        append(2000, 2, 60, 4);
        assertThat(tail.end()).isEqualTo(2060);
        assertThat(byteAt(1500)).isEqualTo(2);
    }

    @Test
    void aSegmentThatIsNotThereIsAFailureOfTheDisk() throws Exception {
        append(0, 1000, 1);
        assertThatThrownBy(() -> append(SEGMENT, 100, 2))
                .isInstanceOf(IOException.class)
                .hasMessageContaining("not there");
        assertThat(segments.all()).hasSize(1);
    }

    @Test
    void whatIsNotConfirmedIsReplacedDurably() throws Exception {
        append(0, 1000, 1);
        confirm(1000);
        append(1000, 900, 2);
        append(1900, 900, 3);
        tail.force(2800);
        append(1000, 300, 4);
        assertThat(tail.end()).isEqualTo(1300);
        assertThat(positions.flushed()).isEqualTo(1000);
        assertThat(byteAt(1290)).isEqualTo(4);
        // Of the cut frames nothing is left, not even after a power cut before the next force.
        Segment after = Segment.open(files.disk().crash(RandomSource.seeded(2)), 0, OpenMode.READ);
        ByteBuffer bytes = ByteBuffer.allocate(SEGMENT);
        after.read(0, bytes);
        for (int at = 1300; at < SEGMENT; at++) {
            assertThat(bytes.get(at)).as("byte " + at).isZero();
        }
        assertThat(bytes.get(900)).isEqualTo((byte) 1);
    }

    @Test
    void whatIsConfirmedIsNeitherReplacedNorCut() throws Exception {
        append(0, 1000, 1);
        append(1000, 1000, 2);
        confirm(2000);
        assertThatThrownBy(() -> append(1000, 1000, 9)).isInstanceOf(StoreDamaged.class);
        assertThatThrownBy(() -> tail.cut(1000)).isInstanceOf(StoreDamaged.class);
        assertThatThrownBy(() -> tail.cut(3000)).isInstanceOf(StoreDamaged.class);
        assertThatThrownBy(() -> positions.cutTo(1999)).isInstanceOf(IllegalStateException.class);
        assertThat(tail.end()).isEqualTo(2000);
        assertThat(byteAt(1500)).isEqualTo(2);
    }

    @Test
    void aCutTakesTheSegmentsBehindAwayAndTheyAreMadeAgain() throws Exception {
        append(0, 1000, 1);
        confirm(1000);
        maker.run();
        append(SEGMENT, 8000, 2);
        maker.run();
        append(2 * SEGMENT, 500, 3);
        maker.run();
        assertThat(files.list(Segment.DIRECTORY)).hasSize(4);
        tail.cut(1000);
        assertThat(tail.end()).isEqualTo(1000);
        assertThat(segments.all()).hasSize(1);
        assertThat(files.list(Segment.DIRECTORY)).hasSize(1);
        append(1000, 100, 4);
        assertThat(maker.next()).as("the one made for a later place is gone").isNull();
        maker.run();
        append(SEGMENT, 100, 5);
        assertThat(byteAt(SEGMENT + 90)).isEqualTo(5);
        assertThat(byteAt(SEGMENT + 7000)).as("of the segment that was cut").isZero();
    }

    @Test
    void aCutThatFailsLeavesTheEndAndCanBeDoneAgain() throws Exception {
        append(0, 1000, 1);
        confirm(1000);
        append(1000, 1000, 2);
        files.faults().failAt(FileCall.FORCE, 1, Fault.EIO);
        assertThatThrownBy(() -> tail.cut(1000)).isInstanceOf(IOException.class);
        assertThat(tail.end()).isEqualTo(2000);
        tail.cut(1000);
        tail.cut(1000);
        assertThat(tail.end()).isEqualTo(1000);
        assertThat(byteAt(1500)).isZero();
        assertThatThrownBy(() -> append(1000, 2, 100, 9)).isInstanceOf(LogGap.class);
        append(1000, 1, 100, 3);
    }

    @Test
    void readsForAnotherNodeOnlyWhatIsThere() throws Exception {
        append(0, 1000, 1);
        assertThat(tail.read(0, 1000)).isEqualTo(frame(0, 0, 1000, 1).clear());
        assertThat(tail.read(0, 1001)).isNull();
        assertThat(tail.read(SEGMENT, 1)).isNull();
    }

    @Test
    void readAheadEndsAtTheConfirmedPosition() throws Exception {
        LogReader reader = new LogReader(segments, positions);
        append(0, 1000, 1);
        append(1000, 1000, 2);
        segments.oldest().cool();
        confirm(1000);
        Extent first = reader.extent(Frame.HEADER, 8, Frame.HEADER);
        assertThat(first.contains(Frame.HEADER, 8)).isTrue();
        assertThat(first.contains(1000 + Frame.HEADER, 8))
                .as("an unconfirmed frame may be cut")
                .isFalse();
        append(1000, 600, 7);
        confirm(1600);
        Extent second = reader.extent(1000 + Frame.HEADER, 8, Frame.HEADER);
        assertThat(second.slice(1000 + Frame.HEADER, 1).get(0)).isEqualTo((byte) 7);
        assertThat(reader.extent(Frame.HEADER, 8, Frame.HEADER)).as("kept").isSameAs(first);
    }
}
