/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.Names;
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
    private final ClientRegistry members;
    private final GroupState state;
    private final String group;
    private final QueueDiagnosis queues;

    GroupDiagnosis(
            QueueStore queueStore,
            ConflictStore conflictStore,
            StoreClock storeClock,
            GroupState state,
            String group,
            QueueDiagnosis queues) {
        this.queueStore = queueStore;
        this.conflictStore = conflictStore;
        this.storeClock = storeClock;
        this.topics = state.topics();
        this.members = state.members();
        this.state = state;
        this.group = group;
        this.queues = queues;
    }

    // ---- the group as a whole

    /** The group's worst queues, worst first; what waits elsewhere after that. */
    List<Finding> findings(String onlyTopic, Map<String, Backlog.Row> rows) {
        List<Finding> findings = new ArrayList<>();
        if (onlyTopic != null && topics.find(onlyTopic) == null) {
            return List.of(new Finding(Cause.NOT_FOUND, SubCause.NO_TOPIC, onlyTopic));
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
            findings.add(new Finding(Cause.CONSUMED, SubCause.EVERYTHING, onlyTopic));
        }
        return findings;
    }

    /** A step of a time server is not worth a finding. */
    private void clock(List<Finding> findings) {
        long ahead = storeClock.aheadMillis();
        if (ahead > MUCH_AHEAD_MILLIS) {
            findings.add(new Finding(Cause.CLOCK_AHEAD, null, null).fact(Fact.AHEAD_MILLIS, ahead));
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
                findings.add(new Finding(Cause.CLIENT_ID_SHARED, null, null)
                        .fact(Fact.CLIENT, clientId)
                        .fact(Fact.ADDRESSES, addresses));
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
        Finding disabled = queues.groupDisabled(null);
        if (disabled != null) {
            return disabled;
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
        findings.add(new Finding(Cause.TRANSACTION_CONFLICT, null, topic)
                .fact(Fact.LATE_COMMITS, count[0])
                .fact(Fact.LATE_ROLLBACKS, count[1])
                .fact(Fact.LAST_AT, last[0].atMillis())
                .fact(Fact.LAST_MESSAGE_ID, last[0].messageId())
                .fact(Fact.PRODUCER_GROUP, last[0].producerGroup()));
    }

    private void waiting(String topic, Backlog.Row row, List<Finding> findings) {
        total(Cause.IN_RETRY, topic, row.retrying, findings);
        total(Cause.DELAYED, topic, row.delayed, findings);
        total(Cause.HALF, topic, row.half, findings);
        lateDecisions(topic, findings);
        total(Cause.DEAD_LETTER, topic, row.dead, findings);
        total(Cause.QUARANTINED, topic, row.quarantined, findings);
    }

    private static void total(Cause cause, String topic, Amount amount, List<Finding> findings) {
        if (amount.count() > 0) {
            findings.add(new Finding(cause, SubCause.TOPIC_TOTAL, topic)
                    .fact(Fact.MESSAGES, amount.count())
                    .fact(
                            Fact.OLDEST_SINCE,
                            amount.oldestMillis() == Long.MAX_VALUE ? null : (Long) amount.oldestMillis()));
        }
    }
}
