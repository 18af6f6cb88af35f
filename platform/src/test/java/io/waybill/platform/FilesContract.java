/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.channels.NonWritableChannelException;
import java.nio.charset.StandardCharsets;
import java.nio.file.FileAlreadyExistsException;
import java.nio.file.NoSuchFileException;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

/** What {@link Files} means; every implementation passes it. */
public abstract class FilesContract {

    /** An empty tree. */
    protected abstract Files files() throws IOException;

    protected static ByteBuffer text(String text) {
        return ByteBuffer.wrap(text.getBytes(StandardCharsets.US_ASCII));
    }

    protected static String read(StoreFile file, long position, int length) throws IOException {
        ByteBuffer target = ByteBuffer.allocate(length);
        int count = file.read(position, target);
        return count < 0 ? null : new String(target.array(), 0, count, StandardCharsets.US_ASCII);
    }

    @Test
    void writesAndReadsByPosition() throws IOException {
        try (StoreFile file = files().open("a", OpenMode.CREATE_NEW)) {
            file.write(0, text("hello"));
            file.write(7, text("world"));
            file.write(1, text("E"));
            assertThat(file.size()).isEqualTo(12);
            assertThat(read(file, 0, 12)).isEqualTo("hEllo\0\0world");
            assertThat(read(file, 10, 100)).isEqualTo("ld");
            assertThat(read(file, 12, 1)).isNull();
            assertThat(read(file, 99, 1)).isNull();
            assertThat(file.name()).isEqualTo("a");
        }
    }

    @Test
    void writesFromDirectBuffersAndConsumesThem() throws IOException {
        ByteBuffer source = ByteBuffer.allocateDirect(10_000);
        while (source.hasRemaining()) {
            source.put((byte) source.position());
        }
        source.flip().position(100).limit(9_000);
        try (StoreFile file = files().open("a", OpenMode.CREATE_NEW)) {
            file.write(5, source);
            assertThat(source.remaining()).isZero();
            assertThat(file.size()).isEqualTo(8_905);
            ByteBuffer back = ByteBuffer.allocateDirect(8_900);
            assertThat(file.read(5, back)).isEqualTo(8_900);
            assertThat(back.flip()).isEqualTo(source.position(100));
        }
    }

    @Test
    void allocatesZerosAndNeverShrinks() throws IOException {
        try (StoreFile file = files().open("a", OpenMode.CREATE_NEW)) {
            file.write(0, text("x"));
            file.allocate(3_000_000);
            assertThat(file.size()).isEqualTo(3_000_000);
            file.allocate(10);
            assertThat(file.size()).isEqualTo(3_000_000);
            assertThat(read(file, 0, 2)).isEqualTo("x\0");
            ByteBuffer tail = ByteBuffer.allocate(10);
            file.read(2_999_990, tail);
            assertThat(tail.array()).containsOnly(0);
            file.force();
            file.forceAll();
        }
    }

    @Test
    void allocationBeyondTheDiskNamesWantedAndUsableBytes() throws IOException {
        Files files = files();
        try (StoreFile file = files.open("a", OpenMode.CREATE_NEW)) {
            file.write(0, text("kept"));
            assertThatExceptionOfType(DiskFullException.class)
                    .isThrownBy(() -> file.allocate(1L << 60))
                    .satisfies(e -> assertThat(e.wantedBytes()).isEqualTo((1L << 60) - 4))
                    .satisfies(e -> assertThat(e.usableBytes()).isBetween(0L, 1L << 59))
                    .withMessageContaining("wanted " + ((1L << 60) - 4))
                    .withMessageContaining("usable ");
            assertThat(file.size()).isEqualTo(4);
            file.write(4, text("!"));
            assertThat(read(file, 0, 9)).isEqualTo("kept!");
        }
    }

    @Test
    void mappingsAreReadOnlyAndShowLaterWritesAndOutliveTheFile() throws IOException {
        Files files = files();
        ByteBuffer map;
        try (StoreFile file = files.open("a", OpenMode.CREATE_NEW)) {
            file.allocate(10_000);
            map = file.map(5_001, 4_999);
            assertThat(map.isReadOnly()).isTrue();
            assertThat(map.capacity()).isEqualTo(4_999);
            file.write(5_001, text("seen"));
            file.write(30_000, text("grown"));
            file.write(5_005, text("!"));
            assertThatExceptionOfType(IOException.class)
                    .isThrownBy(() -> file.map(30_000, 6))
                    .withMessageContaining("cannot map 6 bytes at 30000");
        }
        files.delete("a");
        byte[] start = new byte[5];
        map.get(0, start);
        assertThat(new String(start, StandardCharsets.US_ASCII)).isEqualTo("seen!");
    }

    @Test
    void truncatedBytesAreGoneAndComeBackAsZeros() throws IOException {
        try (StoreFile file = files().open("a", OpenMode.CREATE_NEW)) {
            file.write(0, text("0123456789"));
            file.truncate(4);
            file.truncate(8);
            assertThat(file.size()).isEqualTo(4);
            file.write(8, text("x"));
            assertThat(read(file, 0, 99)).isEqualTo("0123\0\0\0\0x");
        }
    }

    @Test
    void modesAreKept() throws IOException {
        Files files = files();
        assertThatExceptionOfType(NoSuchFileException.class).isThrownBy(() -> files.open("a", OpenMode.READ));
        assertThatExceptionOfType(NoSuchFileException.class).isThrownBy(() -> files.open("a", OpenMode.READ_WRITE));
        assertThatExceptionOfType(NoSuchFileException.class).isThrownBy(() -> files.open("d/a", OpenMode.CREATE_NEW));
        StoreFile created = files.open("a", OpenMode.CREATE_NEW);
        created.write(0, text("x"));
        created.close();
        created.close();
        assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(created::size);
        assertThatExceptionOfType(FileAlreadyExistsException.class)
                .isThrownBy(() -> files.open("a", OpenMode.CREATE_NEW));
        try (StoreFile file = files.open("a", OpenMode.READ)) {
            assertThatExceptionOfType(NonWritableChannelException.class).isThrownBy(() -> file.write(0, text("y")));
            assertThat(read(file, 0, 9)).isEqualTo("x");
        }
        try (StoreFile file = files.open("a", OpenMode.READ_WRITE)) {
            file.write(0, text("y"));
            assertThat(read(file, 0, 9)).isEqualTo("y");
        }
    }

    @Test
    void directoriesListRenameDelete() throws IOException {
        Files files = files();
        files.createDirectories("log/old");
        files.createDirectories("log/old");
        files.open("log/b", OpenMode.CREATE_NEW).close();
        try (StoreFile file = files.open("log/a", OpenMode.CREATE_NEW)) {
            file.write(0, text("abc"));
            assertThat(files.list("")).containsExactly("log");
            assertThat(files.list("log")).containsExactly("a", "b", "old");
            assertThat(files.list("log/old")).isEmpty();
            assertThat(files.size("log/a")).isEqualTo(3);
            files.rename("log/a", "log/b");
            file.write(3, text("d"));
        }
        files.forceDirectory("log");
        files.forceDirectory("");
        assertThat(files.exists("log/a")).isFalse();
        assertThat(files.exists("log")).isTrue();
        assertThat(files.size("log/b")).isEqualTo(4);
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> files.delete("log"));
        assertThatExceptionOfType(NoSuchFileException.class).isThrownBy(() -> files.delete("log/a"));
        assertThatExceptionOfType(NoSuchFileException.class).isThrownBy(() -> files.rename("log/a", "log/c"));
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> files.list("nowhere"));
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> files.forceDirectory("nowhere"));
        files.delete("log/old");
        files.delete("log/b");
        files.delete("log");
        assertThat(files.list("")).isEmpty();
        assertThat(files.usableBytes()).isPositive();
    }

    @Test
    void aLockHasOneHolder() throws IOException {
        Files files = files();
        FileLock lock = files.lock("lock");
        assertThatExceptionOfType(IOException.class)
                .isThrownBy(() -> files.lock("lock"))
                .withMessageContaining("in use");
        lock.close();
        lock.close();
        FileLock again = files.lock("lock");
        lock.close();
        assertThatExceptionOfType(IOException.class).isThrownBy(() -> files.lock("lock"));
        again.close();
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "/",
                "/etc/passwd",
                "..",
                "../x",
                "a/../../x",
                "a/./b",
                "a//b",
                "a/",
                "a\\b",
                "c:",
                "a\nb",
                "a\0"
            })
    void namesThatCouldLeadOutsideAreRefused(String name) throws IOException {
        Files files = files();
        assertThatIllegalArgumentException().isThrownBy(() -> files.open(name, OpenMode.CREATE_NEW));
        assertThatIllegalArgumentException().isThrownBy(() -> files.exists(name));
        assertThatIllegalArgumentException().isThrownBy(() -> files.createDirectories(name));
        assertThatIllegalArgumentException().isThrownBy(() -> files.rename("a", name));
        assertThatIllegalArgumentException().isThrownBy(() -> files.rename(name, "a"));
        assertThatIllegalArgumentException().isThrownBy(() -> files.delete(name));
        assertThatIllegalArgumentException().isThrownBy(() -> files.size(name));
        assertThatIllegalArgumentException().isThrownBy(() -> files.lock(name));
        if (!name.isEmpty()) {
            assertThatIllegalArgumentException().isThrownBy(() -> files.list(name));
            assertThatIllegalArgumentException().isThrownBy(() -> files.forceDirectory(name));
        }
    }
}
