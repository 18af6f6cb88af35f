/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

import io.waybill.broker.delivery.DeliveryLog;
import io.waybill.broker.delivery.QueueOwner;
import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.Conflict;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.GroupAttributes;
import io.waybill.broker.group.Groups;
import io.waybill.broker.lock.QueueLocks;
import io.waybill.broker.topic.TopicAttributes;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.Names;
import io.waybill.protocol.body.Perm;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.store.QueueStore;
import io.waybill.store.ReadResult;
import io.waybill.store.record.DeliveryEvent;
import io.waybill.store.record.PopState;
import java.util.List;
import java.util.Set;
import java.util.TreeSet;

/**
 * Names what keeps a group from a message that is visible in a queue: what stops the group as a whole, its filter, or what happens in the queue. Reads
 * only; in one thread.
 */
final class QueueDiagnosis {
    /** No progress for so long while a queue is locked means that its message fails: clients commit every 5 s. */
    static final long STALLED_MILLIS = 15_000;

    private static final int MOST_ENTRIES = 4_096;
    /** Of members that lack a topic; their number is told too. */
    private static final int MOST_NAMES = 5;

    private final QueueStore store;
    private final Topics topics;
    private final Groups groups;
    private final ClientRegistry members;
    private final DeliveryLog deliveries;
    private final QueueLocks locks;
    private final GroupState state;
    private final QuarantinedKeys quarantinedKeys;
    private final String group;
    private final long nowMillis;

    QueueDiagnosis(QueueStore store, GroupState state, String group, long nowMillis) {
        this.store = store;
        this.topics = state.topics();
        this.groups = state.groups();
        this.members = state.members();
        this.deliveries = state.deliveries();
        this.locks = state.locks();
        this.state = state;
        this.quarantinedKeys = state.quarantinedKeys();
        this.group = group;
        this.nowMillis = nowMillis;
    }

    // ---- a message that is visible in a queue

    /** Consumers ask for the queues the topic has now; who held this one before may go on for a while. */
    private Finding queueRemoved(StoredCopy copy) {
        TopicConfig config = topics.find(copy.topic());
        if (config == null || copy.queueId() < config.readQueueNums()) {
            return null;
        }
        return new Finding(Cause.QUEUE_REMOVED, null, copy.topic()).fact(Fact.READ_QUEUE_NUMS, config.readQueueNums());
    }

    Finding visible(StoredCopy copy) {
        GroupQueueSnapshot snapshot = state.of(group, copy.topic(), copy.queueId());
        SubscriptionFilter wants = state.wants(group, copy.topic());
        GroupQueueSnapshot.Place place = snapshot.placeOf(copy.offset());
        boolean isWanted = wants.matches(copy.bytes(), 0);
        if (place == GroupQueueSnapshot.Place.PASSED) {
            return isWanted ? passed(copy, snapshot) : filteredOut(copy, wants, true);
        }
        Finding finding = disabled(copy.topic());
        if (finding == null) {
            finding = queueRemoved(copy);
        }
        if (finding == null) {
            finding = nobody(copy.topic());
        }
        if (finding == null && !isWanted) {
            finding = filteredOut(copy, wants, false);
        }
        if (finding == null) {
            finding = place == GroupQueueSnapshot.Place.IN_FLIGHT ? inFlight(copy, snapshot) : ready(copy, snapshot);
        }
        return finding.at(copy.queueId(), copy.offset()).about(copy);
    }

    private Finding passed(StoredCopy copy, GroupQueueSnapshot snapshot) {
        DeliveryEvent delivered = null;
        DeliveryEvent acknowledged = null;
        for (DeliveryEvent entry : deliveries.of(copy.topic(), copy.queueId(), copy.offset(), MOST_ENTRIES)) {
            if (!entry.group().equals(group)) {
                continue;
            }
            if (entry.kind() == DeliveryEvent.DeliveryKind.ACKNOWLEDGED) {
                acknowledged = entry;
            } else {
                delivered = entry;
            }
        }
        boolean popped = snapshot.pop() != null && copy.offset() >= snapshot.start();
        if (acknowledged != null && (delivered != null || snapshot.pop() != null)) {
            return Finding.on(Cause.CONSUMED, SubCause.MESSAGE, copy)
                    .fact(Fact.COMMITTED_OFFSET, snapshot.committed())
                    .fact(Fact.ACKNOWLEDGED_BY, acknowledged.client())
                    .fact(Fact.ACKNOWLEDGED_AT, acknowledged.lastMillis())
                    .fact(Fact.DELIVERED_TO, delivered == null ? null : delivered.client())
                    .fact(Fact.DELIVERED_AT, delivered == null ? null : delivered.firstMillis());
        }
        if (popped) {
            return Finding.on(Cause.CONSUMED, SubCause.MESSAGE, copy); // by whom is no longer known
        }
        Finding finding = Finding.on(Cause.BEYOND_OFFSET, acknowledged != null ? SubCause.MOVED : SubCause.PASSED, copy)
                .fact(Fact.COMMITTED_OFFSET, snapshot.committed())
                .fact(Fact.GOES_ON_AT, snapshot.start())
                .fact(Fact.STORED_AT, copy.storeMillis());
        if (acknowledged != null) {
            return finding.fact(Fact.MOVED_BY, acknowledged.client()).fact(Fact.MOVED_AT, acknowledged.lastMillis());
        }
        return finding.fact(Fact.DELIVERED_TO, delivered == null ? null : delivered.client())
                .fact(Fact.DELIVERED_AT, delivered == null ? null : delivered.firstMillis());
    }

    private Finding filteredOut(StoredCopy copy, SubscriptionFilter wants, boolean isPast) {
        return Finding.on(Cause.FILTERED_OUT, isPast ? SubCause.PASSED_OVER : SubCause.AHEAD, copy)
                .fact(Fact.SUBSCRIPTION, wants.text())
                .fact(Fact.TAGS, copy.property(MessageProperties.TAGS))
                .fact(Fact.STORED_AT, copy.storeMillis());
    }

    // ---- what stops everything

    /** @param topic null when all topics are asked for */
    Finding groupDisabled(String topic) {
        SubscriptionGroupConfig config = groups.find(group);
        return config == null || config.consumeEnable()
                ? null
                : new Finding(Cause.CONSUME_DISABLED, SubCause.GROUP, topic).fact(Fact.CONSUME_ENABLE, false);
    }

    Finding disabled(String topic) {
        Finding finding = groupDisabled(topic);
        if (finding != null) {
            return finding;
        }
        TopicConfig found = topics.find(topic);
        if (found != null && !Perm.isReadable(found.perm())) {
            return new Finding(Cause.CONSUME_DISABLED, SubCause.TOPIC, topic).fact(Fact.PERM, found.perm());
        }
        SubscriptionGroupConfig config = groups.find(group);
        if (config != null && state.isBroadcasting(group) && !config.consumeBroadcastEnable()) {
            return new Finding(Cause.CONSUME_DISABLED, SubCause.BROADCAST, topic)
                    .fact(Fact.CONSUME_BROADCAST_ENABLE, false);
        }
        return null;
    }

    Finding nobody(String topic) {
        ConsumerGroup online = members.consumerGroup(group);
        QueueOwner reader = online != null || topic == null ? null : lastReader(topic);
        if (online == null && (reader == null || !reader.isConnected())) {
            boolean exists = groups.find(group) != null;
            Finding finding = new Finding(
                            Cause.NOBODY_CONNECTED, exists ? SubCause.NO_MEMBER : SubCause.NO_GROUP, topic)
                    .fact(Fact.GROUP_EXISTS, exists);
            return reader == null
                    ? finding
                    : finding.fact(Fact.LAST_CLIENT, reader.client()).time(Fact.LAST_PULL, reader.lastPullMillis());
        }
        if (online != null && topic != null && !state.isSubscribed(group, topic)) {
            Set<String> others = new TreeSet<>(online.subscriptions().keySet());
            others.removeIf(Names::isRetry);
            return new Finding(Cause.NOT_SUBSCRIBED, null, topic)
                    .fact(Fact.MEMBERS, online.clientIds().size())
                    .fact(Fact.SUBSCRIBED_TO, others);
        }
        return null;
    }

    QueueOwner lastReader(String topic) {
        QueueOwner last = null;
        for (int queueId : state.queuesOf(topic)) {
            QueueOwner out = state.of(group, topic, queueId).out();
            if (out != null && (last == null || out.lastPullMillis() > last.lastPullMillis())) {
                last = out;
            }
        }
        return last;
    }

    // ---- what stops one queue

    private Finding inFlight(StoredCopy copy, GroupQueueSnapshot snapshot) {
        Finding locked = lockedByFailing(copy.offset(), snapshot);
        if (locked != null) {
            return locked;
        }
        PopState.InFlight taken = snapshot.pop() == null ? null : snapshot.pop().inFlight(copy.offset());
        if (taken != null) {
            DeliveryEvent last = lastDelivery(snapshot, copy.offset());
            return new Finding(Cause.IN_FLIGHT, SubCause.POPPED, copy.topic())
                    .fact(Fact.CLIENT, last == null ? null : last.client())
                    .fact(Fact.SINCE, taken.popTimeMillis())
                    .fact(Fact.INVISIBLE_UNTIL, taken.deadlineMillis())
                    .fact(Fact.DELIVERIES, taken.deliveries());
        }
        return new Finding(Cause.IN_FLIGHT, SubCause.PULLED, copy.topic())
                .fact(Fact.CLIENT, snapshot.out().client())
                .time(Fact.SINCE, deliveredMillis(snapshot, copy.offset()))
                .fact(Fact.COMMITTED_OFFSET, snapshot.committed());
    }

    /** The failing message that holds up an ordered queue, if it is one. */
    private Finding lockedByFailing(long offset, GroupQueueSnapshot snapshot) {
        QueueLocks.LockState lock = locks.held(group, snapshot.topic(), snapshot.queueId());
        long head = snapshot.first(GroupQueueSnapshot.Place.IN_FLIGHT);
        if (head < 0 || head > offset || head > snapshot.start()) {
            return null;
        }
        PopState.InFlight taken = snapshot.pop() == null ? null : snapshot.pop().inFlight(head);
        SubscriptionGroupConfig config = groups.find(group);
        boolean orderedPop = taken != null && taken.deliveries() > 1 && isOrdered(config, snapshot.topic());
        if (lock == null && !orderedPop) {
            return null;
        }
        long since = taken != null ? taken.popTimeMillis() : deliveredMillis(snapshot, head);
        int deliveries = taken != null ? taken.deliveries() : countDeliveries(snapshot, head);
        boolean stalled = since > 0 && nowMillis - since >= STALLED_MILLIS || deliveries > 1;
        if (!stalled) {
            return null;
        }
        QueueOwner out = snapshot.out();
        String reader = out == null ? null : out.client();
        StoredCopy failing = copyAt(snapshot, head);
        return new Finding(Cause.LOCKED_BY_FAILING, null, snapshot.topic())
                .fact(Fact.CLIENT, lock != null ? lock.clientId() : reader)
                .fact(Fact.LOCK_HELD_MILLIS, lock == null ? null : lock.heldMillis())
                .fact(Fact.FAILING_OFFSET, head)
                .fact(Fact.FAILING_MESSAGE, failing == null ? null : failing.id())
                .fact(Fact.FAILING_KEY, failing == null ? null : failing.orderingKey())
                .time(Fact.IN_FLIGHT_SINCE, since)
                .fact(Fact.DELIVERIES, deliveries > 0 ? deliveries : null)
                .fact(Fact.BEHIND_IT, Math.max(0, snapshot.max() - head - 1));
    }

    private boolean isOrdered(SubscriptionGroupConfig config, String topic) {
        TopicConfig found = topics.find(topic);
        return config != null && config.consumeMessageOrderly() || found != null && TopicAttributes.isFifo(found);
    }

    private DeliveryEvent lastDelivery(GroupQueueSnapshot snapshot, long offset) {
        DeliveryEvent last = null;
        for (DeliveryEvent entry : deliveries.of(snapshot.topic(), snapshot.queueId(), offset, MOST_ENTRIES)) {
            if (entry.group().equals(group) && entry.kind() == DeliveryEvent.DeliveryKind.DELIVERED) {
                last = entry;
            }
        }
        return last;
    }

    private long deliveredMillis(GroupQueueSnapshot snapshot, long offset) {
        DeliveryEvent last = lastDelivery(snapshot, offset);
        if (last != null) {
            return last.firstMillis();
        }
        return snapshot.out() == null
                ? 0
                : snapshot.out().lastDeliveryMillis(); // its note is lost; it was then or before
    }

    private int countDeliveries(GroupQueueSnapshot snapshot, long offset) {
        return (int) deliveries.of(snapshot.topic(), snapshot.queueId(), offset, MOST_ENTRIES).stream()
                .filter(entry -> entry.group().equals(group) && entry.kind() == DeliveryEvent.DeliveryKind.DELIVERED)
                .count();
    }

    private Finding ready(StoredCopy copy, GroupQueueSnapshot snapshot) {
        Finding locked = lockedByFailing(copy.offset(), snapshot);
        if (locked != null) {
            return locked;
        }
        String key = copy.orderingKey();
        QuarantinedKeys.Since quarantined = key == null ? null : quarantinedKeys.find(group, copy.topic(), key);
        if (quarantined != null) {
            return new Finding(Cause.QUARANTINED, SubCause.KEY, copy.topic())
                    .fact(Fact.KEY, key)
                    .fact(Fact.QUARANTINED_SINCE, quarantined.sinceMillis())
                    .fact(Fact.REASON, quarantined.reason())
                    .fact(Fact.ORIGIN_TOPIC, copy.topic());
        }
        long before = Math.max(0, copy.offset() - Math.max(snapshot.start(), snapshot.inFlightTo()));
        SubscriptionGroupConfig config = groups.find(group);
        int perSecond = config == null ? 0 : GroupAttributes.rate(config);
        if (perSecond > 0 && (snapshot.pop() != null || snapshot.isHeld() && asks(snapshot.out()))) {
            return new Finding(Cause.RATE_LIMITED, null, copy.topic())
                    .fact(Fact.RATE, perSecond)
                    .fact(Fact.MESSAGES_BEFORE, before)
                    .fact(Fact.SECONDS_AT_LEAST, before / perSecond);
        }
        return owned(copy.topic(), snapshot, before);
    }

    /** Whether a client asked for messages lately: a pull is held for half a minute at most. */
    private boolean asks(QueueOwner out) {
        return nowMillis - out.lastPullMillis() < 60_000;
    }

    private Finding owned(String topic, GroupQueueSnapshot snapshot, long before) {
        QueueOwner out = snapshot.out();
        ConsumerGroup online = members.consumerGroup(group);
        int there = online == null ? 0 : online.clientIds().size();
        if (snapshot.pop() != null && !snapshot.isHeld()) {
            return new Finding(Cause.QUEUE_OWNED, SubCause.POPS, topic)
                    .fact(Fact.MEMBERS, there)
                    .fact(Fact.IN_FLIGHT, snapshot.inFlight())
                    .fact(Fact.MESSAGES_BEFORE, before);
        }
        if (out == null || !snapshot.isHeld()) {
            List<String> without = withoutTopic(online, topic);
            return new Finding(Cause.QUEUE_OWNED, SubCause.NO_READER, topic)
                    .fact(Fact.MEMBERS, there)
                    .fact(Fact.LAST_OWNER, out == null ? null : out.client())
                    .fact(Fact.MESSAGES_BEFORE, before)
                    .fact(Fact.WITHOUT_TOPIC_COUNT, without.isEmpty() ? null : without.size())
                    .fact(
                            Fact.WITHOUT_TOPIC,
                            without.isEmpty() ? null : without.subList(0, Math.min(MOST_NAMES, without.size())));
        }
        long head = snapshot.first(GroupQueueSnapshot.Place.IN_FLIGHT);
        return new Finding(Cause.QUEUE_OWNED, SubCause.ONE_READER, topic)
                .fact(Fact.OWNER, out.client())
                .time(Fact.OWNER_SINCE, out.sinceMillis())
                .time(Fact.LAST_PULL, out.lastPullMillis())
                .fact(Fact.ASKS_FOR_MORE, asks(out))
                .fact(Fact.IN_FLIGHT, head < 0 ? 0 : snapshot.inFlightTo() - snapshot.inFlightFrom())
                .time(Fact.IN_FLIGHT_SINCE, head < 0 ? 0 : deliveredMillis(snapshot, head))
                .fact(Fact.COMMITTED_OFFSET, snapshot.committed())
                .fact(Fact.MESSAGES_BEFORE, before);
    }

    /** Who of the group does not subscribe to a topic that others want: a queue may fall to one of these. Empty when all do. */
    private static List<String> withoutTopic(ConsumerGroup online, String topic) {
        for (Conflict conflict : online == null ? List.<Conflict>of() : online.conflicts()) {
            List<String> without = conflict.clients().get(Conflict.NOTHING);
            if (conflict.topic().equals(topic) && without != null) {
                return without;
            }
        }
        return List.of();
    }

    private StoredCopy copyAt(GroupQueueSnapshot snapshot, long offset) {
        ReadResult read = store.readQueue(snapshot.topic(), snapshot.queueId(), offset, 1, 1 << 20, null, null);
        return read.status() == ReadResult.Status.FOUND
                ? StoredCopy.visible(read.slices().get(0))
                : null;
    }
}
