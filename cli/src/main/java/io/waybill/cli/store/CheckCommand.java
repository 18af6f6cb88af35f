/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.store;

import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Failure;
import io.waybill.cli.terminal.Output;
import io.waybill.platform.Files;
import io.waybill.store.StoreCheck;
import io.waybill.store.log.StoreException;
import io.waybill.store.view.ViewsBackend;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;
import picocli.CommandLine.Parameters;

/** Is a closed store sound? */
@Command(
        name = "check",
        description = {
            "Reads every frame of a closed store and compares the views with the log. The log is only read.",
            "Exit code 1 if something is wrong; each damage is named by file and byte."
        },
        footer = {"", "Example: waybill store check ./data"})
final class CheckCommand implements Callable<Integer> {
    @Parameters(paramLabel = "DIR", description = "The --data directory of the stopped server.")
    private Path directory;

    @Option(names = "--log-only", description = "Leave the views alone; they can always be rebuilt from the log.")
    private boolean logOnly;

    @Mixin
    private Output output;

    @Override
    public Integer call() {
        StoreCheck.Report report;
        try {
            Files files = ClosedStore.files(directory);
            report = StoreCheck.check(files, logOnly ? null : ViewsBackend.rocks(files));
        } catch (StoreException e) {
            throw new Failure(ExitCode.REFUSED, e.getMessage());
        }
        Map<String, Object> found = new LinkedHashMap<>();
        found.put("directory", directory.toString());
        found.put("sound", report.isSound());
        found.put("oldestPosition", report.oldestPosition());
        found.put("endPosition", report.endPosition());
        found.put("frames", report.frames());
        found.put("visibleMessages", report.visibleMessages());
        found.put("queues", report.queues());
        found.put("openTransactions", report.openHalves());
        found.put("delayedMessages", report.pendingDue());
        found.put("tornTailBytes", report.tornBytes());
        List<Map<String, Object>> findings = new ArrayList<>();
        for (StoreCheck.StoreDamage finding : report.findings()) {
            Map<String, Object> row = new LinkedHashMap<>();
            row.put("file", finding.file());
            row.put("byte", finding.offset() < 0 ? null : finding.offset());
            row.put("what", finding.text());
            findings.add(row);
        }
        if (output.isJson()) {
            found.put("findings", findings);
        }
        output.one(found);
        if (!output.isJson()) {
            output.list(findings);
        }
        return report.isSound() ? ExitCode.DONE : ExitCode.FAILED;
    }
}
