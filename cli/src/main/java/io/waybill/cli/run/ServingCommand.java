/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.run;

import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Output;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** A command that serves until it is stopped, or only lists the settings it takes. */
abstract class ServingCommand implements Callable<Integer> {
    @Option(
            names = "--data",
            paramLabel = "DIR",
            defaultValue = "data",
            description = "Directory of the store, created if missing (default: ./${DEFAULT-VALUE}).")
    private Path data;

    @Mixin
    private ServerOptions options;

    @Mixin
    private Output output;

    @Override
    public final Integer call() throws Exception {
        if (options.listSettings()) {
            output.list(options.settingRows());
            return ExitCode.DONE;
        }
        return serve(data, options);
    }

    /** Returns the exit code when it was stopped. */
    abstract int serve(Path directory, ServerOptions given) throws Exception;
}
