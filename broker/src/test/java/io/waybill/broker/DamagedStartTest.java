/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.platform.Files;
import io.waybill.platform.Platform;
import io.waybill.remoting.EventLoops;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.List;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A real broker whose index is damaged in the first thing it reads: whose store this is. */
class DamagedStartTest {
    @TempDir
    Path data;

    /** Flips a bit in every copy of the text; how many there were. */
    private static int damage(Path file, String text) throws IOException {
        byte[] bytes = java.nio.file.Files.readAllBytes(file);
        String seen = new String(bytes, StandardCharsets.ISO_8859_1);
        int found = 0;
        for (int at = seen.indexOf(text); at >= 0; at = seen.indexOf(text, at + 1)) {
            bytes[at] ^= 1;
            found++;
        }
        java.nio.file.Files.write(file, bytes);
        return found;
    }

    @Test
    void theStoreIsOpenedAnewAndRebuilt() throws Exception {
        BrokerSettings settings = BrokerSettings.defaults()
                .with("port", 0)
                .with("namesrv", "")
                .with("brokerName", "broker-of-this-test")
                .with("segmentBytes", 8 << 20)
                .with("freeDiskFloorBytes", 0);
        Platform platform = Platform.real();
        EventLoops loops = EventLoops.create(1);
        try {
            Broker.start(settings, Files.real(data), platform, loops).close();
            int damaged = 0;
            List<Path> tables;
            try (Stream<Path> files = java.nio.file.Files.list(data.resolve("views"))) {
                tables = files.filter(file -> file.toString().endsWith(".sst")).toList();
            }
            for (Path table : tables) {
                damaged += damage(table, "broker-of-this-test");
            }
            assertThat(damaged).isPositive();
            try (Broker broker = Broker.start(settings, Files.real(data), platform, loops)) {
                assertThat(broker.isFrozen()).isFalse();
                assertThat(broker.address().getPort()).isPositive();
            }
        } finally {
            platform.duties().close();
            loops.close();
        }
    }
}
