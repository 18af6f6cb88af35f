/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.PrintWriter;
import java.io.StringWriter;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

class HelpTest {

    static List<CommandLine> all(CommandLine line) {
        List<CommandLine> lines = new ArrayList<>(List.of(line));
        line.getSubcommands().values().forEach(child -> lines.addAll(all(child)));
        return lines;
    }

    private static int run(StringWriter out, StringWriter err, String... arguments) {
        return Main.commandLine()
                .setOut(new PrintWriter(out, true))
                .setErr(new PrintWriter(err, true))
                .execute(arguments);
    }

    @Test
    void everyCommandHasADescriptionOneExampleAndTheExitCodes() {
        for (CommandLine line : all(Main.commandLine())) {
            if (!line.getCommandSpec().usageMessage().hidden()) {
                String help = line.getUsageMessage(CommandLine.Help.Ansi.OFF);
                String name = line.getCommandSpec().qualifiedName();
                assertThat(help).as(name).contains("Example: waybill", "--help", "4   cannot reach or timed out");
                assertThat(line.getCommandSpec().usageMessage().description())
                        .as(name)
                        .isNotEmpty();
            }
        }
    }

    @Test
    void everyExampleIsACommandThatParses() {
        for (CommandLine line : all(Main.commandLine())) {
            for (String text : line.getCommandSpec().usageMessage().footer()) {
                int at = text.indexOf("waybill ");
                if (at >= 0 && (text.startsWith("Example") || text.startsWith(" "))) {
                    Main.commandLine().parseArgs(words(text.substring(at + "waybill ".length())));
                }
            }
        }
    }

    /** The words of a line as a shell would cut it, quotes included. */
    static String[] words(String line) {
        List<String> words = new ArrayList<>();
        StringBuilder word = new StringBuilder();
        char quote = 0;
        for (char c : (line + " ").toCharArray()) {
            if (c == quote || quote == 0 && (c == '\'' || c == '"')) {
                quote = quote == 0 ? c : 0;
            } else if (c == ' ' && quote == 0) {
                if (word.length() > 0) {
                    words.add(word.toString());
                    word.setLength(0);
                }
            } else {
                word.append(c);
            }
        }
        return words.toArray(String[]::new);
    }

    @Test
    void helpGoesToStandardOutputAndEndsWell() {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        assertThat(run(out, err, "topic", "create", "--help")).isZero();
        assertThat(out.toString()).contains("waybill topic create");
        assertThat(err.toString()).isEmpty();
    }

    @Test
    void anUnknownCommandNamesTheNearestOne() {
        StringWriter out = new StringWriter();
        StringWriter err = new StringWriter();
        assertThat(run(out, err, "topc")).isEqualTo(2);
        assertThat(err.toString()).contains("topc").contains("topic");
        assertThat(out.toString()).isEmpty();
    }

    @Test
    void anUnknownOptionNamesTheNearestOne() {
        StringWriter err = new StringWriter();
        assertThat(run(new StringWriter(), err, "send", "x", "y", "--tga", "A")).isEqualTo(2);
        assertThat(err.toString()).contains("'--tga'").contains("--tag");
    }

    @Test
    void aMissingVerbAndWrongValuesAreUsageErrors() {
        for (String[] arguments : new String[][] {
            {"topic"},
            {"tx"},
            {"store"},
            {"group"},
            {"doctor"},
            {"dlq"},
            {"quarantine"},
            {"message"},
            {"timer"},
            {"doctor", "group", "g", "--message", "x", "--key", "y"},
            {"group", "reset", "g", "--topic", "t"},
            {"group", "settings", "g", "--quarantine-after", "-1"},
            {"group", "members", "g", "--stacks"},
            {"dlq", "redrive", "g"},
            {"dlq", "redrive", "g", "1", "--all"},
            {"dlq", "list", "g", "--max", "0"},
            {"timer", "list", "--key", "k"},
            {"timer", "cancel", "--topic", "t"},
            {"timer", "reschedule", "--topic", "t", "--key", "k"},
            {"timer", "reschedule", "--topic", "t", "--key", "k", "--in", "soon"},
            {"topic", "settings", "t", "--dedup", "forever"},
            {"tx", "list", "--older-than", "long"},
            {"topic", "create", "x", "--queues", "0"},
            {"send", "x", "y", "--delay", "soon"},
            {"send", "x", "y", "--delay", "1s", "--at", "2026-11-22"},
            {"consume", "x", "--from", "sometime"},
            {"consume", "x", "--tags", "A", "--sql", "a = 1"},
            {"send", "x", "y", "--unless-tag", "PAID"},
            {"send", "x", "y", "--unless-key", "k"},
            {"consume", "x", "--max", "0"},
            {"replay", "x", "--from", "10m"},
            {"replay", "x"},
            {"server", "--console-port", "10880"},
            {"server", "--namesrv-port", "70000"},
            {"server", "--set", "flush"},
            {"server", "--set", "flsh=sync"},
            {"server", "--flush", "never"},
            {"demo", "--orders", "1"},
            {"topic", "list", "-o", "xml"},
        }) {
            StringWriter err = new StringWriter();
            assertThat(run(new StringWriter(), err, arguments))
                    .as(String.join(" ", arguments))
                    .isEqualTo(2);
            assertThat(err.toString())
                    .as(String.join(" ", arguments))
                    .startsWith("waybill")
                    .doesNotContain("\tat ");
        }
    }

    @Test
    void aSettingThatIsNearlyRightIsNamed() {
        StringWriter err = new StringWriter();
        run(new StringWriter(), err, "server", "--set", "autoCreateTopics=true");
        assertThat(err.toString()).contains("autoCreateTopics").contains("'autoCreateTopic'");
    }

    @Test
    void aClusterThatIsNotThereIsExitCodeFour() {
        StringWriter err = new StringWriter();
        assertThat(run(new StringWriter(), err, "topic", "list", "-n", "127.0.0.1:1"))
                .isEqualTo(4);
        assertThat(err.toString()).contains("127.0.0.1:1").contains("What to do");
    }
}
