/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.store;

import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Failure;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;

/** Closed stores. */
@Command(
        name = "store",
        description = "Reads the files of a store whose broker is stopped; changes nothing.",
        footer = {"", "Example: waybill store check ./data"},
        subcommands = {CheckCommand.class, DumpCommand.class})
public final class StoreCommand implements Callable<Integer> {

    @Override
    public Integer call() {
        throw new Failure(ExitCode.USAGE, "say what to do: check or dump; see waybill store --help");
    }
}
