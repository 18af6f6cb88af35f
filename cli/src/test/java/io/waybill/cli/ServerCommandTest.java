/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.server.EmbeddedBroker;
import java.io.BufferedReader;
import java.io.File;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.condition.EnabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** The server as a process: the line others wait for, SIGTERM, and starts that cannot work. */
@Timeout(120)
@Tag("end-to-end")
class ServerCommandTest {
    private static final Pattern READY = Pattern.compile(
            "READY namesrv=127\\.0\\.0\\.1:(\\d+) broker=127\\.0\\.0\\.1:(\\d+) console=off pid=(\\d+)");

    @TempDir
    Path directory;

    private Process start(String... arguments) throws IOException {
        return command(arguments).start();
    }

    private ProcessBuilder command(String... arguments) {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                "io.waybill.cli.Main"));
        command.addAll(List.of(arguments));
        return new ProcessBuilder(command)
                .redirectError(directory.resolve("err").toFile());
    }

    private static List<String> output(Process process) throws IOException {
        try (BufferedReader reader =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            return reader.lines().toList();
        }
    }

    @Test
    void itSaysReadyOnceServesAndStopsCleanly() throws Exception {
        String data = directory.resolve("data").toString();
        Process server = start("server", "--data", data, "--namesrv-port", "0", "--broker-port", "0");
        try (BufferedReader reader =
                new BufferedReader(new InputStreamReader(server.getInputStream(), StandardCharsets.UTF_8))) {
            Matcher ready = READY.matcher(reader.readLine());
            assertThat(ready.matches()).isTrue();
            assertThat(Long.parseLong(ready.group(3))).isEqualTo(server.pid());
            assertThat(Main.run("topic", "list", "-n", "127.0.0.1:" + ready.group(1)))
                    .isZero();

            Process second =
                    start("server", "--data", data + "2", "--namesrv-port", ready.group(1), "--broker-port", "0");
            assertThat(output(second)).isEmpty();
            assertThat(second.waitFor()).isEqualTo(1);
            assertThat(directory.resolve("err"))
                    .content()
                    .contains("cannot start the name server", "or 0 for any free one");

            server.toHandle().destroy();
            assertThat(server.waitFor(20, TimeUnit.SECONDS)).isTrue();
            assertThat(server.exitValue()).isZero();
            assertThat(reader.readLine()).isNull();
        } finally {
            server.destroyForcibly();
        }
        assertThat(Main.run("store", "check", data)).isZero();
    }

    @Test
    void nameServerAndBrokerRunApart() throws Exception {
        Process namesrv = start("namesrv", "--port", "0");
        try (BufferedReader names =
                new BufferedReader(new InputStreamReader(namesrv.getInputStream(), StandardCharsets.UTF_8))) {
            String address = names.readLine().replaceAll("READY namesrv=(\\S+) broker=none console=off pid=\\d+", "$1");
            Process broker = start("broker", "--data", directory.resolve("b").toString(), "-n", address, "--port", "0");
            try (BufferedReader brokers =
                    new BufferedReader(new InputStreamReader(broker.getInputStream(), StandardCharsets.UTF_8))) {
                assertThat(brokers.readLine()).matches(READY);
                assertThat(Main.run("send", "apart", "x", "-n", address)).isZero();
                broker.destroy();
                assertThat(broker.waitFor()).isZero();
            } finally {
                broker.destroyForcibly();
            }
            namesrv.destroy();
            assertThat(namesrv.waitFor()).isZero();
        } finally {
            namesrv.destroyForcibly();
        }
    }

    @Test
    @EnabledOnOs(OS.LINUX)
    void outputThatGoesNowhereIsNoSuccess() throws Exception {
        Process full =
                command("--version").redirectOutput(new File("/dev/full")).start();
        assertThat(full.waitFor()).isEqualTo(1);
        assertThat(Files.readString(directory.resolve("err")))
                .contains("the output could not be written: No space left on device");
    }

    /** The README's command line, with the log's configuration that is on its class path. */
    @Test
    void anExamplePrintsItsOwnLinesOnly() throws Exception {
        try (EmbeddedBroker broker = EmbeddedBroker.start()) {
            Process example = new ProcessBuilder(
                            Path.of(System.getProperty("java.home"), "bin", "java")
                                    .toString(),
                            "-cp",
                            System.getProperty("java.class.path"),
                            "io.waybill.example.OrderProducer",
                            broker.namesrvAddress())
                    .redirectErrorStream(true)
                    .start();
            List<String> lines = output(example);
            example.waitFor();
            // Whether it got through in time is not the question here, on however busy a machine. From 24 on the JVM
            // itself warns of
            // libraries that load native code, unless it is told to allow it.
            assertThat(lines)
                    .isNotEmpty()
                    .noneMatch(line ->
                            !line.startsWith("WARNING: ") && (line.contains("io.netty.") || line.contains("DEBUG")));
        }
    }

    @Test
    void argumentsThatTheLocaleLostAreNotSent() {
        assertThat(Main.garbled("ANSI_X3.4-1968", "send", "orders", "caf\uFFFD\uFFFD"))
                .contains("cannot be read in this locale, whose encoding is ANSI_X3.4-1968");
        assertThat(Main.garbled("ANSI_X3.4-1968", "send", "orders", "cafe")).isNull();
        assertThat(Main.garbled("UTF-8", "send", "orders", "\uFFFD")).isNull();
    }

    @Test
    void theVersionNamesTheCommit() {
        assertThat(Build.text()).matches("waybill [0-9.]+(-SNAPSHOT)? \\(commit ([0-9a-f]{7,}|unknown), Java .+\\)");
    }
}
