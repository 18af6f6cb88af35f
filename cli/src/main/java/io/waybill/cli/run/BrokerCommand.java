/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.run;

import io.waybill.cli.terminal.Cluster;
import io.waybill.server.BrokerServer;
import io.waybill.server.WaybillServer;
import java.nio.file.Path;
import picocli.CommandLine.Command;
import picocli.CommandLine.Mixin;
import picocli.CommandLine.Option;

/** A broker that registers with name servers of their own. */
@Command(
        name = "broker",
        description = {
            "Runs a broker alone until SIGTERM or Ctrl-C; it registers with the name servers given.",
            "Prints one line READY ... when it serves.",
            "Ends with exit code 6 when its store froze after a failed write: start it again."
        },
        footer = {"", "Example: waybill broker --data ./data -n 127.0.0.1:9876 --set brokerName=broker-b --port 10921"})
public final class BrokerCommand extends ServingCommand {
    @Option(
            names = {"--port", "--broker-port"},
            paramLabel = "N",
            defaultValue = "10911",
            description = "Port to listen on; 0 = any free one (default: ${DEFAULT-VALUE}).")
    private int port;

    @Mixin
    private Cluster cluster;

    @Override
    int serve(Path data, ServerOptions options) throws Exception {
        int checked = ServerOptions.port("--port", port);
        BrokerServer server = Serving.start(
                () -> BrokerServer.start(
                        data,
                        options.settings().with("namesrv", cluster.namesrv()).with("port", checked)),
                BrokerServer::isFrozen);
        return Serving.until(Serving.ready(cluster.namesrv(), WaybillServer.text(server.address())), server.gone());
    }
}
