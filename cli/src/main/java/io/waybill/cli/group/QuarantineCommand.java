/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.group;

import io.waybill.cli.terminal.ClusterCommand;
import io.waybill.cli.terminal.Confirmation;
import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Failure;
import io.waybill.cli.terminal.Output;
import io.waybill.client.Quarantine;
import io.waybill.client.Quarantine.QuarantinedKey;
import io.waybill.client.WaybillClient;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Quarantined keys of ordered groups. */
@Command(
        name = "quarantine",
        description = {
            "Shows the keys an ordered group has quarantined because their messages fail, and gives them back.",
            "waybill group settings GROUP --quarantine-after N switches it on."
        },
        footer = {"", "Example: waybill quarantine list billing"},
        subcommands = {
            QuarantineCommand.ListKeys.class,
            QuarantineCommand.Add.class,
            QuarantineCommand.Release.class,
            QuarantineCommand.Discard.class
        })
public final class QuarantineCommand implements Callable<Integer> {

    @Override
    public Integer call() {
        throw new Failure(
                ExitCode.USAGE, "say what to do: list, add, release or discard; see waybill quarantine --help");
    }

    private static List<Map<String, Object>> rows(List<QuarantinedKey> keys) {
        List<Map<String, Object>> rows = new ArrayList<>();
        for (QuarantinedKey key : keys) {
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("topic", key.topic());
            row.put("key", key.key());
            row.put("messages", key.messages());
            row.put("state", key.state());
            row.put("since", key.since());
            row.put("by", key.by());
            row.put("reason", key.reason());
            row.put("broker", key.broker());
            rows.add(row);
        }
        return rows;
    }

    @Command(
            name = "list",
            description = "Lists the quarantined keys of a group, the longest quarantined first.",
            footer = {"", "Example: waybill quarantine list billing -o json"})
    static final class ListKeys extends ClusterCommand {
        @Parameters(paramLabel = "GROUP", description = "The consumer group.")
        private String group;

        @Override
        protected int run(WaybillClient client) {
            List<Map<String, Object>> rows = rows(client.admin().quarantine().list(group));
            output().list(rows);
            if (rows.isEmpty()) {
                output().note("no key of group " + group + " is quarantined");
            }
            return ExitCode.DONE;
        }
    }

    /** One key of one group. */
    private abstract static class OfKey extends ClusterCommand {
        @Parameters(index = "0", paramLabel = "GROUP", description = "The consumer group.")
        String group;

        @Parameters(index = "1", paramLabel = "KEY", description = "The ordering key.")
        String key;

        @Option(names = "--topic", required = true, paramLabel = "TOPIC", description = "In which topic.")
        String topic;

        @Option(names = "--reason", paramLabel = "TEXT", description = "Recorded with your user name.")
        String reason;

        @Mixin
        private Confirmation confirmation;

        abstract String verb();

        void ask(Confirmation confirmation, String what) {
            confirmation.confirm(what);
        }

        abstract Map<String, Object> act(Quarantine quarantine);

        @Override
        protected int run(WaybillClient client) {
            if (confirmation.dryRun()) {
                List<QuarantinedKey> quarantined = client.admin().quarantine().list(group).stream()
                        .filter(known ->
                                known.topic().equals(topic) && known.key().equals(key))
                        .toList();
                output().list(rows(quarantined));
                output().note(
                                quarantined.isEmpty()
                                        ? "key " + key + " is not quarantined"
                                        : "key " + key + " is quarantined with "
                                                + Output.counted(
                                                        quarantined.stream()
                                                                .mapToLong(QuarantinedKey::messages)
                                                                .sum(),
                                                        "message"));
                return ExitCode.DONE;
            }
            ask(confirmation, verb() + " key " + key + " of topic " + topic + " for group " + group);
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("group", group);
            row.put("topic", topic);
            row.put("key", key);
            row.putAll(act(client.admin().quarantine()));
            output().one(row);
            return ExitCode.DONE;
        }
    }

    @Command(
            name = "add",
            description = "Quarantines a key by hand: its messages are kept from the group from now on.",
            footer = {"", "Example: waybill quarantine add billing order-4711 --topic orders --reason 'bad price' --yes"
            })
    static final class Add extends OfKey {
        @Override
        String verb() {
            return "Quarantining";
        }

        @Override
        Map<String, Object> act(Quarantine quarantine) {
            return Map.of("quarantined", quarantine.add(group, topic, key, reason, operator()) > 0);
        }
    }

    @Command(
            name = "release",
            description =
                    "Gives the quarantined messages of a key back, in their order and before any later one of the key.",
            footer = {"", "Example: waybill quarantine release billing order-4711 --topic orders --yes"})
    static final class Release extends OfKey {
        @Override
        String verb() {
            return "Releasing";
        }

        @Override
        Map<String, Object> act(Quarantine quarantine) {
            return Map.of("released", quarantine.release(group, topic, key, operator()));
        }
    }

    @Command(
            name = "discard",
            description = "Drops the quarantined messages of a key; later ones are delivered again.",
            footer = {"", "Example: waybill quarantine discard billing order-4711 --topic orders --reason 'test' --yes"
            })
    static final class Discard extends OfKey {
        @Override
        String verb() {
            return "Dropping the quarantined messages of";
        }

        @Override
        void ask(Confirmation confirmation, String what) {
            confirmation.ask(what);
        }

        @Override
        Map<String, Object> act(Quarantine quarantine) {
            return Map.of("discarded", quarantine.discard(group, topic, key, reason, operator()));
        }
    }
}
