/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.platform.Files;
import io.waybill.platform.OpenMode;
import io.waybill.platform.StoreFile;
import io.waybill.store.record.Checkpoint;
import io.waybill.store.record.LogRecord;
import io.waybill.store.record.ViewsDamaged;
import io.waybill.store.record.VisibleMessage;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

class RocksBackendTest {
    @TempDir
    Path directory;

    private Files files;

    @BeforeEach
    void openFiles() {
        files = Files.real(directory);
    }

    private static void fill(Views views, int messages) {
        for (int i = 0; i < messages; i++) {
            LogRecord message = new VisibleMessage(i * 100L, 90, 56, "t", 0, i, i, i, new String[] {"k" + i});
            views.apply(List.of(message), (i + 1) * 100L, i, 1, i);
        }
        views.prepareCheckpoint();
        views.writeCheckpoint(true);
    }

    @Test
    void keepsWhatWasWritten() {
        ViewsBackend backend = ViewsBackend.rocks(files);
        Views views = Views.open(backend);
        assertThat(views.checkpoint()).isEqualTo(Checkpoint.EMPTY);
        fill(views, 1000);
        assertThat(views.flushedCheckpoint()).isEqualTo(views.applied());
        views.close();
        views.close();
        assertThatThrownBy(() -> views.consumeQueues().view("t", 0)).isInstanceOf(IllegalStateException.class);

        try (Views again = Views.open(ViewsBackend.rocks(files))) {
            assertThat(again.checkpoint()).isEqualTo(new Checkpoint(100_000, 999, 1, 999, 0));
            assertThat(again.consumeQueues().view("t", 0).max()).isEqualTo(1000);
            assertThat(again.keyPositions("t", "k77", 0, 5000, Long.MAX_VALUE, 5))
                    .containsExactly(7700);
        }
    }

    @Test
    void keepsItsUnpackedLibraryInTheDataDirectory() throws IOException {
        RocksLibrary.unpacked(files);
        String directory = "native/" + files.list("native").get(0);
        String library = directory + "/" + files.list(directory).get(0);
        assertThat(files.list(directory)).hasSize(1);
        assertThat(files.size(library)).isEqualTo(Long.parseLong(directory.substring(7)));
        try (StoreFile file = files.open(library, OpenMode.READ_WRITE)) {
            file.write(0, ByteBuffer.wrap(new byte[] {42}));
        }
        RocksLibrary.unpacked(files);
        try (StoreFile file = files.open(library, OpenMode.READ)) {
            ByteBuffer first = ByteBuffer.allocate(1);
            file.read(0, first);
            assertThat(first.get(0)).as("the file of the first time").isEqualTo((byte) 42);
        }
    }

    /** Loads the library as a process of its own and says where it came from. */
    static final class OtherProcess {
        private OtherProcess() {}

        public static void main(String[] arguments) {
            Files files = Files.real(Path.of(arguments[0]));
            System.out.println(RocksLibrary.load(files));
            ViewsBackend backend = ViewsBackend.rocks(files);
            backend.open();
            backend.close();
        }
    }

    private static String otherProcess(Path data, String cache) throws Exception {
        ProcessBuilder builder = new ProcessBuilder(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-cp",
                System.getProperty("java.class.path"),
                OtherProcess.class.getName(),
                data.toString());
        builder.environment().put("XDG_CACHE_HOME", cache);
        Process process = builder.redirectErrorStream(true).start();
        String said = new String(process.getInputStream().readAllBytes(), StandardCharsets.UTF_8);
        assertThat(process.waitFor()).as(said).isZero();
        return said;
    }

    @Test
    void aNewProcessUnpacksNothingThatWasUnpackedOnce(@TempDir Path directory) throws Exception {
        Path cache = directory.resolve("cache");
        assertThat(otherProcess(directory.resolve("one"), cache.toString())).contains("USER_CACHE");
        assertThat(otherProcess(directory.resolve("two"), cache.toString())).contains("USER_CACHE");
        try (var unpacked = java.nio.file.Files.walk(cache)) {
            assertThat(unpacked.filter(java.nio.file.Files::isRegularFile)).hasSize(1);
        }
        Path file = java.nio.file.Files.createFile(directory.resolve("file"));
        assertThat(otherProcess(directory.resolve("three"), file.toString())).contains("DATA_DIRECTORY");
    }

    @Test
    void batchesScanAndDeleteInOrder() {
        for (ViewsBackend backend : List.of(ViewsBackend.rocks(files), ViewsBackend.memory())) {
            backend.open();
            try (ViewBatch batch = backend.newBatch()) {
                for (int i = 0; i < 10; i++) {
                    batch.put(Family.DUE, new byte[] {(byte) (i * 25)}, new byte[] {(byte) i});
                }
                batch.deleteRange(Family.DUE, new byte[] {25}, new byte[] {75});
                batch.put(Family.DUE, new byte[] {50}, new byte[] {42});
                batch.delete(Family.DUE, new byte[] {(byte) 225});
                backend.write(batch);
            }
            List<Integer> up = new ArrayList<>();
            backend.scan(Family.DUE, new byte[] {1}, new byte[] {(byte) 200}, (key, value) -> up.add((int) value[0]));
            assertThat(up).containsExactly(42, 3, 4, 5, 6, 7);
            List<Integer> down = new ArrayList<>();
            backend.scanDown(
                    Family.DUE, new byte[] {(byte) 180}, new byte[] {50}, (key, value) -> down.add((int) value[0]));
            assertThat(down).containsExactly(7, 6, 5, 4, 3, 42);
            assertThat(backend.get(Family.DUE, new byte[] {25})).isNull();
            assertThat(backend.get(Family.KEYS, new byte[] {50})).isNull();
            backend.close();
        }
    }

    @Test
    void refusesASecondOpenAndDoesNotTakeItForDamage() {
        try (Views views = Views.open(ViewsBackend.rocks(files))) {
            fill(views, 10);
            assertThatThrownBy(() -> Views.open(ViewsBackend.rocks(files))).isInstanceOf(IllegalStateException.class);
            assertThat(views.consumeQueues().view("t", 0).max()).isEqualTo(10);
        }
    }

    @Test
    void startsEmptyWhenAFileIsMissingOrBroken() throws IOException {
        for (String suffix : List.of(".sst", "MANIFEST", "CURRENT")) {
            try (Views views = Views.open(ViewsBackend.rocks(files))) {
                assertThat(views.checkpoint()).isEqualTo(Checkpoint.EMPTY);
                fill(views, 1000);
            }
            for (String name : files.list("views")) {
                if (name.contains(suffix)) {
                    files.delete("views/" + name);
                }
            }
        }
        try (Views views = Views.open(ViewsBackend.rocks(files))) {
            assertThat(views.checkpoint()).isEqualTo(Checkpoint.EMPTY);
        }
    }

    @Test
    void aFlippedBitIsNeverServedAndTheNextOpenStartsEmpty() throws IOException {
        try (Views views = Views.open(ViewsBackend.rocks(files))) {
            fill(views, 5000);
        }
        for (String name : files.list("views")) {
            if (name.endsWith(".sst")) {
                try (StoreFile file = files.open("views/" + name, OpenMode.READ_WRITE)) {
                    ByteBuffer start = ByteBuffer.allocate(512);
                    file.read(0, start);
                    for (int i = 20; i < start.position(); i += 50) {
                        start.put(i, (byte) (start.get(i) ^ 4));
                    }
                    file.write(0, start.flip());
                }
            }
        }
        Views views = Views.open(ViewsBackend.rocks(files));
        if (views.checkpoint().position() > 0) {
            assertThatThrownBy(() -> views.consumeQueues().view("t", 0).visit(0, 5000, (o, p, s, d, t, time) -> {
                        assertThat(p).isEqualTo(o * 100);
                        return true;
                    }))
                    .isInstanceOf(ViewsDamaged.class);
            views.close();
            try (Views again = Views.open(ViewsBackend.rocks(files))) {
                assertThat(again.checkpoint()).isEqualTo(Checkpoint.EMPTY);
                fill(again, 10);
            }
        } else {
            views.close();
        }
    }
}
