/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatCode;

import io.waybill.cli.terminal.ExitCode;
import io.waybill.server.EmbeddedBroker;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/** The pages for people: every command line they show parses, and every verb stands on some page. */
class PagesTest {
    private static final Path ROOT = Path.of("").toAbsolutePath().getParent();

    /** What may stand before the command: a prompt, a variable, the folder. */
    private static final String PROMPT = "(\\$ )?([A-Z_]+=('[^']*'|\\S+) )?(\\./bin/)?";

    /** A command line and where it stands. */
    private record Line(Path page, int number, String command) {}

    private static List<Line> commands() throws IOException {
        List<Path> pages = new ArrayList<>(List.of(ROOT.resolve("README.md"), ROOT.resolve("CONTRIBUTING.md")));
        try (Stream<Path> docs = Files.list(ROOT.resolve("docs"))) {
            docs.filter(page -> page.toString().endsWith(".md")).sorted().forEach(pages::add);
        }
        List<Line> commands = new ArrayList<>();
        for (Path page : pages) {
            boolean isBlock = false;
            int number = 0;
            for (String line : Files.readAllLines(page)) {
                number++;
                if (line.startsWith("```")) {
                    isBlock = !isBlock;
                } else if (isBlock && line.matches(PROMPT + "waybill .*")) {
                    String command = line.replaceFirst("^" + PROMPT + "waybill ", "");
                    commands.add(new Line(
                            ROOT.relativize(page), number, command.replaceFirst("(\\s+(#|\\|) |\\s{3}).*", "")));
                }
            }
        }
        return commands;
    }

    @Test
    void everyCommandLineParses() throws IOException {
        List<Line> commands = commands();
        assertThat(commands).hasSizeGreaterThan(40);
        for (Line line : commands) {
            assertThatCode(() -> Main.commandLine().parseArgs(HelpTest.words(line.command())))
                    .as(line.page() + ":" + line.number() + ": waybill " + line.command())
                    .doesNotThrowAnyException();
        }
    }

    /** What a page shows of things that its reader has and a new server has not: ids, members, dead letters. They must not be found. */
    private static boolean namesWhatANewServerHasNot(String command) {
        return command.matches(".*\\b[0-9A-F]{32}\\b.*")
                || command.matches(
                        "(dlq|quarantine (release|discard|list)|doctor|group (try|delete)|timer (show|cancel|move)) .*")
                || command.startsWith("topic delete old-orders")
                || command.contains("--client ");
    }

    /** Page by page, in order, each on a server of its own: whoever follows a page gets what it says. */
    @Tag("end-to-end")
    @Test
    void whoFollowsAPageGetsThere() throws IOException {
        Map<Path, List<Line>> pages = new LinkedHashMap<>();
        for (Line line : commands()) {
            pages.computeIfAbsent(line.page(), page -> new ArrayList<>()).add(line);
        }
        List<String> wrong = new ArrayList<>();
        pages.forEach((page, lines) -> {
            try (EmbeddedBroker broker = EmbeddedBroker.start()) {
                for (Line line : lines) {
                    // Those that serve, those of a stopped server's files, and one whose file the reader has.
                    if (!line.command().matches("(demo|server|namesrv|broker|store|bench)\\b.*|.*--body-file.*")) {
                        String[] words = HelpTest.words(line.command());
                        Shell.Ran ran = new Shell(broker).runWith("from the input\n", words);
                        boolean right = ran.exitCode() == ExitCode.DONE
                                || ran.exitCode() == ExitCode.NOT_FOUND && namesWhatANewServerHasNot(line.command());
                        if (!right) {
                            wrong.add(page + ":" + line.number() + ": waybill " + line.command() + " ended with "
                                    + ran.exitCode() + ": " + ran.err().strip());
                        }
                    }
                }
            }
        });
        assertThat(wrong).isEmpty();
    }

    @Test
    void everyVerbStandsOnSomePage() throws IOException {
        List<String> shown =
                commands().stream().map(line -> line.command() + " ").toList();
        for (CommandLine line : HelpTest.all(Main.commandLine())) {
            boolean isVerb = line.getSubcommands().isEmpty()
                    && !line.getCommandSpec().usageMessage().hidden();
            String name = line.getCommandSpec().qualifiedName().replaceFirst("^waybill ", "");
            if (isVerb && !name.matches("(demo|server|namesrv|broker|store)\\b.*")) {
                assertThat(shown).as("waybill " + name).anyMatch(text -> text.startsWith(name + " "));
            }
        }
    }
}
