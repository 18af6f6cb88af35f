/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.run;

import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Failure;
import io.waybill.example.demo.Demo;
import io.waybill.example.demo.DemoSettings;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** The main job by itself, checked. */
@Command(
        name = "demo",
        description = {
            "Runs the main job on a server of its own: orders in transactions, checks, ordered consumption, delays,",
            "replay, kill -9; checks every figure against the order database. Exit code 1 if a claim does not hold, 7 if",
            "the machine is too slow to tell."
        },
        footer = {"", "Example: waybill demo --orders 500"})
public final class DemoCommand implements Callable<Integer> {
    @Option(
            names = "--orders",
            paramLabel = "N",
            description = "Orders to place, at least 20 (default: 1000, with --slow 200).")
    private Integer orders;

    @Option(
            names = "--slow",
            description = "Makes local transactions last longer than the broker waits before it asks about them.")
    private boolean slow;

    @Option(
            names = "--keep",
            paramLabel = "DIR",
            description = "Keeps the server's data in this directory, which must not exist yet.")
    private Path keep;

    @Option(
            names = "--plain",
            description = "No progress bars, plain lines only; so it is without a terminal or with CI set.")
    private boolean plain;

    @Override
    public Integer call() throws Exception {
        int count = orders == null ? (slow ? 200 : 1000) : orders;
        if (count < 20) {
            throw new Failure(ExitCode.USAGE, "--orders must be at least 20, was " + count);
        }
        if (keep != null && Files.exists(keep)) {
            throw new Failure(ExitCode.USAGE, "--keep " + keep + " exists already; name a directory that does not");
        }
        boolean terminal = !plain && System.getenv().getOrDefault("CI", "").isEmpty() && isTerminal();
        try {
            Path data = keep == null ? null : Files.createDirectories(keep).toRealPath();
            return Demo.run(new DemoSettings(serverCommand(), data, count, slow, terminal), System.out);
        } catch (IOException | UncheckedIOException e) {
            throw new Failure(ExitCode.FAILED, "cannot run: " + e.getMessage());
        }
    }

    private static boolean isTerminal() {
        String told = System.getProperty("waybill.terminal");
        return told == null ? System.console() != null : told.contains("out");
    }

    /** This program again: by its launcher if there is one, so that the server gets the flags it would get alone. */
    private static List<String> serverCommand() {
        String launcher = System.getProperty("waybill.launcher");
        if (launcher != null) {
            return List.of(launcher, "server");
        }
        List<String> command = new ArrayList<>();
        command.add(Path.of(System.getProperty("java.home"), "bin", "java").toString());
        command.addAll(
                List.of("-Xmx256m", "-cp", System.getProperty("java.class.path"), "io.waybill.cli.Main", "server"));
        return command;
    }
}
