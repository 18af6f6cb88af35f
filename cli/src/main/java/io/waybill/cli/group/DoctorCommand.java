/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.group;

import io.waybill.cli.terminal.ClusterCommand;
import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Failure;
import io.waybill.cli.terminal.Output;
import io.waybill.cli.terminal.Times;
import io.waybill.client.Groups.Cause;
import io.waybill.client.Groups.Finding;
import io.waybill.client.Groups.Subject;
import io.waybill.client.WaybillClient;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Why something is not as it should be. */
@Command(
        name = "doctor",
        description = "Says why something does not work, with the evidence.",
        footer = {"", "Example: waybill doctor group billing"},
        subcommands = DoctorCommand.Group.class)
public final class DoctorCommand implements Callable<Integer> {

    @Override
    public Integer call() {
        throw new Failure(ExitCode.USAGE, "say of what: group; see waybill doctor --help");
    }

    @Command(
            name = "group",
            description = {
                "Says why a group does not get its messages: of all its topics, of one, or of one message.",
                "The first finding is the most telling one."
            },
            footer = {
                "",
                "Example: waybill doctor group billing --topic orders",
                "         waybill doctor group billing --message 7F0000010A2B18B4AAC21F3C9D5E0000",
                "         waybill doctor group billing --topic orders --key order-4711 -o json"
            })
    static final class Group extends ClusterCommand {
        @Parameters(paramLabel = "GROUP", description = "The consumer group.")
        private String group;

        @Option(names = "--topic", paramLabel = "TOPIC", description = "Only this topic.")
        private String topic;

        @Option(names = "--message", paramLabel = "ID", description = "One message, by message id or stored id.")
        private String message;

        @Option(names = "--key", paramLabel = "KEY", description = "The messages with this business key.")
        private String key;

        @Override
        protected void check() {
            if (message != null && key != null) {
                throw new Failure(ExitCode.USAGE, "give --message or --key, not both");
            }
        }

        @Override
        protected int run(WaybillClient client) {
            List<Finding> findings = client.admin().groups().diagnose(group, new Subject(topic, message, key));
            if (output().isJson()) {
                List<Map<String, Object>> rows = new ArrayList<>();
                findings.forEach(finding -> rows.add(row(finding, group)));
                output().list(rows);
            } else {
                findings.forEach(this::print);
            }
            if (findings.isEmpty()) {
                output().note("nothing found that keeps messages from group " + group);
            }
            boolean missing =
                    !findings.isEmpty() && findings.stream().allMatch(found -> found.cause() == Cause.NOT_FOUND);
            return missing ? ExitCode.NOT_FOUND : ExitCode.DONE;
        }

        private static Map<String, Object> row(Finding finding, String group) {
            DoctorTexts.Words words = DoctorTexts.of(finding, group);
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("cause", finding.cause().toString());
            row.put(
                    "subCause",
                    finding.subCause() == null ? null : finding.subCause().toString());
            row.put("causeName", finding.causeName());
            row.put("broker", finding.broker());
            row.put("at", finding.at());
            row.put("topic", finding.topic());
            row.put("queue", finding.queueId() < 0 ? null : finding.queueId());
            row.put("offset", finding.offset() < 0 ? null : finding.offset());
            row.put("messageId", finding.messageId());
            row.put("sentence", words.sentence());
            row.put("evidence", evidence(finding));
            row.put("advice", words.advice());
            return row;
        }

        /** Times stay milliseconds under the name of their fact. */
        private static Map<String, Object> evidence(Finding finding) {
            Map<String, Object> facts = new LinkedHashMap<>();
            finding.evidence()
                    .facts()
                    .forEach((name, value) ->
                            facts.put(name, value instanceof Instant time ? (Object) time.toEpochMilli() : value));
            return facts;
        }

        private static String shown(Object value) {
            if (value instanceof List<?> names) {
                return names.isEmpty()
                        ? "nothing"
                        : names.stream().map(String::valueOf).collect(Collectors.joining(", "));
            }
            return value instanceof Instant time ? Times.text(time) : value.toString();
        }

        private void print(Finding finding) {
            StringBuilder place = new StringBuilder(finding.topic() == null ? "" : "  " + finding.topic());
            if (finding.queueId() >= 0) {
                place.append(", queue ").append(finding.queueId());
            }
            if (finding.offset() >= 0) {
                place.append(", offset ").append(finding.offset());
            }
            DoctorTexts.Words words = DoctorTexts.of(finding, group);
            output().line(Output.printable(finding.cause() + place.toString()));
            output().line("  " + Output.printable(words.sentence()));
            if (!finding.evidence().facts().isEmpty()) {
                output().line("  evidence: "
                        + Output.printable(finding.evidence().facts().entrySet().stream()
                                .map(e -> e.getKey() + "=" + shown(e.getValue()))
                                .collect(Collectors.joining(", "))));
            }
            if (words.advice() != null) {
                output().line("  what to do: " + Output.printable(words.advice()));
            }
        }
    }
}
