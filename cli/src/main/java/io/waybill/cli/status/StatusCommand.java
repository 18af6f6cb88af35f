/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.cli.status;

import io.waybill.cli.terminal.ClusterCommand;
import io.waybill.cli.terminal.ExitCode;
import io.waybill.client.Admin.BrokerStatus;
import io.waybill.client.WaybillClient;
import java.time.Instant;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import picocli.CommandLine.Command;
import picocli.CommandLine.Option;

/** How the brokers are. */
@Command(
        name = "status",
        description = {
            "Shows each broker: whether its store takes messages, what goes through, what waits, how full the disk is.",
            "Ends with 1 if one of them does not answer or takes no messages, and with 4 if none is registered."
        },
        footer = {"", "Example: waybill status", "         waybill status --all -o json"})
public final class StatusCommand extends ClusterCommand {
    @Option(names = "--all", description = "Every figure that the brokers tell, under its own name.")
    private boolean all;

    @Override
    protected int run(WaybillClient client) {
        List<Map<String, Object>> rows = new ArrayList<>();
        boolean allServe = true;
        for (BrokerStatus broker : client.admin().status()) {
            allServe &= broker.serves();
            if (broker.failure() != null) {
                output().note(broker.name() + ": " + broker.failure());
            }
            String views = broker.figures().getOrDefault("viewsState", "OK");
            if (!views.equals("OK")) {
                output().note(broker.name() + ": " + views);
            }
            if (all && !output().isJson()) {
                broker.figures().forEach((name, value) -> rows.add(figure(broker.name(), name, value)));
            } else {
                rows.add(row(broker));
            }
        }
        output().list(rows);
        return allServe ? ExitCode.DONE : ExitCode.FAILED;
    }

    private static Map<String, Object> figure(String broker, String name, Object value) {
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("broker", broker);
        row.put("figure", name);
        row.put("value", value);
        return row;
    }

    private Map<String, Object> row(BrokerStatus broker) {
        Map<String, String> figures = broker.figures();
        Map<String, Object> row = new LinkedHashMap<>();
        row.put("broker", broker.name());
        row.put("address", broker.address());
        row.put("state", broker.failure() == null ? figures.getOrDefault("storeState", "?") : "NO_ANSWER");
        row.put("since", time(figures.get("bootTimestamp")));
        row.put("inPerSecond", perSecond(figures.get("putTps")));
        row.put("outPerSecond", perSecond(figures.get("getTransferredTps")));
        row.put("openTransactions", number(figures.get("openTransactions")));
        row.put("delayed", number(figures.get("pendingDelayedMessages")));
        row.put("diskUsed", percent(figures.get("commitLogDiskRatio")));
        row.put("unflushed", figures.get("remainHowManyDataToFlush"));
        row.put("viewsBehindBytes", number(figures.get("dispatchBehindBytes")));
        if (all) {
            row.put("figures", figures);
        }
        return row;
    }

    private static Instant time(String millis) {
        return millis == null ? null : Instant.ofEpochMilli(Long.parseLong(millis));
    }

    private static Long number(String text) {
        return text == null ? null : Long.valueOf(text);
    }

    /** Of the last ten seconds. */
    private static Double perSecond(String rates) {
        return rates == null ? null : Double.valueOf(rates.split(" ")[0]);
    }

    private static String percent(String ratio) {
        return ratio == null ? null : Math.round(Double.parseDouble(ratio) * 100) + " %";
    }
}
