/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform.simulated;

import static io.waybill.platform.simulated.SimulatedFiles.SECTOR_SIZE;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.waybill.platform.DiskFullException;
import io.waybill.platform.Files;
import io.waybill.platform.FilesContract;
import io.waybill.platform.OpenMode;
import io.waybill.platform.RandomSource;
import io.waybill.platform.StoreFile;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Set;
import java.util.TreeMap;
import org.junit.jupiter.api.Test;

/** Every fault really happens, each one within a hundred seeds or so; and nothing forced is ever lost. */
class SimulatedFilesTest extends FilesContract {
    private static final int SEEDS = 300;

    private final SimulatedFiles files = new SimulatedFiles(RandomSource.seeded(1));

    @Override
    protected Files files() {
        SimulatedFiles limited = new SimulatedFiles();
        limited.disk().capacityBytes(1L << 40);
        return limited;
    }

    private StoreFile durableFile(String name, int sectors, char fill) throws IOException {
        StoreFile file = files.open(name, OpenMode.CREATE_NEW);
        file.write(0, sectors(sectors, fill));
        file.force();
        files.forceDirectory("");
        return file;
    }

    private static ByteBuffer sectors(int count, char fill) {
        byte[] bytes = new byte[count * SECTOR_SIZE];
        Arrays.fill(bytes, (byte) fill);
        return ByteBuffer.wrap(bytes);
    }

    /** One letter per sector: its fill, '0' for zeros, '?' for a mixture. */
    private static String letters(byte[] bytes) {
        StringBuilder letters = new StringBuilder();
        for (int from = 0; from < bytes.length; from += SECTOR_SIZE) {
            byte first = bytes[from];
            boolean uniform = true;
            for (int i = from; i < Math.min(bytes.length, from + SECTOR_SIZE); i++) {
                uniform &= bytes[i] == first;
            }
            letters.append(!uniform ? '?' : first == 0 ? '0' : (char) first);
        }
        return letters.toString();
    }

    private Set<String> outcomes(String name) {
        Set<String> outcomes = new HashSet<>();
        for (int seed = 0; seed < SEEDS; seed++) {
            byte[] bytes = files.disk()
                    .afterPowerCut(RandomSource.seeded(seed))
                    .disk()
                    .contents()
                    .get(name);
            outcomes.add(bytes == null ? "absent" : letters(bytes));
        }
        return outcomes;
    }

    @Test
    void sectorsOfOneUnforcedWriteShareNoFate() throws IOException {
        StoreFile file = durableFile("f", 3, 'a');
        file.write(0, sectors(3, 'b'));
        assertThat(outcomes("f")).contains("aaa", "bbb", "aab", "aba", "baa", "abb", "bab", "bba");
        assertThat(outcomes("f")).anyMatch(letters -> letters.contains("?"));
    }

    @Test
    void anEarlierWriteMayBeLostWhileALaterOneIsKept() throws IOException {
        StoreFile file = durableFile("f", 2, 'a');
        file.write(0, sectors(1, 'b'));
        file.write(SECTOR_SIZE, sectors(1, 'c'));
        assertThat(outcomes("f")).contains("aa", "ba", "ac", "bc");
    }

    @Test
    void aSectorMayComeBackAsAnEarlierUnforcedWriteLeftIt() throws IOException {
        StoreFile file = durableFile("f", 1, 'a');
        file.write(0, sectors(1, 'b'));
        file.write(0, sectors(1, 'c'));
        assertThat(outcomes("f")).contains("a", "b", "c");
    }

    @Test
    void whatIsForcedIsNeverLost() throws IOException {
        StoreFile file = durableFile("f", 2, 'a');
        file.write(0, sectors(2, 'b'));
        file.force();
        file.write(SECTOR_SIZE, sectors(2, 'c'));
        for (String outcome : outcomes("f")) {
            assertThat(outcome).startsWith("b").hasSizeGreaterThanOrEqualTo(2);
        }
        file.forceAll();
        assertThat(outcomes("f")).containsExactly("bcc");
        assertThat(files.disk()
                        .afterPowerCut(RandomSource.seeded(3))
                        .disk()
                        .evidence()
                        .nothingAtStake())
                .isTrue();
    }

    @Test
    void growthMayBeLostInPartAndKeptGrowthMayBeZeros() throws IOException {
        StoreFile file = durableFile("f", 1, 'a');
        file.write(SECTOR_SIZE, sectors(1, 'b'));
        file.write(2 * SECTOR_SIZE, sectors(1, 'c'));
        assertThat(outcomes("f")).contains("a", "ab", "abc", "a0", "a00", "a0c", "ab0");
    }

    @Test
    void anAllocationIsDurableOnlyWhenForced() throws IOException {
        StoreFile file = durableFile("f", 1, 'a');
        file.allocate(3 * SECTOR_SIZE);
        assertThat(outcomes("f")).containsExactlyInAnyOrder("a", "a00");
        file.force();
        assertThat(outcomes("f")).containsExactly("a00");
    }

    @Test
    void anUnforcedCutMayBeUndoneAndOldBytesMayComeBackBelowANewSize() throws IOException {
        StoreFile file = durableFile("f", 3, 'a');
        file.truncate(SECTOR_SIZE);
        assertThat(outcomes("f")).contains("a", "aaa");
        file.write(SECTOR_SIZE, sectors(1, 'b'));
        assertThat(outcomes("f")).contains("ab", "aa", "aaa", "a");
    }

    @Test
    void aForcedCutStays() throws IOException {
        StoreFile file = durableFile("f", 3, 'a');
        file.truncate(SECTOR_SIZE);
        file.force();
        file.allocate(3 * SECTOR_SIZE);
        file.force();
        assertThat(outcomes("f")).containsExactly("a00");
    }

    @Test
    void aNewFileMayBeGoneUntilItsDirectoryIsForced() throws IOException {
        StoreFile file = files.open("f", OpenMode.CREATE_NEW);
        file.write(0, sectors(1, 'a'));
        file.force();
        assertThat(outcomes("f")).containsExactlyInAnyOrder("absent", "a");
        files.forceDirectory("");
        assertThat(outcomes("f")).containsExactly("a");
    }

    @Test
    void aForcedDirectoryDoesNotForceTheData() throws IOException {
        StoreFile file = files.open("f", OpenMode.CREATE_NEW);
        file.write(0, sectors(1, 'a'));
        files.forceDirectory("");
        assertThat(outcomes("f")).contains("", "0", "a").doesNotContain("absent");
    }

    @Test
    void aRenameIsOldOrNewNeverAbsentAndStaysWhenForced() throws IOException {
        durableFile("f", 1, 'a').close();
        StoreFile next = files.open("f.new", OpenMode.CREATE_NEW);
        next.write(0, sectors(1, 'b'));
        next.force();
        files.rename("f.new", "f");
        assertThat(outcomes("f")).containsExactlyInAnyOrder("a", "b");
        Set<String> both = new HashSet<>();
        for (int seed = 0; seed < SEEDS; seed++) {
            both.add(files.disk()
                    .afterPowerCut(RandomSource.seeded(seed))
                    .disk()
                    .contents()
                    .keySet()
                    .toString());
        }
        assertThat(both).containsExactlyInAnyOrder("[f]", "[f, f.new]");
        files.forceDirectory("");
        assertThat(outcomes("f")).containsExactly("b");
        assertThat(outcomes("f.new")).containsExactly("absent");
    }

    @Test
    void aRenameWithoutForcedDataMayLeaveAnEmptyFile() throws IOException {
        durableFile("f", 1, 'a').close();
        files.open("f.new", OpenMode.CREATE_NEW).write(0, sectors(1, 'b'));
        files.rename("f.new", "f");
        files.forceDirectory("");
        assertThat(outcomes("f")).contains("", "0", "b").doesNotContain("a", "absent");
    }

    @Test
    void aRenameBetweenDirectoriesNeedsBothForced() throws IOException {
        files.createDirectories("d");
        durableFile("f", 1, 'a').close();
        files.rename("f", "d/f");
        files.forceDirectory("d");
        assertThat(outcomes("d/f")).containsExactly("a");
        assertThat(outcomes("f")).containsExactlyInAnyOrder("a", "absent");
        files.forceDirectory("");
        assertThat(outcomes("f")).containsExactly("absent");
    }

    @Test
    void aDeletionMayBeUndoneUntilForced() throws IOException {
        durableFile("f", 1, 'a').close();
        files.delete("f");
        assertThat(outcomes("f")).containsExactlyInAnyOrder("a", "absent");
        files.forceDirectory("");
        assertThat(outcomes("f")).containsExactly("absent");
    }

    @Test
    void whenADirectoryIsLostAllBelowItIs() throws IOException {
        files.createDirectories("d/e");
        StoreFile file = files.open("d/e/f", OpenMode.CREATE_NEW);
        file.write(0, sectors(1, 'a'));
        file.force();
        files.forceDirectory("d/e");
        files.forceDirectory("d");
        assertThat(outcomes("d/e/f")).containsExactlyInAnyOrder("a", "absent");
        files.forceDirectory("");
        assertThat(outcomes("d/e/f")).containsExactly("a");
    }

    @Test
    void whatAFailedForceWasToWriteStaysDoubtfulThoughALaterForceSucceeds() throws IOException {
        StoreFile file = durableFile("f", 2, 'a');
        file.write(0, sectors(1, 'b'));
        files.faults().failAt(1, Fault.EIO);
        assertThatExceptionOfType(IOException.class).isThrownBy(file::force).withMessageContaining("FORCE f");
        file.write(SECTOR_SIZE, sectors(1, 'c'));
        file.force();
        assertThat(outcomes("f")).containsExactlyInAnyOrder("ac", "bc");
        file.write(0, sectors(1, 'd'));
        file.force();
        assertThat(outcomes("f")).containsExactly("dc");
    }

    @Test
    void soDoEntriesOfADirectoryWhoseForceFailed() throws IOException {
        durableFile("f", 1, 'a').close();
        files.delete("f");
        files.faults().failAt(FileCall.FORCE_DIRECTORY, 1, Fault.EIO);
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> files.forceDirectory(""));
        files.forceDirectory("");
        assertThat(outcomes("f")).containsExactlyInAnyOrder("a", "absent");
    }

    @Test
    void theNthChangeFailsAndOnlyThat() throws IOException {
        files.faults().failAt(3, Fault.EIO);
        StoreFile file = files.open("f", OpenMode.CREATE_NEW);
        file.write(0, text("one"));
        assertThatExceptionOfType(IOException.class)
                .isThrownBy(() -> file.write(0, text("TWO")))
                .withMessageContaining("WRITE f");
        assertThat(read(file, 0, 3)).isIn("one", "Tne", "TWe", "TWO");
        file.write(0, text("three"));
        assertThat(files.faults().delivered()).isEqualTo(1);
        assertThat(files.faults().changes()).isEqualTo(4);
        assertThat(files.faults().count(FileCall.WRITE)).isEqualTo(3);
    }

    @Test
    void aFailedWriteLeavesAnyLeadingPart() throws IOException {
        Set<String> left = new HashSet<>();
        for (int seed = 0; seed < SEEDS; seed++) {
            SimulatedFiles own = new SimulatedFiles(RandomSource.seeded(seed));
            StoreFile file = own.open("f", OpenMode.CREATE_NEW);
            own.faults().failAt(1, Fault.EIO);
            assertThatExceptionOfType(IOException.class).isThrownBy(() -> file.write(0, text("abc")));
            left.add(new String(own.disk().contents().get("f")));
        }
        assertThat(left).containsExactlyInAnyOrder("", "a", "ab", "abc");
    }

    @Test
    void everyChangingCallCanFailAndThenChangedNothing() throws IOException {
        StoreFile file = durableFile("f", 1, 'a');
        files.faults().failFrom(1, Fault.ENOSPC);
        TreeMap<String, byte[]> before = files.disk().contents();
        assertThatExceptionOfType(DiskFullException.class).isThrownBy(() -> files.open("g", OpenMode.CREATE_NEW));
        assertThatExceptionOfType(DiskFullException.class).isThrownBy(() -> files.rename("f", "g"));
        assertThatExceptionOfType(DiskFullException.class).isThrownBy(() -> files.delete("f"));
        assertThatExceptionOfType(DiskFullException.class).isThrownBy(() -> files.createDirectories("d"));
        assertThatExceptionOfType(DiskFullException.class).isThrownBy(() -> files.forceDirectory(""));
        assertThatExceptionOfType(DiskFullException.class).isThrownBy(() -> file.allocate(9_999));
        assertThatExceptionOfType(DiskFullException.class).isThrownBy(() -> file.truncate(1));
        assertThatExceptionOfType(DiskFullException.class).isThrownBy(file::force);
        assertThat(files.disk().contents()).containsOnlyKeys(before.keySet());
        assertThat(files.disk().contents().get("f")).isEqualTo(before.get("f"));
        files.faults().heal();
        files.rename("f", "g");
        assertThat(files.faults().delivered()).isEqualTo(8);
    }

    @Test
    void readsCanFail() throws IOException {
        StoreFile file = durableFile("f", 1, 'a');
        files.faults().failAt(FileCall.READ, 2, Fault.EIO);
        assertThat(read(file, 0, 1)).isEqualTo("a");
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> read(file, 0, 1));
        assertThat(read(file, 0, 1)).isEqualTo("a");
    }

    @Test
    void aFullDiskTakesWhatFitsAndOverwritesWithoutRoom() throws IOException {
        StoreFile file = durableFile("f", 1, 'a');
        files.disk().capacityBytes(SECTOR_SIZE + 10);
        assertThat(files.usableBytes()).isEqualTo(10);
        assertThatExceptionOfType(DiskFullException.class)
                .isThrownBy(() -> file.allocate(2 * SECTOR_SIZE))
                .satisfies(e -> assertThat(e.wantedBytes()).isEqualTo(SECTOR_SIZE))
                .satisfies(e -> assertThat(e.usableBytes()).isEqualTo(10));
        assertThat(file.size()).isEqualTo(SECTOR_SIZE);
        assertThatExceptionOfType(DiskFullException.class)
                .isThrownBy(() -> file.write(SECTOR_SIZE - 2, text("abcdefghijklmnop")));
        assertThat(file.size()).isEqualTo(SECTOR_SIZE + 10);
        file.write(0, sectors(1, 'b'));
        files.disk().capacityBytes(Long.MAX_VALUE);
        file.allocate(2 * SECTOR_SIZE);
    }

    @Test
    void deletingGivesRoomBack() throws IOException {
        durableFile("f", 4, 'a').close();
        files.disk().capacityBytes(4 * SECTOR_SIZE);
        assertThat(files.usableBytes()).isZero();
        files.delete("f");
        assertThat(files.usableBytes()).isEqualTo(4 * SECTOR_SIZE);
    }

    @Test
    void aFlippedBitIsSeenByAllAndSurvivesEveryCrash() throws IOException {
        StoreFile file = durableFile("f", 1, 'a');
        ByteBuffer map = file.map(0, SECTOR_SIZE);
        file.write(9, text("b"));
        files.disk().flipBit("f", 3 * 8 + 1);
        assertThat(map.get(3)).isEqualTo((byte) ('a' ^ 2));
        for (int seed = 0; seed < 20; seed++) {
            byte[] found = files.disk()
                    .afterPowerCut(RandomSource.seeded(seed))
                    .disk()
                    .contents()
                    .get("f");
            assertThat(found[3]).isEqualTo((byte) ('a' ^ 2));
            assertThat(found[2]).isEqualTo((byte) 'a');
        }
    }

    @Test
    void aKilledProcessLosesNothingWrittenAndItsLocks() throws IOException {
        files.lock("lock");
        files.open("f", OpenMode.CREATE_NEW).write(0, sectors(2, 'a'));
        SimulatedFiles found = files.disk().kill();
        assertThat(letters(found.disk().contents().get("f"))).isEqualTo("aa");
        found.lock("lock").close();
    }

    @Test
    void whatAKilledProcessDidNotForceIsStillNotForced() throws IOException {
        StoreFile file = durableFile("f", 1, 'a');
        file.write(0, sectors(1, 'b'));
        Set<String> outcomes = new HashSet<>();
        SimulatedFiles found = files.disk().kill();
        for (int seed = 0; seed < 40; seed++) {
            outcomes.add(letters(found.disk()
                    .afterPowerCut(RandomSource.seeded(seed))
                    .disk()
                    .contents()
                    .get("f")));
        }
        assertThat(outcomes).contains("a", "b");
        found.open("f", OpenMode.READ_WRITE).force();
        for (int seed = 0; seed < 40; seed++) {
            assertThat(letters(found.disk()
                            .afterPowerCut(RandomSource.seeded(seed))
                            .disk()
                            .contents()
                            .get("f")))
                    .isEqualTo("b");
        }
    }

    @Test
    void theForceOfAKilledProcessThatFailedLeavesDoubtThatOnlyWritingAgainRemoves() throws IOException {
        StoreFile file = durableFile("f", 1, 'a');
        file.write(0, sectors(1, 'b'));
        files.faults().failAt(FileCall.FORCE, 1, Fault.EIO);
        assertThatExceptionOfType(IOException.class).isThrownBy(file::force);
        SimulatedFiles found = files.disk().kill();
        StoreFile again = found.open("f", OpenMode.READ_WRITE);
        again.force();
        Set<String> outcomes = new HashSet<>();
        for (int seed = 0; seed < 40; seed++) {
            outcomes.add(letters(found.disk()
                    .afterPowerCut(RandomSource.seeded(seed))
                    .disk()
                    .contents()
                    .get("f")));
        }
        assertThat(outcomes).as("the later force passed it over").contains("a", "b");
        again.write(0, sectors(1, 'b'));
        again.force();
        for (int seed = 0; seed < 40; seed++) {
            assertThat(letters(found.disk()
                            .afterPowerCut(RandomSource.seeded(seed))
                            .disk()
                            .contents()
                            .get("f")))
                    .isEqualTo("b");
        }
    }

    @Test
    void afterACrashTheOldDiskIsDeadAndTheNewOneIndependent() throws IOException {
        StoreFile file = durableFile("f", 1, 'a');
        SimulatedFiles found = files.disk().crash(RandomSource.seeded(1));
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> file.write(0, text("x")));
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> files.open("f", OpenMode.READ));
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> files.list(""));
        SimulatedFiles twin = found.disk().copy();
        found.open("f", OpenMode.READ_WRITE).write(0, text("x"));
        assertThat(twin.disk().contents().get("f")).startsWith('a');
    }

    @Test
    void theHookSeesTheDiskBeforeEachChange() throws IOException {
        StoreFile file = durableFile("f", 1, 'a');
        Set<String> seen = new HashSet<>();
        files.faults()
                .beforeEachChange(() ->
                        seen.add(letters(files.disk().copy().disk().contents().get("f"))));
        file.write(0, sectors(1, 'b'));
        file.write(0, sectors(1, 'c'));
        file.force();
        assertThat(seen).containsExactlyInAnyOrder("a", "b", "c");
    }

    @Test
    void thereIsNoHostPath() {
        assertThatIllegalStateException().isThrownBy(() -> files.hostPath("views"));
    }

    @Test
    void aSeedAlwaysGivesTheSameDisk() throws IOException {
        for (int seed = 0; seed < 50; seed++) {
            SimulatedFiles one = history(seed).disk().crash(RandomSource.seeded(seed));
            SimulatedFiles two = history(seed).disk().crash(RandomSource.seeded(seed));
            assertThat(one.disk().evidence()).isEqualTo(two.disk().evidence());
            assertThat(one.disk().contents().keySet())
                    .isEqualTo(two.disk().contents().keySet());
            two.disk()
                    .contents()
                    .forEach((name, bytes) ->
                            assertThat(one.disk().contents().get(name)).isEqualTo(bytes));
        }
    }

    private static SimulatedFiles history(long seed) throws IOException {
        SimulatedFiles files = new SimulatedFiles(RandomSource.seeded(seed));
        new RandomHistory(files, RandomSource.seeded(seed)).run(60);
        return files;
    }

    @Test
    void randomHistoriesKeepWhatWasForcedAndEveryKindOfLossTurnsUp() throws IOException {
        int[] sums = new int[8];
        for (int seed = 0; seed < 2_000; seed++) {
            SimulatedFiles own = new SimulatedFiles(RandomSource.seeded(seed));
            RandomHistory history = new RandomHistory(own, RandomSource.seeded(seed));
            history.run(40);
            SimulatedFiles found = own.disk().crash(RandomSource.seeded(~seed));
            history.check(found, "seed " + seed);
            CrashEvidence e = found.disk().evidence();
            int[] parts = {
                e.lostSectors(), e.keptSectors(), e.staleSectors(), e.tornSectors(),
                e.lostSizes(), e.keptSizes(), e.lostEntries(), e.keptEntries()
            };
            for (int i = 0; i < parts.length; i++) {
                sums[i] += parts[i];
            }
        }
        for (int sum : sums) {
            assertThat(sum).isGreaterThan(200);
        }
    }
}
