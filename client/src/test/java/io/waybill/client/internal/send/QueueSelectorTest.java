/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.send;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.MessageQueue;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;

/** Which queue a message goes to. */
class QueueSelectorTest {
    private static List<MessageQueue> queues(int count) {
        return IntStream.range(0, count)
                .mapToObj(id -> new MessageQueue("t", "b", id))
                .toList();
    }

    @Test
    void equalKeysGiveEqualQueuesAndManyKeysUseAllQueues() {
        Map<MessageQueue, Integer> counts = new HashMap<>();
        for (int i = 0; i < 1_000; i++) {
            MessageQueue queue = QueueSelector.byKey(queues(8), "order-" + i);
            assertThat(QueueSelector.byKey(queues(8), "order-" + i)).isEqualTo(queue);
            counts.merge(queue, 1, Integer::sum);
        }
        assertThat(counts).hasSize(8);
        assertThat(counts.values()).allMatch(count -> count > 50);
    }

    @Test
    void aKeyWhoseHashIsTheSmallestNumberHasAQueueToo() {
        String key = "polygenelubricants"; // hashCode() is Integer.MIN_VALUE
        assertThat(key.hashCode()).isEqualTo(Integer.MIN_VALUE);
        assertThat(QueueSelector.byKey(queues(7), key)).isIn(queues(7));
    }

    @Test
    void turnsGoRoundAndSurviveOverflow() {
        assertThat(IntStream.of(0, 1, 2, 3, Integer.MAX_VALUE, Integer.MIN_VALUE, -1)
                        .mapToObj(turn ->
                                QueueSelector.inTurn(queues(3), turn, null).id()))
                .containsExactly(0, 1, 2, 0, 1, 1, 2);
    }

    @Test
    void theBrokerThatFailedIsAvoidedIfThereIsAnother() {
        List<MessageQueue> two =
                List.of(new MessageQueue("t", "a", 0), new MessageQueue("t", "a", 1), new MessageQueue("t", "b", 0));
        for (int turn = 0; turn < 3; turn++) {
            assertThat(QueueSelector.inTurn(two, turn, "a").broker()).isEqualTo("b");
        }
        assertThat(QueueSelector.inTurn(queues(2), 1, "b").id()).isEqualTo(1);
    }
}
