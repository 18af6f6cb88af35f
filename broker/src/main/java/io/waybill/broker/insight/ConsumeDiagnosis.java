/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.Groups;
import io.waybill.broker.retry.RetriesExhausted;
import io.waybill.protocol.Names;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.store.record.CancelledTimer;
import io.waybill.store.record.CheckEvent;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionConflict;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.Settlement;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/**
 * Names the cause why a group does not consume something, with what proves it.
 *
 * <p>What always holds: it looks at the last thing that happened to a message for this group and names what that waits for, so each message has
 * one cause; what would stop it after that (nobody connected) follows as a further finding. Reads only; in one thread.
 */
final class ConsumeDiagnosis {
    static final String UNLESS = "WAYBILL_UNLESS";

    private final InsightStoreAccess store;
    private final Groups groups;
    private final ClientRegistry members;
    private final GroupState state;
    private final QuarantinedKeys quarantinedKeys;
    private final String group;
    private final QueueDiagnosis queues;

    ConsumeDiagnosis(InsightStoreAccess store, GroupState state, String group, long nowMillis) {
        this.store = store;
        this.groups = state.groups();
        this.members = state.members();
        this.state = state;
        this.quarantinedKeys = state.quarantinedKeys();
        this.group = group;
        this.queues = new QueueDiagnosis(store.queues(), state, group, nowMillis);
    }

    // ---- one message

    /** Why the group has not consumed these messages; what was asked for names them when there are none. */
    List<Finding> ofMessages(List<MessageHistory> histories, String asked) {
        List<Finding> findings = new ArrayList<>();
        for (MessageHistory history : histories) {
            Finding finding = ofLife(history);
            if (finding != null) {
                findings.add(finding);
                Finding next = nextObstacle(finding, history.topic());
                if (next != null) {
                    findings.add(next);
                }
            }
        }
        if (findings.isEmpty()) {
            findings.add(new Finding(Cause.NOT_FOUND, SubCause.UNKNOWN, null)
                    .fact(Fact.ASKED, asked)
                    .fact(Fact.LOG_BEGINS_AT_POSITION, store.status().oldestPosition()));
        }
        return findings;
    }

    private Finding ofLife(MessageHistory history) {
        StoredCopy last = last(history);
        if (last == null) {
            return ended(
                    history,
                    history.decided().isEmpty() ? null : history.decided().get(0),
                    null);
        }
        if (last.half() != null) {
            return half(last);
        }
        if (last.due() != null) {
            return last.topic().equals(Names.retryTopic(group)) ? inRetry(last) : delayed(last);
        }
        if (last.isGone()) {
            return ended(history, store.transactions().decisionOf(last.handle()), last);
        }
        if (last.topic().equals(Names.deadLetterTopic(group))) {
            return deadLetter(last);
        }
        if (last.topic().startsWith(GroupState.QUARANTINE_PREFIX)) {
            return quarantined(last);
        }
        if (last.topic().equals(Names.TRANS_CHECK_MAX_TIME_TOPIC)) {
            return exhausted(history, last);
        }
        return queues.visible(last);
    }

    /** The last thing that was made of the message for this group; what is settled or gone only when there is nothing else. */
    private StoredCopy last(MessageHistory history) {
        List<StoredCopy> all = new ArrayList<>(history.own());
        for (StoredCopy copy : history.ofGroups()) {
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
        String producerGroup = half.half().producerGroup();
        return Finding.on(Cause.HALF, SubCause.OPEN, half)
                .fact(Fact.TRANSACTION_OPEN_SINCE, half.storeMillis())
                .fact(Fact.PRODUCER_GROUP, producerGroup)
                .fact(Fact.CHECKS, half.half().checks())
                .fact(Fact.NEXT_CHECK, half.half().nextCheckMillis())
                .fact(Fact.LAST_CHECK_CLIENT, check == null ? null : check.client())
                .fact(Fact.LAST_CHECK_ANSWER, check == null ? null : check.answerOrNull())
                .fact(
                        Fact.PRODUCERS_CONNECTED,
                        members.producers().membersOf(producerGroup).size());
    }

    private static Finding exhausted(MessageHistory history, StoredCopy aside) {
        DecisionRecord decision =
                history.decided().isEmpty() ? null : history.decided().get(0);
        return Finding.on(Cause.HALF, SubCause.GIVEN_UP, aside)
                .fact(Fact.GIVEN_UP_AT, decision == null ? aside.storeMillis() : decision.atMillis())
                .fact(Fact.BY, decision == null ? null : decision.by());
    }

    /** It is nowhere any more: rolled back or called back. */
    private Finding ended(MessageHistory history, DecisionRecord decision, StoredCopy copy) {
        if (decision != null && decision.outcome() == Decision.ROLLBACK) {
            DecisionConflict lateCommit = store.conflicts().conflictsOf(decision.handle()).stream()
                    .filter(conflict -> conflict.late() == Decision.COMMIT)
                    .findFirst()
                    .orElse(null);
            return notFound(SubCause.ROLLED_BACK, history, copy)
                    .fact(Fact.ROLLED_BACK_AT, decision.atMillis())
                    .fact(Fact.BY, decision.by())
                    .fact(Fact.LATE_COMMIT_BY, lateCommit == null ? null : lateCommit.by())
                    .fact(Fact.LATE_COMMIT_MESSAGE, lateCommit == null ? null : lateCommit.messageId());
        }
        for (CancelledTimer ended : history.cancelled()) {
            return notFound(SubCause.CANCELLED, history, copy)
                    .fact(Fact.CANCELLED_AT, ended.atMillis())
                    .fact(Fact.BY, ended.by());
        }
        return history.isEmpty() ? null : notFound(SubCause.REMOVED, history, copy);
    }

    private static Finding notFound(SubCause subCause, MessageHistory history, StoredCopy copy) {
        return copy == null
                ? new Finding(Cause.NOT_FOUND, subCause, history.topic()).about(history.uniqueKey())
                : Finding.on(Cause.NOT_FOUND, subCause, copy);
    }

    private static Finding delayed(StoredCopy waiting) {
        return Finding.on(Cause.DELAYED, SubCause.MESSAGE, waiting)
                .fact(Fact.DELIVER_TIME, waiting.due().dueMillis())
                .fact(Fact.STORED_AT, waiting.storeMillis())
                .fact(Fact.UNLESS, waiting.property(UNLESS));
    }

    private Finding inRetry(StoredCopy waiting) {
        SubscriptionGroupConfig config = groups.find(group);
        // One that was deleted meanwhile is made anew with the settings of a new group when it is used again.
        int most = RetriesExhausted.mostRetries(config == null ? groups.defaults(group) : config);
        return Finding.on(Cause.IN_RETRY, SubCause.MESSAGE, waiting)
                .fact(Fact.DELIVER_TIME, waiting.due().dueMillis())
                .fact(Fact.TRY, waiting.tries())
                .fact(Fact.MAX_TRIES, most == Integer.MAX_VALUE ? null : (Integer) most)
                .fact(Fact.GIVEN_BACK_BY, waiting.property("RETRY_CLIENT"))
                .time(Fact.FAILING_SINCE, waiting.number("RETRY_SINCE_MS", 0));
    }

    private boolean isSettled(StoredCopy copy) {
        return state.settlementOf(copy) != null;
    }

    private boolean isDiscarded(StoredCopy copy) {
        Settlement settlement = state.settlementOf(copy);
        return settlement != null && settlement.how() == Settlement.How.DISCARDED;
    }

    private Finding deadLetter(StoredCopy dead) {
        SubCause settled =
                !isSettled(dead) ? SubCause.OPEN : isDiscarded(dead) ? SubCause.DISCARDED : SubCause.REDRIVEN;
        return Finding.on(Cause.DEAD_LETTER, settled, dead)
                .fact(Fact.DEAD_SINCE, dead.number("DLQ_MS", dead.storeMillis()))
                .fact(Fact.REASON, dead.property("DLQ_REASON"))
                .fact(Fact.TRIES, dead.number("DLQ_TRIES", dead.tries()))
                .fact(Fact.CLIENT, dead.property("DLQ_CLIENT"))
                .fact(Fact.STATE, settled.name());
    }

    private Finding quarantined(StoredCopy quarantined) {
        String key = quarantined.orderingKey();
        String first = quarantined.property(MessageProperties.RETRY_TOPIC);
        String topic = first == null ? quarantined.topic() : first;
        if (isDiscarded(quarantined)) {
            return Finding.on(Cause.QUARANTINED, SubCause.DISCARDED, quarantined)
                    .fact(Fact.KEY, key)
                    .fact(Fact.STATE, SubCause.DISCARDED.name())
                    .fact(Fact.SET_ASIDE_AT, quarantined.storeMillis());
        }
        QuarantinedKeys.Since since = key == null ? null : quarantinedKeys.find(group, topic, key);
        return Finding.on(Cause.QUARANTINED, SubCause.SET_ASIDE, quarantined)
                .fact(Fact.KEY, key)
                .fact(Fact.QUARANTINED_SINCE, since == null ? quarantined.storeMillis() : since.sinceMillis())
                .fact(Fact.REASON, since == null ? null : since.reason())
                .fact(Fact.SET_ASIDE_AT, quarantined.storeMillis())
                .fact(Fact.ORIGIN_TOPIC, topic);
    }

    /** What will stop the message when what it waits for now is over; null when nothing is in sight. */
    private Finding nextObstacle(Finding first, String topic) {
        boolean waits =
                first.cause() == Cause.DELAYED || first.cause() == Cause.HALF || first.cause() == Cause.IN_RETRY;
        if (!waits) {
            return null;
        }
        Finding next = queues.disabled(topic);
        return next != null ? next : queues.nobody(topic);
    }

    // ---- the group as a whole

    /** The group's worst queues, worst first; what waits elsewhere after that. */
    List<Finding> ofGroup(String onlyTopic, Map<String, Backlog.Row> rows) {
        return new GroupDiagnosis(store.queues(), store.conflicts(), store.clock(), state, group, queues)
                .findings(onlyTopic, rows);
    }
}
