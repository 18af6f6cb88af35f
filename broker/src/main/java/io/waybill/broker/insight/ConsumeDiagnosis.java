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
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.Names;
import io.waybill.protocol.body.Perm;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.ReadResult;
import io.waybill.store.Store;
import io.waybill.store.record.CancelledTimer;
import io.waybill.store.record.CheckEvent;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionConflict;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.DeliveryEvent;
import io.waybill.store.record.PopState;
import io.waybill.store.record.Settlement;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeSet;

/**
 * Names the cause why a group does not consume something, with what proves it.
 *
 * <p>What always holds: it looks at the last thing that happened to a message for this group and names what that waits for, so each message has
 * one cause; what would stop it after that (nobody connected) follows as a further finding. Reads only; in one thread.
 */
final class ConsumeDiagnosis {
    /** Late decisions looked through for a topic; all of them are in waybill tx list --conflicts. */
    private static final int MOST_CONFLICTS = 50_000;

    static final String UNLESS = "WAYBILL_UNLESS";

    /** No progress for so long while a queue is locked means that its message fails: clients commit every 5 s. */
    static final long STALLED_MILLIS = 15_000;

    private static final int MOST_QUEUES = 10;
    private static final int MOST_ENTRIES = 4_096;

    private static final long MUCH_AHEAD_MILLIS = 60_000;

    private final Store store;
    private final Topics topics;
    private final Groups groups;
    private final ClientRegistry members;
    private final DeliveryLog deliveries;
    private final QueueLocks locks;
    private final GroupState standings;
    private final QuarantinedKeys quarantinedKeys;
    private final String group;
    private final long nowMillis;

    ConsumeDiagnosis(Store store, GroupState standings, String group, long nowMillis) {
        this.store = store;
        this.topics = standings.topics();
        this.groups = standings.groups();
        this.members = standings.members();
        this.deliveries = standings.deliveries();
        this.locks = standings.locks();
        this.standings = standings;
        this.quarantinedKeys = standings.quarantinedKeys();
        this.group = group;
        this.nowMillis = nowMillis;
    }

    // ---- one message

    /** Why the group has not consumed these messages; what was asked for names them when there are none. */
    List<Finding> ofMessages(List<MessageHistory> lives, String asked) {
        List<Finding> findings = new ArrayList<>();
        for (MessageHistory life : lives) {
            Finding finding = ofLife(life);
            if (finding != null) {
                findings.add(finding);
                Finding next = nextObstacle(finding, life.topic());
                if (next != null) {
                    findings.add(next);
                }
            }
        }
        if (findings.isEmpty()) {
            findings.add(new Finding(Cause.NOT_FOUND, null)
                    .fact("asked", asked)
                    .fact("logBeginsAtPosition", store.status().oldestPosition())
                    .says("No message '" + asked + "' is known to this broker: it was never stored here, or retention"
                            + " has removed it.")
                    .advises(Advice.find(asked)));
        }
        return findings;
    }

    private Finding ofLife(MessageHistory life) {
        StoredCopy last = last(life);
        if (last == null) {
            return ended(life, life.decided().isEmpty() ? null : life.decided().get(0), null);
        }
        if (last.half() != null) {
            return half(last);
        }
        if (last.due() != null) {
            return last.topic().equals(Names.retryTopic(group)) ? inRetry(last) : delayed(last);
        }
        if (last.isGone()) {
            return ended(life, store.transactions().decisionOf(last.handle()), last);
        }
        if (last.topic().equals(Names.deadLetterTopic(group))) {
            return deadLetter(last);
        }
        if (last.topic().startsWith(GroupState.QUARANTINE_PREFIX)) {
            return quarantined(last);
        }
        if (last.topic().equals(Names.TRANS_CHECK_MAX_TIME_TOPIC)) {
            return exhausted(life, last);
        }
        return visible(last);
    }

    /** The last thing that was made of the message for this group; what is settled or gone only when there is nothing else. */
    private StoredCopy last(MessageHistory life) {
        List<StoredCopy> all = new ArrayList<>(life.own());
        for (StoredCopy copy : life.ofGroups()) {
            boolean released =
                    copy.topic().startsWith(GroupState.QUARANTINE_PREFIX) && isSettled(copy) && !isDiscarded(copy);
            if (!released) {
                all.add(copy);
            }
        }
        StoredCopy last = null;
        for (StoredCopy copy : all) {
            if (last == null
                    || last.isGone() && !copy.isGone()
                    || last.isGone() == copy.isGone() && copy.handle() > last.handle()) {
                last = copy;
            }
        }
        return last;
    }

    private Finding half(StoredCopy half) {
        List<CheckEvent> checks = store.transactions().checksOf(half.handle());
        CheckEvent check = checks.isEmpty() ? null : checks.get(checks.size() - 1);
        String lately = half.half().checks() == 0
                ? "was not asked yet"
                : "was asked " + half.half().checks() + " times without a decision";
        boolean isProducerThere =
                !members.producers().membersOf(half.half().producerGroup()).isEmpty();
        return on(Cause.HALF, half)
                .fact("transactionOpenSince", half.storeMillis())
                .fact("producerGroup", half.half().producerGroup())
                .fact("checks", half.half().checks())
                .fact("nextCheck", half.half().nextCheckMillis())
                .fact("lastCheckClient", check == null ? null : check.client())
                .fact("lastCheckAnswer", check == null ? null : check.answerOrNull())
                .fact(
                        "producersConnected",
                        members.producers()
                                .membersOf(half.half().producerGroup())
                                .size())
                .says("Its transaction is open since " + Times.ago(half.storeMillis(), nowMillis) + ": producer group "
                        + half.half().producerGroup() + " " + lately + ", next check at "
                        + Times.at(half.half().nextCheckMillis())
                        + (isProducerThere ? "." : "; nobody of that group is connected."))
                .advises(Advice.half(id(half)));
    }

    private Finding exhausted(MessageHistory life, StoredCopy aside) {
        DecisionRecord decision =
                life.decided().isEmpty() ? null : life.decided().get(0);
        return on(Cause.HALF, aside)
                .fact("givenUpAt", decision == null ? aside.storeMillis() : decision.atMillis())
                .fact("by", decision == null ? null : decision.by())
                .says("Its transaction was never decided and was given up on "
                        + Times.ago(aside.storeMillis(), nowMillis)
                        + (decision == null ? "." : " (" + decision.by() + ")."))
                .advises(Advice.half(id(aside)));
    }

    /** It is nowhere any more: rolled back or called back. */
    private Finding ended(MessageHistory life, DecisionRecord decision, StoredCopy copy) {
        Finding finding = copy == null ? new Finding(Cause.NOT_FOUND, life.topic()) : on(Cause.NOT_FOUND, copy);
        if (decision != null && decision.outcome() == Decision.ROLLBACK) {
            DecisionConflict lateCommit = store.conflicts().conflictsOf(decision.handle()).stream()
                    .filter(conflict -> conflict.late() == Decision.COMMIT)
                    .findFirst()
                    .orElse(null);
            return finding.fact("rolledBackAt", decision.atMillis())
                    .fact("by", decision.by())
                    .says("Its transaction was rolled back on " + Times.ago(decision.atMillis(), nowMillis) + " by "
                            + decision.by() + ": nobody ever gets it.")
                    .fact("lateCommitBy", lateCommit == null ? null : lateCommit.by())
                    .advises(
                            lateCommit != null
                                    ? "its service committed, too late: waybill tx publish " + lateCommit.messageId()
                                            + " --reason TEXT delivers it after all"
                                    : Advice.trace(copy == null ? life.uniqueKey() : id(copy)));
        }
        for (CancelledTimer ended : life.cancelled()) {
            return finding.fact("cancelledAt", ended.atMillis())
                    .fact("by", ended.by())
                    .says("It was delayed and called back on " + Times.ago(ended.atMillis(), nowMillis) + " ("
                            + ended.by() + "): nobody ever gets it.")
                    .advises("send it again if that was wrong");
        }
        return life.isEmpty()
                ? null
                : finding.says("It was stored here once and is gone: retention has removed it.")
                        .advises(Advice.find(copy == null ? life.uniqueKey() : id(copy)));
    }

    private Finding delayed(StoredCopy waiting) {
        String unless = waiting.property(UNLESS);
        long dueMillis = waiting.due().dueMillis();
        return on(Cause.DELAYED, waiting)
                .fact("deliverTime", dueMillis)
                .fact("storedAt", waiting.storeMillis())
                .fact("unless", unless)
                .says("It is delayed until " + Times.at(dueMillis) + ", " + Times.length(dueMillis - nowMillis)
                        + " from now" + (unless == null ? "." : ", unless a message comes that fits '" + unless + "'."))
                .advises(Advice.delayed(waiting.topic(), id(waiting)));
    }

    private Finding inRetry(StoredCopy waiting) {
        SubscriptionGroupConfig config = groups.find(group);
        int most = config == null ? 16 : config.retryMaxTimes();
        long dueMillis = waiting.due().dueMillis();
        String client = waiting.property("RETRY_CLIENT");
        return on(Cause.IN_RETRY, waiting)
                .fact("deliverTime", dueMillis)
                .fact("try", waiting.tries())
                .fact("maxTries", most)
                .fact("givenBackBy", client)
                .fact("failingSince", waiting.number("RETRY_SINCE_MS", 0))
                .says("It failed " + waiting.tries() + " times" + (client == null ? "" : ", last at " + client)
                        + ", and is delivered again at " + Times.at(dueMillis) + ", "
                        + Times.length(dueMillis - nowMillis) + " from now"
                        // The client may have named a higher limit than the group's.
                        + (waiting.tries() <= most ? " (try " + waiting.tries() + " of " + most + ")." : "."))
                .advises(Advice.deliveredByItself(id(waiting)));
    }

    private boolean isSettled(StoredCopy copy) {
        return standings.settlementOf(copy) != null;
    }

    private boolean isDiscarded(StoredCopy copy) {
        Settlement settlement = standings.settlementOf(copy);
        return settlement != null && settlement.how() == Settlement.How.DISCARDED;
    }

    private Finding deadLetter(StoredCopy dead) {
        boolean settled = isSettled(dead);
        boolean discarded = isDiscarded(dead);
        long atMillis = dead.number("DLQ_MS", dead.storeMillis());
        String reason = dead.property("DLQ_REASON");
        Finding finding = on(Cause.DEAD_LETTER, dead)
                .fact("deadSince", atMillis)
                .fact("reason", reason)
                .fact("tries", dead.number("DLQ_TRIES", dead.tries()))
                .fact("client", dead.property("DLQ_CLIENT"))
                .fact("state", !settled ? "OPEN" : discarded ? "DISCARDED" : "REDRIVEN")
                .says("It is a dead letter of the group since " + Times.ago(atMillis, nowMillis) + " after "
                        + dead.number("DLQ_TRIES", dead.tries()) + " tries"
                        + (reason == null ? "" : ": " + reason)
                        + (!settled
                                ? "."
                                : discarded ? "; it was thrown away by hand." : "; it was sent again by hand."));
        return settled ? finding : finding.advises(Advice.deadLetter(group, dead.offset()));
    }

    private Finding quarantined(StoredCopy quarantined) {
        String key = shardingKey(quarantined);
        String first = quarantined.property(MessageProperties.RETRY_TOPIC);
        String topic = first == null ? quarantined.topic() : first;
        if (isDiscarded(quarantined)) {
            return on(Cause.QUARANTINED, quarantined)
                    .fact("key", key)
                    .fact("state", "DISCARDED")
                    .says("It was put aside on " + Times.ago(quarantined.storeMillis(), nowMillis) + " with its key "
                            + key + " and thrown away by hand.")
                    .advises(Advice.trace(id(quarantined)));
        }
        QuarantinedKeys.Since since = key == null ? null : quarantinedKeys.find(group, topic, key);
        return on(Cause.QUARANTINED, quarantined)
                .fact("key", key)
                .fact("quarantinedSince", since == null ? quarantined.storeMillis() : since.sinceMillis())
                .fact("reason", since == null ? null : since.reason())
                .says("Its key " + key + " is in quarantine; it was put aside on "
                        + Times.ago(quarantined.storeMillis(), nowMillis)
                        + (since == null ? "." : ": " + since.reason()))
                .advises(Advice.release(group, topic, key));
    }

    private static String shardingKey(StoredCopy copy) {
        String key = copy.property(MessageProperties.SHARDING_KEY);
        String keys = copy.property(MessageProperties.KEYS);
        boolean hasOne = key != null && !key.isEmpty();
        return hasOne ? key : keys == null ? null : keys.split(MessageProperties.KEY_SEPARATOR)[0];
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

    private Finding visible(StoredCopy copy) {
        GroupQueueSnapshot standing = standings.of(group, copy.topic(), copy.queueId());
        SubscriptionFilter wants = standings.wants(group, copy.topic());
        GroupQueueSnapshot.Place place = standing.placeOf(copy.offset());
        boolean isWanted = wants.matches(copy.bytes(), 0);
        if (place == GroupQueueSnapshot.Place.PASSED) {
            return isWanted ? passed(copy, standing) : filteredOut(copy, wants, true);
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
            finding = place == GroupQueueSnapshot.Place.IN_FLIGHT ? inFlight(copy, standing) : ready(copy, standing);
        }
        return finding.at(copy.queueId(), copy.offset()).about(copy);
    }

    private Finding passed(StoredCopy copy, GroupQueueSnapshot standing) {
        DeliveryEvent delivered = null;
        DeliveryEvent acknowledged = null;
        for (DeliveryEvent entry : deliveries.of(copy.topic(), copy.queueId(), copy.offset(), MOST_ENTRIES)) {
            if (!entry.group().equals(group)) {
                continue;
            }
            if (entry.kind() == DeliveryEvent.Kind.ACKNOWLEDGED) {
                acknowledged = entry;
            } else {
                delivered = entry;
            }
        }
        boolean popped = standing.pop() != null && copy.offset() >= standing.start();
        if (acknowledged != null && (delivered != null || standing.pop() != null)) {
            return on(Cause.CONSUMED, copy)
                    .fact("committedOffset", standing.committed())
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
                    .advises(Advice.consumed(id(copy)));
        }
        if (popped) {
            return on(Cause.CONSUMED, copy)
                    .says("The group has acknowledged it; by whom is no longer known.")
                    .advises(Advice.consumed(id(copy)));
        }
        Finding finding = on(Cause.BEYOND_OFFSET, copy)
                .fact("committedOffset", standing.committed())
                .fact("goesOnAt", standing.start())
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
                .says("The group is past it: it goes on at offset " + standing.start() + " of queue " + copy.queueId()
                        + ", and " + handed + ". The offset was reset, or the group started behind it.");
    }

    private Finding filteredOut(StoredCopy copy, SubscriptionFilter wants, boolean isPast) {
        String tags = copy.property(MessageProperties.TAGS);
        return on(Cause.FILTERED_OUT, copy)
                .fact("subscription", wants.text())
                .fact("tags", tags)
                .says("The group does not want it: it subscribes to '" + wants.text() + "', the message has "
                        + (tags == null ? "no tag" : "tag '" + tags + "'")
                        + (isPast ? " and was passed over." : "."))
                .advises(Advice.filter(group, copy.topic(), copy.storeMillis()));
    }

    // ---- what stops everything

    private Finding disabled(String topic) {
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
        if (config != null && standings.isBroadcasting(group) && !config.consumeBroadcastEnable()) {
            return new Finding(Cause.CONSUME_DISABLED, topic)
                    .fact("consumeBroadcastEnable", "false")
                    .says("The members of the group want to broadcast and may not (consumeBroadcastEnable is false).")
                    .advises(Advice.enableGroup(group));
        }
        return null;
    }

    private Finding nobody(String topic) {
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
        if (online != null && topic != null && !standings.isSubscribed(group, topic)) {
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

    private QueueOwner lastReader(String topic) {
        QueueOwner last = null;
        for (int queueId : standings.queuesOf(topic)) {
            QueueOwner out = standings.of(group, topic, queueId).out();
            if (out != null && (last == null || out.lastPullMillis() > last.lastPullMillis())) {
                last = out;
            }
        }
        return last;
    }

    /** What will stop the message when what it waits for now is over; null when nothing is in sight. */
    private Finding nextObstacle(Finding first, String topic) {
        boolean waits =
                first.cause() == Cause.DELAYED || first.cause() == Cause.HALF || first.cause() == Cause.IN_RETRY;
        if (!waits) {
            return null;
        }
        Finding next = disabled(topic);
        return next != null ? next : nobody(topic);
    }

    // ---- what stops one queue

    private Finding inFlight(StoredCopy copy, GroupQueueSnapshot standing) {
        Finding locked = lockedByFailing(copy.offset(), standing);
        if (locked != null) {
            return locked;
        }
        PopState.InFlight taken = standing.pop() == null ? null : standing.pop().inFlight(copy.offset());
        if (taken != null) {
            DeliveryEvent last = lastDelivery(standing, copy.offset());
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
        long since = deliveredMillis(standing, copy.offset());
        String client = standing.out().client();
        return new Finding(Cause.IN_FLIGHT, copy.topic())
                .fact("client", client)
                .fact("since", since > 0 ? since : null)
                .fact("committedOffset", standing.committed())
                .says(client + " has it" + (since > 0 ? " since " + Times.ago(since, nowMillis) : "")
                        + " and has not acknowledged it.")
                .advises(Advice.lookAtClient(group, client));
    }

    /** The failing message that holds up an ordered queue, if it is one. */
    private Finding lockedByFailing(long offset, GroupQueueSnapshot standing) {
        QueueLocks.Held lock = locks.held(group, standing.topic(), standing.queueId());
        long head = standing.first(GroupQueueSnapshot.Place.IN_FLIGHT);
        if (head < 0 || head > offset || head > standing.start()) {
            return null;
        }
        PopState.InFlight taken = standing.pop() == null ? null : standing.pop().inFlight(head);
        SubscriptionGroupConfig config = groups.find(group);
        boolean orderedPop = taken != null && taken.deliveries() > 1 && isOrdered(config, standing.topic());
        if (lock == null && !orderedPop) {
            return null;
        }
        long since = taken != null ? taken.popTimeMillis() : deliveredMillis(standing, head);
        int deliveries = taken != null ? taken.deliveries() : countDeliveries(standing, head);
        boolean stalled = since > 0 && nowMillis - since >= STALLED_MILLIS || deliveries > 1;
        if (!stalled) {
            return null;
        }
        String client = lock != null
                ? lock.clientId()
                : standing.out() == null ? "a client" : standing.out().client();
        StoredCopy failing = copyAt(standing, head);
        String name = failing == null ? "the message at offset " + head : "message " + id(failing);
        String key = failing == null ? null : shardingKey(failing);
        return new Finding(Cause.LOCKED_BY_FAILING, standing.topic())
                .fact("client", client)
                .fact("lockHeldMillis", lock == null ? null : lock.heldMillis())
                .fact("failingOffset", head)
                .fact("failingMessage", failing == null ? null : id(failing))
                .fact("failingKey", key)
                .fact("inFlightSince", since > 0 ? since : null)
                .fact("deliveries", deliveries > 0 ? deliveries : null)
                .fact("behindIt", Math.max(0, standing.max() - head - 1))
                .says("Queue " + standing.queueId() + " is consumed in order and stands still at offset " + head
                        + (offset == head ? ", which is this message" : "") + ": " + client + " holds the queue"
                        + (lock == null ? "" : " since " + Times.at(nowMillis - lock.heldMillis())) + " and has " + name
                        + (key == null ? "" : " (key " + key + ")")
                        + (since > 0 ? " in hand since " + Times.ago(since, nowMillis) : "")
                        + (deliveries > 1 ? ", handed out " + deliveries + " times" : "") + " without progress.")
                .advises(Advice.orderedQueue(group, failing == null ? "..." : id(failing)));
    }

    private boolean isOrdered(SubscriptionGroupConfig config, String topic) {
        TopicConfig found = topics.find(topic);
        return config != null && config.consumeMessageOrderly()
                || found != null && "FIFO".equals(found.attributes().get("message.type"));
    }

    private DeliveryEvent lastDelivery(GroupQueueSnapshot standing, long offset) {
        DeliveryEvent last = null;
        for (DeliveryEvent entry : deliveries.of(standing.topic(), standing.queueId(), offset, MOST_ENTRIES)) {
            if (entry.group().equals(group) && entry.kind() == DeliveryEvent.Kind.DELIVERED) {
                last = entry;
            }
        }
        return last;
    }

    private long deliveredMillis(GroupQueueSnapshot standing, long offset) {
        DeliveryEvent last = lastDelivery(standing, offset);
        if (last != null) {
            return last.firstMillis();
        }
        return standing.out() == null
                ? 0
                : standing.out().lastDeliveryMillis(); // its note is lost; it was then or before
    }

    private int countDeliveries(GroupQueueSnapshot standing, long offset) {
        return (int) deliveries.of(standing.topic(), standing.queueId(), offset, MOST_ENTRIES).stream()
                .filter(entry -> entry.group().equals(group) && entry.kind() == DeliveryEvent.Kind.DELIVERED)
                .count();
    }

    private Finding ready(StoredCopy copy, GroupQueueSnapshot standing) {
        Finding locked = lockedByFailing(copy.offset(), standing);
        if (locked != null) {
            return locked;
        }
        String key = shardingKey(copy);
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
        long before = Math.max(0, copy.offset() - Math.max(standing.start(), standing.inFlightTo()));
        SubscriptionGroupConfig config = groups.find(group);
        int perSecond = config == null ? 0 : GroupAttributes.rate(config);
        if (perSecond > 0 && (standing.pop() != null || standing.isHeld() && asks(standing.out()))) {
            return new Finding(Cause.RATE_LIMITED, copy.topic())
                    .fact("rate", perSecond)
                    .fact("messagesBefore", before)
                    .fact("secondsAtLeast", before / perSecond)
                    .says("The group gets at most " + perSecond + " messages per second from this broker ("
                            + GroupAttributes.RATE + "), and " + before + " are before it in its queue alone: at least "
                            + Times.length(before / perSecond * 1_000) + " to go.")
                    .advises(Advice.rate(group));
        }
        return owned(copy.topic(), standing, before);
    }

    /** Whether a client asked for messages lately: a pull is held for half a minute at most. */
    private boolean asks(QueueOwner out) {
        return nowMillis - out.lastPullMillis() < 60_000;
    }

    private Finding owned(String topic, GroupQueueSnapshot standing, long before) {
        QueueOwner out = standing.out();
        int there = members.consumerGroup(group) == null
                ? 0
                : members.consumerGroup(group).clientIds().size();
        if (standing.pop() != null && !standing.isHeld()) {
            return new Finding(Cause.QUEUE_OWNED, topic)
                    .fact("members", there)
                    .fact("inFlight", standing.inFlight())
                    .fact("messagesBefore", before)
                    .says("The group pops: whoever of its " + there + " members asks next for queue "
                            + standing.queueId() + " of "
                            + topic + " goes on there; " + standing.inFlight() + " messages of it are in hand, "
                            + before
                            + " are before this one.")
                    .advises(Advice.startConsumers(group));
        }
        if (out == null || !standing.isHeld()) {
            return new Finding(Cause.QUEUE_OWNED, topic)
                    .fact("members", there)
                    .fact("lastOwner", out == null ? null : out.client())
                    .fact("messagesBefore", before)
                    .says("No member reads queue " + standing.queueId() + " of " + topic + ": " + there
                            + " are connected"
                            + (out == null
                                    ? ", and none has asked for this queue since the broker started."
                                    : ", and " + out.client() + ", which read it last, is gone.")
                            + lacking(topic))
                    .advises(Advice.startConsumers(group));
        }
        long head = standing.first(GroupQueueSnapshot.Place.IN_FLIGHT);
        long since = head < 0 ? 0 : deliveredMillis(standing, head);
        return new Finding(Cause.QUEUE_OWNED, topic)
                .fact("owner", out.client())
                .fact("ownerSince", out.sinceMillis() > 0 ? out.sinceMillis() : null)
                .fact("lastPull", out.lastPullMillis() > 0 ? out.lastPullMillis() : null)
                .fact("inFlight", standing.inFlightTo() - standing.inFlightFrom())
                .fact("inFlightSince", since > 0 ? since : null)
                .fact("committedOffset", standing.committed())
                .fact("messagesBefore", before)
                .says(out.client() + " owns queue " + standing.queueId() + " of " + topic
                        + (out.sinceMillis() > 0 ? " since " + Times.at(out.sinceMillis()) : "")
                        + (head < 0
                                ? " and has nothing in hand"
                                : ", has " + (standing.inFlightTo() - standing.inFlightFrom()) + " messages in hand"
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

    private StoredCopy copyAt(GroupQueueSnapshot standing, long offset) {
        ReadResult read =
                store.queues().readQueue(standing.topic(), standing.queueId(), offset, 1, 1 << 20, null, null);
        return read.status() == ReadResult.Status.FOUND
                ? StoredCopy.visible(read.slices().get(0))
                : null;
    }

    // ---- the group as a whole

    /** The group's worst queues, worst first; what waits elsewhere after that. */
    List<Finding> ofGroup(String onlyTopic, Map<String, Backlog.Row> rows) {
        List<Finding> findings = new ArrayList<>();
        if (onlyTopic != null && topics.find(onlyTopic) == null) {
            return List.of(new Finding(Cause.NOT_FOUND, onlyTopic)
                    .says("There is no topic " + onlyTopic + " on this broker.")
                    .advises("check the name: waybill topic list"));
        }
        Finding stop = stop(onlyTopic);
        if (stop != null) {
            findings.add(stop);
        } else {
            findings.addAll(worstQueues(onlyTopic));
        }
        sharedClientIds(findings);
        clock(findings);
        rows.forEach((topic, row) -> {
            if (onlyTopic == null || onlyTopic.equals(topic)) {
                waiting(topic, row, findings);
            }
        });
        if (findings.isEmpty()) {
            findings.add(new Finding(Cause.CONSUMED, onlyTopic)
                    .says("The group has consumed everything that is there for it.")
                    .advises("if one message is missed, ask for it: waybill doctor group " + group + " --message ID"));
        }
        return findings;
    }

    /** A step of a time server is not worth a finding. */
    private void clock(List<Finding> findings) {
        long ahead = store.clock().aheadMillis();
        if (ahead > MUCH_AHEAD_MILLIS) {
            findings.add(new Finding(Cause.CLOCK_AHEAD, null)
                    .fact("aheadMillis", ahead)
                    .says("The broker's newest message is stamped " + Times.at(nowMillis)
                            + ", " + ahead / 60_000 + " minutes ahead of its clock: the clock was ahead once, and store"
                            + " times never go back. Replay, reset and search by time are wrong for what came since.")
                    .advises(Advice.clockAhead()));
        }
    }

    private void sharedClientIds(List<Finding> findings) {
        ConsumerGroup online = members.consumerGroup(group);
        if (online == null || members.shared().isEmpty()) {
            return;
        }
        for (String clientId : online.clientIds()) {
            List<String> addresses = members.shared().addresses(clientId);
            if (!addresses.isEmpty()) {
                findings.add(new Finding(Cause.CLIENT_ID_SHARED, null)
                        .fact("client", clientId)
                        .fact("addresses", String.join(", ", addresses))
                        .says(addresses.size() + " processes use the client id " + clientId + " ("
                                + String.join(", ", addresses)
                                + "): they count as one member, and each reads the queues"
                                + " of that one; in order, one of them works and the others wait.")
                        .advises(Advice.ownClientIds()));
            }
        }
    }

    private Finding stop(String onlyTopic) {
        Finding finding = onlyTopic == null ? null : disabled(onlyTopic);
        if (finding == null) {
            finding = onlyTopic != null ? nobody(onlyTopic) : groupStop();
        }
        return finding;
    }

    private Finding groupStop() {
        SubscriptionGroupConfig config = groups.find(group);
        if (config != null && !config.consumeEnable()) {
            return disabled("");
        }
        boolean anyReader = standings.topicsOf(group).stream()
                .map(this::lastReader)
                .anyMatch(reader -> reader != null && reader.isConnected());
        return anyReader ? null : nobody(null);
    }

    private record Worst(long sinceMillis, StoredCopy head) {}

    private List<Finding> worstQueues(String onlyTopic) {
        List<Worst> worst = new ArrayList<>();
        List<String> names = new ArrayList<>(onlyTopic == null ? standings.topicsOf(group) : List.of(onlyTopic));
        if (onlyTopic == null) {
            names.add(Names.retryTopic(group));
        }
        for (String topic : names) {
            SubscriptionFilter wants = standings.wants(group, topic);
            for (int queueId : standings.queuesOf(topic)) {
                GroupQueueSnapshot standing = standings.of(group, topic, queueId);
                StoredCopy head =
                        standing.ahead() == 0 || standings.isBroadcasting(group) ? null : head(standing, wants);
                if (head != null) {
                    worst.add(new Worst(head.storeMillis(), head));
                }
            }
        }
        worst.sort(Comparator.comparingLong(Worst::sinceMillis));
        List<Finding> findings = new ArrayList<>();
        for (Worst one : worst.subList(0, Math.min(MOST_QUEUES, worst.size()))) {
            findings.add(visible(one.head()));
        }
        return findings;
    }

    /** The first message the queue still has for the group; among the next few thousand, null when there is none. */
    private StoredCopy head(GroupQueueSnapshot standing, SubscriptionFilter wants) {
        ReadResult read = store.queues()
                .readQueue(
                        standing.topic(),
                        standing.queueId(),
                        standing.start(),
                        1,
                        1 << 20,
                        wants.isAll() ? null : wants::mayMatch,
                        (buffer, at) -> standing.placeOf(StoredMessage.queueOffset(buffer, at))
                                        != GroupQueueSnapshot.Place.PASSED
                                && wants.matches(buffer, at));
        if (read.status() != ReadResult.Status.FOUND) {
            return null;
        }
        ByteBuffer first = read.slices().get(0);
        return StoredCopy.visible(first);
    }

    /** Transactions of which service and queue disagree, and nobody has done anything about it here. */
    private void lateDecisions(String topic, List<Finding> findings) {
        int[] count = new int[2];
        int[] looked = new int[1];
        DecisionConflict[] last = new DecisionConflict[1];
        store.conflicts().visitConflicts(conflict -> {
            if (conflict.topic().equals(topic) && store.conflicts().publicationOf(conflict.handle()) == null) {
                count[conflict.late() == Decision.COMMIT ? 0 : 1]++;
                last[0] = conflict;
            }
            return ++looked[0] < MOST_CONFLICTS;
        });
        if (last[0] == null) {
            return;
        }
        findings.add(new Finding(Cause.TRANSACTION_CONFLICT, topic)
                .fact("lateCommits", count[0])
                .fact("lateRollbacks", count[1])
                .fact("lastAt", last[0].atMillis())
                .fact("lastMessageId", last[0].messageId())
                .fact("producerGroup", last[0].producerGroup())
                .says("Of " + (count[0] + count[1]) + " transactions of " + topic + " service and queue disagree: "
                        + count[0] + " were committed by their service after the queue had dropped the message, "
                        + count[1] + " rolled back after it was delivered.")
                .advises("list them: waybill tx list --conflicts --topic " + topic));
    }

    private void waiting(String topic, Backlog.Row row, List<Finding> findings) {
        if (row.retrying.count() > 0) {
            findings.add(amount(Cause.IN_RETRY, topic, row.retrying)
                    .says(row.retrying.count() + " messages of " + topic + " failed and wait to be delivered again.")
                    .advises("their number over time: waybill group backlog " + group));
        }
        if (row.delayed.count() > 0) {
            findings.add(amount(Cause.DELAYED, topic, row.delayed)
                    .says(row.delayed.count() + " messages for " + topic + " are delayed.")
                    .advises("list them: waybill timer list --topic " + topic));
        }
        if (row.half.count() > 0) {
            findings.add(amount(Cause.HALF, topic, row.half)
                    .says(row.half.count() + " messages for " + topic + " wait for the decision of their transaction.")
                    .advises("list them: waybill tx list --topic " + topic));
        }
        lateDecisions(topic, findings);
        if (row.dead.count() > 0) {
            findings.add(amount(Cause.DEAD_LETTER, topic, row.dead)
                    .says(row.dead.count() + " messages of " + topic + " are dead letters that nobody settled.")
                    .advises("list them: waybill dlq list " + group));
        }
        if (row.quarantined.count() > 0) {
            findings.add(amount(Cause.QUARANTINED, topic, row.quarantined)
                    .says(row.quarantined.count() + " messages of " + topic + " lie in quarantine.")
                    .advises("list them: waybill quarantine list " + group));
        }
    }

    private static Finding amount(Cause cause, String topic, Amount amount) {
        return new Finding(cause, topic)
                .fact("messages", amount.count())
                .fact("oldestSince", amount.oldestMillis() == Long.MAX_VALUE ? null : amount.oldestMillis());
    }

    private static Finding on(Cause cause, StoredCopy copy) {
        Finding finding = new Finding(cause, copy.topic()).about(copy);
        return copy.isVisible() ? finding.at(copy.queueId(), copy.offset()) : finding;
    }

    private static String id(StoredCopy copy) {
        return copy.uniqueKey() != null ? copy.uniqueKey() : copy.offsetId();
    }
}
