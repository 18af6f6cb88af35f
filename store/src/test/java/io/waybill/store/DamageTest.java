/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import static io.waybill.store.Simulation.draft;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.catchThrowableOfType;

import io.waybill.platform.OpenMode;
import io.waybill.platform.RandomSource;
import io.waybill.platform.StoreFile;
import io.waybill.platform.simulated.Fault;
import io.waybill.platform.simulated.FileCall;
import io.waybill.platform.simulated.SimulatedFiles;
import io.waybill.store.log.Failed;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.StoreDamaged;
import io.waybill.store.log.StoreException;
import io.waybill.store.log.StoreState;
import io.waybill.store.log.Stored;
import io.waybill.store.record.ConsumerOffset;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.zip.CRC32C;
import org.junit.jupiter.api.Test;

/** What the store makes of bytes that are wrong and of calls that fail. */
class DamageTest {
    private static final String FIRST = "log/00000000000000000000.seg";

    @Test
    void aTornLastFrameIsCutForGood() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            sim.put("t", "kept");
            Stored torn = sim.put("t", "torn");
            sim.kill();
            sim.files.disk().flipBit(FIRST, (torn.position() + 50) * 8);
            assertThat(sim.check().tornBytes()).isPositive();
            sim.open();
            assertThat(sim.bodies("t")).containsExactly("kept");
            assertThat(sim.check().tornBytes()).isZero();
            sim.put("t", "next");
            assertThat(sim.bodies("t")).containsExactly("kept", "next");
        }
    }

    /** Retention says first what it drops, so a first segment that is gone without a word was lost. */
    @Test
    void aMissingFirstSegmentIsRefused() throws Exception {
        for (boolean dropped : new boolean[] {false, true}) {
            Simulation sim = new Simulation(Simulation.SMALL
                    .withRetention(0, dropped ? 40_000 : 0, 0, 1_000)
                    .withCheckpoint(16_384, 500));
            for (int i = 0; i < 80; i++) {
                sim.put("t", "x".repeat(300));
            }
            sim.duties.advance(10_000);
            assertThat(sim.store.status().oldestPosition() > 0).isEqualTo(dropped);
            sim.store.close();
            sim.files = sim.files.disk().kill();
            assertThat(sim.check().findings()).isEmpty();
            sim.open();
            sim.kill();
            String first = "log/" + sim.files.list("log").get(0);
            sim.files.delete(first);
            sim.files.forceDirectory("log");
            assertThat(sim.check().findings()).hasSize(1);
            assertThat(catchThrowableOfType(StoreDamaged.class, sim::open))
                    .hasMessageContaining("segments are missing");
            sim.backend.deleteAll();
            assertThat(catchThrowableOfType(StoreDamaged.class, sim::open))
                    .hasMessageContaining("segments are missing");
        }
    }

    /** Not even a program that left no word and no flag in its frames may have dropped something. */
    @Test
    void aLogThatStartsLateWithoutAWordOfItHasLostSegments() throws Exception {
        Simulation sim = Simulation.sync();
        for (int i = 0; i < 40; i++) {
            sim.put("t", "x".repeat(300));
        }
        sim.store.close();
        sim.files = sim.files.disk().kill();
        for (String name : sim.files.list("log")) {
            withoutFlags(sim.files, "log/" + name);
        }
        sim.files.delete("log/" + sim.files.list("log").get(0));
        assertThat(catchThrowableOfType(StoreDamaged.class, sim::open)).hasMessageContaining("segments are missing");
        sim.backend.deleteAll();
        assertThat(sim.check().findings()).hasSize(1);
        assertThat(catchThrowableOfType(StoreDamaged.class, sim::open)).hasMessageContaining("segments are missing");
    }

    private static void withoutFlags(SimulatedFiles files, String name) throws Exception {
        try (StoreFile file = files.open(name, OpenMode.READ_WRITE)) {
            ByteBuffer bytes = ByteBuffer.allocate((int) file.size());
            file.read(0, bytes);
            int at = 0;
            while (at + 56 <= bytes.capacity() && bytes.getInt(at) == 0x57424631) {
                int length = bytes.getInt(at + 12);
                bytes.putShort(at + 10, (short) 0);
                CRC32C crc = new CRC32C();
                crc.update(bytes.array(), at + 8, length - 8);
                bytes.putInt(at + 4, (int) crc.getValue());
                at += length;
            }
            file.write(0, bytes.clear());
            file.force();
        }
    }

    @Test
    void oldFramesDoNotComeBack() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            sim.put("t", "a");
            long frame = sim.store.status().positions().appended();
            sim.put("t", "b");
            long end = sim.store.status().positions().appended();
            sim.kill();
            try (StoreFile file = sim.files.open(FIRST, OpenMode.READ_WRITE)) {
                ByteBuffer bytes = ByteBuffer.allocate((int) (end - frame));
                file.read(frame, bytes);
                file.write(end, bytes.flip());
                file.force();
            }
            sim.open();
            assertThat(sim.bodies("t")).containsExactly("a", "b");
            assertThat(sim.store.status().positions().appended()).isEqualTo(end);
            sim.put("t", "c");
            assertThat(sim.bodies("t")).containsExactly("a", "b", "c");
        }
    }

    @Test
    void everyFlippedBitInTheMiddleIsRefusedByPlace() throws Exception {
        Simulation sim = Simulation.sync();
        sim.put("t", "a");
        long from = sim.store.status().positions().appended();
        sim.put("t", "b");
        long to = sim.store.status().positions().appended();
        sim.put("t", "c");
        sim.put("t", "d");
        sim.kill();
        for (long bit = from * 8; bit < to * 8; bit += 7) {
            SimulatedFiles damaged = sim.files.disk().copy();
            damaged.disk().flipBit(FIRST, bit);
            SimulatedFiles whole = sim.files;
            sim.files = damaged;
            StoreDamaged refusal = catchThrowableOfType(StoreDamaged.class, sim::open);
            sim.files = whole;
            assertThat(refusal).as("bit " + bit).isNotNull();
            assertThat(refusal.file()).isEqualTo(FIRST);
            assertThat(refusal.offset()).isEqualTo(from);
        }
        sim.open();
        sim.close();
    }

    @Test
    void damageBelowTheCheckpointIsReportedAndNeverServed() throws Exception {
        Simulation sim = Simulation.sync();
        sim.put("t", "a");
        Stored bad = sim.put("t", "b");
        sim.put("t", "c");
        sim.close();
        sim.files = sim.files.disk().copy();
        sim.files.disk().flipBit(FIRST, (bad.position() + 90) * 8);
        sim.open();
        ReadResult first = sim.store.queues().readQueue("t", 0, 0, 10, 10_000, null, null);
        assertThat(first.count()).isEqualTo(1);
        assertThat(first.cold()).isTrue();
        ReadResult second = sim.store.queues().readQueue("t", 0, 1, 10, 10_000, null, null);
        assertThat(second.status()).isEqualTo(ReadResult.Status.DAMAGED);
        assertThat(second.damage()).contains(FIRST);
        assertThat(sim.store.messages().readAt(bad.position())).isNull();
        assertThat(sim.store
                        .queues()
                        .readQueue("t", 0, 2, 10, 10_000, null, null)
                        .count())
                .isEqualTo(1);
        sim.store.close();
        assertThat(sim.check().findings()).singleElement().satisfies(finding -> {
            assertThat(finding.file()).isEqualTo(FIRST);
            assertThat(finding.offset()).isPositive();
        });
    }

    /** One bit in a frame's length claims 16 MiB: neither a pull nor a start may take memory by its word. */
    @Test
    void aWrongLengthTakesNoMemory() throws Exception {
        Simulation sim = new Simulation(Simulation.SMALL.withSegmentBytes(32 << 20));
        sim.put("t", "a");
        long frame = sim.store.status().positions().appended();
        sim.put("t", "b");
        sim.put("t", "c");
        sim.close();
        sim.files = sim.files.disk().copy();
        sim.files.disk().flipBit(FIRST, (frame + 12) * 8);
        sim.open();
        long before = allocated();
        for (int i = 0; i < 10; i++) {
            ReadResult read = sim.store.queues().readQueue("t", 0, 1, 10, 10_000, null, null);
            assertThat(read.status()).isEqualTo(ReadResult.Status.DAMAGED);
            assertThat(read.damage()).contains("checksum").contains("at byte " + frame);
        }
        assertThat((allocated() - before) / 10).isLessThan(1 << 20);
        sim.store.close();
        sim.files = sim.files.disk().kill();
        sim.backend.deleteAll();
        before = allocated();
        StoreDamaged refusal = catchThrowableOfType(StoreDamaged.class, sim::open);
        assertThat(refusal.offset()).isEqualTo(frame);
        // The start's own buffers and the simulated disk, but not what the frame claims.
        assertThat(allocated() - before).isLessThan(12 << 20);
    }

    private static long allocated() {
        return ((com.sun.management.ThreadMXBean) java.lang.management.ManagementFactory.getThreadMXBean())
                .getCurrentThreadAllocatedBytes();
    }

    @Test
    void aMissingSegmentOrLogIsRefused() throws Exception {
        Simulation sim = Simulation.sync();
        for (int i = 0; i < 40; i++) {
            sim.put("t", "message " + i + "x".repeat(400));
        }
        sim.close();
        List<String> names = sim.files.list("log");
        assertThat(names.size()).isGreaterThan(2);
        sim.files = sim.files.disk().copy();
        sim.files.delete("log/" + names.get(1));
        assertThat(catchThrowableOfType(StoreDamaged.class, sim::open).getMessage())
                .contains("missing");
        for (String name : sim.files.list("log")) {
            sim.files.delete("log/" + name);
        }
        assertThat(catchThrowableOfType(StoreDamaged.class, sim::open).getMessage())
                .contains("there is no log");
    }

    @Test
    void deletedViewsAreRebuilt() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            sim.put("t", "a");
            Stored half = sim.stored((s, done) -> s.transactions().appendHalf(null, draft("t", "h"), "g", "", 1, done));
            sim.close();
            sim.backend.deleteAll();
            sim.files = sim.files.disk().copy();
            sim.open();
            assertThat(sim.bodies("t")).containsExactly("a");
            assertThat(sim.store.transactions().openHalf(half.handle())).isNotNull();
        }
    }

    @Test
    void aFailedForceFreezesTheStore() throws Exception {
        Simulation sim = Simulation.sync();
        sim.put("t", "a");
        sim.files.faults().failAt(FileCall.FORCE, 1, Fault.EIO);
        Failed failed = (Failed) sim.outcome((s, done) -> s.messages().append(draft("t", "b"), done));
        assertThat(failed.cause()).isEqualTo(Failed.FailureCause.FROZEN);
        assertThat(failed.maybeStored()).isTrue();
        long forces = sim.files.faults().count(FileCall.FORCE);
        Failed later = (Failed) sim.outcome((s, done) -> s.messages().append(draft("t", "c"), done));
        assertThat(later.cause()).isEqualTo(Failed.FailureCause.FROZEN);
        assertThat(later.maybeStored()).isFalse();
        assertThat(sim.files.faults().count(FileCall.FORCE))
                .as("the same pages are not tried again")
                .isEqualTo(forces);
        assertThat(sim.store.status().state().kind()).isEqualTo(StoreState.StoreMode.FROZEN);
        assertThat(sim.bodies("t")).containsExactly("a");
        sim.store.close();
        sim.files = sim.files.disk().crash(RandomSource.seeded(3));
        sim.backend.crash();
        sim.open();
        assertThat(sim.bodies("t")).startsWith("a").doesNotContain("c");
        sim.close();
    }

    @Test
    void aFailedWriteFreezesTheStore() throws Exception {
        Simulation sim = Simulation.async();
        sim.put("t", "a");
        sim.files.faults().failAt(FileCall.WRITE, 1, Fault.EIO);
        Failed failed = (Failed) sim.outcome((s, done) -> s.messages().append(draft("t", "b"), done));
        assertThat(failed.cause()).isEqualTo(Failed.FailureCause.FROZEN);
        assertThat(failed.maybeStored()).isTrue();
        assertThat(sim.bodies("t")).containsExactly("a");
        sim.store.close();
    }

    @Test
    void aFullDiskIsNotAFreeze() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            sim.files.disk().capacityBytes(sim.files.disk().usedBytes());
            List<Outcome> outcomes = new ArrayList<>();
            Outcome last;
            do {
                last = sim.outcome((s, done) -> s.messages().append(draft("t", "x".repeat(900)), done));
                outcomes.add(last);
            } while (last instanceof Stored);
            assertThat(((Failed) last).cause()).isEqualTo(Failed.FailureCause.DISK_FULL);
            assertThat(((Failed) last).maybeStored()).isFalse();
            assertThat(((Failed) last).text()).contains("no space");
            assertThat(sim.store.status().state().isOpen()).isTrue();
            assertThat(sim.bodies("t")).hasSize(outcomes.size() - 1);
            sim.stored((s, done) -> s.offsets().commitOffsets(List.of(new ConsumerOffset("g", "t", 0, 3)), done));
            sim.files.disk().capacityBytes(Long.MAX_VALUE);
            sim.duties.advance(1_001);
            sim.put("t", "again");
            assertThat(sim.bodies("t")).hasSize(outcomes.size());
        }
    }

    /** For want of descriptors the log cannot grow either, but the disk is not full. */
    @Test
    void aSegmentThatCannotBeMadeIsNotCalledAFullDisk() throws Exception {
        try (Simulation sim = Simulation.sync()) {
            Outcome last = null;
            for (int i = 0; i < 40 && (last == null || last instanceof Stored); i++) {
                sim.files.faults().failAt(FileCall.CREATE, 1, Fault.EIO);
                last = sim.outcome((s, done) -> s.messages().append(draft("t", "x".repeat(900)), done));
            }
            sim.files.faults().heal();
            assertThat(((Failed) last).cause()).isEqualTo(Failed.FailureCause.NO_SEGMENT);
            assertThat(((Failed) last).text()).contains("no further segment").doesNotContain("full");
            assertThat(sim.store.status().state().isOpen()).isTrue();
        }
    }

    @Test
    void aHeldDirectoryIsRefused() throws Exception {
        Simulation sim = Simulation.sync();
        assertThat(catchThrowableOfType(StoreException.class, sim::open)).isNotNull();
        sim.close();
    }
}
