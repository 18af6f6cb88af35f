/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.own;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.Producer;
import io.waybill.server.EmbeddedBroker;
import java.io.IOException;
import java.io.RandomAccessFile;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** Damaged index files under a real broker: it starts, takes and gives everything, and nobody restarts it. */
@Tag("end-to-end")
class OwnViewsDamageTest {
    @TempDir
    Path data;

    private static void flip(Path file, long at) throws IOException {
        try (RandomAccessFile bytes = new RandomAccessFile(file.toFile(), "rw")) {
            bytes.seek(at);
            int old = bytes.read();
            bytes.seek(at);
            bytes.write(old ^ 16);
        }
    }

    private List<Path> tables() throws IOException {
        try (Stream<Path> found = Files.list(data)) {
            List<Path> tables = new ArrayList<>();
            for (Path directory : found.filter(
                            path -> path.getFileName().toString().startsWith("views"))
                    .filter(Files::isDirectory)
                    .toList()) {
                try (Stream<Path> files = Files.list(directory)) {
                    tables.addAll(files.filter(path -> path.toString().endsWith(".sst"))
                            .sorted()
                            .toList());
                }
            }
            return tables;
        }
    }

    @Test
    void allIsServedWhateverTableFileWasDamagedAtTheStart() throws Exception {
        List<String> sent = new ArrayList<>();
        int files = 1;
        for (int round = 0; round < Math.min(files, 6); round++) {
            try (EmbeddedBroker broker = EmbeddedBroker.in(data).start();
                    Own own = new Own(broker.namesrvAddress())) {
                Producer producer = own.client().producer("p").build();
                for (int i = 0; i < 40; i++) {
                    String body = round + "." + i;
                    producer.send(Own.message("orders", "A", "k" + body, body));
                    sent.add(body);
                }
                Own.Inbox inbox = own.consume("g" + round, "orders", "*");
                Own.await("all of round " + round, () -> inbox.texts().containsAll(sent));
            }
            List<Path> tables = tables();
            files = tables.size();
            assertThat(files).isPositive();
            for (int i = round; i < files; i += 6) {
                flip(tables.get(i), Files.size(tables.get(i)) * (round % 3) / 4);
            }
        }
    }
}
