/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.verify.house;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.regex.Pattern;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * Words that once meant two things here, or something else everywhere else. They stay out of the product's sources, which hold every text a command prints,
 * and out of the pages; decisions of the past (docs/adr) keep the words of their time in their file names only.
 */
class WordsTest {
    private static final Path ROOT = Path.of("").toAbsolutePath().getParent();

    /** What must not stand where, and what is said instead. */
    private record Word(String pattern, String where, String instead) {}

    private static final List<Word> WORDS = List.of(
            new Word("\\b[Pp]arked|Parked\\b", "", "held (a request), quarantined (a key): it meant both"),
            new Word("\\bTurns\\b", "broker/", "WakeupState"),
            new Word("(?i)\\bdiver(sion|t)|DIVERT", "", "reroute"),
            new Word("Desk|\\bdesk\\b|DESK", "", "operator, settlement"),
            new Word("\\b[Jj]ournal(?!led)|Journal", "", "delivery log: a journal is a write-ahead log elsewhere"),
            new Word("[Cc]ustody", "", "delivery tracker"),
            new Word("\\bL(ife|ives)\\b", "broker/", "message history"),
            new Word("\\bStandings?\\b", "broker/", "group state, snapshot"),
            new Word("\\blag\\b", "store/|docs/disk-format.md", "undurable bytes: lag is a consumer's everywhere else"),
            new Word("\\b[A-Z]\\w+Core\\b", "client/|broker/|store/", "the variant: ClusteringPushConsumer"),
            new Word("(class|new) Questions\\b|\\bQuestions \\w+[;,)]", "client/", "RequestReplyFutures"));

    @Test
    void noWordThatMisleads() throws IOException {
        List<Path> files = new ArrayList<>();
        try (Stream<Path> top = Files.list(ROOT)) {
            for (Path module : top.sorted().toList()) {
                if (Files.isDirectory(module.resolve("src/main"))) {
                    addAll(files, module.resolve("src/main"));
                } else if (module.toString().endsWith(".md")) {
                    files.add(module);
                }
            }
        }
        addAll(files, ROOT.resolve("docs"));
        addAll(files, ROOT.resolve("bin"));
        Set<String> found = new TreeSet<>();
        for (Path file : files) {
            String name = ROOT.relativize(file).toString().replace('\\', '/');
            String text = Files.readString(file).replaceAll("adr/0015-diversion|adr/0017-journal|WAYBILL_DESK", "");
            for (Word word : WORDS) {
                if (Pattern.compile("^(" + word.where() + ")").matcher(name).find()) {
                    Pattern pattern = Pattern.compile(word.pattern());
                    int number = 0;
                    for (String line : text.split("\n")) {
                        number++;
                        if (pattern.matcher(line).find()) {
                            found.add(WORDS.indexOf(word) + ": " + name + ":" + number + ": " + line.strip()
                                    + "   (say: " + word.instead() + ")");
                        }
                    }
                }
            }
        }
        assertThat(found).isEmpty();
    }

    private static void addAll(List<Path> files, Path folder) throws IOException {
        try (Stream<Path> tree = Files.walk(folder)) {
            tree.filter(file -> file.toString().matches(".*\\.(java|md|properties|xml)")
                            || file.startsWith(ROOT.resolve("bin")))
                    .filter(Files::isRegularFile)
                    .sorted()
                    .forEach(files::add);
        }
    }
}
