/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.message;

import io.waybill.cli.terminal.ClusterCommand;
import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Failure;
import io.waybill.cli.terminal.Output;
import io.waybill.cli.terminal.Times;
import io.waybill.client.MessageHistory;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.WaybillClient;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Single messages. */
@Command(
        name = "message",
        description = "Finds messages and tells what happened to them.",
        footer = {"", "Example: waybill message trace order-4711 --topic orders"},
        subcommands = {MessageCommand.Trace.class, MessageCommand.Find.class})
public final class MessageCommand implements Callable<Integer> {

    @Override
    public Integer call() {
        throw new Failure(ExitCode.USAGE, "say what to do: trace or find; see waybill message --help");
    }

    @Command(
            name = "trace",
            description = {
                "Tells the life of a message from the brokers' own records: stored, visible, delivered to whom,",
                "retried why, acknowledged, dead-lettered, replayed."
            },
            footer = {
                "",
                "Example: waybill message trace 7F0000010A2B18B4AAC21F3C9D5E0000",
                "         waybill message trace order-4711 --topic orders -o json"
            })
    static final class Trace extends ClusterCommand {
        @Parameters(paramLabel = "ID|KEY", description = "Message id, stored id or business key.")
        private String name;

        @Option(names = "--topic", paramLabel = "TOPIC", description = "Its topic; without it the brokers look in all.")
        private String topic;

        @Override
        protected int run(WaybillClient client) {
            List<MessageHistory> lives = client.admin().messages().history(topic, name);
            if (lives.isEmpty()) {
                lives = client.admin().messages().historyByKey(topic, name);
            }
            if (lives.isEmpty()) {
                throw new Failure(
                        ExitCode.NOT_FOUND,
                        "no broker knows a message with the id or key " + name
                                + (topic == null ? "" : " in topic " + topic) + ", or retention has removed it");
            }
            if (output().isJson()) {
                List<Map<String, Object>> all = new ArrayList<>();
                lives.forEach(life -> all.add(json(life)));
                output().list(all);
                return ExitCode.DONE;
            }
            for (MessageHistory life : lives) {
                output().line(Output.printable("message " + life.messageId() + " of topic " + life.topic() + " at "
                        + life.broker() + (life.storedId() == null ? "" : ", stored as " + life.storedId())));
                for (MessageHistory.Event event : life.events()) {
                    output().line("  " + Times.text(event.at()) + "  " + String.format("%-13s", event.name()) + "  "
                            + Output.printable(event.sentence()));
                }
            }
            return ExitCode.DONE;
        }

        private static Map<String, Object> json(MessageHistory life) {
            List<Map<String, Object>> events = new ArrayList<>();
            for (MessageHistory.Event event : life.events()) {
                Map<String, Object> row = new LinkedHashMap<>();
                row.put("at", event.at());
                row.put("event", event.name());
                row.put("group", event.group());
                row.put("client", event.client());
                row.put("sentence", event.sentence());
                row.put("more", event.more());
                events.add(row);
            }
            Map<String, Object> all = new LinkedHashMap<>();
            all.put("topic", life.topic());
            all.put("messageId", life.messageId());
            all.put("storedId", life.storedId());
            all.put("broker", life.broker());
            all.put("events", events);
            return all;
        }
    }

    @Command(
            name = "find",
            description = "Finds the messages of a topic with a business key or an id.",
            footer = {"", "Example: waybill message find order-4711 --topic orders --from 2h"})
    static final class Find extends ClusterCommand {
        @Parameters(paramLabel = "ID|KEY", description = "Message id, stored id or business key.")
        private String name;

        @Option(names = "--topic", required = true, paramLabel = "TOPIC", description = "Its topic.")
        private String topic;

        @Option(names = "--from", paramLabel = "TIME", description = "Stored then or later, as 10m (so long ago).")
        private String from;

        @Option(names = "--to", paramLabel = "TIME", description = "Stored then or before (default: now).")
        private String to;

        @Option(
                names = "--max",
                paramLabel = "N",
                defaultValue = "32",
                description = "At most so many (default: ${DEFAULT-VALUE}).")
        private int max;

        @Override
        protected void check() {
            atLeastOne("--max", max);
        }

        @Override
        protected int run(WaybillClient client) {
            List<ReceivedMessage> found = new ArrayList<>(client.admin()
                    .messages()
                    .byKey(
                            topic,
                            name,
                            max,
                            from == null ? java.time.Instant.EPOCH : Times.instantOption("--from", from),
                            to == null ? java.time.Instant.now() : Times.instantOption("--to", to)));
            if (found.isEmpty()) {
                client.admin().messages().byId(topic, name).ifPresent(found::add);
            }
            if (found.isEmpty()) {
                throw new Failure(ExitCode.NOT_FOUND, "topic " + topic + " has no message with the id or key " + name);
            }
            found.forEach(message -> output().item(Shown.line(message), Shown.row(message)));
            return ExitCode.DONE;
        }
    }
}
