/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.run;

import io.waybill.cli.terminal.ExitCode;
import io.waybill.cli.terminal.Failure;
import io.waybill.server.ServerSettings;
import io.waybill.server.WaybillServer;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** Name server and broker in one process. */
@Command(
        name = "server",
        description = {
            "Runs a name server and a broker in one process until SIGTERM or Ctrl-C.",
            "Prints one line READY ... when it serves. Log lines go to standard error.",
            "Ends with exit code 6 when its store froze after a failed write: start it again."
        },
        footer = {"", "Example: waybill server --data ./data --flush sync --set autoCreateTopic=false"})
public final class ServerCommand extends ServingCommand {
    @Option(
            names = "--namesrv-port",
            paramLabel = "N",
            defaultValue = "9876",
            description = "Port of the name server; 0 = any free one (default: ${DEFAULT-VALUE}).")
    private int namesrvPort;

    @Option(
            names = "--broker-port",
            paramLabel = "N",
            defaultValue = "10911",
            description = "Port of the broker; 0 = any free one (default: ${DEFAULT-VALUE}).")
    private int brokerPort;

    @Option(
            names = "--console-port",
            paramLabel = "N",
            defaultValue = "0",
            description = "Only 0 (off): this build has no console.")
    private int consolePort;

    @Override
    int serve(Path data, ServerOptions options) throws Exception {
        if (consolePort != 0) {
            throw new Failure(
                    ExitCode.USAGE,
                    "this build has no console, so --console-port " + consolePort
                            + " cannot be served; leave it out or give 0");
        }
        ServerSettings settings = new ServerSettings(
                data,
                ServerOptions.port("--namesrv-port", namesrvPort),
                ServerOptions.port("--broker-port", brokerPort),
                options.settings());
        WaybillServer server = Serving.start(() -> WaybillServer.start(settings), WaybillServer::isFrozen);
        return Serving.until(
                Serving.ready(WaybillServer.text(server.namesrvAddress()), WaybillServer.text(server.brokerAddress())),
                server.gone());
    }
}
