/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import io.waybill.broker.settings.BrokerSettings;
import java.nio.file.Path;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.io.TempDir;

/** A name is that of one broker at a time, and a data directory that of one name. */
@Tag("end-to-end")
class NameConflictTest {
    @TempDir
    private Path directory;

    private BrokerSettings settings(NamesrvServer namesrv, String name) {
        return BrokerSettings.defaults()
                .with("port", 0)
                .with("brokerName", name)
                .with("registerTimeoutMillis", 30_000)
                .with("namesrv", WaybillServer.text(namesrv.address()));
    }

    @Test
    void theSecondBrokerOfANameDoesNotStartUntilTheFirstIsGone() throws StartException {
        try (NamesrvServer namesrv = NamesrvServer.start("127.0.0.1", 0)) {
            String held;
            try (BrokerServer first = BrokerServer.start(directory.resolve("a"), settings(namesrv, "broker-a"))) {
                held = WaybillServer.text(first.address());
                assertThatThrownBy(() -> BrokerServer.start(directory.resolve("b"), settings(namesrv, "broker-a")))
                        .isInstanceOf(StartException.class)
                        .hasMessageContaining("broker broker-a id 0 is registered and lives at " + held)
                        .satisfies(
                                e -> assertThat(((StartException) e).advice()).contains("--set brokerName="));
                BrokerServer.start(directory.resolve("c"), settings(namesrv, "broker-c"))
                        .close();
            }
            // Again on another port, the same directory, at once; and the one that was refused.
            BrokerServer.start(directory.resolve("a"), settings(namesrv, "broker-a"))
                    .close();
            BrokerServer.start(directory.resolve("b"), settings(namesrv, "broker-a"))
                    .close();
        }
    }

    @Test
    void aDirectoryIsServedUnderItsFirstNameOnly() throws StartException {
        try (NamesrvServer namesrv = NamesrvServer.start("127.0.0.1", 0)) {
            BrokerServer.start(directory, settings(namesrv, "broker-a")).close();
            assertThatThrownBy(() -> BrokerServer.start(directory, settings(namesrv, "broker-b")))
                    .hasMessageContaining("belongs to broker 'broker-a', not to 'broker-b'")
                    .satisfies(e -> assertThat(((StartException) e).advice()).contains("brokerName=broker-a"));
            BrokerServer.start(directory, settings(namesrv, "broker-a")).close();
        }
    }
}
