/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** What bin/waybill says when it cannot go on. It is tried in an empty tree, so it always wants to build. */
@DisabledOnOs(OS.WINDOWS)
class LauncherTest {
    @TempDir
    Path directory;

    private Path tree;
    private Path tools;

    private record Ran(int exitCode, String out, String err) {}

    @BeforeEach
    void copy() throws IOException {
        tree = Files.createDirectories(directory.resolve("a tree"));
        tools = Files.createDirectories(directory.resolve("tools"));
        Path launcher = Path.of("").toAbsolutePath().getParent().resolve("bin/waybill");
        Files.createDirectories(tree.resolve("bin"));
        Files.copy(launcher, tree.resolve("bin/waybill")).toFile().setExecutable(true);
        for (String tool :
                List.of("sh", "sed", "find", "sort", "head", "dirname", "readlink", "grep", "mktemp", "cat", "rm")) {
            for (String place : List.of("/bin", "/usr/bin")) {
                Path found = Path.of(place, tool);
                if (Files.exists(found) && !Files.exists(tools.resolve(tool))) {
                    tool(tools.resolve(tool), "exec " + found + " \"$@\"");
                }
            }
        }
    }

    private Ran run(String javaHome) throws Exception {
        Path out = directory.resolve("out");
        Path err = directory.resolve("err");
        ProcessBuilder builder = new ProcessBuilder(tree.resolve("bin/waybill").toString(), "--version")
                .redirectOutput(out.toFile())
                .redirectError(err.toFile());
        builder.environment().clear();
        builder.environment().put("PATH", tools.toString());
        builder.environment().put("TMPDIR", directory.toString());
        builder.environment().put("JAVA_HOME", javaHome);
        int code = builder.start().waitFor();
        return new Ran(code, Files.readString(out), Files.readString(err));
    }

    private void tool(Path path, String... lines) throws IOException {
        Files.createDirectories(path.getParent());
        Files.write(path, List.of("#!/bin/sh\n" + String.join("\n", lines)), StandardCharsets.UTF_8);
        path.toFile().setExecutable(true);
    }

    @Test
    void aWrongJavaHomeIsNamed() throws Exception {
        Ran ran = run("/nowhere");
        assertThat(ran.exitCode()).isEqualTo(1);
        assertThat(ran.out()).isEmpty();
        assertThat(ran.err()).contains("JAVA_HOME is /nowhere");
    }

    @Test
    void anOldJavaIsNamedWithItsVersion() throws Exception {
        tool(directory.resolve("old/bin/java"), "echo 'openjdk version \"1.8.0_402\"' >&2");
        Ran ran = run(directory.resolve("old").toString());
        assertThat(ran.exitCode()).isEqualTo(1);
        assertThat(ran.err()).contains("needs JDK 17 or newer, found 8 in " + directory.resolve("old"));
    }

    @Test
    void aMissingMavenIsNamed() throws Exception {
        Ran ran = run(System.getProperty("java.home"));
        assertThat(ran.exitCode()).isEqualTo(1);
        assertThat(ran.err()).contains("no mvn on the PATH");
    }

    @Test
    void failedBuildsAreExplained() throws Exception {
        tool(tools.resolve("mvn"), "echo '[ERROR] Could not transfer artifact x from/to central'", "exit 1");
        assertThat(run(System.getProperty("java.home")).err())
                .contains("building once", "could not download its libraries; check network");
        tool(tools.resolve("mvn"), "echo '[ERROR] java.io.IOException: No space left on device'", "exit 1");
        assertThat(run(System.getProperty("java.home")).err()).contains("ran out of disk space");
        tool(tools.resolve("mvn"), "echo '[ERROR] something else'", "exit 1");
        Ran ran = run(System.getProperty("java.home"));
        assertThat(ran.exitCode()).isEqualTo(1);
        assertThat(ran.err()).contains("[ERROR] something else", "the build failed; all it said is in " + directory);
    }
}
