/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.store;

import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Failure;
import io.waybill.cli.terminal.Output;
import io.waybill.cli.terminal.Times;
import io.waybill.platform.Files;
import io.waybill.store.log.LogInspection;
import io.waybill.store.log.StoreException;
import io.waybill.store.record.LogRecord;
import java.lang.reflect.RecordComponent;
import java.nio.ByteBuffer;
import java.nio.file.Path;
import java.time.Instant;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.concurrent.Callable;
import java.util.stream.Stream;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** What is in the log of a closed store. */
@Command(
        name = "dump",
        description = "Prints the frames and records in the log of a closed store, one a line; changes nothing.",
        footer = {"", "Example: waybill store dump ./data --from 0 --max 50 -o json"})
final class DumpCommand implements Callable<Integer> {
    @Parameters(paramLabel = "DIR", description = "The --data directory of the stopped server.")
    private Path directory;

    @Option(
            names = "--from",
            paramLabel = "POSITION",
            defaultValue = "0",
            description = "Begin with the first frame at this log position or later (default: ${DEFAULT-VALUE}).")
    private long from;

    @Option(names = "--max", paramLabel = "N", description = "End after so many records.")
    private Long max;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        long limit = max == null ? Long.MAX_VALUE : max;
        if (limit < 1 || from < 0) {
            throw new Failure(ExitCode.USAGE, "--max must be at least 1 and --from at least 0");
        }
        Files files = ClosedStore.files(directory);
        try {
            LogInspection.End end = LogInspection.walk(files, new Printer(output, from, limit));
            output.note("end at " + end.end() + ", " + end.frames() + " frames"
                    + (end.tornBytes() > 0 ? ", " + end.tornBytes() + " torn bytes behind it" : ""));
            if (end.damage() != null) {
                throw new Failure(ExitCode.FAILED, end.damage().getMessage());
            }
        } catch (Enough e) {
            output.note("stopped after " + limit + " records, as asked");
        } catch (StoreException e) {
            throw new Failure(ExitCode.REFUSED, e.getMessage());
        }
        return ExitCode.DONE;
    }

    /** Ends the walk over the log early. */
    private static final class Enough extends RuntimeException {
        Enough() {
            super(null, null, false, false);
        }
    }

    private static final class Printer implements LogInspection.FrameVisitor {
        private final Output output;
        private final long from;
        private long left;

        Printer(Output output, long from, long limit) {
            this.output = output;
            this.from = from;
            this.left = limit;
        }

        @Override
        public void frame(LogInspection.FrameInfo info, List<LogRecord> entries, ByteBuffer bytes, int at) {
            if (info.base() < from) {
                return;
            }
            Map<String, Object> row = new LinkedHashMap<>();
            Instant stored = Instant.ofEpochMilli(info.storeTimeMillis());
            row.put("frame", info.index());
            row.put("position", info.base());
            row.put("file", info.file());
            row.put("length", info.length());
            row.put("epoch", info.epoch());
            row.put("stored", stored);
            row.put("records", info.records());
            output.item(
                    "frame " + info.index() + " at " + info.base() + " (" + info.file() + " +" + info.offset() + "), "
                            + info.length() + " bytes, epoch " + info.epoch() + ", " + Times.text(stored) + ", "
                            + info.records() + " records",
                    row);
            for (LogRecord entry : entries) {
                record(entry);
                if (--left == 0) {
                    throw new Enough();
                }
            }
        }

        private void record(LogRecord entry) {
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("record", entry.getClass().getSimpleName());
            StringBuilder line = new StringBuilder(entry.getClass().getSimpleName());
            for (RecordComponent part : entry.getClass().getRecordComponents()) {
                Object value = shown(part, entry);
                row.put(part.getName(), value);
                line.append(' ').append(part.getName()).append('=').append(value);
            }
            output.item("  " + Output.printable(line.toString()), row);
        }

        private static Object shown(RecordComponent part, LogRecord entry) {
            Object value;
            try {
                value = part.getAccessor().invoke(entry);
            } catch (ReflectiveOperationException e) {
                throw new IllegalStateException("a record must show its parts: " + part, e);
            }
            if (value instanceof byte[] content) {
                return content.length + " bytes";
            }
            if (value instanceof String[] keys) {
                return Stream.of(keys).filter(Objects::nonNull).toList();
            }
            return value instanceof List<?> list
                    ? list.stream().map(Object::toString).toList()
                    : value;
        }
    }
}
