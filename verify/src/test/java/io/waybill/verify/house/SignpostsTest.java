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

/** What leads a reader into the code: each package says what it is for, where to begin and what it imports; each decision is named by code that it made. */
class SignpostsTest {
    private static final Path ROOT = Path.of("").toAbsolutePath().getParent();

    private static List<Path> productSources() throws IOException {
        List<Path> sources = new ArrayList<>();
        try (Stream<Path> modules = Files.list(ROOT)) {
            for (Path module : modules.sorted().toList()) {
                Path folder = module.resolve("src/main/java");
                if (Files.isDirectory(folder)) {
                    try (Stream<Path> tree = Files.walk(folder)) {
                        tree.filter(file -> file.toString().endsWith(".java")).forEach(sources::add);
                    }
                }
            }
        }
        return sources;
    }

    @Test
    void eachPackageSaysWhatItIsForWhereToBeginAndWhatItImports() throws IOException {
        Set<Path> packages = new TreeSet<>();
        productSources().forEach(file -> packages.add(file.getParent()));
        assertThat(packages).hasSizeGreaterThan(60);
        assertThat(packages)
                .allSatisfy(folder -> assertThat(Files.readString(folder.resolve("package-info.java"))
                                .replaceAll("\\s+", " "))
                        .containsPattern("/\\*\\*( \\*)? [\\w{]")
                        .containsPattern("(?i)\\b(read|start|begin)")
                        .containsPattern("(?i)\\bimport"));
    }

    @Test
    void eachDecisionIsNamedByTheCodeThatItMade() throws IOException {
        StringBuilder code = new StringBuilder();
        for (Path file : productSources()) {
            code.append(Files.readString(file).replaceAll("\\s+(\\* )?", " "));
        }
        try (Stream<Path> decisions = Files.list(ROOT.resolve("docs/adr"))) {
            List<String> unnamed = decisions
                    .map(file -> file.getFileName().toString())
                    .filter(name -> name.matches("\\d{4}-.*\\.md"))
                    .filter(name -> !Pattern.compile("(ADR (\\d{4}, )*|docs/adr/)" + name.substring(0, 4))
                            .matcher(code)
                            .find())
                    .sorted()
                    .toList();
            assertThat(unnamed).isEmpty();
        }
    }
}
