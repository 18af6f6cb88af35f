/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

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
                .withMessageContaining("cannot make the directory");
    }
}
