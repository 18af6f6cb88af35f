/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.group;

import io.waybill.cli.terminal.ClusterCommand;
import io.waybill.cli.terminal.Confirmation;
import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Failure;
import io.waybill.cli.terminal.Output;
import io.waybill.cli.terminal.Times;
import io.waybill.client.GroupOffsets;
import io.waybill.client.Groups;
import io.waybill.client.Groups.Amount;
import io.waybill.client.Groups.Backlog;
import io.waybill.client.Groups.GroupSettings;
import io.waybill.client.Groups.HandledOnce;
import io.waybill.client.Groups.MemberInfo;
import io.waybill.client.Groups.TopicBacklog;
import io.waybill.client.MessageQueue;
import io.waybill.client.WaybillClient;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Consumer groups. */
@Command(
        name = "group",
        description = "Shows consumer groups, what they still have to do, and moves them.",
        footer = {"", "Example: waybill group backlog billing"},
        subcommands = {
            GroupCommand.ListAll.class,
            GroupCommand.ShowBacklog.class,
            GroupCommand.Progress.class,
            GroupCommand.Members.class,
            GroupCommand.Reset.class,
            GroupCommand.Skip.class,
            GroupCommand.Clone.class,
            GroupSettingsCommand.class,
            GroupCommand.Try.class,
            GroupCommand.Delete.class
        })
public final class GroupCommand implements Callable<Integer> {

    @Override
    public Integer call() {
        throw new Failure(
                ExitCode.USAGE,
                "say what to do: list, backlog, progress, members, reset, skip, clone, settings, try or delete;"
                        + " see waybill group --help");
    }

    static Failure unknown(String group) {
        return new Failure(
                ExitCode.NOT_FOUND, "no broker knows group " + group + "; waybill group list shows those there are");
    }

    private static List<Map<String, Object>> offsets(Map<MessageQueue, Long> offsets) {
        List<Map<String, Object>> rows = new ArrayList<>();
        offsets.forEach((queue, offset) -> {
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("topic", queue.topic());
            row.put("broker", queue.broker());
            row.put("queue", queue.id());
            row.put("offset", offset);
            rows.add(row);
        });
        return rows;
    }

    @Command(
            name = "list",
            description = "Lists the consumer groups.",
            footer = {"", "Example: waybill group list -o json"})
    static final class ListAll extends ClusterCommand {
        @Override
        protected int run(WaybillClient client) {
            List<Map<String, Object>> rows = new ArrayList<>();
            client.admin().groups().names().forEach(name -> rows.add(Map.of("group", name)));
            output().list(rows);
            if (rows.isEmpty()) {
                output().note("no groups yet; a group comes into being when a consumer names it");
            }
            return ExitCode.DONE;
        }
    }

    @Command(
            name = "backlog",
            description = {
                "Shows what a group still has to do, by topic: messages, and how old the oldest is.",
                "Each message is counted once: ready, in flight, retrying, delayed, half (its transaction is open), dead,",
                "or quarantined (its key is in quarantine). In brackets: how long ago the oldest was stored."
            },
            footer = {"", "Example: waybill group backlog billing -o json"})
    static final class ShowBacklog extends ClusterCommand {
        @Parameters(paramLabel = "GROUP", description = "The consumer group.")
        private String group;

        @Override
        protected int run(WaybillClient client) {
            Backlog backlog = client.admin().groups().backlog(group);
            if (output().isJson()) {
                List<Map<String, Object>> topics = new ArrayList<>();
                backlog.topics().forEach(topic -> topics.add(json(topic)));
                Map<String, Object> all = new LinkedHashMap<>();
                all.put("group", group);
                all.put("topics", topics);
                all.put("total", json(backlog.total()));
                output().one(all);
                return ExitCode.DONE;
            }
            List<Map<String, Object>> rows = new ArrayList<>();
            backlog.topics().forEach(topic -> rows.add(row(topic.topic(), topic)));
            rows.add(row("total", backlog.total()));
            output().list(rows);
            if (!backlog.total().exact()) {
                output().note("at least so many: with this filter a broker stopped counting at its limit");
            }
            return ExitCode.DONE;
        }

        private static Map<String, Object> row(String name, TopicBacklog topic) {
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("topic", name);
            row.put("ready", text(topic.ready()));
            row.put("inFlight", text(topic.inFlight()));
            row.put("retrying", text(topic.retrying()));
            row.put("delayed", text(topic.delayed()));
            row.put("half", text(topic.half()));
            row.put("dead", text(topic.dead()));
            row.put("quarantined", text(topic.quarantined()));
            return row;
        }

        private static String text(Amount amount) {
            return amount.messages() + (amount.age() == null ? "" : " (" + Times.text(amount.age()) + ")");
        }

        private static Map<String, Object> json(TopicBacklog topic) {
            Map<String, Object> row = new LinkedHashMap<>();
            if (topic.topic() != null) {
                row.put("topic", topic.topic());
            }
            put(row, "ready", topic.ready());
            put(row, "inFlight", topic.inFlight());
            put(row, "retrying", topic.retrying());
            put(row, "delayed", topic.delayed());
            put(row, "half", topic.half());
            put(row, "dead", topic.dead());
            put(row, "quarantined", topic.quarantined());
            row.put("exact", topic.exact());
            return row;
        }

        private static void put(Map<String, Object> row, String name, Amount amount) {
            row.put(name, amount.messages());
            row.put(
                    name + "OldestSeconds",
                    amount.age() == null ? null : amount.age().toSeconds());
        }
    }

    @Command(
            name = "progress",
            description = "Shows how far a group is in each queue.",
            footer = {"", "Example: waybill group progress billing"})
    static final class Progress extends ClusterCommand {
        @Parameters(paramLabel = "GROUP", description = "The consumer group.")
        private String group;

        @Override
        protected int run(WaybillClient client) {
            GroupOffsets.GroupProgress progress = client.admin().offsets().progress(group);
            List<Map<String, Object>> rows = new ArrayList<>();
            for (GroupOffsets.QueueProgress queue : progress.queues()) {
                Map<String, Object> row = new LinkedHashMap<>();
                row.put("topic", queue.queue().topic());
                row.put("broker", queue.queue().broker());
                row.put("queue", queue.queue().id());
                row.put("committed", queue.committed());
                row.put("maxOffset", queue.maxOffset());
                row.put("lag", queue.lag());
                rows.add(row);
            }
            output().list(rows);
            output().note(Output.counted(progress.lag(), "message") + " behind, "
                    + Output.counted(progress.members().size(), "member"));
            return ExitCode.DONE;
        }
    }

    @Command(
            name = "members",
            description = "Shows who is in a group, or what one member says about itself.",
            footer = {
                "",
                "Example: waybill group members billing",
                "         waybill group members billing --client 10.0.0.7@4711 --stacks"
            })
    static final class Members extends ClusterCommand {
        @Parameters(paramLabel = "GROUP", description = "The consumer group.")
        private String group;

        @Option(names = "--client", paramLabel = "ID", description = "Ask this member about itself.")
        private String clientId;

        @Option(names = "--stacks", description = "The stacks of its threads too.")
        private boolean stacks;

        @Override
        protected void check() {
            if (stacks && clientId == null) {
                throw new Failure(ExitCode.USAGE, "--stacks needs --client");
            }
        }

        @Override
        protected int run(WaybillClient client) {
            Groups groups = client.admin().groups();
            if (clientId != null) {
                output().one(row(groups.runningInfo(group, clientId, stacks)));
                return ExitCode.DONE;
            }
            List<Map<String, Object>> rows = new ArrayList<>();
            Map<String, Integer> connections = new LinkedHashMap<>();
            for (Groups.Member member : groups.members(group)) {
                connections.merge(member.clientId(), 1, Integer::sum);
                Map<String, Object> row = new LinkedHashMap<>();
                row.put("clientId", member.clientId());
                row.put("address", member.address());
                row.put("language", member.language());
                rows.add(row);
            }
            output().list(rows);
            if (rows.isEmpty()) {
                output().note("no member of " + group + " is connected");
            }
            // Clients share out queues by client id: two processes with one id take the same
            // queues. One client that has reconnected looks the same until its old connection is closed.
            connections.forEach((id, count) -> {
                if (count > 1) {
                    output().note(count + " connections use the client id " + id
                            + ": two processes with one id, unless one has just reconnected; ask: waybill doctor group "
                            + group);
                }
            });
            return ExitCode.DONE;
        }

        /** What stock clients write as milliseconds is a time. */
        private static Object value(String name, String value) {
            return name.endsWith("TIMESTAMP") && value.matches("[0-9]{13}")
                    ? Instant.ofEpochMilli(Long.parseLong(value))
                    : value;
        }

        private Map<String, Object> row(MemberInfo info) {
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("clientId", info.clientId());
            info.subscriptions().forEach((topic, filter) -> row.put("subscription of " + topic, filter));
            info.properties().forEach((name, value) -> row.put(name, value(name, value)));
            for (Groups.HeldQueue held : info.queues()) {
                row.put(
                        "queue " + held.queue().topic() + "/" + held.queue().broker() + "/"
                                + held.queue().id(),
                        "committed " + held.committed() + ", at hand " + held.cached()
                                + (held.locked() ? ", locked" : ""));
            }
            info.topics()
                    .forEach((topic, rates) -> row.put(
                            "rates of " + topic,
                            String.format(
                                    Locale.ROOT,
                                    "%.1f ok/s, %.1f failed/s, %.1f ms each, %d failed in the last hour",
                                    rates.handledPerSecond(),
                                    rates.failedPerSecond(),
                                    rates.handleMillis(),
                                    rates.failedLastHour())));
            if (info.stacks() != null) {
                if (output().isJson()) {
                    row.put("stacks", info.stacks());
                } else {
                    info.stacks().lines().forEach(line -> output().note(line));
                }
            }
            return row;
        }
    }

    @Command(
            name = "reset",
            description = {
                "Moves a group to a time: it goes on with the first message stored then or later, in every queue.",
                "Works for groups at work and at rest. What it had at hand is dropped and comes again."
            },
            footer = {"", "Example: waybill group reset billing --topic orders --to 30m --yes"})
    static final class Reset extends ClusterCommand {
        @Parameters(paramLabel = "GROUP", description = "The consumer group.")
        private String group;

        @Option(names = "--topic", required = true, paramLabel = "TOPIC", description = "In which topic.")
        private String topic;

        @Option(
                names = "--to",
                required = true,
                paramLabel = "TIME",
                description = "10m (so long ago), 2026-11-22T12:00:00Z, millis since 1970.")
        private String to;

        @Mixin
        private Confirmation confirmation;

        @Override
        protected int run(WaybillClient client) {
            Instant time = Times.instantOption("--to", to);
            if (confirmation.dryRun()) {
                output().list(offsets(client.admin().offsets().at(topic, time)));
                output().note("group " + group + " would go on there");
                return ExitCode.DONE;
            }
            confirmation.confirm("Moving group " + group + " in topic " + topic + " to " + Times.text(time));
            output().list(offsets(client.admin().offsets().reset(group, topic, time)));
            return ExitCode.DONE;
        }
    }

    @Command(
            name = "skip",
            description = "Moves a group to the end of a topic: what waits there now will not be consumed.",
            footer = {"", "Example: waybill group skip billing --topic orders --yes"})
    static final class Skip extends ClusterCommand {
        @Parameters(paramLabel = "GROUP", description = "The consumer group.")
        private String group;

        @Option(names = "--topic", required = true, paramLabel = "TOPIC", description = "In which topic.")
        private String topic;

        @Mixin
        private Confirmation confirmation;

        @Override
        protected int run(WaybillClient client) {
            if (confirmation.dryRun()) {
                long lag = client.admin().offsets().progress(group).queues().stream()
                        .filter(queue -> queue.queue().topic().equals(topic))
                        .mapToLong(GroupOffsets.QueueProgress::lag)
                        .sum();
                output().note(Output.counted(lag, "message") + " would be skipped");
                return ExitCode.DONE;
            }
            confirmation.confirm("Skipping everything that waits for group " + group + " in topic " + topic);
            output().list(offsets(client.admin().offsets().skipBacklog(group, topic)));
            return ExitCode.DONE;
        }
    }

    @Command(
            name = "clone",
            description = {
                "Gives one group the progress of another; it goes on from there, at work or at rest.",
                "A group that does not exist yet is made, with the settings of the other."
            },
            footer = {"", "Example: waybill group clone billing billing-blue --topic orders --yes"})
    static final class Clone extends ClusterCommand {
        @Parameters(index = "0", paramLabel = "FROM", description = "Whose progress.")
        private String from;

        @Parameters(index = "1", paramLabel = "TO", description = "Who gets it.")
        private String to;

        @Option(names = "--topic", paramLabel = "TOPIC", description = "Only in this topic.")
        private String topic;

        @Mixin
        private Confirmation confirmation;

        @Override
        protected int run(WaybillClient client) {
            Groups groups = client.admin().groups();
            List<String> known = groups.names();
            if (!known.contains(from)) {
                throw unknown(from);
            }
            if (confirmation.dryRun()) {
                output().list(progress(client, from));
                output().note("group " + to + " would go on there");
                return ExitCode.DONE;
            }
            confirmation.confirm("Replacing the progress of group " + to + " by that of " + from);
            // First, because brokers refuse to give progress to a group that does not exist.
            if (!known.contains(to)) {
                GroupSettings settings = groups.settings(from);
                groups.put(new GroupSettings(
                        to,
                        settings.enabled(),
                        settings.broadcastAllowed(),
                        settings.ordered(),
                        settings.maxRetries(),
                        settings.backoff(),
                        settings.attributes()));
                output().note("group " + to + " is new and has the settings of " + from);
            }
            client.admin().offsets().copy(from, to, topic);
            output().list(progress(client, to));
            return ExitCode.DONE;
        }

        private List<Map<String, Object>> progress(WaybillClient client, String group) {
            Map<MessageQueue, Long> offsets = new TreeMap<>();
            for (GroupOffsets.QueueProgress queue :
                    client.admin().offsets().progress(group).queues()) {
                String name = queue.queue().topic();
                // The retry topic carries the name of its group, so its offsets mean nothing to the other group.
                if (topic == null ? !name.startsWith("%RETRY%") : name.equals(topic)) {
                    offsets.put(queue.queue(), queue.committed());
                }
            }
            return offsets(offsets);
        }
    }

    @Command(
            name = "try",
            description = {
                "Lets one member handle one message now and shows how it went.",
                "The progress of the group does not change."
            },
            footer = {
                "",
                "Example: waybill group try billing --client 10.0.0.7@4711 --topic orders --message"
                        + " 7F0000010A2B18B4AAC21F3C9D5E0000 --yes"
            })
    static final class Try extends ClusterCommand {
        @Parameters(paramLabel = "GROUP", description = "The consumer group.")
        private String group;

        @Option(names = "--client", required = true, paramLabel = "ID", description = "Which member.")
        private String clientId;

        @Option(names = "--topic", required = true, paramLabel = "TOPIC", description = "The topic of the message.")
        private String topic;

        @Option(names = "--message", required = true, paramLabel = "ID", description = "Message id or stored id.")
        private String message;

        @Mixin
        private Confirmation confirmation;

        @Override
        protected int run(WaybillClient client) {
            if (confirmation.dryRun()) {
                output().note(clientId + " would be given " + message);
                return ExitCode.DONE;
            }
            confirmation.confirm("Letting " + clientId + " of group " + group + " handle " + message);
            HandledOnce handled = client.admin().groups().consumeDirectly(group, clientId, topic, message);
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("outcome", handled.outcome());
            row.put("remark", handled.remark());
            row.put("millis", handled.took().toMillis());
            output().one(row);
            // A script must see that the handler failed, although the command itself did what it was asked to.
            return handled.success() ? ExitCode.DONE : ExitCode.FAILED;
        }
    }

    @Command(
            name = "delete",
            description = "Forgets a group with its progress, retries and dead letters. It must be at rest.",
            footer = {"", "Example: waybill group delete billing-blue --yes"})
    static final class Delete extends ClusterCommand {
        @Parameters(paramLabel = "GROUP", description = "The consumer group.")
        private String group;

        @Mixin
        private Confirmation confirmation;

        @Override
        protected int run(WaybillClient client) {
            if (!client.admin().groups().names().contains(group)) {
                throw unknown(group);
            }
            if (confirmation.dryRun()) {
                output().note("group " + group + " would be forgotten with its progress, retries and dead letters");
                return ExitCode.DONE;
            }
            confirmation.ask("Forgetting group " + group + " with its progress, retries and dead letters");
            client.admin().groups().delete(group);
            output().one(Map.of("deleted", group));
            return ExitCode.DONE;
        }
    }
}
