/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.message;

import io.waybill.cli.terminal.ClusterCommand;
import io.waybill.cli.terminal.Confirmation;
import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Failure;
import io.waybill.cli.terminal.Output;
import io.waybill.cli.terminal.Times;
import io.waybill.client.DelayedChange;
import io.waybill.client.DelayedMessages;
import io.waybill.client.DelayedMessages.DelayedMessage;
import io.waybill.client.DelayedMessages.Selector;
import io.waybill.client.WaybillClient;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** Delayed messages. */
@Command(
        name = "timer",
        description = "Shows delayed messages that wait for their time, cancels them or moves them.",
        footer = {"", "Example: waybill timer list --topic orders"},
        subcommands = {TimerCommand.ListWaiting.class, TimerCommand.Cancel.class, TimerCommand.Reschedule.class})
public final class TimerCommand implements Callable<Integer> {

    @Override
    public Integer call() {
        throw new Failure(ExitCode.USAGE, "say what to do: list, cancel or reschedule; see waybill timer --help");
    }

    private static List<Map<String, Object>> rows(List<DelayedMessage> messages) {
        List<Map<String, Object>> rows = new ArrayList<>();
        for (DelayedMessage message : messages) {
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("messageId", message.messageId());
            row.put("topic", message.topic());
            row.put("queue", message.queueId());
            row.put("keys", message.keys());
            row.put("deliverAt", message.deliverAt());
            row.put("stored", message.storedAt());
            row.put("unless", message.unless());
            row.put("handle", message.handle());
            row.put("broker", message.broker());
            rows.add(row);
        }
        return rows;
    }

    @Command(
            name = "list",
            description = "Lists what waits, the earliest first.",
            footer = {"", "Example: waybill timer list --topic orders --key order-4711 -o json"})
    static final class ListWaiting extends ClusterCommand {
        @Option(names = "--topic", paramLabel = "TOPIC", description = "Only for this topic.")
        private String topic;

        @Option(names = "--key", paramLabel = "KEY", description = "Only with this business key; needs --topic.")
        private String key;

        @Option(
                names = "--max",
                paramLabel = "N",
                defaultValue = "100",
                description = "At most so many (default: ${DEFAULT-VALUE}).")
        private int max;

        @Override
        protected void check() {
            atLeastOne("--max", max);
            if (key != null && topic == null) {
                throw new Failure(ExitCode.USAGE, "--key needs --topic");
            }
        }

        @Override
        protected int run(WaybillClient client) {
            DelayedMessages.Waiting waiting = client.admin().delayed().list(topic, key, max);
            List<Map<String, Object>> rows = rows(waiting.messages());
            output().list(rows);
            output().note(rows.size() + " shown, " + waiting.pending() + " in all, retries included");
            return ExitCode.DONE;
        }
    }

    /** Which messages. */
    private abstract static class ChangeTimerCommand extends ClusterCommand {
        @Option(names = "--topic", required = true, paramLabel = "TOPIC", description = "The topic they will be in.")
        private String topic;

        @Option(names = "--key", paramLabel = "KEY", description = "All with this business key.")
        private String key;

        @Option(names = "--message", paramLabel = "ID", description = "The one with this message id.")
        private String message;

        @Mixin
        private Confirmation confirmation;

        abstract String verb();

        abstract String done();

        /** Moving can be undone. */
        void ask(Confirmation confirmation, String what) {
            confirmation.ask(what);
        }

        abstract DelayedChange change(DelayedMessages delayed, Selector which);

        @Override
        protected void check() {
            if ((key == null) == (message == null)) {
                throw new Failure(ExitCode.USAGE, "name the messages by --key or by --message");
            }
        }

        @Override
        protected int run(WaybillClient client) {
            String name = key == null ? "message " + message : "key " + key;
            if (confirmation.dryRun()) {
                List<Map<String, Object>> found = rows(client.admin()
                        .delayed()
                        .list(topic, key == null ? message : key, 1000)
                        .messages());
                output().list(found);
                output().note(Output.counted(found.size(), "message") + " would be " + done());
                return ExitCode.DONE;
            }
            ask(confirmation, verb() + " what waits in topic " + topic + " with " + name);
            DelayedChange change = change(
                    client.admin().delayed(),
                    key == null ? Selector.message(topic, message) : Selector.key(topic, key));
            Map<String, Object> all = new LinkedHashMap<>();
            all.put("answer", change.answer().toString());
            List<Map<String, Object>> parts = new ArrayList<>();
            for (DelayedChange.Part part : change.messages()) {
                Map<String, Object> row = new LinkedHashMap<>();
                row.put("messageId", part.messageId());
                row.put("answer", part.answer().toString());
                row.put("deliverAt", part.deliverAt());
                row.put("storedId", part.storedId());
                row.put("broker", part.broker());
                parts.add(row);
            }
            if (output().isJson()) {
                all.put("messages", parts);
                output().one(all);
            } else {
                output().line(change.answer().toString());
                output().list(parts);
            }
            return switch (change.answer()) {
                case CANCELLED, MOVED -> ExitCode.DONE;
                case ALREADY_DELIVERED, ALREADY_CANCELLED -> ExitCode.REFUSED;
                case NEVER_EXISTED -> ExitCode.NOT_FOUND;
            };
        }
    }

    @Command(
            name = "cancel",
            description = {
                "Cancels delayed messages. The answer is definite: CANCELLED, ALREADY_DELIVERED,",
                "ALREADY_CANCELLED or NEVER_EXISTED."
            },
            footer = {"", "Example: waybill timer cancel --topic order-timeouts --key order-4711 --yes"})
    static final class Cancel extends ChangeTimerCommand {
        @Override
        String verb() {
            return "Cancelling";
        }

        @Override
        String done() {
            return "cancelled";
        }

        @Override
        DelayedChange change(DelayedMessages delayed, Selector which) {
            return delayed.cancel(which, operator());
        }
    }

    @Command(
            name = "reschedule",
            description = {
                "Moves delayed messages to another time. The answer is definite: MOVED, ALREADY_DELIVERED,",
                "ALREADY_CANCELLED or NEVER_EXISTED."
            },
            footer = {
                "",
                "Example: waybill timer reschedule --topic order-timeouts --key order-4711 --in 30m --yes",
                "         waybill timer reschedule --topic reminders --key order-4711 --at 2027-01-01T09:00:00Z --yes"
            })
    static final class Reschedule extends ChangeTimerCommand {
        @Option(names = "--in", paramLabel = "DURATION", description = "So long from now, as 30m.")
        private String in;

        @Option(names = "--at", paramLabel = "TIME", description = "At this time, as 2027-01-01T09:00:00Z.")
        private String at;

        @Override
        protected void check() {
            super.check();
            if ((in == null) == (at == null)) {
                throw new Failure(ExitCode.USAGE, "give the new time by --in or by --at");
            }
            time();
        }

        private Instant time() {
            return in == null ? Times.instantOption("--at", at) : Instant.now().plus(Times.durationOption("--in", in));
        }

        @Override
        String verb() {
            return "Moving";
        }

        @Override
        String done() {
            return "moved to " + Times.text(time());
        }

        @Override
        void ask(Confirmation confirmation, String what) {
            confirmation.confirm(what);
        }

        @Override
        DelayedChange change(DelayedMessages delayed, Selector which) {
            return delayed.reschedule(which, time(), operator());
        }
    }
}
