/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.message;

import io.waybill.cli.terminal.Cluster;
import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Failure;
import io.waybill.cli.terminal.Output;
import io.waybill.cli.terminal.Progress;
import io.waybill.cli.terminal.Times;
import io.waybill.cli.terminal.WhenStopped;
import io.waybill.client.Replay;
import io.waybill.client.ReplayPreview;
import io.waybill.client.ReplayResult;
import io.waybill.client.WaybillClient;
import java.time.Instant;
import java.time.ZoneId;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import java.util.concurrent.atomic.AtomicLong;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Reads an interval of a topic again. */
@Command(
        name = "replay",
        description = {
            "Reads what a topic stored in an interval again, for a side group: no living group notices.",
            "--preview only says which offsets and how many. A replay that broke goes on where it stopped."
        },
        footer = {
            "",
            "Example: waybill replay orders --from 2026-11-22T12:00:00Z --to 2026-11-22T12:30:00Z --preview",
            "         waybill replay orders --from 30m --into orders-again --rate 200 -o json"
        })
public final class ReplayCommand implements Callable<Integer> {
    @Parameters(paramLabel = "TOPIC", description = "Of which topic.")
    private String topic;

    @Option(
            names = "--from",
            required = true,
            paramLabel = "TIME",
            description =
                    "First message stored then or later: 10m (so long ago), 2026-11-22T12:00:00Z, millis since 1970.")
    private String from;

    @Option(
            names = "--to",
            paramLabel = "TIME",
            description = "Ends before the first message stored then (default: now).")
    private String to;

    @Option(names = "--tags", paramLabel = "TAGS", description = "Only these tags, as in 'A || B'.")
    private String tags;

    @Option(
            names = {"--into", "--group"},
            paramLabel = "GROUP",
            description = "The side group that keeps the progress.")
    private String into;

    @Option(names = "--rate", paramLabel = "N", description = "At most so many messages a second.")
    private Double rate;

    @Option(names = "--preview", description = "Only show queues, offsets and count.")
    private boolean preview;

    @Option(names = "--restart", description = "Forget what an earlier run of the side group has done.")
    private boolean restart;

    @Mixin
    private Cluster cluster;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        if (!preview && into == null) {
            throw new Failure(ExitCode.USAGE, "name the side group by --into, or only look with --preview");
        }
        Instant start = time(from);
        Instant end = to == null ? null : time(to);
        try (WaybillClient client = cluster.connect()) {
            Replay replay = client.replay(topic).from(start);
            if (end != null) {
                replay.to(end);
            }
            if (tags != null) {
                replay.tags(tags);
            }
            if (rate != null) {
                replay.rate(rate);
            }
            if (into != null) {
                replay.into(into);
            }
            if (restart) {
                replay.restart();
            }
            ReplayPreview found = replay.preview();
            if (preview) {
                show(found);
                return ExitCode.DONE;
            }
            output.note("replaying " + (found.exact() ? "" : "at most ") + found.count() + " messages of " + topic
                    + " stored since " + Times.text(start) + " into " + into);
            ReplayResult result;
            AtomicLong done = new AtomicLong();
            try (Progress progress = new Progress(found.count(), true);
                    WhenStopped stopped = WhenStopped.say(() -> String.format(
                            "%,d of %,d messages are replayed; the same command goes on from there",
                            done.get(), found.count()))) {
                result = replay.run(message -> {
                    output.item(Shown.line(message), Shown.row(message));
                    progress.show(done.incrementAndGet());
                });
            }
            output.note(result.handled() + " messages replayed, " + result.skipped() + " done by an earlier run"
                    + (result.complete() ? "" : "; not complete, run it again to go on"));
            return result.complete() ? ExitCode.DONE : ExitCode.FAILED;
        }
    }

    private static Instant time(String text) {
        try {
            return Times.instant(text, Instant.now(), ZoneId.systemDefault());
        } catch (IllegalArgumentException e) {
            throw new Failure(ExitCode.USAGE, e.getMessage());
        }
    }

    private void show(ReplayPreview found) {
        List<Map<String, Object>> rows = new ArrayList<>();
        for (ReplayPreview.Slice slice : found.slices()) {
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("broker", slice.queue().broker());
            row.put("queue", slice.queue().id());
            row.put("fromOffset", slice.fromOffset());
            row.put("toOffset", slice.toOffset());
            row.put("count", slice.count());
            rows.add(row);
        }
        if (output.isJson()) {
            Map<String, Object> all = new LinkedHashMap<>();
            all.put("topic", found.topic());
            all.put("count", found.count());
            all.put("exact", found.exact());
            all.put("queues", rows);
            output.one(all);
        } else {
            output.list(rows);
            output.note((found.exact() ? "" : "at most ") + found.count() + " messages");
        }
    }
}
