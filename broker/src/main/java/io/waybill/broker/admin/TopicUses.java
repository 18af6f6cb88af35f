/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.topic.TopicUse;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.MessageStore;
import io.waybill.store.QueueRange;
import io.waybill.store.QueueStore;
import io.waybill.store.TimerStore;
import io.waybill.store.TransactionStore;
import io.waybill.store.record.PendingHalf;
import io.waybill.store.record.QueueKey;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** Looks up who still needs a topic. May block on the disk. */
public final class TopicUses {
    /** Open transactions that are looked at: reading each of a million would keep the answer for minutes. */
    private static final int MOST_HALVES = 1_000;

    private final QueueStore queueStore;
    private final MessageStore messageStore;
    private final TransactionStore transactionStore;
    private final TimerStore timerStore;
    private final ClientRegistry members;
    private final Offsets offsets;

    public TopicUses(
            QueueStore queueStore,
            MessageStore messageStore,
            TransactionStore transactionStore,
            TimerStore timerStore,
            ClientRegistry members,
            Offsets offsets) {
        this.queueStore = queueStore;
        this.messageStore = messageStore;
        this.transactionStore = transactionStore;
        this.timerStore = timerStore;
        this.members = members;
        this.offsets = offsets;
    }

    /** Of the topic as a whole. */
    public TopicUse of(String topic) {
        TopicUse queues = ofQueues(topic, 0);
        int connected = 0;
        for (ConsumerGroup group : members.consumerGroups()) {
            connected += group.subscription(topic) == null ? 0 : group.members().size();
        }
        long pending = timerStore.pendingTimerCount(topic) + openHalves(topic);
        return new TopicUse(queues.messages(), queues.unread(), queues.isRead(), connected, pending);
    }

    /** Only what stands in its queues from this id on. */
    public TopicUse ofQueues(String topic, int fromQueue) {
        List<QueueKey> queues = queueStore.queuesOf(topic).stream()
                .filter(queue -> queue.queueId() >= fromQueue)
                .toList();
        long messages = 0;
        for (QueueKey queue : queues) {
            QueueRange range = queueStore.offsetRange(topic, queue.queueId());
            messages += range.maxOffset() - range.minOffset();
        }
        Set<String> groups = new TreeSet<>(offsets.groupsOf(topic));
        for (ConsumerGroup group : members.consumerGroups()) {
            if (group.subscription(topic) != null) {
                groups.add(group.name());
            }
        }
        Map<String, Long> unread = new TreeMap<>();
        for (String group : groups) {
            long left = 0;
            for (QueueKey queue : queues) {
                QueueRange range = queueStore.offsetRange(topic, queue.queueId());
                long committed = offsets.query(group, topic, queue.queueId());
                left += Math.max(0, range.maxOffset() - Math.max(committed, range.minOffset()));
            }
            if (left > 0) {
                unread.put(group, left);
            }
        }
        return new TopicUse(messages, unread, !groups.isEmpty(), 0, 0);
    }

    private long openHalves(String topic) {
        long count = 0;
        for (PendingHalf half : transactionStore.openHalves(MOST_HALVES)) {
            ByteBuffer stored = messageStore.readPending(half.handle());
            count += stored != null && StoredMessage.topicEquals(stored, 0, topic) ? 1 : 0;
        }
        return count;
    }
}
