/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.terminal;

import static org.assertj.core.api.Assertions.assertThat;
import static org.assertj.core.api.Assertions.assertThatIllegalArgumentException;
import static org.assertj.core.api.Assertions.assertThatThrownBy;

import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.io.PrintStream;
import java.nio.charset.StandardCharsets;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.Arrays;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.ValueSource;

class TerminalTest {
    private static final Instant NOW = Instant.parse("2026-11-22T12:00:00Z");
    private static final ZoneId ZONE = ZoneId.of("Europe/Berlin");

    private static Map<String, Object> row(Object... keysAndValues) {
        Map<String, Object> row = new LinkedHashMap<>();
        for (int i = 0; i < keysAndValues.length; i += 2) {
            row.put(keysAndValues[i].toString(), keysAndValues[i + 1]);
        }
        return row;
    }

    @Test
    void jsonEscapesWhatCouldBreakALineOrAProgram() {
        assertThat(Json.of(row("a\"", "\\ \n \t \r \u0001 \u2028 \ud800 é \ud83d\ude00")))
                .isEqualTo("{\"a\\\"\":\"\\\\ \\n \\t \\r \\u0001 \\u2028 \\ud800 é \ud83d\ude00\"}");
    }

    @Test
    void jsonKeepsLongsAsNumbersAndTimesInBothForms() {
        assertThat(Json.of(row("n", Long.MAX_VALUE, "t", NOW, "nothing", null, "yes", true, "list", List.of(1, "x"))))
                .isEqualTo("{\"n\":9223372036854775807,\"t\":\"2026-11-22T12:00:00Z\",\"tMillis\":1795348800000,"
                        + "\"nothing\":null,\"yes\":true,\"list\":[1,\"x\"]}");
        assertThat(Json.of(List.of())).isEqualTo("[]");
        assertThat(Json.of(Arrays.asList(row(), null))).isEqualTo("[{},null]");
    }

    @Test
    void tablesAlignNumbersRight() {
        assertThat(Table.lines(List.of(row("topic", "orders", "count", 5), row("topic", "a", "count", 12_345))))
                .containsExactly("TOPIC   COUNT", "orders      5", "a       12345");
        assertThat(Table.lines(List.of())).isEmpty();
    }

    @Test
    void cellsAreOnePrintableLine() {
        assertThat(Table.cell("a\nb\u001b[31mc\u202e")).isEqualTo("a.b.[31mc.");
        assertThat(Table.cell("x".repeat(500))).hasSize(123).endsWith("x...");
        assertThat(Table.cell(null)).isEqualTo("-");
        assertThat(Table.cell(List.of("a", "b"))).isEqualTo("a b");
        assertThat(Table.cell(NOW)).isEqualTo("2026-11-22T12:00:00Z");
    }

    @Test
    void timesInAllForms() {
        assertThat(Times.instant("10m", NOW, ZONE)).isEqualTo(NOW.minusSeconds(600));
        assertThat(Times.instant("2026-11-22T12:00:00Z", NOW, ZONE)).isEqualTo(NOW);
        assertThat(Times.instant("2026-11-22T14:00:00.5+02:00", NOW, ZONE)).isEqualTo(NOW.plusMillis(500));
        assertThat(Times.instant("2026-11-22T13:00", NOW, ZONE)).isEqualTo(NOW);
        assertThat(Times.instant("2026-11-22 13:00:00", NOW, ZONE)).isEqualTo(NOW);
        assertThat(Times.instant("2026-11-22 12:00:00Z", NOW, ZONE)).isEqualTo(NOW);
        assertThat(Times.instant("2026-11-22", NOW, ZONE)).isEqualTo(NOW.minusSeconds(13 * 3600));
        assertThat(Times.instant("1795348800000", NOW, ZONE)).isEqualTo(NOW);
        assertThat(Times.duration("250ms")).isEqualTo(Duration.ofMillis(250));
        assertThat(Times.duration("3d")).isEqualTo(Duration.ofDays(3));
    }

    @ParameterizedTest
    @ValueSource(
            strings = {
                "",
                "yesterday",
                "10",
                "-5m",
                "10 m",
                "2026-13-01",
                "2026-11-22T25:00:00Z",
                "99999999999999999999m"
            })
    void otherTimesAreRefusedWithExamples(String text) {
        assertThatIllegalArgumentException()
                .isThrownBy(() -> Times.instant(text, NOW, ZONE))
                .withMessageContaining("2026-11-22T12:00:00Z");
    }

    @Test
    void aBarIsTakenOffTheTerminal() throws Exception {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (Progress bar = new Progress(new PrintStream(bytes, true, StandardCharsets.UTF_8), true, false, 4, 0)) {
            bar.show(1);
            bar.show(2);
        }
        String drawn = bytes.toString(StandardCharsets.UTF_8);
        assertThat(drawn).contains("█".repeat(12) + "░".repeat(12) + "  2 / 4").endsWith("\r\033[K");
        assertThat(drawn.split("\r")).allMatch(part -> part.isEmpty() || part.contains("\033[K"));
    }

    @Test
    void aSilentProgressWritesNothing() {
        ByteArrayOutputStream bytes = new ByteArrayOutputStream();
        try (Progress none = new Progress(new PrintStream(bytes, true, StandardCharsets.UTF_8), true, true, 4, 0)) {
            none.show(1);
        }
        assertThat(bytes.size()).isZero();
    }

    @Test
    void nobodyReadingEndsTheCommand() {
        PrintStream before = System.out;
        PrintStream closed = new PrintStream(OutputStream.nullOutputStream());
        closed.close();
        try {
            System.setOut(closed);
            assertThatThrownBy(() -> new Output().line("x")).isInstanceOf(ReaderGone.class);
        } finally {
            System.setOut(before);
        }
    }

    /** Ends each write like the device of a full disk, or like a pipe that nobody reads. */
    private static StandardOutput failing(String message) {
        return StandardOutput.on(new OutputStream() {
            @Override
            public void write(int b) throws IOException {
                throw new IOException(message);
            }
        });
    }

    @Test
    void outputThatCannotBeWrittenIsAFailureAndOnlyAClosedPipeIsQuiet() {
        StandardOutput full = failing("No space left on device");
        full.println("data");
        assertThat(full.checkError()).isTrue();
        assertThat(StandardOutput.failureOf(full))
                .isInstanceOf(Failure.class)
                .hasMessageContaining("could not be written: No space left on device");
        assertThat(full.exitCode(ExitCode.DONE)).isEqualTo(ExitCode.FAILED);
        assertThat(full.exitCode(ExitCode.NOT_FOUND)).isEqualTo(ExitCode.NOT_FOUND);

        StandardOutput pipe = failing("Broken pipe");
        pipe.println("data");
        assertThat(pipe.checkError()).isTrue();
        assertThat(StandardOutput.failureOf(pipe)).isInstanceOf(ReaderGone.class);
        assertThat(pipe.exitCode(ExitCode.DONE)).isEqualTo(ExitCode.DONE);

        StandardOutput unflushed = failing("Input/output error");
        unflushed.print("data");
        assertThat(unflushed.exitCode(ExitCode.DONE)).isEqualTo(ExitCode.FAILED);
    }

    @Test
    void aFailedFileOperationSaysWhy() {
        assertThat(Reasons.of(new java.nio.file.NoSuchFileException("a"))).isEqualTo("it does not exist");
        assertThat(Reasons.of(new java.nio.file.AccessDeniedException("a"))).contains("no permission");
        assertThat(Reasons.of(new java.nio.file.FileSystemException("a", null, "Is a directory")))
                .isEqualTo("Is a directory");
        assertThat(Reasons.of(new IOException())).isEqualTo("IOException");
    }
}
