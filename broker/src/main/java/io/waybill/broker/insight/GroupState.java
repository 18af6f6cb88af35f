/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

import io.waybill.broker.delivery.DeliveryLog;
import io.waybill.broker.delivery.QueueOwner;
import io.waybill.broker.filter.Filter;
import io.waybill.broker.group.ClientChannelInfo;
import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.Groups;
import io.waybill.broker.group.Subscription;
import io.waybill.broker.lock.QueueLocks;
import io.waybill.broker.offset.ConsumeFrom;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.Names;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.store.QueueRange;
import io.waybill.store.record.ConsumerOffset;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopState;
import io.waybill.store.record.QueueKey;
import io.waybill.store.record.Settlement;
import java.util.ArrayList;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/** Puts together what the broker knows of a group: its topics, what it wants of them, how it stands in a queue. May read the disk. */
public final class GroupState {
    static final String QUARANTINE_PREFIX = Names.QUARANTINE_PREFIX;

    private final InsightStoreAccess store;
    private final Topics topics;
    private final Groups groups;
    private final ClientRegistry members;
    private final Offsets offsets;
    private final DeliveryLog deliveries;
    private final QueueLocks locks;
    private final QuarantinedKeys quarantinedKeys;

    public GroupState(
            InsightStoreAccess store,
            Topics topics,
            Groups groups,
            ClientRegistry members,
            Offsets offsets,
            DeliveryLog deliveries,
            QueueLocks locks,
            QuarantinedKeys quarantinedKeys) {
        this.store = store;
        this.topics = topics;
        this.groups = groups;
        this.members = members;
        this.offsets = offsets;
        this.deliveries = deliveries;
        this.locks = locks;
        this.quarantinedKeys = quarantinedKeys;
    }

    Topics topics() {
        return topics;
    }

    Groups groups() {
        return groups;
    }

    ClientRegistry members() {
        return members;
    }

    DeliveryLog deliveries() {
        return deliveries;
    }

    QueueLocks locks() {
        return locks;
    }

    QuarantinedKeys quarantinedKeys() {
        return quarantinedKeys;
    }

    /** Whether anything is known of a group: it exists, has members, or has committed. */
    boolean isKnown(String group) {
        return groups.find(group) != null
                || members.consumerGroup(group) != null
                || !offsets.of(group).isEmpty();
    }

    /** The topics a group subscribes to or has progress in, without its own retry and dead-letter topics. */
    Set<String> topicsOf(String group) {
        Set<String> names = new TreeSet<>();
        for (ConsumerOffset entry : offsets.of(group)) {
            names.add(entry.topic());
        }
        for (PopKey key : store.pops().popKeys()) {
            if (key.group().equals(group)) {
                names.add(key.topic());
            }
        }
        ConsumerGroup online = members.consumerGroup(group);
        if (online != null) {
            names.addAll(online.subscriptions().keySet());
        }
        names.removeIf(name -> Names.groupOf(name) != null || name.startsWith(QUARANTINE_PREFIX));
        return names;
    }

    SubscriptionFilter wants(String group, String topic) {
        ConsumerGroup online = members.consumerGroup(group);
        if (online == null || Names.isRetry(topic)) {
            return SubscriptionFilter.UNKNOWN;
        }
        List<Filter> filters = new ArrayList<>();
        Set<String> texts = new TreeSet<>();
        for (ClientChannelInfo member : online.members()) {
            Subscription subscription = online.subscriptionsOf(member).get(topic);
            if (subscription != null && texts.add(text(subscription))) {
                filters.add(subscription.filter());
            }
        }
        return filters.isEmpty()
                ? SubscriptionFilter.UNKNOWN
                : new SubscriptionFilter(filters, String.join(" or ", texts));
    }

    private static String text(Subscription subscription) {
        String type = subscription.data().expressionType();
        String expression = String.valueOf(subscription.data().subString());
        return Filter.isTags(type) ? expression : type + " " + expression;
    }

    boolean isSubscribed(String group, String topic) {
        ConsumerGroup online = members.consumerGroup(group);
        return online != null && (Names.isRetry(topic) || online.subscription(topic) != null);
    }

    /** Whether each member keeps its own offsets, so that the broker knows of no backlog. */
    boolean isBroadcasting(String group) {
        ConsumerGroup online = members.consumerGroup(group);
        return online != null && online.isBroadcasting();
    }

    /** Numbers of the queues that exist or ever had a message. */
    Set<Integer> queuesOf(String topic) {
        Set<Integer> ids = new TreeSet<>();
        TopicConfig config = topics.find(topic);
        for (int queueId = 0; config != null && queueId < config.readQueueNums(); queueId++) {
            ids.add(queueId);
        }
        for (QueueKey queue : store.queues().queuesOf(topic)) {
            ids.add(queue.queueId());
        }
        return ids;
    }

    GroupQueueSnapshot of(String group, String topic, int queueId) {
        QueueRange range = store.queues().offsetRange(topic, queueId);
        ConsumerGroup online = members.consumerGroup(group);
        long committed = offsets.query(group, topic, queueId);
        PopState pop = store.pops().popState(new PopKey(group, topic, queueId));
        if (pop != null && committed >= 0 && committed < pop.base()) {
            pop = null; // reset to the past: what was popped since counts no more
        }
        // The log does not tell pops from pulls, and a popped message is not held until it is acknowledged.
        QueueOwner out = pop != null
                ? deliveries.puller(group, topic, queueId)
                : deliveries.handedOut(group, topic, queueId, committed);
        boolean held = out != null && isThere(online, out);
        long start;
        if (pop != null) {
            start = Math.max(pop.base(), committed);
        } else if (committed >= 0) {
            start = committed;
        } else {
            start = held && out.toOffset() > 0
                    ? out.fromOffset()
                    : offsets.starts().of(topic, queueId, wishOf(online), range);
        }
        start = Math.max(range.minOffset(), Math.min(start, range.maxOffset()));
        long from = held ? Math.max(start, out.fromOffset()) : start;
        long to = held ? Math.max(from, Math.min(out.toOffset(), range.maxOffset())) : start;
        return new GroupQueueSnapshot(
                topic,
                queueId,
                range.minOffset(),
                range.maxOffset(),
                committed,
                start,
                out,
                held,
                from,
                to,
                pop,
                store.clock().nowMillis());
    }

    /** Whether the client that was handed messages can still acknowledge them. */
    private static boolean isThere(ConsumerGroup online, QueueOwner out) {
        if (online != null && online.clientIds().contains(out.client())) {
            return true;
        }
        return out.isConnected() && !out.isNamed();
    }

    /** What the members of a group ask for where it has no offset; of one without members nobody knows. */
    private static ConsumeFrom wishOf(ConsumerGroup online) {
        return ConsumeFrom.named(online == null ? null : online.consumeFromWhere());
    }

    /** What became of a message that was set aside; null while nobody has settled it. */
    Settlement settlementOf(StoredCopy copy) {
        return store.settlements().settlementOf(copy.topic(), copy.queueId(), copy.offset());
    }
}
