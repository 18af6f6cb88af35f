/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.offset;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.settings.BrokerSettings;
import io.waybill.platform.Platform;
import io.waybill.platform.RandomSource;
import io.waybill.platform.simulated.SimulatedClock;
import io.waybill.platform.simulated.SimulatedDuties;
import io.waybill.platform.simulated.SimulatedFiles;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.store.QueueRange;
import io.waybill.store.Store;
import io.waybill.store.log.Completion;
import io.waybill.store.view.ViewsBackend;
import java.net.InetSocketAddress;
import java.nio.charset.StandardCharsets;
import java.util.List;
import java.util.concurrent.TimeUnit;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** Where a group begins: one table for pulls, pops, query offset and what the insight pages count. */
class StartOffsetsTest {
    /** The queue of each topic: 10 messages an hour ago, 10 more just now. */
    private static final int HALF = 10;

    private static final QueueRange WHOLE = new QueueRange(0, 2 * HALF);
    /** Retention has dropped the first messages. */
    private static final QueueRange TRIMMED = new QueueRange(3, 2 * HALF);

    private static final QueueRange EMPTY = new QueueRange(0, 0);
    private static final QueueRange EMPTIED = new QueueRange(20, 20);

    private static final boolean YOUNG = true;
    private static final boolean OLD = false;

    private final SimulatedClock clock = new SimulatedClock();
    private final SimulatedDuties duties = new SimulatedDuties(clock);
    private Store store;

    @BeforeEach
    void open() throws Exception {
        store = Store.open(
                new SimulatedFiles(),
                new Platform(clock, RandomSource.seeded(1), duties),
                BrokerSettings.defaults().store().withSegmentBytes(1 << 20),
                ViewsBackend.memory());
        send();
        duties.advance(TimeUnit.HOURS.toMillis(1));
        send();
    }

    private void send() {
        for (String topic : List.of("t", "%RETRY%g")) {
            for (int i = 0; i < HALF; i++) {
                store.messages().append(draft(topic), Completion.NONE);
            }
        }
        duties.runUntilIdle();
    }

    private MessageDraft draft(String topic) {
        return MessageDraft.builder()
                .topic(topic)
                .queueId(0)
                .bornTimestamp(clock.wallMillis())
                .bornHost(new InetSocketAddress("10.0.0.1", 1))
                .storeHost(new InetSocketAddress("10.0.0.2", 1))
                .body("body".getBytes(StandardCharsets.UTF_8))
                .build();
    }

    @AfterEach
    void close() throws Exception {
        store.close();
    }

    private record Row(ConsumeFrom from, boolean isYoung, String topic, QueueRange range, long begins) {}

    @Test
    void whereAGroupWithoutAnOffsetBegins() {
        List<Row> table = List.of(
                new Row(ConsumeFrom.FIRST, OLD, "t", WHOLE, 0),
                new Row(ConsumeFrom.FIRST, OLD, "t", TRIMMED, 3),
                new Row(ConsumeFrom.FIRST, OLD, "t", EMPTIED, 20),
                new Row(ConsumeFrom.LAST, OLD, "t", WHOLE, 20),
                new Row(ConsumeFrom.LAST, YOUNG, "t", WHOLE, 0),
                new Row(ConsumeFrom.LAST, YOUNG, "t", TRIMMED, 20),
                new Row(ConsumeFrom.LAST, YOUNG, "t", EMPTY, 0),
                new Row(ConsumeFrom.LAST, YOUNG, "t", EMPTIED, 20),
                new Row(ConsumeFrom.TIMESTAMP, OLD, "t", WHOLE, HALF),
                new Row(ConsumeFrom.TIMESTAMP, YOUNG, "t", WHOLE, 0),
                new Row(ConsumeFrom.TIMESTAMP, YOUNG, "t", TRIMMED, HALF),
                new Row(ConsumeFrom.FIRST, OLD, "%RETRY%g", WHOLE, 0),
                new Row(ConsumeFrom.LAST, OLD, "%RETRY%g", WHOLE, 0),
                new Row(ConsumeFrom.LAST, OLD, "%RETRY%g", TRIMMED, 3),
                new Row(ConsumeFrom.TIMESTAMP, OLD, "%RETRY%g", WHOLE, 0));
        for (Row row : table) {
            StartOffsets starts = new StartOffsets(store.queues(), store.clock(), row.isYoung ? Long.MAX_VALUE : 0);
            assertThat(starts.of(row.topic, 0, row.from, row.range))
                    .as(row.toString())
                    .isEqualTo(row.begins);
        }
    }

    @Test
    void onlyWhatMayNeedTheDiskIsLeftToAThreadThatMayBlock() {
        StartOffsets starts = new StartOffsets(store.queues(), store.clock());
        assertThat(starts.mayBlock("t", ConsumeFrom.FIRST, WHOLE)).isFalse();
        assertThat(starts.mayBlock("t", ConsumeFrom.LAST, WHOLE))
                .as("is it young?")
                .isTrue();
        assertThat(starts.mayBlock("t", ConsumeFrom.LAST, TRIMMED)).isFalse();
        assertThat(starts.mayBlock("t", ConsumeFrom.LAST, EMPTY)).isFalse();
        assertThat(starts.mayBlock("t", ConsumeFrom.TIMESTAMP, TRIMMED)).isTrue();
        assertThat(starts.mayBlock("%RETRY%g", ConsumeFrom.TIMESTAMP, WHOLE)).isFalse();
    }

    @Test
    void namesOfHeartbeats() {
        assertThat(ConsumeFrom.named("CONSUME_FROM_FIRST_OFFSET")).isEqualTo(ConsumeFrom.FIRST);
        assertThat(ConsumeFrom.named("CONSUME_FROM_LAST_OFFSET")).isEqualTo(ConsumeFrom.LAST);
        assertThat(ConsumeFrom.named("CONSUME_FROM_LAST_OFFSET_AND_FROM_MIN_WHEN_BOOT_FIRST"))
                .isEqualTo(ConsumeFrom.LAST);
        assertThat(ConsumeFrom.named("CONSUME_FROM_MIN_OFFSET")).isEqualTo(ConsumeFrom.LAST);
        assertThat(ConsumeFrom.named("CONSUME_FROM_TIMESTAMP")).isEqualTo(ConsumeFrom.TIMESTAMP);
        assertThat(ConsumeFrom.named(null)).as("nobody says it").isEqualTo(ConsumeFrom.FIRST);
        assertThat(ConsumeFrom.named("")).isEqualTo(ConsumeFrom.FIRST);
    }
}
