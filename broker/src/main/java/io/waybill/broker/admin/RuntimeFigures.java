/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.Routes;
import io.waybill.broker.stats.Stats;
import io.waybill.broker.stats.StatsTotals;
import io.waybill.platform.Clock;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.KvTable;
import io.waybill.protocol.frame.Command;
import io.waybill.remoting.Request;
import io.waybill.store.QueueStore;
import io.waybill.store.StoreClock;
import io.waybill.store.StoreStatus;
import io.waybill.store.TimerStore;
import io.waybill.store.TransactionStore;
import io.waybill.store.log.LogStats;
import io.waybill.store.log.Positions;
import io.waybill.store.record.QueueKey;
import io.waybill.store.record.ViewsDamaged;
import java.time.Duration;
import java.util.List;
import java.util.Locale;
import java.util.Map;
import java.util.TreeMap;
import java.util.function.LongSupplier;

/**
 * GET_BROKER_RUNTIME_INFO (28): figures of the running broker by name, in the names and texts that tools of RocketMQ take apart.
 *
 * <p>What always holds: a figure is measured. Requests for which RocketMQ has a thread pool with a queue are handled here by whoever read them, so
 * those queues have size, capacity and waiting time 0; the queue of sends is the one of the log's writer. There is no pool of transient
 * buffers and no lock of the page cache: 0 too. Figures of a part that has no like here (putLatency99, scheduleMessageOffset) are absent.
 */
public final class RuntimeFigures implements Feature {
    private static final int MOST_QUEUES = 4096;

    private final QueueStore queueStore;
    private final TransactionStore transactionStore;
    private final TimerStore timerStore;
    private final StoreStatus storeStatus;
    private final StoreClock storeClock;
    private final StatsTotals totals;
    private final ClientRegistry members;
    private final Clock clock;
    private final long bootMillis;

    public RuntimeFigures(
            QueueStore queueStore,
            TransactionStore transactionStore,
            TimerStore timerStore,
            StoreStatus storeStatus,
            StoreClock storeClock,
            Stats stats,
            ClientRegistry members,
            Clock clock) {
        this.members = members;
        this.totals = stats.totals();
        this.queueStore = queueStore;
        this.transactionStore = transactionStore;
        this.timerStore = timerStore;
        this.storeStatus = storeStatus;
        this.storeClock = storeClock;
        this.clock = clock;
        this.bootMillis = clock.wallMillis();
    }

    @Override
    public void routes(Routes routes) {
        routes.on(RequestCode.GET_BROKER_RUNTIME_INFO, Lane.OPERATOR, this::all);
    }

    private Reply all(Request request) {
        return Reply.success(new KvTable(figures()).toJson());
    }

    /** Store time of the oldest message, now when there is none; -1 when there are too many queues to look at. */
    private long earliestMillis() {
        List<QueueKey> queues = queueStore.allQueues();
        if (queues.size() > MOST_QUEUES) {
            return -1;
        }
        long earliest = clock.wallMillis();
        for (QueueKey queue : queues) {
            long millis = queueStore.earliestStoreTime(queue.topic(), queue.queueId());
            earliest = millis < 0 ? earliest : Math.min(earliest, millis);
        }
        return earliest;
    }

    /** A figure that must be read from what is being rebuilt is left out: viewsState says why. */
    private static void putIfKnown(Map<String, String> table, String name, LongSupplier figure) {
        try {
            table.put(name, Long.toString(figure.getAsLong()));
        } catch (ViewsDamaged e) {
            table.remove(name);
        }
    }

    /** Messages per second of the last 10 s, 1 min and 10 min. */
    private String rates(boolean handedOut) {
        return String.format(
                Locale.ROOT,
                "%.2f %.2f %.2f",
                totals.perSecond(handedOut, 10_000),
                totals.perSecond(handedOut, Stats.MINUTE_MILLIS),
                totals.perSecond(handedOut, 10 * Stats.MINUTE_MILLIS));
    }

    /** {@code 512 B}, {@code 1.5 KiB}, {@code 80.0 GiB}: what tools of RocketMQ read back. */
    static String bytes(long bytes) {
        if (bytes < 1024) {
            return bytes + " B";
        }
        int power = (63 - Long.numberOfLeadingZeros(bytes)) / 10;
        return String.format(Locale.ROOT, "%.1f %ciB", bytes / Math.pow(1024, power), "KMGTPE".charAt(power - 1));
    }

    private Map<String, String> figures() {
        Map<String, String> table = new TreeMap<>();
        for (String nothing : new String[] {
            "pullThreadPoolQueueSize",
            "pullThreadPoolQueueCapacity",
            "queryThreadPoolQueueSize",
            "queryThreadPoolQueueCapacity",
            "ackThreadPoolQueueSize",
            "ackThreadPoolQueueCapacity",
            "EndTransactionQueueSize",
            "EndTransactionThreadPoolQueueCapacity",
            "sendThreadPoolQueueHeadWaitTimeMills",
            "pullThreadPoolQueueHeadWaitTimeMills",
            "queryThreadPoolQueueHeadWaitTimeMills",
            "ackThreadPoolQueueHeadWaitTimeMills",
            "EndTransactionThreadPoolQueueHeadWaitTimeMills",
            "pageCacheLockTimeMills",
            "remainTransientStoreBufferNumbs",
            "dispatchMaxBuffer",
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
        table.put("msgPutTotalYesterdayMorning", Long.toString(totals.atMidnight(false, true)));
        table.put("msgPutTotalTodayMorning", Long.toString(totals.atMidnight(false, false)));
        table.put("msgPutTotalTodayNow", Long.toString(totals.messages(false)));
        table.put("msgGetTotalYesterdayMorning", Long.toString(totals.atMidnight(true, true)));
        table.put("msgGetTotalTodayMorning", Long.toString(totals.atMidnight(true, false)));
        table.put("msgGetTotalTodayNow", Long.toString(totals.messages(true)));
        table.put("timerEnqueueTps", "0.0");
        table.put("timerDequeueTps", "0.0");
        LogStats stats = storeStatus.statistics();
        long putTimes = totals.messages(false);
        long putBytes = totals.bytes(false);
        table.put("putMessageTimesTotal", Long.toString(putTimes));
        table.put("putMessageSizeTotal", Long.toString(putBytes));
        table.put("putMessageAverageSize", Double.toString(putTimes == 0 ? 0 : (double) putBytes / putTimes));
        table.put("putMessageDistributeTime", totals.putDistribution());
        table.put("putMessageEntireTimeMax", Long.toString(totals.longestMillis(false)));
        table.put("getMessageEntireTimeMax", Long.toString(totals.longestMillis(true)));
        table.put("sendThreadPoolQueueSize", Integer.toString(stats.waiting()));
        table.put("sendThreadPoolQueueCapacity", Integer.toString(stats.maxWaiting()));
        Positions positions = storeStatus.positions();
        table.put("dispatchBehindBytes", Long.toString(Math.max(0, positions.confirmed() - positions.applied())));
        table.put("remainHowManyDataToFlush", bytes(Math.max(0, positions.appended() - positions.flushed())));
        table.put("logBytes", Long.toString(stats.bytes()));
        table.put("commitLogMinOffset", Long.toString(storeStatus.oldestPosition()));
        table.put("commitLogMaxOffset", Long.toString(storeStatus.positions().confirmed()));
        if (stats.diskBytes() > 0) {
            // The log and the queues are on one file system.
            String ratio = String.format(
                    Locale.ROOT, "%.4f", 1 - (double) stats.usableDiskBytes() / (double) stats.diskBytes());
            table.put("commitLogDiskRatio", ratio);
            table.put("consumeQueueDiskRatio", ratio);
            table.put(
                    "commitLogDirCapacity",
                    "Total : " + bytes(stats.diskBytes()) + ", Free : " + bytes(stats.usableDiskBytes()) + ".");
        }
        putIfKnown(table, "earliestMessageTimeStamp", this::earliestMillis);
        putIfKnown(table, "openTransactions", transactionStore::openHalfCount);
        putIfKnown(table, "pendingDelayedMessages", timerStore::pendingTimerCount);
        table.put("sharedClientIdsFound", Long.toString(members.shared().count()));
        table.put("storeAheadOfClockMillis", Long.toString(storeClock.aheadMillis()));
        table.put("storeState", storeStatus.state().kind().name());
        String trouble = storeStatus.viewsTrouble();
        table.put("viewsState", trouble.isEmpty() ? "OK" : trouble);
        table.put("viewsRebuilds", Long.toString(storeStatus.viewsRebuilds()));
        table.put("brokerActive", Boolean.toString(storeStatus.state().isOpen()));
        table.put("brokerVersionDesc", "V5_5_0");
        table.put("brokerVersion", Integer.toString(Command.CURRENT_VERSION));
        table.put("bootTimestamp", Long.toString(bootMillis));
        // Sends are taken as soon as the broker serves at all.
        table.put("startAcceptSendRequestTimeStamp", Long.toString(bootMillis));
        Duration up = Duration.ofMillis(Math.max(0, clock.wallMillis() - bootMillis));
        table.put(
                "runtime",
                "[ " + up.toDays() + " days, " + up.toHoursPart() + " hours, " + up.toMinutesPart() + " minutes, "
                        + up.toSecondsPart() + " seconds ]");
        return table;
    }
}
