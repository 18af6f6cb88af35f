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
        return new Finding(Cause.QUEUE_REMOVED, copy.topic())
                .fact("readQueueNums", config.readQueueNums())
                .says("It stands in queue " + copy.queueId() + ", and topic " + copy.topic() + " has only "
                        + config.readQueueNums()
                        + " to read since it was made smaller: no consumer asks for that queue.")
                .advises(Advice.moreQueues(copy.topic(), copy.queueId() + 1));
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
            return Finding.on(Cause.CONSUMED, copy)
                    .fact("committedOffset", snapshot.committed())
                    .fact("acknowledgedBy", acknowledged.client())
                    .fact("acknowledgedAt", acknowledged.lastMillis())
                    .fact("deliveredTo", delivered == null ? null : delivered.client())
                    .fact("deliveredAt", delivered == null ? null : delivered.firstMillis())
                    .says("The group has consumed it: "
                            + (delivered == null
                                    ? ""
                                    : delivered.client() + " got it on " + Times.at(delivered.firstMillis()) + ", ")
                            + acknowledged.client() + " acknowledged it on "
                            + Times.ago(acknowledged.lastMillis(), nowMillis) + ".")
                    .advises(Advice.consumed(copy.id()));
        }
        if (popped) {
            return Finding.on(Cause.CONSUMED, copy)
                    .says("The group has acknowledged it; by whom is no longer known.")
                    .advises(Advice.consumed(copy.id()));
        }
        Finding finding = Finding.on(Cause.BEYOND_OFFSET, copy)
                .fact("committedOffset", snapshot.committed())
                .fact("goesOnAt", snapshot.start())
                .advises(Advice.reset(group, copy.topic(), copy.storeMillis()));
        if (acknowledged != null) {
            return finding.fact("movedBy", acknowledged.client())
                    .fact("movedAt", acknowledged.lastMillis())
                    .says("The group is past it and never got it: " + acknowledged.client()
                            + " moved the offset over it on " + Times.ago(acknowledged.lastMillis(), nowMillis) + ".");
        }
        String handed = delivered == null
                ? "nothing says that it was ever handed out or acknowledged"
                : "it was handed to " + delivered.client() + " on " + Times.at(delivered.firstMillis())
                        + " and nothing says that it was acknowledged";
        return finding.fact("deliveredTo", delivered == null ? null : delivered.client())
                .says("The group is past it: it goes on at offset " + snapshot.start() + " of queue " + copy.queueId()
                        + ", and " + handed + ". The offset was reset, or the group started behind it.");
    }

    private Finding filteredOut(StoredCopy copy, SubscriptionFilter wants, boolean isPast) {
        String tags = copy.property(MessageProperties.TAGS);
        return Finding.on(Cause.FILTERED_OUT, copy)
                .fact("subscription", wants.text())
                .fact("tags", tags)
                .says("The group does not want it: it subscribes to '" + wants.text() + "', the message has "
                        + (tags == null ? "no tag" : "tag '" + tags + "'")
                        + (isPast ? " and was passed over." : "."))
                .advises(Advice.filter(group, copy.topic(), copy.storeMillis()));
    }

    // ---- what stops everything

    Finding disabled(String topic) {
        SubscriptionGroupConfig config = groups.find(group);
        if (config != null && !config.consumeEnable()) {
            return new Finding(Cause.CONSUME_DISABLED, topic)
                    .fact("consumeEnable", "false")
                    .says("Consuming is switched off for the group (consumeEnable is false).")
                    .advises(Advice.enableGroup(group));
        }
        TopicConfig found = topics.find(topic);
        if (found != null && !Perm.isReadable(found.perm())) {
            return new Finding(Cause.CONSUME_DISABLED, topic)
                    .fact("perm", found.perm())
                    .says("Topic " + topic + " does not allow reading (perm is " + found.perm() + ").")
                    .advises(Advice.enableTopic(topic));
        }
        if (config != null && state.isBroadcasting(group) && !config.consumeBroadcastEnable()) {
            return new Finding(Cause.CONSUME_DISABLED, topic)
                    .fact("consumeBroadcastEnable", "false")
                    .says("The members of the group want to broadcast and may not (consumeBroadcastEnable is false).")
                    .advises(Advice.enableGroup(group));
        }
        return null;
    }

    Finding nobody(String topic) {
        ConsumerGroup online = members.consumerGroup(group);
        QueueOwner reader = online != null || topic == null ? null : lastReader(topic);
        if (online == null && (reader == null || !reader.isConnected())) {
            boolean exists = groups.find(group) != null;
            return new Finding(Cause.NOBODY_CONNECTED, topic)
                    .fact("groupExists", Boolean.toString(exists))
                    .fact("lastClient", reader == null ? null : reader.client())
                    .fact("lastPull", reader == null || reader.lastPullMillis() == 0 ? null : reader.lastPullMillis())
                    .says(
                            exists
                                    ? "Nobody is connected for group " + group
                                            + (reader == null || reader.lastPullMillis() == 0
                                                    ? "."
                                                    : "; the last was " + reader.client() + " on "
                                                            + Times.ago(reader.lastPullMillis(), nowMillis) + ".")
                                    : "There is no group " + group + " here, and nobody is connected for it.")
                    .advises(Advice.startConsumers(group));
        }
        if (online != null && topic != null && !state.isSubscribed(group, topic)) {
            Set<String> others = new TreeSet<>(online.subscriptions().keySet());
            others.removeIf(Names::isRetry);
            String names = others.isEmpty() ? "nothing" : String.join(", ", others);
            return new Finding(Cause.NOT_SUBSCRIBED, topic)
                    .fact("members", online.clientIds().size())
                    .fact("subscribedTo", names)
                    .says(online.clientIds().size() + " members are connected, and none subscribes to " + topic
                            + "; they subscribe to " + names + ".")
                    .advises(Advice.subscribe(group, topic));
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
            return new Finding(Cause.IN_FLIGHT, copy.topic())
                    .fact("client", last == null ? null : last.client())
                    .fact("since", taken.popTimeMillis())
                    .fact("invisibleUntil", taken.deadlineMillis())
                    .fact("deliveries", taken.deliveries())
                    .says((last == null ? "A client" : last.client()) + " popped it on "
                            + Times.ago(taken.popTimeMillis(), nowMillis) + " (delivery " + taken.deliveries()
                            + ") and has not acknowledged it; it can be popped again at "
                            + Times.at(taken.deadlineMillis()) + ".")
                    .advises(last == null ? Advice.startConsumers(group) : Advice.lookAtClient(group, last.client()));
        }
        long since = deliveredMillis(snapshot, copy.offset());
        String client = snapshot.out().client();
        return new Finding(Cause.IN_FLIGHT, copy.topic())
                .fact("client", client)
                .fact("since", since > 0 ? since : null)
                .fact("committedOffset", snapshot.committed())
                .says(client + " has it" + (since > 0 ? " since " + Times.ago(since, nowMillis) : "")
                        + " and has not acknowledged it.")
                .advises(Advice.lookAtClient(group, client));
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
        String client = lock != null
                ? lock.clientId()
                : snapshot.out() == null ? "a client" : snapshot.out().client();
        StoredCopy failing = copyAt(snapshot, head);
        String name = failing == null ? "the message at offset " + head : "message " + failing.id();
        String key = failing == null ? null : failing.orderingKey();
        return new Finding(Cause.LOCKED_BY_FAILING, snapshot.topic())
                .fact("client", client)
                .fact("lockHeldMillis", lock == null ? null : lock.heldMillis())
                .fact("failingOffset", head)
                .fact("failingMessage", failing == null ? null : failing.id())
                .fact("failingKey", key)
                .fact("inFlightSince", since > 0 ? since : null)
                .fact("deliveries", deliveries > 0 ? deliveries : null)
                .fact("behindIt", Math.max(0, snapshot.max() - head - 1))
                .says("Queue " + snapshot.queueId() + " is consumed in order and stands still at offset " + head
                        + (offset == head ? ", which is this message" : "") + ": " + client + " holds the queue"
                        + (lock == null ? "" : " since " + Times.at(nowMillis - lock.heldMillis())) + " and has " + name
                        + (key == null ? "" : " (key " + key + ")")
                        + (since > 0 ? " in hand since " + Times.ago(since, nowMillis) : "")
                        + (deliveries > 1 ? ", handed out " + deliveries + " times" : "") + " without progress.")
                .advises(Advice.orderedQueue(group, failing == null ? "..." : failing.id()));
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
            return new Finding(Cause.QUARANTINED, copy.topic())
                    .fact("key", key)
                    .fact("quarantinedSince", quarantined.sinceMillis())
                    .fact("reason", quarantined.reason())
                    .says("Its key " + key + " is in quarantine since "
                            + Times.ago(quarantined.sinceMillis(), nowMillis) + ": " + quarantined.reason())
                    .advises(Advice.release(group, copy.topic(), key));
        }
        long before = Math.max(0, copy.offset() - Math.max(snapshot.start(), snapshot.inFlightTo()));
        SubscriptionGroupConfig config = groups.find(group);
        int perSecond = config == null ? 0 : GroupAttributes.rate(config);
        if (perSecond > 0 && (snapshot.pop() != null || snapshot.isHeld() && asks(snapshot.out()))) {
            return new Finding(Cause.RATE_LIMITED, copy.topic())
                    .fact("rate", perSecond)
                    .fact("messagesBefore", before)
                    .fact("secondsAtLeast", before / perSecond)
                    .says("The group gets at most " + perSecond + " messages per second from this broker ("
                            + GroupAttributes.RATE + "), and " + before + " are before it in its queue alone: at least "
                            + Times.length(before / perSecond * 1_000) + " to go.")
                    .advises(Advice.rate(group));
        }
        return owned(copy.topic(), snapshot, before);
    }

    /** Whether a client asked for messages lately: a pull is held for half a minute at most. */
    private boolean asks(QueueOwner out) {
        return nowMillis - out.lastPullMillis() < 60_000;
    }

    private Finding owned(String topic, GroupQueueSnapshot snapshot, long before) {
        QueueOwner out = snapshot.out();
        int there = members.consumerGroup(group) == null
                ? 0
                : members.consumerGroup(group).clientIds().size();
        if (snapshot.pop() != null && !snapshot.isHeld()) {
            return new Finding(Cause.QUEUE_OWNED, topic)
                    .fact("members", there)
                    .fact("inFlight", snapshot.inFlight())
                    .fact("messagesBefore", before)
                    .says("The group pops: whoever of its " + there + " members asks next for queue "
                            + snapshot.queueId() + " of "
                            + topic + " goes on there; " + snapshot.inFlight() + " messages of it are in hand, "
                            + before
                            + " are before this one.")
                    .advises(Advice.startConsumers(group));
        }
        if (out == null || !snapshot.isHeld()) {
            return new Finding(Cause.QUEUE_OWNED, topic)
                    .fact("members", there)
                    .fact("lastOwner", out == null ? null : out.client())
                    .fact("messagesBefore", before)
                    .says("No member reads queue " + snapshot.queueId() + " of " + topic + ": " + there
                            + " are connected"
                            + (out == null
                                    ? ", and none has asked for this queue since the broker started."
                                    : ", and " + out.client() + ", which read it last, is gone.")
                            + lacking(topic))
                    .advises(Advice.startConsumers(group));
        }
        long head = snapshot.first(GroupQueueSnapshot.Place.IN_FLIGHT);
        long since = head < 0 ? 0 : deliveredMillis(snapshot, head);
        return new Finding(Cause.QUEUE_OWNED, topic)
                .fact("owner", out.client())
                .fact("ownerSince", out.sinceMillis() > 0 ? out.sinceMillis() : null)
                .fact("lastPull", out.lastPullMillis() > 0 ? out.lastPullMillis() : null)
                .fact("inFlight", snapshot.inFlightTo() - snapshot.inFlightFrom())
                .fact("inFlightSince", since > 0 ? since : null)
                .fact("committedOffset", snapshot.committed())
                .fact("messagesBefore", before)
                .says(out.client() + " owns queue " + snapshot.queueId() + " of " + topic
                        + (out.sinceMillis() > 0 ? " since " + Times.at(out.sinceMillis()) : "")
                        + (head < 0
                                ? " and has nothing in hand"
                                : ", has " + (snapshot.inFlightTo() - snapshot.inFlightFrom()) + " messages in hand"
                                        + (since > 0 ? ", the oldest since " + Times.ago(since, nowMillis) : ""))
                        + (asks(out) || out.lastPullMillis() == 0
                                ? asks(out) ? "; it still asks for more" : ""
                                : "; it has not asked for more since " + Times.ago(out.lastPullMillis(), nowMillis))
                        + ". " + before + " messages are before this one.")
                .advises(Advice.lookAtClient(group, out.client()));
    }

    /** Who of the group does not subscribe to a topic that others want: a queue may fall to one of these. Empty when all do. */
    private String lacking(String topic) {
        ConsumerGroup online = members.consumerGroup(group);
        for (Conflict conflict : online == null ? List.<Conflict>of() : online.conflicts()) {
            List<String> without = conflict.clients().get(Conflict.NOTHING);
            if (conflict.topic().equals(topic) && without != null) {
                return " Of these, " + without.subList(0, Math.min(5, without.size()))
                        + (without.size() > 5 ? " and " + (without.size() - 5) + " more" : "")
                        + " do not subscribe to " + topic + ", and clients share out its queues among all members: what"
                        + " falls to them the broker brings to the others through " + Names.retryTopic(group) + ".";
            }
        }
        return "";
    }

    private StoredCopy copyAt(GroupQueueSnapshot snapshot, long offset) {
        ReadResult read = store.readQueue(snapshot.topic(), snapshot.queueId(), offset, 1, 1 << 20, null, null);
        return read.status() == ReadResult.Status.FOUND
                ? StoredCopy.visible(read.slices().get(0))
                : null;
    }
}
