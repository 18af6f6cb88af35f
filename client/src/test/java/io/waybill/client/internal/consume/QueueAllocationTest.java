/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import static org.assertj.core.api.Assertions.assertThat;

import io.waybill.client.MessageQueue;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;
import java.util.stream.IntStream;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.params.ParameterizedTest;
import org.junit.jupiter.params.provider.CsvSource;

/** Shares of queues among members, as the stock client computes them. */
class QueueAllocationTest {
    private static List<MessageQueue> queues(int count) {
        return IntStream.range(0, count)
                .mapToObj(id -> new MessageQueue("t", "b", id))
                .toList();
    }

    @ParameterizedTest
    @CsvSource({"8,1", "8,2", "8,3", "8,8", "8,9", "0,2", "1,3", "7,5"})
    void membersGetEveryQueueOnceAndSharesDifferByOneAtMost(int queueCount, int memberCount) {
        List<String> members =
                IntStream.range(0, memberCount).mapToObj(i -> "client-" + i).toList();
        List<MessageQueue> all = new ArrayList<>();
        Set<Integer> sizes = new TreeSet<>();
        for (String member : members) {
            List<MessageQueue> share = QueueAllocation.average(queues(queueCount), members, member);
            all.addAll(share);
            sizes.add(share.size());
        }
        assertThat(all).containsExactlyInAnyOrderElementsOf(queues(queueCount));
        assertThat(new TreeSet<>(sizes).last() - new TreeSet<>(sizes).first()).isLessThanOrEqualTo(1);
    }

    @Test
    void longerSharesComeFirstAsInTheStockClient() {
        List<String> members = List.of("a", "b", "c");
        assertThat(QueueAllocation.average(queues(8), members, "a"))
                .extracting(MessageQueue::id)
                .containsExactly(0, 1, 2);
        assertThat(QueueAllocation.average(queues(8), members, "b"))
                .extracting(MessageQueue::id)
                .containsExactly(3, 4, 5);
        assertThat(QueueAllocation.average(queues(8), members, "c"))
                .extracting(MessageQueue::id)
                .containsExactly(6, 7);
    }

    @Test
    void theOrderInWhichMembersAndQueuesAreListedDoesNotMatter() {
        List<MessageQueue> mixed =
                List.of(queues(3).get(2), queues(3).get(0), queues(3).get(1));
        assertThat(QueueAllocation.average(mixed, List.of("b", "a"), "a"))
                .isEqualTo(QueueAllocation.average(queues(3), List.of("a", "b"), "a"));
    }

    @Test
    void aStrangerGetsNothing() {
        assertThat(QueueAllocation.average(queues(3), List.of("a"), "z")).isEmpty();
    }
}
