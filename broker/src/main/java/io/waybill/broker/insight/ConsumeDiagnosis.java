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
    private final long nowMillis;
    private final QueueDiagnosis queues;

    ConsumeDiagnosis(InsightStoreAccess store, GroupState state, String group, long nowMillis) {
        this.store = store;
        this.groups = state.groups();
        this.members = state.members();
        this.state = state;
        this.quarantinedKeys = state.quarantinedKeys();
        this.group = group;
        this.nowMillis = nowMillis;
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
            findings.add(new Finding(Cause.NOT_FOUND, null)
                    .fact("asked", asked)
                    .fact("logBeginsAtPosition", store.status().oldestPosition())
                    .says("No message '" + asked + "' is known to this broker: it was never stored here, or retention"
                            + " has removed it.")
                    .advises(Advice.find(asked)));
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
        String lately = half.half().checks() == 0
                ? "was not asked yet"
                : "was asked " + half.half().checks() + " times without a decision";
        boolean isProducerThere =
                !members.producers().membersOf(half.half().producerGroup()).isEmpty();
        return Finding.on(Cause.HALF, half)
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
                .advises(Advice.half(half.id()));
    }

    private Finding exhausted(MessageHistory history, StoredCopy aside) {
        DecisionRecord decision =
                history.decided().isEmpty() ? null : history.decided().get(0);
        return Finding.on(Cause.HALF, aside)
                .fact("givenUpAt", decision == null ? aside.storeMillis() : decision.atMillis())
                .fact("by", decision == null ? null : decision.by())
                .says("Its transaction was never decided and was given up on "
                        + Times.ago(aside.storeMillis(), nowMillis)
                        + (decision == null ? "." : " (" + decision.by() + ")."))
                .advises(Advice.half(aside.id()));
    }

    /** It is nowhere any more: rolled back or called back. */
    private Finding ended(MessageHistory history, DecisionRecord decision, StoredCopy copy) {
        Finding finding =
                copy == null ? new Finding(Cause.NOT_FOUND, history.topic()) : Finding.on(Cause.NOT_FOUND, copy);
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
                                    : Advice.trace(copy == null ? history.uniqueKey() : copy.id()));
        }
        for (CancelledTimer ended : history.cancelled()) {
            return finding.fact("cancelledAt", ended.atMillis())
                    .fact("by", ended.by())
                    .says("It was delayed and called back on " + Times.ago(ended.atMillis(), nowMillis) + " ("
                            + ended.by() + "): nobody ever gets it.")
                    .advises("send it again if that was wrong");
        }
        return history.isEmpty()
                ? null
                : finding.says("It was stored here once and is gone: retention has removed it.")
                        .advises(Advice.find(copy == null ? history.uniqueKey() : copy.id()));
    }

    private Finding delayed(StoredCopy waiting) {
        String unless = waiting.property(UNLESS);
        long dueMillis = waiting.due().dueMillis();
        return Finding.on(Cause.DELAYED, waiting)
                .fact("deliverTime", dueMillis)
                .fact("storedAt", waiting.storeMillis())
                .fact("unless", unless)
                .says("It is delayed until " + Times.at(dueMillis) + ", " + Times.length(dueMillis - nowMillis)
                        + " from now" + (unless == null ? "." : ", unless a message comes that fits '" + unless + "'."))
                .advises(Advice.delayed(waiting.topic(), waiting.id()));
    }

    private Finding inRetry(StoredCopy waiting) {
        SubscriptionGroupConfig config = groups.find(group);
        // One that was deleted meanwhile is made anew with the settings of a new group when it is used again.
        int most = RetriesExhausted.mostRetries(config == null ? groups.defaults(group) : config);
        boolean isLimited = most != Integer.MAX_VALUE;
        long dueMillis = waiting.due().dueMillis();
        String client = waiting.property("RETRY_CLIENT");
        return Finding.on(Cause.IN_RETRY, waiting)
                .fact("deliverTime", dueMillis)
                .fact("try", waiting.tries())
                .fact("maxTries", isLimited ? most : null)
                .fact("givenBackBy", client)
                .fact("failingSince", waiting.number("RETRY_SINCE_MS", 0))
                .says("It failed " + waiting.tries() + " times" + (client == null ? "" : ", last at " + client)
                        + ", and is delivered again at " + Times.at(dueMillis) + ", "
                        + Times.length(dueMillis - nowMillis) + " from now"
                        // The client may have named a higher limit than the group's.
                        + (isLimited && waiting.tries() <= most
                                ? " (try " + waiting.tries() + " of " + most + ")."
                                : "."))
                .advises(Advice.deliveredByItself(waiting.id()));
    }

    private boolean isSettled(StoredCopy copy) {
        return state.settlementOf(copy) != null;
    }

    private boolean isDiscarded(StoredCopy copy) {
        Settlement settlement = state.settlementOf(copy);
        return settlement != null && settlement.how() == Settlement.How.DISCARDED;
    }

    private Finding deadLetter(StoredCopy dead) {
        boolean settled = isSettled(dead);
        boolean discarded = isDiscarded(dead);
        long atMillis = dead.number("DLQ_MS", dead.storeMillis());
        String reason = dead.property("DLQ_REASON");
        Finding finding = Finding.on(Cause.DEAD_LETTER, dead)
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
                                : discarded ? "; it was discarded by hand." : "; it was sent again by hand."));
        return settled ? finding : finding.advises(Advice.deadLetter(group, dead.offset()));
    }

    private Finding quarantined(StoredCopy quarantined) {
        String key = quarantined.orderingKey();
        String first = quarantined.property(MessageProperties.RETRY_TOPIC);
        String topic = first == null ? quarantined.topic() : first;
        if (isDiscarded(quarantined)) {
            return Finding.on(Cause.QUARANTINED, quarantined)
                    .fact("key", key)
                    .fact("state", "DISCARDED")
                    .says("It was put aside on " + Times.ago(quarantined.storeMillis(), nowMillis) + " with its key "
                            + key + " and discarded by hand.")
                    .advises(Advice.trace(quarantined.id()));
        }
        QuarantinedKeys.Since since = key == null ? null : quarantinedKeys.find(group, topic, key);
        return Finding.on(Cause.QUARANTINED, quarantined)
                .fact("key", key)
                .fact("quarantinedSince", since == null ? quarantined.storeMillis() : since.sinceMillis())
                .fact("reason", since == null ? null : since.reason())
                .says("Its key " + key + " is in quarantine; it was put aside on "
                        + Times.ago(quarantined.storeMillis(), nowMillis)
                        + (since == null ? "." : ": " + since.reason()))
                .advises(Advice.release(group, topic, key));
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
        return new GroupDiagnosis(store.queues(), store.conflicts(), store.clock(), state, group, nowMillis, queues)
                .findings(onlyTopic, rows);
    }
}
