/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.junit.jupiter.api.Assumptions.assumeTrue;

import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.ByteBuffer;
import java.nio.channels.ClosedChannelException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class HostFilesTest extends FilesContract {
    @TempDir
    Path directory;

    @Override
    protected Files files() {
        return Files.real(directory.resolve("not").resolve("there"));
    }

    @Test
    void hostPathsStayBelowTheRoot() {
        assertThat(files().hostPath("views/one")).isEqualTo(directory.resolve("not/there/views/one"));
        assertThatIllegalArgumentException().isThrownBy(() -> files().hostPath("../x"));
    }

    @Test
    void aLockNamesItsHolder() throws IOException {
        Files files = files();
        try (FileLock lock = files.lock("lock")) {
            assertThat(lock).isNotNull();
            assertThatExceptionOfType(IOException.class)
                    .isThrownBy(() -> files.lock("lock"))
                    .withMessageContaining(
                            "by process " + ProcessHandle.current().pid())
                    .withMessageContaining("choose another directory");
        }
    }

    /** What is stored is nobody else's business. */
    @Test
    void filesAndDirectoriesAreTheOwnersAlone() throws IOException {
        assumeTrue(java.nio.file.FileSystems.getDefault()
                .supportedFileAttributeViews()
                .contains("posix"));
        Files files = files();
        files.createDirectories("log/deeper");
        files.open("log/one", OpenMode.CREATE_NEW).close();
        files.lock("lock").close();
        for (String file : new String[] {"log/one", "lock"}) {
            assertThat(permissions(files.hostPath(file))).isEqualTo("rw-------");
        }
        for (Path made : new Path[] {
            files.hostPath("log"),
            files.hostPath("log/deeper"),
            directory.resolve("not/there"),
            directory.resolve("not")
        }) {
            assertThat(permissions(made)).isEqualTo("rwx------");
        }
    }

    private static String permissions(Path path) throws IOException {
        return java.nio.file.attribute.PosixFilePermissions.toString(java.nio.file.Files.getPosixFilePermissions(path));
    }

    @Test
    void aDirectoryThatCannotBeUsedSaysWhyAndWhatToDo() throws IOException {
        Path file = java.nio.file.Files.writeString(directory.resolve("file"), "x");
        assertThatExceptionOfType(UncheckedIOException.class)
                .isThrownBy(() -> Files.real(file))
                .withMessageContaining(file + " is a file and not a directory: choose another directory");
        assertThatExceptionOfType(UncheckedIOException.class)
                .isThrownBy(() -> Files.real(file.resolve("data")))
                .withMessageContaining(file + " is a file and not a directory");
        Path link = directory.resolve("link");
        try {
            java.nio.file.Files.createSymbolicLink(link, directory.resolve("gone"));
        } catch (IOException | UnsupportedOperationException e) {
            assumeTrue(false, "no links here: " + e);
        }
        assertThatExceptionOfType(UncheckedIOException.class)
                .isThrownBy(() -> Files.real(link))
                .withMessageContaining("is a link to " + directory.resolve("gone") + ", which is not there");
        assertThatExceptionOfType(UncheckedIOException.class)
                .isThrownBy(() -> Files.real(link))
                .satisfies(e -> assertThat(e.getCause().getMessage()).contains("is a link to"));
    }

    /** The machine's own exceptions say nothing but the path, or the wrong thing. */
    @Test
    void reasonsAreWordsWithAnAdvice() {
        Path path = directory.resolve("log");
        assertThat(FileReasons.explained(path, new java.nio.file.AccessDeniedException(path.toString())))
                .hasMessageContaining("no permission for " + path)
                .hasMessageContaining("runs as user");
        assertThat(FileReasons.explained(
                        path, new java.nio.file.FileSystemException(path.toString(), null, "Too many open files")))
                .hasMessageContaining("too many files and connections are open")
                .hasMessageContaining("ulimit -n");
        assertThat(FileReasons.explained(
                        path, new java.nio.file.FileSystemException(path.toString(), null, "Read-only file system")))
                .hasMessageContaining("mounted read-only");
        assertThat(FileReasons.explained(path, new IOException("No space left on device")))
                .hasMessageContaining("free some space");
        IOException plain = new IOException("something else");
        assertThat(FileReasons.explained(path, plain)).isSameAs(plain);
        assertThat(FileReasons.explained("log/one", new java.nio.file.NoSuchFileException("/machine/log/one")))
                .isInstanceOf(java.nio.file.NoSuchFileException.class)
                .hasMessageContaining("log/one")
                .hasMessageNotContaining("machine");
        assertThatExceptionOfType(java.nio.file.NoSuchFileException.class)
                .isThrownBy(() -> files().open("log/one", OpenMode.READ))
                .satisfies(e -> assertThat(e.getMessage()).doesNotContain(directory.toString()));
    }

    /** Tries a lock as a process of its own: prints what came of it. */
    static final class OtherProcess {
        private OtherProcess() {}

        public static void main(String[] arguments) {
            try (FileLock lock = Files.real(Path.of(arguments[0])).lock("lock")) {
                System.out.println("got it " + lock);
            } catch (IOException e) {
                System.out.println("refused");
            }
        }
    }

    private String otherProcess() throws Exception {
        Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path"),
                        OtherProcess.class.getName(),
                        directory.resolve("not/there").toString())
                .redirectErrorStream(true)
                .start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(said).isZero();
        return said;
    }

    @Test
    void aRefusedSecondLockDoesNotTakeTheFirstOneWithIt() throws Exception {
        Files files = files();
        try (FileLock lock = files.lock("lock")) {
            assertThat(lock).isNotNull();
            assertThatExceptionOfType(IOException.class).isThrownBy(() -> files.lock("lock"));
            assertThat(otherProcess()).contains("refused");
        }
        assertThat(otherProcess()).contains("got it");
    }

    @Test
    void anInterruptedThreadHarmsNobodysFile() throws Exception {
        Files files = files();
        StoreFile file = files.open("f", OpenMode.CREATE_NEW);
        Thread.currentThread().interrupt();
        file.write(0, ByteBuffer.wrap("abc".getBytes(StandardCharsets.US_ASCII)));
        file.allocate(9);
        file.force();
        ByteBuffer found = ByteBuffer.allocate(3);
        assertThat(file.read(0, found)).isEqualTo(3);
        assertThat(file.map(0, 9).get(2)).isEqualTo((byte) 'c');
        assertThat(Thread.interrupted()).as("still interrupted").isTrue();
        assertThat(found.array()).containsExactly('a', 'b', 'c');
        assertThat(file.size()).isEqualTo(9);
        file.close();
        assertThatExceptionOfType(ClosedChannelException.class).isThrownBy(file::size);
    }

    @Test
    void aRootThatIsAFileIsExplained() throws IOException {
        Path file = directory.resolve("file");
        java.nio.file.Files.createFile(file);
        assertThatExceptionOfType(UncheckedIOException.class)
                .isThrownBy(() -> Files.real(file))
                .withMessageContaining("is a file and not a directory");
    }
}
