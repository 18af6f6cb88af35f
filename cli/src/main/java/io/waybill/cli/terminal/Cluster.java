/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.terminal;

import io.waybill.client.WaybillClient;
import picocli.CommandLine.Option;

/** The way to the cluster. */
public final class Cluster {
    @Option(
            names = {"-n", "--namesrv"},
            paramLabel = "HOST:PORT",
            description = "Name server; several separated by ';' (default: $WAYBILL_NAMESRV, else $NAMESRV_ADDR,"
                    + " else 127.0.0.1:9876).")
    private String namesrv;

    /** The name servers asked for, by the option, the environment or the default. */
    public String namesrv() {
        for (String text : new String[] {namesrv, System.getenv("WAYBILL_NAMESRV"), System.getenv("NAMESRV_ADDR")}) {
            if (text != null && !text.isBlank()) {
                return text;
            }
        }
        return "127.0.0.1:9876";
    }

    public WaybillClient connect() {
        return WaybillClient.connect(namesrv());
    }
}
