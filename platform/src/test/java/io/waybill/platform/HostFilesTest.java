/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;

import java.io.IOException;
import java.io.UncheckedIOException;
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

    @Test
    void aRootThatIsAFileIsExplained() throws IOException {
        Path file = directory.resolve("file");
        java.nio.file.Files.createFile(file);
        assertThatExceptionOfType(UncheckedIOException.class)
                .isThrownBy(() -> Files.real(file))
                .withMessageContaining("cannot make the directory");
    }
}
