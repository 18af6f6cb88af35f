/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.group;

import io.waybill.cli.terminal.ClusterCommand;
import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Failure;
import io.waybill.cli.terminal.Times;
import io.waybill.client.Groups;
import io.waybill.client.Groups.GroupSettings;
import io.waybill.client.WaybillClient;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.Collectors;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What a group does with failures, order and rates: shows its settings, and changes those that are given. */
@Command(
        name = "settings",
        description = "Shows how a group is set, and changes it.",
        footer = {
            "",
            "Example: waybill group settings billing",
            "         waybill group settings billing --max-retries 5 --rate 200",
            "         waybill group settings billing --quarantine-after 3"
        })
final class GroupSettingsCommand extends ClusterCommand {
    @Parameters(paramLabel = "GROUP", description = "The consumer group.")
    private String group;

    @Option(names = "--max-retries", paramLabel = "N", description = "So many retries, then it is a dead letter.")
    private Integer maxRetries;

    @Option(
            names = "--backoff",
            paramLabel = "DURATIONS",
            description = "Waits before the retries, as in 1s,10s,5m; 'default' for the broker's levels.")
    private String backoff;

    @Option(names = "--rate", paramLabel = "N", description = "Messages per second and broker; 0 = no limit.")
    private Double rate;

    @Option(
            names = "--quarantine-after",
            paramLabel = "N",
            description = "Quarantine a key after so many failures in ordered consumption; 0 = off.")
    private Integer quarantineAfter;

    @Option(names = "--enabled", arity = "1", paramLabel = "true|false", description = "false: nobody gets anything.")
    private Boolean enabled;

    @Override
    protected void check() {
        if (quarantineAfter != null && quarantineAfter < 0) {
            throw new Failure(ExitCode.USAGE, "--quarantine-after must not be negative, was " + quarantineAfter);
        }
        if (rate != null && !(rate >= 0)) {
            throw new Failure(ExitCode.USAGE, "--rate must not be negative, was " + rate);
        }
    }

    @Override
    protected int run(WaybillClient client) {
        Groups groups = client.admin().groups();
        boolean onlyLook =
                maxRetries == null && enabled == null && backoff == null && rate == null && quarantineAfter == null;
        if (onlyLook && !groups.names().contains(group)) {
            throw GroupCommand.unknown(group); // to ask for its settings would create it
        }
        GroupSettings before = groups.settings(group);
        GroupSettings wanted = changed(before);
        if (!wanted.equals(before)) {
            groups.put(wanted);
        }
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("group", wanted.group());
        row.put("enabled", wanted.enabled());
        row.put("broadcastAllowed", wanted.broadcastAllowed());
        row.put("ordered", wanted.ordered());
        row.put("maxRetries", wanted.maxRetries());
        row.put("backoff", wanted.backoff() == null ? "default" : text(wanted.backoff()));
        row.put("rate", wanted.attributes().get(Groups.RATE));
        row.put("quarantineAfter", wanted.attributes().get(Groups.QUARANTINE_AFTER));
        output().one(row);
        return ExitCode.DONE;
    }

    private GroupSettings changed(GroupSettings before) {
        GroupSettings settings = before;
        if (maxRetries != null) {
            settings = settings.maxRetries(maxRetries);
        }
        if (enabled != null) {
            settings = settings.enabled(enabled);
        }
        if (backoff != null) {
            settings = settings.backoff(backoff.equals("default") ? null : steps(backoff));
        }
        if (rate != null) {
            settings = settings.attribute(Groups.RATE, rate == 0 ? null : plain(rate));
        }
        if (quarantineAfter != null) {
            settings = settings.attribute(
                    Groups.QUARANTINE_AFTER, quarantineAfter == 0 ? null : quarantineAfter.toString());
        }
        return settings;
    }

    private static String text(Groups.Backoff backoff) {
        return backoff.steps().isEmpty()
                ? Times.text(backoff.initial()) + ", each " + backoff.multiplier() + " times the one before, up to "
                        + Times.text(backoff.max())
                : backoff.steps().stream().map(Times::text).collect(Collectors.joining(" "));
    }

    private static Groups.Backoff steps(String text) {
        List<java.time.Duration> waits = new ArrayList<>();
        for (String part : text.split(",")) {
            waits.add(Times.durationOption("--backoff", part.strip()));
        }
        return Groups.Backoff.steps(waits.toArray(java.time.Duration[]::new));
    }

    private static String plain(double value) {
        return new java.math.BigDecimal(Double.toString(value))
                .stripTrailingZeros()
                .toPlainString();
    }
}
