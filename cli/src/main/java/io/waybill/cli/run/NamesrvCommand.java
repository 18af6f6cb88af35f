/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.run;

import io.waybill.cli.terminal.ExitCode;
import io.waybill.server.NamesrvServer;
import io.waybill.server.WaybillServer;
import java.nio.file.Path;
import java.util.concurrent.Callable;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** A name server alone. */
@Command(
        name = "namesrv",
        description = {
            "Runs a name server alone until SIGTERM or Ctrl-C; it keeps no files unless --data is given.",
            "Prints one line READY ... when it serves."
        },
        footer = {"", "Example: waybill namesrv --port 9876"})
public final class NamesrvCommand implements Callable<Integer> {
    @Option(
            names = "--host",
            paramLabel = "ADDRESS",
            defaultValue = "127.0.0.1",
            description = "Address to listen on (default: ${DEFAULT-VALUE}: only this machine can connect).")
    private String host;

    @Option(
            names = "--port",
            paramLabel = "N",
            defaultValue = "9876",
            description = "Port to listen on; 0 = any free one (default: ${DEFAULT-VALUE}).")
    private int port;

    @Option(
            names = "--data",
            paramLabel = "DIR",
            description = "Directory that keeps its key-value table, such as the configuration of ordered topics.")
    private Path data;

    @Option(
            names = "--insecure",
            description = "Allow an address that other machines reach, although nobody is asked who they are.")
    private boolean insecure;

    @Override
    public Integer call() throws Exception {
        int checked = ServerOptions.port("--port", port);
        NamesrvServer server = Serving.start(() -> NamesrvServer.start(host, checked, insecure, data));
        Serving.until(Serving.ready(WaybillServer.text(server.address()), "none"));
        return ExitCode.DONE;
    }
}
