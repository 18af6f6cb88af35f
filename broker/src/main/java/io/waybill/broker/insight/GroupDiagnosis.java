/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.Groups;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.Names;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.ConflictStore;
import io.waybill.store.QueueStore;
import io.waybill.store.ReadResult;
import io.waybill.store.StoreClock;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionConflict;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;

/** Names what a group as a whole waits for: its worst queues, and what waits elsewhere. Reads only; in one thread. */
final class GroupDiagnosis {
    /** Late decisions looked through for a topic; all of them are in waybill tx list --conflicts. */
    private static final int MOST_CONFLICTS = 50_000;

    private static final int MOST_QUEUES = 10;
    private static final long MUCH_AHEAD_MILLIS = 60_000;

    private final QueueStore queueStore;
    private final ConflictStore conflictStore;
    private final StoreClock storeClock;
    private final Topics topics;
    private final Groups groups;
    private final ClientRegistry members;
    private final GroupState state;
    private final String group;
    private final long nowMillis;
    private final QueueDiagnosis queues;

    GroupDiagnosis(
            QueueStore queueStore,
            ConflictStore conflictStore,
            StoreClock storeClock,
            GroupState state,
            String group,
            long nowMillis,
            QueueDiagnosis queues) {
        this.queueStore = queueStore;
        this.conflictStore = conflictStore;
        this.storeClock = storeClock;
        this.topics = state.topics();
        this.groups = state.groups();
        this.members = state.members();
        this.state = state;
        this.group = group;
        this.nowMillis = nowMillis;
        this.queues = queues;
    }

    // ---- the group as a whole

    /** The group's worst queues, worst first; what waits elsewhere after that. */
    List<Finding> findings(String onlyTopic, Map<String, Backlog.Row> rows) {
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
        long ahead = storeClock.aheadMillis();
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
        Finding finding = onlyTopic == null ? null : queues.disabled(onlyTopic);
        if (finding == null) {
            finding = onlyTopic != null ? queues.nobody(onlyTopic) : groupStop();
        }
        return finding;
    }

    private Finding groupStop() {
        SubscriptionGroupConfig config = groups.find(group);
        if (config != null && !config.consumeEnable()) {
            return queues.disabled("");
        }
        boolean anyReader = state.topicsOf(group).stream()
                .map(queues::lastReader)
                .anyMatch(reader -> reader != null && reader.isConnected());
        return anyReader ? null : queues.nobody(null);
    }

    private record Worst(long sinceMillis, StoredCopy head) {}

    private List<Finding> worstQueues(String onlyTopic) {
        List<Worst> worst = new ArrayList<>();
        List<String> names = new ArrayList<>(onlyTopic == null ? state.topicsOf(group) : List.of(onlyTopic));
        if (onlyTopic == null) {
            names.add(Names.retryTopic(group));
        }
        for (String topic : names) {
            SubscriptionFilter wants = state.wants(group, topic);
            for (int queueId : state.queuesOf(topic)) {
                GroupQueueSnapshot snapshot = state.of(group, topic, queueId);
                StoredCopy head = snapshot.ahead() == 0 || state.isBroadcasting(group) ? null : head(snapshot, wants);
                if (head != null) {
                    worst.add(new Worst(head.storeMillis(), head));
                }
            }
        }
        worst.sort(Comparator.comparingLong(Worst::sinceMillis));
        List<Finding> findings = new ArrayList<>();
        for (Worst one : worst.subList(0, Math.min(MOST_QUEUES, worst.size()))) {
            findings.add(queues.visible(one.head()));
        }
        return findings;
    }

    /** The first message the queue still has for the group; among the next few thousand, null when there is none. */
    private StoredCopy head(GroupQueueSnapshot snapshot, SubscriptionFilter wants) {
        ReadResult read = queueStore.readQueue(
                snapshot.topic(),
                snapshot.queueId(),
                snapshot.start(),
                1,
                1 << 20,
                wants.isAll() ? null : wants::mayMatch,
                (buffer, at) ->
                        snapshot.placeOf(StoredMessage.queueOffset(buffer, at)) != GroupQueueSnapshot.Place.PASSED
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
        conflictStore.visitConflicts(conflict -> {
            if (conflict.topic().equals(topic) && conflictStore.publicationOf(conflict.handle()) == null) {
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
}
