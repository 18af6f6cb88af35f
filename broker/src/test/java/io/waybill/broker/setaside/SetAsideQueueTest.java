/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.setaside;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.broker.simulated.SimulatedBroker;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.record.Settlement;
import io.waybill.store.record.Settlement.How;
import java.util.ArrayList;
import java.util.List;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;

/** A queue of which nearly every message was settled by itself. */
class SetAsideQueueTest {
    private static final String DEAD = "%DLQ%shipping";
    private static final int MESSAGES = 3 * SetAsideQueue.MOST_KEPT;
    /** Every seventh is open; the others of each seven are settled in ranges of two, and of one. */
    private static final int OPEN_EACH = 7;

    private SimulatedBroker broker;

    @BeforeEach
    void start() {
        broker = new SimulatedBroker();
        broker.topic(DEAD, 1);
        for (int i = 0; i < MESSAGES; i++) {
            broker.put(DEAD, 0, "m", SimulatedBroker.properties("u" + i));
        }
        List<Settlement> ranges = new ArrayList<>();
        for (long i = 0; i < MESSAGES; i++) {
            if (i % OPEN_EACH == 0) {
                ranges = settle(ranges);
            } else {
                long length = i % OPEN_EACH == 1 && i + 1 < MESSAGES ? 2 : 1;
                ranges.add(new Settlement(
                        Settlement.SetAsideKind.DEAD_LETTER,
                        DEAD,
                        0,
                        i,
                        i + length,
                        How.DISCARDED,
                        "kim " + i % OPEN_EACH));
                i += length - 1;
            }
        }
        settle(ranges);
    }

    private List<Settlement> settle(List<Settlement> ranges) {
        if (!ranges.isEmpty()) {
            broker.stored(done -> broker.store.settlements().settle(List.of(), ranges, done));
        }
        return new ArrayList<>();
    }

    @AfterEach
    void stop() {
        broker.close();
    }

    private SetAsideQueue queue() {
        return SetAsideQueue.ofDeadLetters(broker.store.queues(), broker.store.settlements(), "shipping");
    }

    @Test
    void aWalkThroughTheQueueSeesEachSettlementAndKeepsAFew() {
        SetAsideQueue queue = queue();
        for (long offset = 0; offset < MESSAGES; offset++) {
            boolean isOpen = offset % OPEN_EACH == 0;
            assertThat(queue.settlementAt(offset) == null)
                    .as("offset " + offset)
                    .isEqualTo(isOpen);
            assertThat(queue.isSettled(offset)).as("offset " + offset).isEqualTo(!isOpen);
            assertThat(queue.kept()).isLessThanOrEqualTo(SetAsideQueue.MOST_KEPT);
        }
        assertThat(queue.settlementAt(2)).as("and back").isNotNull();
        assertThat(queue.settlementAt(MESSAGES + 5)).isNull();
    }

    @Test
    void whatIsOpenIsCountedAndListed() {
        long open = (MESSAGES + OPEN_EACH - 1) / OPEN_EACH;
        SetAsideQueue queue = queue();
        assertThat(queue.open()).isEqualTo(open);
        assertThat(queue.firstOpen()).isZero();
        assertThat(queue.offsets(0, MESSAGES, false)).hasSize((int) open).allMatch(offset -> offset % OPEN_EACH == 0);
        assertThat(queue.offsets(8, 2, false)).containsExactly(14L, 21L);
        assertThat(queue.offsets(8, 2, true)).containsExactly(8L, 9L);
        List<Long> read = new ArrayList<>();
        queue.readOpen(message -> {
            read.add(StoredMessage.queueOffset(message, 0));
            return read.size() < 3;
        });
        assertThat(read).containsExactly(0L, 7L, 14L);
    }
}
