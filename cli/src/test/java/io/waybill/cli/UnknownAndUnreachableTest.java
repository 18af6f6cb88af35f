/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.cli.run.BrokerCommand;
import io.waybill.cli.terminal.ExitCode;
import io.waybill.server.EmbeddedBroker;
import io.waybill.server.NamesrvServer;
import io.waybill.server.WaybillServer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import org.junit.jupiter.api.Tag;
import org.junit.jupiter.api.Test;
import picocli.CommandLine;

/**
 * What does not exist is 3, who cannot be asked is 4, with every verb: each is run as its own help shows it. "0 messages" about something
 * that is not there would be believed.
 */
@Tag("end-to-end")
class UnknownAndUnreachableTest {
    /** Verbs that are right to succeed where nothing is: they make something, or list what there is. */
    private static final List<String> FINE_ON_NOTHING =
            List.of("group list", "send", "status", "timer list", "topic create", "topic list", "tx list");

    /** Verb -> its first example, of those that ask a cluster. */
    private static Map<String, String[]> examples() {
        Map<String, String[]> examples = new TreeMap<>();
        for (CommandLine line : HelpTest.all(Main.commandLine())) {
            if (line.getCommandSpec().optionsMap().containsKey("--namesrv")
                    && !(line.getCommand() instanceof BrokerCommand)) {
                String name = line.getCommandSpec().qualifiedName().replaceFirst("^waybill ", "");
                for (String text : line.getCommandSpec().usageMessage().footer()) {
                    if (text.startsWith("Example: waybill ")) {
                        examples.put(name, HelpTest.words(text.substring("Example: waybill ".length())));
                    }
                }
            }
        }
        assertThat(examples).hasSizeGreaterThan(30);
        return examples;
    }

    private static List<String> wrong(String namesrv, int wanted, List<String> fine) {
        Map<String, String[]> examples = examples();
        List<String> verbs = new ArrayList<>(examples.keySet());
        verbs.sort(Comparator.comparing(fine::contains)); // what makes something comes last
        List<String> wrong = new ArrayList<>();
        for (String verb : verbs) {
            Shell.Ran ran = Shell.at(namesrv).runWith("a line\n", examples.get(verb));
            int expected = fine.contains(verb) ? ExitCode.DONE : wanted;
            if (ran.exitCode() != expected) {
                wrong.add(verb + " ended with " + ran.exitCode() + " instead of " + expected + ": "
                        + ran.err().strip());
            }
        }
        return wrong;
    }

    @Test
    void whereNoBrokerIsRegisteredNobodyCanBeAsked() throws Exception {
        try (NamesrvServer alone = NamesrvServer.start("127.0.0.1", 0, false)) {
            assertThat(wrong(WaybillServer.text(alone.address()), ExitCode.UNREACHABLE, List.of()))
                    .isEmpty();
        }
    }

    @Test
    void aBrokerIsNoNameServer() {
        try (EmbeddedBroker broker = EmbeddedBroker.start()) {
            assertThat(wrong(broker.brokerAddress(), ExitCode.UNREACHABLE, List.of()))
                    .isEmpty();
            assertThat(Shell.at(broker.brokerAddress()).run("topic", "list").err())
                    .contains("is no name server", "What to do: give the address of the name server");
        }
    }

    @Test
    void whatNobodyHasIsNotFound() {
        try (EmbeddedBroker broker = EmbeddedBroker.start()) {
            assertThat(wrong(broker.namesrvAddress(), ExitCode.NOT_FOUND, FINE_ON_NOTHING))
                    .isEmpty();
        }
    }
}
