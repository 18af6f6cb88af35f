/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.group.Conflict;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.longpoll.Deliveries;
import io.waybill.broker.longpoll.ReadRules;
import io.waybill.broker.offset.ConsumeFrom;
import io.waybill.broker.offset.Offsets;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.Perm;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.store.PopStore;
import io.waybill.store.QueueRange;
import io.waybill.store.QueueStore;
import io.waybill.store.StoreClock;
import io.waybill.store.record.PopKey;
import java.util.ArrayList;
import java.util.List;

/**
 * Finds queues that seem to be read by no member of a group, and where the group goes on in them. May read the disk.
 */
final class UnreadQueueScan {
    /** A client asks again at once; a wait of a pull has no messages to wait for here. */
    private static final long UNREAD_MILLIS = 10_000;

    private static final int MOST_QUEUES = 256;

    private final QueueStore queues;
    private final PopStore pops;
    private final StoreClock storeClock;
    private final Offsets offsets;
    private final ReadRules rules;
    private final Deliveries deliveries;

    UnreadQueueScan(
            QueueStore queues,
            PopStore pops,
            StoreClock storeClock,
            Offsets offsets,
            ReadRules rules,
            Deliveries deliveries) {
        this.queues = queues;
        this.pops = pops;
        this.storeClock = storeClock;
        this.offsets = offsets;
        this.rules = rules;
        this.deliveries = deliveries;
    }

    /** Queues with messages that some member requests, which nobody has pulled for a while. */
    List<GroupQueue> suspects() {
        List<GroupQueue> suspects = new ArrayList<>();
        for (ConsumerGroup group : rules.groupsWithMembers()) {
            if (group.conflicts().isEmpty()
                    || group.isBroadcasting()
                    || !group.consumeType().equals(ConsumerData.CONSUME_PASSIVELY)
                    || group.members().stream().anyMatch(member -> !group.takesRetries(member))) {
                continue; // one without the retry topic pulls by hand: any queue may be its, whatever it says and
                // however seldom it pulls
            }
            SubscriptionGroupConfig config = rules.group(group.name());
            for (Conflict conflict : group.conflicts()) {
                if (config != null
                        && config.consumeEnable()
                        && conflict.clients().containsKey(Conflict.NOTHING)
                        && group.union(conflict.topic()) != null
                        && rules.mayRead(group.name(), conflict.topic())) {
                    addUnread(group.name(), conflict.topic(), suspects);
                }
            }
        }
        return suspects;
    }

    private void addUnread(String group, String topic, List<GroupQueue> suspects) {
        TopicConfig config = rules.topic(topic);
        if (config == null || !Perm.isReadable(config.perm())) {
            return;
        }
        long nowMillis = storeClock.nowMillis();
        for (int queueId = 0; queueId < config.readQueueNums() && suspects.size() < MOST_QUEUES; queueId++) {
            QueueRange range = queues.offsetRange(topic, queueId);
            boolean hasMore = range.maxOffset() > Math.max(range.minOffset(), offsets.query(group, topic, queueId));
            if (!hasMore || pops.popState(new PopKey(group, topic, queueId)) != null) {
                continue;
            }
            long lastPullMillis = deliveries.lastPullMillis(group, topic, queueId);
            if (lastPullMillis < 0 || nowMillis - lastPullMillis > UNREAD_MILLIS) {
                suspects.add(new GroupQueue(group, topic, queueId));
            }
        }
    }

    /**
     * Where the group goes on in a queue that nobody ever read for it: where its clients would begin.
     *
     * @return -1 when there is nothing to go on with
     */
    long nextOffset(ConsumerGroup group, GroupQueue queue) {
        QueueRange range = queues.offsetRange(queue.topic(), queue.queueId());
        long committed = offsets.query(queue.group(), queue.topic(), queue.queueId());
        long start = committed;
        if (committed < 0) {
            ConsumeFrom from = ConsumeFrom.named(group.consumeFromWhere());
            start = offsets.starts().of(queue.topic(), queue.queueId(), from, range);
            if (start == range.maxOffset()) {
                offsets.commit(queue.group(), queue.topic(), queue.queueId(), start); // what comes from now on counts
            }
        }
        start = Math.max(start, range.minOffset());
        return start < range.maxOffset() ? start : -1;
    }
}
