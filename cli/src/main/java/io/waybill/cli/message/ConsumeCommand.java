/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.message;

import io.waybill.cli.terminal.Cluster;
import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Failure;
import io.waybill.cli.terminal.Output;
import io.waybill.cli.terminal.Progress;
import io.waybill.cli.terminal.Times;
import io.waybill.cli.terminal.WhenStopped;
import io.waybill.client.Filter;
import io.waybill.client.PullConsumer;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillClient;
import java.time.Duration;
import java.time.Instant;
import java.time.ZoneId;
import java.util.List;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicLong;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Prints messages. */
@Command(
        name = "consume",
        description = {
            "Prints the messages of a topic, one a line: stored, queue, offset, tag, keys, body.",
            "Without --group nobody's progress changes. With it the group goes on where it stopped the last time."
        },
        footer = {
            "",
            "Example: waybill consume orders --from 10m --tags 'CREATED || PAID' --max 20",
            "         waybill consume orders --sql 'amount > 100 AND region IS NOT NULL'"
        })
public final class ConsumeCommand implements Callable<Integer> {
    private static final int POLL_MAX = 32;

    @Parameters(paramLabel = "TOPIC", description = "From where.")
    private String topic;

    @Option(names = "--group", paramLabel = "GROUP", description = "Keep the progress for this group.")
    private String group;

    @Option(names = "--tags", paramLabel = "TAGS", description = "Only these tags, as in 'A || B'.")
    private String tags;

    @Option(
            names = "--sql",
            paramLabel = "CONDITION",
            description = "Only what this SQL92 condition on the properties is true for.")
    private String sql;

    @Option(
            names = "--from",
            paramLabel = "first|last|TIME",
            defaultValue = "first",
            description =
                    "Where to begin: first, last, 10m (so long ago), 2026-11-22T12:00:00Z (default: ${DEFAULT-VALUE})."
                            + " A group with progress goes on there.")
    private String from;

    @Option(names = "--max", paramLabel = "N", description = "End after so many messages.")
    private Long max;

    @Option(
            names = "--wait",
            paramLabel = "TIME",
            defaultValue = "2s",
            description = "End when nothing came for so long (default: ${DEFAULT-VALUE}).")
    private String wait;

    @Option(
            names = {"-f", "--follow"},
            description = "Go on until Ctrl-C.")
    private boolean follow;

    @Mixin
    private Cluster cluster;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        if (tags != null && sql != null) {
            throw new Failure(ExitCode.USAGE, "give --tags or --sql, not both");
        }
        StartFrom start;
        Duration idle;
        try {
            idle = Times.duration(wait);
            start = switch (from) {
                case "first" -> StartFrom.FIRST;
                case "last" -> StartFrom.LAST;
                default -> StartFrom.at(Times.instant(from, Instant.now(), ZoneId.systemDefault()));
            };
        } catch (IllegalArgumentException e) {
            throw new Failure(ExitCode.USAGE, e.getMessage());
        }
        long left = max == null ? Long.MAX_VALUE : max;
        if (left < 1) {
            throw new Failure(ExitCode.USAGE, "--max must be at least 1, was " + left);
        }
        try (WaybillClient client = cluster.connect()) {
            PullConsumer.Builder builder = client.pullConsumer(group == null ? "waybill-cli-reader" : group)
                    .from(start);
            if (sql != null) {
                builder.filter(Filter.sql(sql));
            }
            if (tags != null) {
                builder.tags(tags);
            }
            try (PullConsumer consumer = builder.build()) {
                consumer.assign(topic);
                if (consumer.assignment().isEmpty()) {
                    throw new Failure(ExitCode.NOT_FOUND, "topic " + topic + " has no queues; see waybill topic list");
                }
                read(consumer, left, idle);
            }
        }
        return ExitCode.DONE;
    }

    private void read(PullConsumer consumer, long limit, Duration idle) {
        AtomicLong count = new AtomicLong();
        try (Progress progress = new Progress(limit == Long.MAX_VALUE ? -1 : limit, true);
                WhenStopped stopped = WhenStopped.say(() -> Output.counted(count.get(), "message"))) {
            while (count.get() < limit) {
                List<ReceivedMessage> messages = consumer.poll((int) Math.min(POLL_MAX, limit - count.get()), idle);
                for (ReceivedMessage message : messages) {
                    output.item(Shown.line(message), Shown.row(message));
                    progress.show(count.incrementAndGet());
                }
                if (group != null && !messages.isEmpty()) {
                    consumer.commit();
                }
                if (messages.isEmpty() && !follow) {
                    break;
                }
            }
        }
        output.note(Output.counted(count.get(), "message"));
    }
}
