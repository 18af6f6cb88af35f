/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.topic;

import io.waybill.cli.terminal.Cluster;
import io.waybill.cli.terminal.ClusterCommand;
import io.waybill.cli.terminal.Confirmation;
import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Failure;
import io.waybill.cli.terminal.Output;
import io.waybill.cli.terminal.Times;
import io.waybill.client.Topics;
import io.waybill.client.Topics.QueueState;
import io.waybill.client.Topics.TopicDescription;
import io.waybill.client.WaybillClient;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Topics. */
@Command(
        name = "topic",
        description = "Creates, lists, describes, sets, deletes and restores topics.",
        footer = {"", "Example: waybill topic create orders --queues 4"},
        subcommands = {
            TopicCommand.Create.class,
            TopicCommand.ListAll.class,
            TopicCommand.Describe.class,
            TopicCommand.Settings.class,
            TopicCommand.Delete.class,
            TopicCommand.Restore.class
        })
public final class TopicCommand implements Callable<Integer> {

    @Override
    public Integer call() {
        throw new Failure(
                ExitCode.USAGE,
                "say what to do: create, list, describe, settings, delete or restore; see waybill topic --help");
    }

    @Command(
            name = "create",
            description = "Creates a topic, or changes its number of queues.",
            footer = {"", "Example: waybill topic create orders --queues 4"})
    static final class Create implements Callable<Integer> {
        @Parameters(paramLabel = "TOPIC", description = "Its name: letters, digits, _, -, %% and |; at most 127.")
        private String topic;

        @Option(
                names = "--queues",
                paramLabel = "N",
                defaultValue = "4",
                description =
                        "Queues on each broker: as many consumers can share the work (default: ${DEFAULT-VALUE}).")
        private int queues;

        @Option(
                names = "--force",
                description = "Take queues away even if they hold messages that a group has not read.")
        private boolean force;

        @Mixin
        private Cluster cluster;

        @Mixin
        private Output output;

        @Override
        public Integer call() {
            if (queues < 1) {
                throw new Failure(ExitCode.USAGE, "--queues must be at least 1, was " + queues);
            }
            try (WaybillClient client = cluster.connect()) {
                client.admin().topics().create(topic, queues, force);
            }
            Map<String, Object> created = new LinkedHashMap<>();
            created.put("topic", topic);
            created.put("queues", queues);
            output.one(created);
            return ExitCode.DONE;
        }
    }

    @Command(
            name = "list",
            description = "Lists the topics.",
            footer = {"", "Example: waybill topic list -o json"})
    static final class ListAll implements Callable<Integer> {
        @Option(
                names = {"-a", "--all"},
                description = "Those of the system, of retries and of dead letters too.")
        private boolean all;

        @Option(
                names = {"-q", "--quiet"},
                description = "Names only.")
        private boolean quiet;

        @Option(names = "--deleted", description = "Those that were deleted and whose messages can be restored.")
        private boolean deleted;

        @Mixin
        private Cluster cluster;

        @Mixin
        private Output output;

        @Override
        public Integer call() {
            try (WaybillClient client = cluster.connect()) {
                if (deleted) {
                    return listDeleted(client);
                }
                List<String> topics = all
                        ? client.admin().topics().allNames()
                        : client.admin().topics().names();
                if (quiet) {
                    topics.forEach(output::line);
                    return ExitCode.DONE;
                }
                List<Map<String, Object>> rows = new ArrayList<>();
                for (String topic : topics) {
                    Map<String, Object> row = new LinkedHashMap<>();
                    row.put("topic", topic);
                    rows.add(row);
                }
                output.list(rows);
                if (rows.isEmpty()) {
                    output.note("no topics yet; a topic comes into being by the first send to it");
                }
                return ExitCode.DONE;
            }
        }

        private int listDeleted(WaybillClient client) {
            List<Map<String, Object>> rows = new ArrayList<>();
            for (Topics.DeletedTopic topic : client.admin().topics().deleted()) {
                if (quiet) {
                    output.line(topic.name());
                    continue;
                }
                Map<String, Object> row = new LinkedHashMap<>();
                row.put("topic", topic.name());
                row.put("broker", topic.broker());
                row.put("messages", topic.messages());
                row.put("deletedAt", topic.deletedAt());
                row.put("by", topic.by());
                rows.add(row);
            }
            if (!quiet) {
                output.list(rows);
            }
            return ExitCode.DONE;
        }
    }

    @Command(
            name = "restore",
            description = "Brings a deleted topic back, with its messages that are still kept.",
            footer = {"", "Example: waybill topic restore orders"})
    static final class Restore extends ClusterCommand {
        @Parameters(paramLabel = "TOPIC", description = "Its name.")
        private String topic;

        @Override
        protected int run(WaybillClient client) {
            Map<String, Object> restored = new LinkedHashMap<>();
            restored.put("topic", topic);
            restored.put("messages", client.admin().topics().restore(topic));
            output().one(restored);
            return ExitCode.DONE;
        }
    }

    @Command(
            name = "describe",
            description = "Shows the queues of a topic: offsets, messages, the time of the last one.",
            footer = {"", "Example: waybill topic describe orders"})
    static final class Describe implements Callable<Integer> {
        @Parameters(paramLabel = "TOPIC", description = "Its name.")
        private String topic;

        @Mixin
        private Cluster cluster;

        @Mixin
        private Output output;

        @Override
        public Integer call() {
            try (WaybillClient client = cluster.connect()) {
                TopicDescription found = client.admin().topics().describe(topic);
                List<Map<String, Object>> rows = new ArrayList<>();
                for (QueueState state : found.queues()) {
                    Map<String, Object> row = new LinkedHashMap<>();
                    row.put("broker", state.queue().broker());
                    row.put("queue", state.queue().id());
                    row.put("minOffset", state.minOffset());
                    row.put("maxOffset", state.maxOffset());
                    row.put("messages", state.maxOffset() - state.minOffset());
                    row.put("lastStored", state.lastStored());
                    rows.add(row);
                }
                List<String> groups = client.admin().topics().groups(topic);
                if (output.isJson()) {
                    Map<String, Object> all = new LinkedHashMap<>();
                    all.put("topic", topic);
                    all.put("messages", found.messages());
                    all.put("groups", groups);
                    all.put("queues", rows);
                    output.one(all);
                } else {
                    output.list(rows);
                    output.note(Output.counted(found.messages(), "message") + " in "
                            + Output.counted(rows.size(), "queue") + "; consumed by "
                            + (groups.isEmpty() ? "no group" : String.join(", ", groups)));
                }
                return ExitCode.DONE;
            }
        }
    }

    @Command(
            name = "settings",
            description = "Shows the attributes of a topic, and changes them.",
            footer = {
                "",
                "Example: waybill topic settings orders",
                "         waybill topic settings orders --dedup 7d",
                "         waybill topic settings jobs --type PRIORITY"
            })
    static final class Settings extends ClusterCommand {
        @Parameters(paramLabel = "TOPIC", description = "Its name.")
        private String topic;

        @Option(
                names = "--dedup",
                paramLabel = "DURATION",
                description = "A key sent again within this time is not stored again; 0 = off.")
        private String dedup;

        @Option(
                names = "--type",
                paramLabel = "TYPE",
                description = "NORMAL, FIFO, DELAY, TRANSACTION, PRIORITY or MIXED.")
        private String type;

        @Override
        protected void check() {
            if (dedup != null && !dedup.equals("0")) {
                Times.durationOption("--dedup", dedup);
            }
        }

        @Override
        protected int run(WaybillClient client) {
            Map<String, String> set = new LinkedHashMap<>();
            Set<String> remove = new LinkedHashSet<>();
            if (dedup != null && dedup.equals("0")) {
                remove.add(Topics.DEDUP);
            } else if (dedup != null) {
                set.put(Topics.DEDUP, dedup);
            }
            if (type != null) {
                set.put(Topics.MESSAGE_TYPE, type.toUpperCase(Locale.ROOT));
            }
            if (!set.isEmpty() || !remove.isEmpty()) {
                client.admin().topics().changeAttributes(topic, set, remove);
            }
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("topic", topic);
            row.putAll(client.admin().topics().attributes(topic));
            output().one(row);
            return ExitCode.DONE;
        }
    }

    @Command(
            name = "delete",
            description = "Deletes a topic and its messages; they can be restored until retention drops them.",
            footer = {
                "",
                "Example: waybill topic delete old-orders --yes",
                "         waybill topic delete orders --yes --force"
            })
    static final class Delete extends ClusterCommand {
        @Parameters(paramLabel = "TOPIC", description = "Its name.")
        private String topic;

        @Option(
                names = "--force",
                description = "Delete it though it is in use: unread messages, consumers, delayed messages.")
        private boolean force;

        @Mixin
        private Confirmation confirmation;

        @Override
        protected int run(WaybillClient client) {
            TopicDescription found = client.admin().topics().describe(topic);
            if (confirmation.dryRun()) {
                output().note("topic " + topic + " would be deleted with "
                        + Output.counted(found.messages(), "message"));
                return ExitCode.DONE;
            }
            confirmation.confirm("Deleting topic " + topic + " with " + Output.counted(found.messages(), "message"));
            client.admin().topics().delete(topic, force);
            output().one(Map.of("deleted", topic));
            return ExitCode.DONE;
        }
    }
}
