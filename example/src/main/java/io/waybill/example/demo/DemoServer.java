/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.example.demo;

import java.io.BufferedReader;
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

/** A server in a process of its own, so that it can really be killed. At most one lives at a time. */
final class DemoServer implements AutoCloseable {
    private static final Pattern READY = Pattern.compile("READY namesrv=(\\S+):(\\d+) broker=(\\S+):(\\d+) .*");

    private static Process living; // guarded by DemoServer.class, as is ending
    private static boolean ending;

    private final Process process;
    private final String host;
    private final String namesrvPort;
    private final String brokerPort;
    private final long startMillis;

    private DemoServer(Process process, Matcher ready, long startMillis) {
        this.process = process;
        this.host = ready.group(1);
        this.namesrvPort = ready.group(2);
        this.brokerPort = ready.group(4);
        this.startMillis = startMillis;
    }

    static DemoServer start(List<String> serverCommand, Path data) throws IOException {
        return start(serverCommand, data, "0", "0");
    }

    /** Starts again on the same data and ports. */
    DemoServer restart(List<String> serverCommand, Path data) throws IOException {
        return start(serverCommand, data, namesrvPort, brokerPort);
    }

    private static DemoServer start(List<String> serverCommand, Path data, String namesrvPort, String brokerPort)
            throws IOException {
        List<String> command = new ArrayList<>(serverCommand);
        command.addAll(List.of("--data", data.toString(), "--namesrv-port", namesrvPort, "--broker-port", brokerPort));
        for (String setting : List.of("transactionTimeoutMillis", "transactionCheckMillis")) {
            command.addAll(List.of("--set", setting + "=" + Demo.CHECK_AFTER_MILLIS));
        }
        Path log = log(data);
        long started = System.nanoTime();
        Process process =
                spawn(new ProcessBuilder(command).redirectError(ProcessBuilder.Redirect.appendTo(log.toFile())));
        BufferedReader output =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8));
        for (String line = output.readLine(); line != null; line = output.readLine()) {
            Matcher ready = READY.matcher(line);
            if (ready.matches()) {
                return new DemoServer(process, ready, (System.nanoTime() - started) / 1_000_000);
            }
        }
        process.destroyForcibly();
        List<String> said = Files.readAllLines(log);
        throw new IOException("the server ended before it was ready; the last it said:\n  "
                + String.join("\n  ", said.subList(Math.max(0, said.size() - 10), said.size())));
    }

    /** Where the log lines of the server with this data go. */
    static Path log(Path data) {
        return data.resolveSibling(data.getFileName() + ".log");
    }

    private static synchronized Process spawn(ProcessBuilder builder) throws IOException {
        if (ending) {
            throw new IOException("the demo is being stopped");
        }
        living = builder.start();
        return living;
    }

    /** For the end of this program in the middle of everything: no server lives, and none will be started. */
    static synchronized void endAll() {
        ending = true;
        if (living != null) {
            living.destroyForcibly().onExit().join();
        }
    }

    String namesrv() {
        return host + ":" + namesrvPort;
    }

    String broker() {
        return host + ":" + brokerPort;
    }

    long startMillis() {
        return startMillis;
    }

    /** SIGKILL. */
    void killNine() throws InterruptedException {
        process.destroyForcibly().waitFor();
    }

    /** SIGTERM; true if it stopped cleanly within two minutes. */
    boolean stop() throws InterruptedException {
        process.destroy();
        return process.waitFor(2, TimeUnit.MINUTES) && process.exitValue() == 0;
    }

    @Override
    public void close() {
        process.destroyForcibly();
    }
}
