/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.KvTable;
import io.waybill.protocol.frame.Command;
import java.util.Map;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.Test;

class RuntimeFiguresTest {
    private final TestBroker broker = new TestBroker();

    @AfterEach
    void close() {
        broker.close();
    }

    /** Each figure as rocketmq-exporter 0.0.3 takes it apart; one that is absent or of another form ends its whole round. */
    @Test
    void theFiguresHaveTheFormThatTheExporterReads() {
        broker.files.disk().capacityBytes(256 << 20);
        for (int i = 0; i < 3; i++) {
            broker.send("orders", 0, "order-" + i);
        }
        Map<String, String> figures = KvTable.parse(broker.ask(Command.request(RequestCode.GET_BROKER_RUNTIME_INFO)
                                .build())
                        .reply()
                        .body())
                .table();
        for (String whole : ("msgPutTotalTodayNow msgGetTotalTodayNow msgPutTotalTodayMorning msgGetTotalTodayMorning"
                        + " msgPutTotalYesterdayMorning msgGetTotalYesterdayMorning sendThreadPoolQueueHeadWaitTimeMills"
                        + " queryThreadPoolQueueHeadWaitTimeMills pullThreadPoolQueueHeadWaitTimeMills"
                        + " queryThreadPoolQueueSize pullThreadPoolQueueSize sendThreadPoolQueueCapacity"
                        + " pullThreadPoolQueueCapacity commitLogMinOffset commitLogMaxOffset bootTimestamp brokerVersion"
                        + " dispatchMaxBuffer pageCacheLockTimeMills getMessageEntireTimeMax putMessageTimesTotal"
                        + " sendThreadPoolQueueSize startAcceptSendRequestTimeStamp putMessageEntireTimeMax"
                        + " earliestMessageTimeStamp remainTransientStoreBufferNumbs queryThreadPoolQueueCapacity"
                        + " putMessageSizeTotal dispatchBehindBytes")
                .split(" ")) {
            assertThat(figures.get(whole)).as(whole).matches("-?[0-9]+");
        }
        assertThat(figures.get("putMessageTimesTotal")).isEqualTo("3");
        assertThat(Double.parseDouble(figures.get("putMessageAverageSize")) * 3)
                .isEqualTo(Double.parseDouble(figures.get("putMessageSizeTotal")))
                .isGreaterThan(300);
        long counted = 0;
        for (String part : figures.get("putMessageDistributeTime").split(" ")) {
            counted += Integer.parseInt(part.split(":")[1]);
        }
        assertThat(counted).isEqualTo(3);
        assertThat(figures.get("remainHowManyDataToFlush")).isEqualTo("0 B");
        String[] capacity = figures.get("commitLogDirCapacity").split(" ");
        assertThat(capacity[2] + " " + capacity[3]).isEqualTo("256.0 MiB,");
        assertThat(capacity[7]).endsWith("B.");
        assertThat(Double.parseDouble(figures.get("commitLogDiskRatio")))
                .isEqualTo(Double.parseDouble(figures.get("consumeQueueDiskRatio")))
                .isBetween(0.0001, 0.9999);
    }

    /** After a moment of a clock ten years ahead everybody is told. */
    @Test
    void aStoreAheadOfTheClockIsNamedByFiguresAndDoctor() {
        long start = broker.clock.wallMillis();
        broker.send("orders", 0, "right");
        assertThat(figures().get("storeAheadOfClockMillis")).isEqualTo("0");
        broker.clock.set(start + 315_360_000_000L);
        broker.send("orders", 0, "in the future");
        broker.clock.set(start);
        assertThat(Long.parseLong(figures().get("storeAheadOfClockMillis"))).isGreaterThan(315_000_000_000L);
        broker.send("orders", 0, "after it");
        Asked doctor = broker.ask(Command.request(RequestCode.DOCTOR)
                .body("{\"group\":\"shipping\"}".getBytes(java.nio.charset.StandardCharsets.UTF_8))
                .build());
        assertThat(new String(doctor.reply().bodyBytes(), java.nio.charset.StandardCharsets.UTF_8))
                .contains("CLOCK_AHEAD")
                .containsPattern("\"aheadMillis\":315[0-9]{9}\\b");
    }

    private Map<String, String> figures() {
        return KvTable.parse(broker.ask(Command.request(RequestCode.GET_BROKER_RUNTIME_INFO)
                                .build())
                        .reply()
                        .body())
                .table();
    }
}
