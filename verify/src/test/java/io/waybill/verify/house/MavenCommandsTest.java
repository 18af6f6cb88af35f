/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.house;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.EnabledIfSystemProperty;
import org.junit.jupiter.api.io.TempDir;

/** Commands on the pages that are not waybill's own: Maven's are held against the reactor, scripts must be there. {@code PagesTest} of the cli has the others. */
class MavenCommandsTest {
    private static final Path ROOT = Path.of("").toAbsolutePath().getParent();
    private static final Set<String> PHASES = Set.of("test", "verify", "install", "package", "spotless:apply");

    private record Command(String page, String text) {}

    private static List<Command> commands(String startsWith) throws IOException {
        List<Path> pages = new ArrayList<>();
        for (Path folder : List.of(ROOT, ROOT.resolve("docs"))) {
            try (Stream<Path> files = Files.list(folder)) {
                files.filter(file -> file.toString().endsWith(".md")).sorted().forEach(pages::add);
            }
        }
        List<Command> commands = new ArrayList<>();
        for (Path page : pages) {
            for (String line : Files.readAllLines(page)) {
                // a line of a block, or a piece of prose in code marks
                for (String part : line.split("`")) {
                    String text =
                            part.strip().replaceFirst("\\s(#|\\s{2}).*", "").strip();
                    if (text.matches(startsWith + "\\b.*")) {
                        commands.add(new Command(ROOT.relativize(page).toString(), text));
                    }
                }
            }
        }
        return commands;
    }

    @Test
    void mavenCommandsWorkInAFreshClone() throws IOException {
        String pom = Files.readString(ROOT.resolve("pom.xml"));
        List<Command> commands = commands("mvn");
        assertThat(commands).hasSizeGreaterThan(8);
        List<String> wrong = new ArrayList<>();
        for (Command command : commands) {
            List<String> words = List.of(command.text().split(" "));
            String of = null;
            for (int i = 1; i < words.size(); i++) {
                String word = words.get(i);
                if (word.equals("-pl")) {
                    of = words.get(++i);
                    if (!pom.contains("<module>" + of + "</module>") && !of.equals("MODULE")) {
                        wrong.add(command + ": no module " + of);
                    }
                } else if (word.startsWith("-P")) {
                    if (!pom.contains("<id>" + word.substring(2) + "</id>")) {
                        wrong.add(command + ": no profile " + word.substring(2));
                    }
                } else if (word.startsWith("-Dtest=") && of != null) {
                    String type = word.substring("-Dtest=".length());
                    if (!type.equals("X")
                            && files(ROOT.resolve(of).resolve("src/test"), type + ".java")
                                    .isEmpty()) {
                        wrong.add(command + ": no class " + type + " in " + of);
                    }
                } else if (word.startsWith("-Dwaybill.")) {
                    String property = word.substring(2).replaceFirst("=.*", "");
                    if (!isRead(property)) {
                        wrong.add(command + ": nobody reads " + property);
                    }
                } else if (!word.startsWith("-") && !PHASES.contains(word)) {
                    wrong.add(command + ": no phase " + word);
                }
            }
            if (of != null && !words.contains("-am")) {
                wrong.add(command + ": needs -am, nothing is installed in a fresh clone");
            }
            if (words.stream().anyMatch(word -> word.startsWith("-Dtest="))
                    && of != null
                    && !words.contains("-Dsurefire.failIfNoSpecifiedTests=false")) {
                wrong.add(
                        command + ": needs -Dsurefire.failIfNoSpecifiedTests=false, other modules have no such class");
            }
        }
        assertThat(wrong).isEmpty();
    }

    @Test
    void scriptsAreThere() throws IOException {
        List<Command> commands = commands("(verify|bin)/");
        assertThat(commands).hasSizeGreaterThan(8);
        assertThat(commands)
                .extracting(command -> command.text().split("[ )]")[0])
                .allSatisfy(script -> assertThat(ROOT.resolve(script)).exists());
    }

    /** One of them as a reader runs it: in a tree that has nothing but the sources. */
    @Tag("end-to-end")
    @Test
    @EnabledIfSystemProperty(named = "waybill.thorough", matches = "true")
    void theCommandOfTheSettingsPageRunsInAFreshClone(@TempDir Path directory) throws Exception {
        String command = commands("mvn").stream()
                .filter(each -> each.page().equals("docs/config.md"))
                .findFirst()
                .orElseThrow()
                .text();
        Path tree = directory.resolve("tree");
        run(ROOT, "git", "clone", "-q", ROOT.toString(), tree.toString());
        String page = Files.readString(tree.resolve("docs/config.md"));
        Files.writeString(tree.resolve("docs/config.md"), page.replace("|", "!"));
        run(tree, command.split(" "));
        assertThat(Files.readString(tree.resolve("docs/config.md"))).isEqualTo(page);
    }

    private static void run(Path directory, String... command) throws IOException, InterruptedException {
        Path output = Files.createTempFile("command", ".log");
        Process process = new ProcessBuilder(command)
                .directory(directory.toFile())
                .redirectErrorStream(true)
                .redirectOutput(output.toFile())
                .start();
        try {
            assertThat(process.waitFor(30, TimeUnit.MINUTES)).isTrue();
            assertThat(process.exitValue())
                    .as(String.join(" ", command) + "\n" + Files.readString(output))
                    .isZero();
        } finally {
            process.destroyForcibly();
            Files.delete(output);
        }
    }

    private static List<Path> files(Path folder, String name) throws IOException {
        try (Stream<Path> tree = Files.walk(folder)) {
            return tree.filter(file -> file.getFileName().toString().equals(name))
                    .toList();
        }
    }

    private static boolean isRead(String property) throws IOException {
        try (Stream<Path> modules = Files.list(ROOT)) {
            for (Path tests : modules.map(module -> module.resolve("src/test"))
                    .filter(Files::isDirectory)
                    .toList()) {
                try (Stream<Path> tree = Files.walk(tests)) {
                    for (Path file : tree.filter(each -> each.toString().endsWith(".java"))
                            .toList()) {
                        if (Files.readString(file).contains('"' + property + '"')) {
                            return true;
                        }
                    }
                }
            }
        }
        return false;
    }
}
