/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.condition.DisabledOnOs;
import org.junit.jupiter.api.condition.OS;
import org.junit.jupiter.api.io.TempDir;

/** What bin/waybill says when it cannot go on. It is tried in an empty tree, so it always wants to build. */
@DisabledOnOs(OS.WINDOWS)
@Tag("end-to-end")
class LauncherTest {
    private static final String TOOLS =
            "sh sed find sort head tail dirname readlink grep mktemp cat rm ln mkdir sleep touch cksum tr mv";

    @TempDir
    Path directory;

    private Path tree;
    private Path tools;
    private String locale;

    private record Ran(int exitCode, String out, String err) {}

    @BeforeEach
    void copy() throws IOException {
        tree = Files.createDirectories(directory.resolve("a tree"));
        tools = Files.createDirectories(directory.resolve("tools"));
        Path bin = Path.of("").toAbsolutePath().getParent().resolve("bin");
        Files.createDirectories(tree.resolve("bin"));
        for (String script : List.of("waybill", "build")) {
            Files.copy(bin.resolve(script), tree.resolve("bin").resolve(script))
                    .toFile()
                    .setExecutable(true);
        }
        for (String tool : TOOLS.split(" ")) {
            for (String place : List.of("/bin", "/usr/bin")) {
                Path found = Path.of(place, tool);
                if (Files.exists(found) && !Files.exists(tools.resolve(tool))) {
                    tool(tools.resolve(tool), "exec " + found + " \"$@\"");
                }
            }
        }
    }

    private Ran run(String javaHome) throws Exception {
        int code = start(javaHome, "").waitFor();
        return new Ran(code, Files.readString(directory.resolve("out")), Files.readString(directory.resolve("err")));
    }

    private Process start(String javaHome, String suffix) throws IOException {
        ProcessBuilder builder = new ProcessBuilder(tree.resolve("bin/waybill").toString(), "--version")
                .redirectOutput(directory.resolve("out" + suffix).toFile())
                .redirectError(directory.resolve("err" + suffix).toFile());
        builder.environment().clear();
        builder.environment().put("PATH", tools.toString());
        builder.environment().put("TMPDIR", directory.toString());
        builder.environment().put("JAVA_HOME", javaHome);
        if (locale != null) {
            builder.environment().put("LC_ALL", locale);
        }
        return builder.start();
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

    @Test
    void twoStartsAtOnceBuildOnce() throws Exception {
        Path jdk = directory.resolve("jdk");
        tool(jdk.resolve("bin/java"), "echo java ran");
        tool(jdk.resolve("bin/javac"));
        Files.writeString(jdk.resolve("release"), "JAVA_VERSION=\"17.0.1\"");
        tool(
                tools.resolve("mvn"),
                "echo built >> '" + directory + "/builds'",
                "until grep -q 'waiting' '" + directory + "'/err*; do sleep 0.1; done",
                "mkdir -p cli/target/lib && touch cli/target/waybill-cli-1.jar cli/target/lib/waybill-client-1.jar");
        Process first = start(jdk.toString(), "1");
        Process second = start(jdk.toString(), "2");
        assertThat(first.waitFor()).isZero();
        assertThat(second.waitFor()).isZero();
        assertThat(Files.readString(directory.resolve("builds"))).isEqualTo("built\n");
        assertThat(Files.readString(directory.resolve("out1"))).isEqualTo("java ran\n");
        assertThat(Files.readString(directory.resolve("out2"))).isEqualTo("java ran\n");
        assertThat(tree.resolve("cli/target/.building")).doesNotExist();
    }

    @Test
    void textsAreUtf8InALocaleThatIsNotInstalled() throws Exception {
        Path jdk = builtTree("echo \"locale $LC_ALL\"");
        locale = "xx_YY.UTF-8";
        assertThat(run(jdk.toString()).out()).isEqualTo("locale C.UTF-8\n");
    }

    @Test
    void aPathThatWouldDivideTheClassPathIsRefused() throws Exception {
        Path odd = directory.resolve("odd:tree");
        Files.move(tree, odd);
        tree = odd;
        Ran ran = run(System.getProperty("java.home"));
        assertThat(ran.exitCode()).isEqualTo(1);
        assertThat(ran.err()).contains("odd:tree has a ':'", "move the directory elsewhere");
    }

    /** A tree that looks built, and a JDK whose java does this instead. */
    private Path builtTree(String java) throws IOException {
        Path jdk = directory.resolve("jdk");
        tool(jdk.resolve("bin/java"), java);
        tool(jdk.resolve("bin/javac"));
        Files.writeString(jdk.resolve("release"), "JAVA_VERSION=\"17.0.1\"");
        tool(
                tools.resolve("mvn"),
                "mkdir -p cli/target/lib && touch cli/target/waybill-cli-1.jar cli/target/lib/waybill-client-1.jar");
        return jdk;
    }
}
