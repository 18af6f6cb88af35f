/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.run;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.cli.terminal.ExitCode;
import java.io.BufferedReader;
import java.io.File;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Path;
import java.util.concurrent.CompletableFuture;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;

/** How the process of a server ends, seen from its supervisor. */
@Tag("end-to-end")
class ServingTest {
    /** A process that serves something whose store is sound, freezes after a line of input, or is frozen. */
    static final class Process {
        private Process() {}

        public static void main(String[] arguments) throws Exception {
            String how = arguments[0];
            CompletableFuture<String> gone = new CompletableFuture<>();
            AutoCloseable server = () -> System.out.println("CLOSED");
            Serving.start(() -> server, anything -> !how.equals("sound"));
            Thread asked = new Thread(
                    () -> {
                        try {
                            System.in.read();
                            if (how.equals("freezes")) {
                                gone.complete("forcing the log failed");
                            }
                        } catch (java.io.IOException e) {
                            throw new java.io.UncheckedIOException(e);
                        }
                    },
                    "asked");
            asked.setDaemon(true);
            asked.start();
            System.exit(Serving.until("READY", gone));
        }
    }

    private static int exitCode(String how, boolean terminated) throws Exception {
        java.lang.Process process = new ProcessBuilder(
                        Path.of(System.getProperty("java.home"), "bin", "java").toString(),
                        "-cp",
                        System.getProperty("java.class.path")
                                + File.pathSeparator
                                + System.getProperty("surefire.test.class.path", ""),
                        Process.class.getName(),
                        how)
                .redirectErrorStream(true)
                .start();
        StringBuilder said = new StringBuilder();
        try (BufferedReader lines =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            for (String line = lines.readLine(); line != null; line = lines.readLine()) {
                said.append(line).append('\n');
                if (line.equals("READY")) {
                    if (terminated) {
                        process.toHandle().destroy(); // its output stays readable
                    } else {
                        process.getOutputStream().write('\n');
                        process.getOutputStream().flush();
                    }
                }
            }
        }
        int code = process.waitFor();
        assertThat(said.toString()).contains("READY", "CLOSED");
        return code;
    }

    @Test
    void aFrozenStoreEndsTheProcessWithItsOwnCode() throws Exception {
        assertThat(exitCode("freezes", false)).isEqualTo(ExitCode.FROZEN);
    }

    @Test
    void aSignalToAFrozenOneIsNoCleanStop() throws Exception {
        assertThat(exitCode("frozen", true)).isEqualTo(ExitCode.FROZEN);
    }

    @Test
    void aSignalToASoundOneIs() throws Exception {
        assertThat(exitCode("sound", true)).isEqualTo(ExitCode.DONE);
    }
}
