/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.request.Reply;
import io.waybill.broker.request.RouteHandler;
import io.waybill.broker.stats.Flow;
import io.waybill.broker.stats.Stats;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.header.ViewStatsHeader;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.remoting.Request;

/** VIEW_BROKER_STATS_DATA (315): one figure over the last minute, hour and day; 1 when nothing was counted under that name and key. */
final class ViewStats implements RouteHandler<ViewStatsHeader> {
    private final Stats stats;

    ViewStats(Stats stats) {
        this.stats = stats;
    }

    @Override
    public Reply handle(Request request, ViewStatsHeader header) {
        Flow minute = stats.find(header.statsName(), header.statsKey(), Stats.MINUTE_MILLIS);
        if (minute == null) {
            return Reply.refused(
                    ResponseCode.SYSTEM_ERROR,
                    "there is no figure " + header.statsName() + " of " + header.statsKey() + " in this broker");
        }
        JsonWriter json = new JsonWriter().beginObject();
        write(json.name("statsDay"), stats.find(header.statsName(), header.statsKey(), Stats.DAY_MILLIS));
        write(json.name("statsHour"), stats.find(header.statsName(), header.statsKey(), Stats.HOUR_MILLIS));
        write(json.name("statsMinute"), minute);
        return Reply.success(json.endObject().toByteArray());
    }

    private static void write(JsonWriter json, Flow flow) {
        json.beginObject();
        if (flow != null) {
            json.field("avgpt", flow.perMessage()).field("sum", flow.sum()).field("tps", flow.perSecond());
        }
        json.endObject();
    }
}
