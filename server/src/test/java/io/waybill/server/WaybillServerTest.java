/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.server;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatExceptionOfType;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatIllegalStateException;

import io.waybill.protocol.RequestCode;
import io.waybill.protocol.frame.Command;
import io.waybill.remoting.ClientSettings;
import io.waybill.remoting.EventLoops;
import io.waybill.remoting.RemotingClient;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

@Timeout(60)
@Tag("end-to-end")
class WaybillServerTest {
    @TempDir
    Path directory;

    private static Command ask(String address, Command request) throws Exception {
        try (EventLoops loops = EventLoops.shared();
                RemotingClient client = new RemotingClient(loops, ClientSettings.defaults(), r -> {})) {
            return client.call(address, request, 5_000).get(10, TimeUnit.SECONDS);
        }
    }

    private static String text(Command reply) {
        return StandardCharsets.UTF_8.decode(reply.body()).toString();
    }

    @Test
    void onceStartedTheNameServerKnowsTheBroker() throws Exception {
        try (WaybillServer server =
                WaybillServer.start(ServerSettings.in(directory).ports(0, 0))) {
            String namesrv = WaybillServer.text(server.namesrvAddress());
            Command reply = ask(
                    namesrv,
                    Command.request(RequestCode.GET_BROKER_CLUSTER_INFO).build());
            assertThat(reply.code()).isZero();
            assertThat(text(reply)).contains("broker-a", WaybillServer.text(server.brokerAddress()));
        }
    }

    @Test
    void oneDataDirectoryServesOneBroker() throws Exception {
        ServerSettings settings = ServerSettings.in(directory).ports(0, 0);
        try (WaybillServer server = WaybillServer.start(settings)) {
            assertThat(server.brokerAddress().getPort()).isPositive();
            assertThatExceptionOfType(StartException.class)
                    .isThrownBy(() -> WaybillServer.start(settings))
                    .withMessageContaining("cannot start the broker")
                    .withMessageContaining("in use")
                    .satisfies(e -> assertThat(e.advice()).contains("another directory"));
        }
        WaybillServer.start(settings).close();
    }

    @Test
    void aTakenPortIsExplained() throws Exception {
        try (WaybillServer server =
                WaybillServer.start(ServerSettings.in(directory.resolve("a")).ports(0, 0))) {
            int port = server.namesrvAddress().getPort();
            ServerSettings second = ServerSettings.in(directory.resolve("b")).ports(port, 0);
            assertThatExceptionOfType(StartException.class)
                    .isThrownBy(() -> WaybillServer.start(second))
                    .withMessageContaining("cannot start the name server on 127.0.0.1:" + port)
                    .satisfies(e -> assertThat(e.advice()).contains("choose another port, or 0"));
        }
    }

    @Test
    void aDirectoryThatCannotBeMadeIsExplained() throws IOException {
        Path file = Files.createFile(directory.resolve("file"));
        assertThatExceptionOfType(StartException.class)
                .isThrownBy(() -> WaybillServer.start(ServerSettings.in(file).ports(0, 0)))
                .withMessageContaining("cannot open the data directory " + file)
                .satisfies(e -> assertThat(e.advice()).contains("permissions"));
    }

    @Test
    void anEmbeddedBrokerLeavesNothingBehind() {
        Path temporary;
        try (EmbeddedBroker broker = EmbeddedBroker.start()) {
            temporary = broker.temporary();
            assertThat(temporary).isNotEmptyDirectory();
            assertThat(broker.namesrvAddress()).startsWith("127.0.0.1:");
            assertThat(broker.brokerAddress()).startsWith("127.0.0.1:").isNotEqualTo(broker.namesrvAddress());
            broker.close();
        }
        assertThat(temporary).doesNotExist();
    }

    @Test
    void anEmbeddedBrokerInADirectoryKeepsItsData() {
        EmbeddedBroker.in(directory.resolve("kept")).start().close();
        assertThat(directory.resolve("kept")).isNotEmptyDirectory();
        try (EmbeddedBroker again = EmbeddedBroker.in(directory.resolve("kept"))
                .with("transactionCheckMillis", "200")
                .start()) {
            assertThat(again.brokerAddress()).isNotEmpty();
        }
    }

    @Test
    void wrongSettingsAndFailedStartsSaySo() throws IOException {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> EmbeddedBroker.with("autoCreateTopics", "true"))
                .withMessageContaining("'autoCreateTopic'");
        Path file = Files.createFile(directory.resolve("file"));
        assertThatIllegalStateException()
                .isThrownBy(() -> EmbeddedBroker.in(file).start())
                .withMessageContaining("cannot open the data directory");
    }

    @Test
    void aNameServerAloneServes() throws Exception {
        try (NamesrvServer server = NamesrvServer.start("127.0.0.1", 0)) {
            Command reply = ask(
                    WaybillServer.text(server.address()),
                    Command.request(RequestCode.GET_BROKER_CLUSTER_INFO).build());
            assertThat(reply.code()).isZero();
            try (BrokerServer broker = BrokerServer.start(
                    directory,
                    ServerSettings.in(directory)
                            .broker()
                            .with("port", "0")
                            .with("namesrv", WaybillServer.text(server.address())))) {
                Command known = ask(
                        WaybillServer.text(server.address()),
                        Command.request(RequestCode.GET_BROKER_CLUSTER_INFO).build());
                assertThat(text(known)).contains(WaybillServer.text(broker.address()));
            }
        }
    }
}
