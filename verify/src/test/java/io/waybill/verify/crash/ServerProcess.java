/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.crash;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.net.InetAddress;
import java.net.ServerSocket;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.TimeUnit;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** One `waybill server` as its own process, on the class path of this test. */
public final class ServerProcess implements AutoCloseable {
    private static final Pattern READY =
            Pattern.compile("READY namesrv=(\\S+) broker=(\\S+) console=(\\S+) pid=(\\d+)");

    private final Process process;
    private final String namesrv;
    private final String broker;

    private ServerProcess(Process process, String namesrv, String broker) {
        this.process = process;
        this.namesrv = namesrv;
        this.broker = broker;
    }

    public static ServerProcess start(Path data, int namesrvPort, int brokerPort, String... more) throws IOException {
        List<String> command = new ArrayList<>(List.of(
                Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                "-Xmx256m",
                "-XX:+UseSerialGC",
                "-XX:TieredStopAtLevel=1",
                "-cp",
                System.getProperty("java.class.path"),
                "io.waybill.cli.Main",
                "server",
                "--data",
                data.toString(),
                "--namesrv-port",
                String.valueOf(namesrvPort),
                "--broker-port",
                String.valueOf(brokerPort)));
        command.addAll(List.of(more));
        Process process = new ProcessBuilder(command)
                .redirectError(ProcessBuilder.Redirect.appendTo(
                        data.resolveSibling(data.getFileName() + ".log").toFile()))
                .start();
        BufferedReader output =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        for (String line = output.readLine(); line != null; line = output.readLine()) {
            Matcher ready = READY.matcher(line);
            if (ready.matches()) {
                return new ServerProcess(process, ready.group(1), ready.group(2));
            }
        }
        process.destroyForcibly();
        throw new IOException("the server ended before READY; see " + data.getFileName() + ".log beside its data");
    }

    public static int freePort() throws IOException {
        try (ServerSocket socket = new ServerSocket(0, 1, InetAddress.getLoopbackAddress())) {
            return socket.getLocalPort();
        }
    }

    public String namesrv() {
        return namesrv;
    }

    public String broker() {
        return broker;
    }

    /** SIGKILL: no handler runs, nothing is flushed. */
    public void killNine() throws InterruptedException {
        process.destroyForcibly();
        process.waitFor();
    }

    /** SIGTERM; returns the exit code. */
    public int terminate() throws InterruptedException {
        process.destroy();
        if (!process.waitFor(20, TimeUnit.SECONDS)) {
            process.destroyForcibly();
            throw new IllegalStateException("the server did not stop within 20 s of SIGTERM");
        }
        return process.exitValue();
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
