/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.group;

import io.waybill.cli.terminal.ClusterCommand;
import io.waybill.cli.terminal.Confirmation;
import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Failure;
import io.waybill.cli.terminal.Output;
import io.waybill.cli.terminal.Reasons;
import io.waybill.client.DeadLetters;
import io.waybill.client.DeadLetters.DeadLetter;
import io.waybill.client.DeadLetters.Outcome;
import io.waybill.client.DeadLetters.Redrive;
import io.waybill.client.DeadLetters.Selection;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.WaybillClient;
import java.io.IOException;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Base64;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/**
 * Dead letters.
 *
 * <p>An offset names a dead letter only together with its broker, since each broker has its own dead-letter queue of
 * the group. The broker settles each letter once (ADR 0033), so a command that was interrupted can be repeated: it
 * answers for what is settled already, and settles the rest.
 */
@Command(
        name = "dlq",
        description = "Shows the messages a group has given up, sends them again or puts them aside.",
        footer = {"", "Example: waybill dlq list billing"},
        subcommands = {
            DlqCommand.ListLetters.class,
            DlqCommand.Show.class,
            DlqCommand.SendAgain.class,
            DlqCommand.Discard.class
        })
public final class DlqCommand implements Callable<Integer> {
    /** Letters; also bounds the preview of {@code --all}, which the command itself does not limit. */
    private static final int PAGE = 1000;

    @Override
    public Integer call() {
        throw new Failure(ExitCode.USAGE, "say what to do: list, show, redrive or discard; see waybill dlq --help");
    }

    private static Map<String, Object> row(DeadLetter letter) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("broker", letter.broker());
        row.put("offset", letter.offset());
        row.put("state", letter.state().toString());
        row.put("messageId", letter.messageId());
        row.put("originTopic", letter.originTopic());
        row.put("keys", letter.keys());
        row.put("tries", letter.tries());
        row.put("firstFailed", letter.firstFailed());
        row.put("deadSince", letter.deadSince());
        row.put("reason", letter.reason());
        return row;
    }

    private static Map<String, Object> row(Outcome outcome) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("broker", outcome.broker());
        row.put("offset", outcome.offset());
        row.put("answer", outcome.answer().toString());
        row.put("storedId", outcome.storedId());
        row.put("text", outcome.text());
        return row;
    }

    private static int show(Output output, List<Outcome> outcomes) {
        List<Map<String, Object>> rows = new ArrayList<>();
        outcomes.forEach(outcome -> rows.add(row(outcome)));
        output.list(rows);
        long done = outcomes.stream()
                .filter(o -> o.answer() == Outcome.Answer.REDRIVEN || o.answer() == Outcome.Answer.DISCARDED)
                .count();
        output.note(done + " of " + outcomes.size() + " settled now");
        // The worst answer decides, since one code must stand for many letters. That some were settled before is no
        // error as long as one was settled now: a repeated command ends with done.
        boolean failed = outcomes.stream().anyMatch(o -> o.answer() == Outcome.Answer.FAILED);
        boolean missing = outcomes.stream().anyMatch(o -> o.answer() == Outcome.Answer.NOT_FOUND);
        boolean nothing = done == 0 && !outcomes.isEmpty();
        return failed ? ExitCode.FAILED : missing ? ExitCode.NOT_FOUND : nothing ? ExitCode.REFUSED : ExitCode.DONE;
    }

    private static DeadLetter find(DeadLetters letters, String group, String broker, long offset) {
        return letters.list(group, offset, 1, true).deadLetters().stream()
                .filter(letter -> letter.offset() == offset && (broker == null || broker.equals(letter.broker())))
                .findFirst()
                .orElseThrow(() -> new Failure(
                        ExitCode.NOT_FOUND,
                        "no dead letter of group " + group + " lies at offset " + offset + "; waybill dlq list " + group
                                + " shows them"));
    }

    @Command(
            name = "list",
            description = "Lists the dead letters of a group, oldest first.",
            footer = {"", "Example: waybill dlq list billing --max 50 -o json"})
    static final class ListLetters extends ClusterCommand {
        @Parameters(paramLabel = "GROUP", description = "The consumer group.")
        private String group;

        @Option(
                names = "--from",
                paramLabel = "OFFSET",
                defaultValue = "0",
                description = "From this offset on (default: ${DEFAULT-VALUE}).")
        private long from;

        @Option(
                names = "--max",
                paramLabel = "N",
                defaultValue = "100",
                description = "At most so many (default: ${DEFAULT-VALUE}).")
        private int max;

        @Option(
                names = {"-a", "--all"},
                description = "Those that are settled too.")
        private boolean all;

        @Override
        protected void check() {
            atLeastOne("--max", max);
        }

        @Override
        protected int run(WaybillClient client) {
            DeadLetters.Page page = client.admin().deadLetters().list(group, from, max, all);
            List<Map<String, Object>> rows = new ArrayList<>();
            page.deadLetters().forEach(letter -> rows.add(row(letter)));
            output().list(rows);
            output().note(page.open() + " open of " + page.total() + " dead letters");
            return ExitCode.DONE;
        }
    }

    @Command(
            name = "show",
            description = "Shows a dead letter with its properties and its body.",
            footer = {"", "Example: waybill dlq show billing 17"})
    static final class Show extends ClusterCommand {
        @Parameters(index = "0", paramLabel = "GROUP", description = "The consumer group.")
        private String group;

        @Parameters(index = "1", paramLabel = "OFFSET", description = "Its offset, as in the list.")
        private long offset;

        @Option(names = "--broker", paramLabel = "NAME", description = "At which broker, if there are several.")
        private String broker;

        @Override
        protected int run(WaybillClient client) {
            DeadLetters letters = client.admin().deadLetters();
            DeadLetter letter = find(letters, group, broker, offset);
            Map<String, Object> row = row(letter);
            ReceivedMessage message = letters.read(group, letter).orElse(null);
            if (message != null) {
                byte[] body = message.body();
                // Text only if it yields the same bytes again: what is copied from here into --body-file must be exact.
                String text = new String(body, StandardCharsets.UTF_8);
                boolean isText = java.util.Arrays.equals(text.getBytes(StandardCharsets.UTF_8), body);
                if (output().isJson()) {
                    row.put("properties", message.properties());
                } else {
                    message.properties().forEach((name, value) -> row.put("property " + name, value));
                }
                row.put(
                        isText ? "body" : "bodyBase64",
                        isText ? text : Base64.getEncoder().encodeToString(body));
            }
            output().one(row);
            return ExitCode.DONE;
        }
    }

    /** Which letters. */
    private abstract static class Settle extends ClusterCommand {
        @Parameters(index = "0", paramLabel = "GROUP", description = "The consumer group.")
        String group;

        @Parameters(index = "1..*", arity = "0..*", paramLabel = "OFFSET", description = "Their offsets.")
        private List<Long> offsets = List.of();

        @Option(names = "--all", description = "All that are open.")
        private boolean all;

        @Option(names = "--broker", paramLabel = "NAME", description = "At which broker, if there are several.")
        private String broker;

        @Option(names = "--reason", paramLabel = "TEXT", description = "Recorded with your user name.")
        String reason;

        @Mixin
        private Confirmation confirmation;

        abstract String verb();

        abstract String done();

        abstract List<Outcome> settle(DeadLetters letters, Selection which);

        @Override
        protected void check() {
            if (all == !offsets.isEmpty()) {
                throw new Failure(ExitCode.USAGE, "give the offsets of the dead letters, or --all");
            }
            if (offsets.size() > PAGE) {
                throw new Failure(ExitCode.USAGE, "at most " + PAGE + " offsets at once, were " + offsets.size());
            }
        }

        @Override
        protected int run(WaybillClient client) {
            DeadLetters letters = client.admin().deadLetters();
            if (confirmation.dryRun()) {
                List<Map<String, Object>> rows = new ArrayList<>();
                if (all) {
                    letters.list(group, 0, PAGE, false).deadLetters().forEach(letter -> rows.add(row(letter)));
                } else {
                    offsets.forEach(offset -> rows.add(row(find(letters, group, broker, offset))));
                }
                output().list(rows);
                output().note(Output.counted(rows.size(), "dead letter") + " would be " + done());
                return ExitCode.DONE;
            }
            confirmation.ask(verb() + " "
                    + (all ? "all open dead letters" : Output.counted(offsets.size(), "dead letter")) + " of group "
                    + group);
            return show(output(), settle(letters, new Selection(broker, offsets)));
        }
    }

    @Command(
            name = "redrive",
            description = {
                "Sends dead letters again and settles each in the same step: never lost, never sent twice.",
                "They go to the topic they came from, or with --to-group only to the group that gave them up."
            },
            footer = {
                "",
                "Example: waybill dlq redrive billing 17 18 --reason 'price fixed' --yes",
                "         waybill dlq redrive billing --all --rate 50 --to-group --yes",
                "         waybill dlq redrive billing 17 --body-file fixed.json --property currency=EUR --yes"
            })
    static final class SendAgain extends Settle {
        @Option(names = "--rate", paramLabel = "N", description = "At most so many a second.")
        private double rate;

        @Option(names = "--to-group", description = "Only to the group, not to every subscriber of the topic.")
        private boolean toGroup;

        @Option(
                names = {"-p", "--property"},
                paramLabel = "NAME=VALUE",
                description = "Set a property; an empty value removes it.")
        private Map<String, String> properties = Map.of();

        @Option(names = "--body-file", paramLabel = "FILE", description = "Replace the body by this file's bytes.")
        private Path bodyFile;

        @Override
        protected void check() {
            super.check();
            if (!(rate >= 0)) {
                throw new Failure(ExitCode.USAGE, "--rate must not be negative, was " + rate);
            }
        }

        @Override
        String verb() {
            return "Sending again";
        }

        @Override
        String done() {
            return "sent again";
        }

        @Override
        List<Outcome> settle(DeadLetters letters, Selection which) {
            byte[] body = null;
            if (bodyFile != null) {
                // One body for many letters would replace different messages by copies of one.
                if (which.offsets().size() != 1) {
                    throw new Failure(ExitCode.USAGE, "--body-file needs exactly one offset");
                }
                try {
                    body = Files.readAllBytes(bodyFile);
                } catch (IOException e) {
                    throw new Failure(ExitCode.USAGE, "--body-file: cannot read " + bodyFile + ": " + Reasons.of(e));
                }
            }
            return letters.redrive(group, which, new Redrive(rate, properties, body, toGroup), operator(), reason);
        }
    }

    @Command(
            name = "discard",
            description = "Settles dead letters without sending them. They stay readable until retention removes them.",
            footer = {"", "Example: waybill dlq discard billing 17 --reason 'test order' --yes"})
    static final class Discard extends Settle {
        @Override
        String verb() {
            return "Discarding";
        }

        @Override
        String done() {
            return "discarded";
        }

        @Override
        List<Outcome> settle(DeadLetters letters, Selection which) {
            return letters.discard(group, which, operator(), reason);
        }
    }
}
