/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import static io.waybill.store.Simulation.draft;
import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.platform.Files;
import io.waybill.platform.OpenMode;
import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.platform.StoreFile;
import io.waybill.platform.simulated.SimulatedClock;
import io.waybill.platform.simulated.SimulatedDuties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.log.Completion;
import io.waybill.store.log.Failed;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.StoreException;
import io.waybill.store.log.StoreSettings;
import io.waybill.store.log.Stored;
import io.waybill.store.record.CatalogKind;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.ViewsDamaged;
import io.waybill.store.view.ViewsBackend;
import java.io.IOException;
import java.nio.ByteBuffer;
import java.nio.file.NoSuchFileException;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.BiConsumer;
import java.util.stream.Stream;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** What a store makes of a RocksDB whose files are damaged, missing or cannot be written. The files are real, time is not. */
class RocksDamageTest {
    private static final StoreSettings SETTINGS = Simulation.SMALL
            .withSegmentBytes(1 << 20)
            .withMaxFrameBytes(1 << 16)
            .withViewsBytes(1 << 20)
            .withCheckpoint(1 << 20, 1_000);
    private static final int QUEUES = 6;

    @TempDir
    Path directory;

    @TempDir
    Path killed;

    private final SimulatedClock clock = new SimulatedClock();
    private final Map<String, List<String>> sent = new TreeMap<>();
    private Files files;
    private SimulatedDuties duties;
    private Store store;

    @BeforeEach
    void start() throws Exception {
        files = Files.real(directory);
        open();
    }

    @AfterEach
    void end() throws Exception {
        if (store != null) {
            store.close();
        }
    }

    private void open() throws StoreException {
        duties = new SimulatedDuties(clock);
        store = Store.open(
                files, new Platform(clock, RandomSource.seeded(1), duties), SETTINGS, ViewsBackend.rocks(files));
        duties.runUntilIdle();
    }

    private void close() throws StoreException {
        store.close();
        store = null;
    }

    private Outcome outcome(BiConsumer<Store, Completion> doing) {
        List<Outcome> outcomes = new ArrayList<>();
        doing.accept(store, outcomes::add);
        duties.runUntilIdle();
        assertThat(outcomes).hasSize(1);
        return outcomes.get(0);
    }

    /** Sends; what is refused because of a rebuild is sent again later, as clients do. */
    private void put(String topic, String body) {
        Outcome outcome = outcome((s, done) -> s.messages().append(draft(topic, body), done));
        if (outcome instanceof Failed failed) {
            assertThat(failed.cause()).as(failed.text()).isEqualTo(Failed.FailureCause.REBUILDING);
            duties.advance(61_000);
            outcome = outcome((s, done) -> s.messages().append(draft(topic, body), done));
        }
        assertThat(outcome).isInstanceOf(Stored.class);
        sent.computeIfAbsent(topic, key -> new ArrayList<>()).add(body);
    }

    private void fill(int rounds, int messages) {
        for (int round = 0; round < rounds; round++) {
            for (int i = 0; i < messages; i++) {
                put("topic" + i % QUEUES, "m" + round + "." + i);
            }
            int offset = round;
            outcome((s, done) ->
                    s.offsets().commitOffsets(List.of(new ConsumerOffset("g", "topic0", 0, offset)), done));
            outcome((s, done) -> s.catalog().putCatalog(CatalogKind.GROUP, "g" + offset, new byte[] {1}, done));
            outcome((s, done) ->
                    s.transactions().appendHalf(null, draft("topic0", "h" + offset), "g", "", 1_000, done));
            outcome((s, done) -> s.timers().appendTimer(null, draft("topic0", "d" + offset), 1_000_000_000_000L, done));
            duties.advance(1_500);
        }
    }

    private List<String> bodies(String topic) {
        List<String> bodies = new ArrayList<>();
        long offset = 0;
        ReadResult read;
        while ((read = store.queues().readQueue(topic, 0, offset, 32, 1 << 20, null, null)).status()
                == ReadResult.Status.FOUND) {
            for (ByteBuffer slice : read.slices()) {
                for (int at = 0; at < slice.limit(); at += StoredMessage.totalSize(slice, at)) {
                    bodies.add(Simulation.body(slice, at));
                }
            }
            offset = read.nextOffset();
        }
        assertThat(offset).isEqualTo(store.queues().offsetRange(topic, 0).maxOffset());
        return bodies;
    }

    /** All that was acknowledged, or a refusal for the moment: never less. */
    private boolean readsAllOrRefuses() {
        boolean all = ViewsDamageTest.askAll(store);
        for (Map.Entry<String, List<String>> topic : sent.entrySet()) {
            try {
                assertThat(bodies(topic.getKey())).isEqualTo(topic.getValue());
            } catch (ViewsDamaged e) {
                all = false;
            }
        }
        return all;
    }

    private void servesAll() throws Exception {
        assertThat(store.status().viewsTrouble()).isEmpty();
        assertThat(readsAllOrRefuses()).isTrue();
        assertThat(store.status().state().isOpen()).isTrue();
        close();
        assertThat(StoreCheck.check(files, ViewsBackend.rocks(files)).findings())
                .isEmpty();
        open();
        assertThat(readsAllOrRefuses()).isTrue();
        assertThat(views()).containsExactly("views");
    }

    private List<String> views() throws IOException {
        return files.list("").stream().filter(name -> name.startsWith("views")).toList();
    }

    /** Where the views lie: after a rebuild beside the old ones it is another place until the next start. */
    private Path place() throws IOException {
        List<String> places =
                views().stream().filter(name -> !name.contains("damaged")).toList();
        return directory.resolve(places.get(places.size() - 1));
    }

    private List<Path> tables() throws IOException {
        try (Stream<Path> list = java.nio.file.Files.list(place())) {
            return list.filter(path -> path.toString().endsWith(".sst"))
                    .sorted()
                    .toList();
        }
    }

    private void flip(Path path, long at) throws IOException {
        try (StoreFile file = files.open(directory.relativize(path).toString(), OpenMode.READ_WRITE)) {
            ByteBuffer one = ByteBuffer.allocate(1);
            file.read(at, one);
            one.put(0, (byte) (one.get(0) ^ 8));
            file.write(at, one.clear());
        }
    }

    @Test
    void aFlippedBitInAnyTableFileIsNoMoreThanARebuild() throws Exception {
        fill(4, 60);
        assertThat(tables().size()).isGreaterThan(3);
        for (int i = 0; i < 6; i++) {
            close();
            List<Path> tables = tables();
            Path table = tables.get((i * 5 + 3) % tables.size());
            flip(table, java.nio.file.Files.size(table) * (i % 4) / 5);
            open();
            readsAllOrRefuses();
            for (int queue = 0; queue < QUEUES; queue++) {
                put("topic" + queue, "after " + i);
            }
            readsAllOrRefuses();
            duties.advance(61_000);
            assertThat(readsAllOrRefuses()).isTrue();
        }
        servesAll();
    }

    @Test
    void filesDamagedWhileTheyAreOpenAreRebuilt() throws Exception {
        fill(4, 200);
        close();
        open();
        for (Path table : tables()) {
            try {
                for (long at = 10; at < java.nio.file.Files.size(table); at += 200) {
                    flip(table, at);
                }
            } catch (NoSuchFileException e) {
                // RocksDB has joined it with others.
                assertThat(table).doesNotExist();
            }
        }
        readsAllOrRefuses();
        for (int queue = 0; queue < QUEUES; queue++) {
            put("topic" + queue, "after");
        }
        readsAllOrRefuses();
        duties.advance(61_000);
        assertThat(store.status().viewsRebuilds()).isPositive();
        assertThat(views()).as("the damaged one is gone").containsExactly("views.1");
        servesAll();
    }

    @Test
    void aProcessThatEndsWithDamageRebuildsAtItsStart() throws Exception {
        fill(3, 60);
        close();
        for (Path table : tables()) {
            flip(table, 30);
        }
        ViewsBackend backend = ViewsBackend.rocks(files);
        assertThat(StoreCheck.check(files, backend).findings()).isNotNull();
        open();
        servesAll();
    }

    // ---- a RocksDB that cannot write

    /** Puts directories where RocksDB would make its next files. */
    private List<Path> obstruct() throws IOException {
        List<Path> made = new ArrayList<>();
        for (int i = 1; i < 400; i++) {
            Path path = place().resolve(String.format("%06d.sst", i));
            if (!java.nio.file.Files.exists(path)) {
                java.nio.file.Files.createDirectory(path);
                made.add(path);
            }
        }
        return made;
    }

    private static void delete(List<Path> paths) throws IOException {
        for (Path path : paths) {
            java.nio.file.Files.deleteIfExists(path);
        }
    }

    @Test
    void aShortageInRocksDbPassesByItself() throws Exception {
        fill(2, 60);
        List<Path> obstacles = obstruct();
        for (int i = 0; i < 60; i++) {
            put("topic" + i % QUEUES, "during " + i);
        }
        duties.advance(1_500);
        assertThat(store.status().viewsTrouble()).contains("cannot be written");
        assertThat(readsAllOrRefuses()).isTrue();
        assertThat(store.status().statistics().checkpoints()).isPositive();
        long checkpoints = store.status().statistics().checkpoints();
        duties.advance(30_000);
        assertThat(store.status().statistics().checkpoints()).isGreaterThan(checkpoints);
        delete(obstacles);
        fill(1, 60);
        servesAll();
    }

    @Test
    void aStartThatCannotWriteTheViewsServes() throws Exception {
        fill(2, 60);
        store.messages().append(draft("topic1", "behind the checkpoint"), outcome -> {});
        duties.runUntilIdle();
        sent.get("topic1").add("behind the checkpoint");
        Path copy = killed;
        copyTo(copy);
        close();
        Path before = directory;
        directory = copy;
        files = Files.real(copy);
        try {
            Path lock = place().resolve("LOCK");
            java.nio.file.Files.delete(lock);
            java.nio.file.Files.createDirectory(lock);
            open();
            assertThat(readsAllOrRefuses()).isTrue();
            put("topic0", "taken");
            assertThat(store.status().viewsTrouble()).contains("cannot be opened for writing");
            assertThat(readsAllOrRefuses()).isTrue();
            java.nio.file.Files.delete(lock);
            duties.advance(30_000);
            servesAll();
            close();
        } finally {
            directory = before;
        }
    }

    private void copyTo(Path target) throws IOException {
        try (Stream<Path> all = java.nio.file.Files.walk(directory)) {
            for (Path path : all.sorted(Comparator.naturalOrder()).toList()) {
                if (!path.equals(directory)) {
                    java.nio.file.Files.copy(
                            path, target.resolve(directory.relativize(path).toString()));
                }
            }
        }
    }

    @Test
    void filesThatAreMissingOrEmptyAreRebuilt() throws Exception {
        fill(2, 60);
        for (String name :
                List.of("CURRENT", "MANIFEST", "OPTIONS", ".sst", "CURRENT empty", "MANIFEST empty", ".sst empty")) {
            close();
            for (String file : files.list(place().getFileName().toString())) {
                if (file.contains(name.replace(" empty", ""))) {
                    Path path = place().resolve(file);
                    java.nio.file.Files.delete(path);
                    if (name.endsWith("empty")) {
                        java.nio.file.Files.createFile(path);
                    }
                }
            }
            open();
            readsAllOrRefuses();
            duties.advance(61_000);
            assertThat(readsAllOrRefuses()).as(name).isTrue();
        }
        servesAll();
    }

    @Test
    void aPlaceThatCannotBeUsedIsNamed() throws Exception {
        close();
        for (String file : files.list("views")) {
            java.nio.file.Files.delete(place().resolve(file));
        }
        java.nio.file.Files.delete(directory.resolve("views"));
        java.nio.file.Files.createFile(directory.resolve("views"));
        assertThatThrownBy(this::open).isInstanceOf(StoreException.class).hasMessageContaining("views");
        java.nio.file.Files.delete(directory.resolve("views"));
        open();
        put("topic0", "m");
    }
}
