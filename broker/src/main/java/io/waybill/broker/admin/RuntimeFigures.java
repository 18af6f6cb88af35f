/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.stats.Stats;
import io.waybill.platform.Clock;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.KvTable;
import io.waybill.protocol.frame.Command;
import io.waybill.remoting.Request;
import io.waybill.remoting.RequestHandler;
import io.waybill.store.Store;
import io.waybill.store.log.LogStats;
import io.waybill.store.view.QueueKey;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.Executor;

/**
 * GET_BROKER_RUNTIME_INFO (28): figures of the running broker by name. The names that tools look for are all there; those that describe thread
 * pools and page caches, which this broker does not have, are 0.
 */
final class RuntimeFigures implements RequestHandler {
    private static final int MOST_QUEUES = 4096;

    private final Store store;
    private final Stats through;
    private final Clock clock;
    private final Executor blocking;
    private final long bootMillis;

    RuntimeFigures(Store store, Stats through, Clock clock, Executor blocking) {
        this.through = through;
        this.store = store;
        this.clock = clock;
        this.blocking = blocking;
        this.bootMillis = clock.wallMillis();
    }

    @Override
    public void handle(Request request) {
        blocking.execute(() -> {
            try {
                request.reply(Command.response(ResponseCode.SUCCESS, null)
                        .body(new KvTable(figures()).toJson())
                        .build());
            } catch (RuntimeException e) {
                request.refuse(ResponseCode.SYSTEM_ERROR, "the figures could not be read; the broker's log says why");
                throw e; // for the log
            }
        });
    }

    /** Store time of the oldest message, now when there is none; -1 when there are too many queues to look at. */
    private long earliestMillis() {
        List<QueueKey> queues = store.queues();
        if (queues.size() > MOST_QUEUES) {
            return -1;
        }
        long earliest = clock.wallMillis();
        for (QueueKey queue : queues) {
            long millis = store.earliestStoreTime(queue.topic(), queue.queueId());
            earliest = millis < 0 ? earliest : Math.min(earliest, millis);
        }
        return earliest;
    }

    /** Messages per second of the last 10 s, 1 min and 10 min. */
    private String rates(boolean handedOut) {
        return String.format(
                Locale.ROOT,
                "%.2f %.2f %.2f",
                through.perSecond(handedOut, 10_000),
                through.perSecond(handedOut, Stats.MINUTE_MILLIS),
                through.perSecond(handedOut, 10 * Stats.MINUTE_MILLIS));
    }

    private Map<String, String> figures() {
        Map<String, String> table = new TreeMap<>();
        for (String nothing : new String[] {
            "sendThreadPoolQueueSize",
            "pullThreadPoolQueueSize",
            "ackThreadPoolQueueSize",
            "sendThreadPoolQueueHeadWaitTimeMills",
            "pullThreadPoolQueueHeadWaitTimeMills",
            "ackThreadPoolQueueHeadWaitTimeMills",
            "pageCacheLockTimeMills",
            "timerReadBehind",
            "timerOffsetBehind",
            "timerCongestNum"
        }) {
            table.put(nothing, "0");
        }
        table.put("putTps", rates(false));
        for (String rate : new String[] {"getTransferredTps", "getFoundTps", "getTotalTps"}) {
            table.put(rate, rates(true));
        }
        table.put("getMissTps", "0.0 0.0 0.0");
        table.put("msgPutTotalYesterdayMorning", Long.toString(through.totalAtMidnight(false, true)));
        table.put("msgPutTotalTodayMorning", Long.toString(through.totalAtMidnight(false, false)));
        table.put("msgPutTotalTodayNow", Long.toString(through.total(false)));
        table.put("msgGetTotalYesterdayMorning", Long.toString(through.totalAtMidnight(true, true)));
        table.put("msgGetTotalTodayMorning", Long.toString(through.totalAtMidnight(true, false)));
        table.put("msgGetTotalTodayNow", Long.toString(through.total(true)));
        table.put("timerEnqueueTps", "0.0");
        table.put("timerDequeueTps", "0.0");
        LogStats stats = store.stats();
        table.put("putMessageSizeTotal", Long.toString(stats.bytes()));
        table.put("commitLogMinOffset", Long.toString(store.oldestPosition()));
        table.put("commitLogMaxOffset", Long.toString(store.positions().confirmed()));
        table.put("commitLogDiskRatio", "0.0");
        table.put("consumeQueueDiskRatio", "0.0");
        table.put("earliestMessageTimeStamp", Long.toString(earliestMillis()));
        table.put("openTransactions", Long.toString(store.openHalfCount()));
        table.put("pendingDelayedMessages", Long.toString(store.pendingDueCount()));
        table.put("storeState", store.state().kind().name());
        table.put("brokerActive", Boolean.toString(store.state().isOpen()));
        table.put("brokerVersionDesc", "V5_5_0");
        table.put("brokerVersion", Integer.toString(Command.CURRENT_VERSION));
        table.put("bootTimestamp", Long.toString(bootMillis));
        Duration up = Duration.ofMillis(Math.max(0, clock.wallMillis() - bootMillis));
        table.put(
                "runtime",
                "[ " + up.toDays() + " days, " + up.toHoursPart() + " hours, " + up.toMinutesPart() + " minutes, "
                        + up.toSecondsPart() + " seconds ]");
        return table;
    }
}
