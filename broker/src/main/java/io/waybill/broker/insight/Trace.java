/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

import io.waybill.broker.delivery.DeliveryLog;
import io.waybill.broker.insight.Event.EventType;
import io.waybill.protocol.Names;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.protocol.message.SysFlag;
import io.waybill.store.ConflictStore;
import io.waybill.store.TransactionStore;
import io.waybill.store.record.CancelledTimer;
import io.waybill.store.record.CheckEvent;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionConflict;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.DeliveryEvent;
import io.waybill.store.record.PublishRecord;
import io.waybill.store.record.Settlement;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Set;

/** Tells the history of a message, in the order in which it happened, from the records of this broker. In one thread. */
final class Trace {
    /** Of one copy: who got and acknowledged it. */
    private static final int MOST_ENTRIES = 2_048;
    /** On a message that was given back from quarantine, and on what is quarantined. */
    private static final String QUARANTINED_ORIGIN = "WAYBILL_QUARANTINE_ORIGIN";

    private final TransactionStore transactionStore;
    private final ConflictStore conflictStore;
    private final DeliveryLog deliveries;
    private final GroupState state;
    private final List<Event> events = new ArrayList<>();
    private final List<Quarantining> quarantinings = new ArrayList<>();

    /** A read of the group passed this copy without handing it out: whatever the delivery log says of later, it speaks of the messages around. */
    private record Quarantining(StoredCopy passed, String group, long atMillis) {}

    Trace(TransactionStore transactionStore, ConflictStore conflictStore, GroupState state) {
        this.transactionStore = transactionStore;
        this.conflictStore = conflictStore;
        this.deliveries = state.deliveries();
        this.state = state;
    }

    /** The events, the oldest first. */
    List<Event> of(MessageHistory history) {
        Set<Long> transactions = new HashSet<>();
        findQuarantinings(history);
        for (StoredCopy copy : history.own()) {
            own(copy, history, transactions);
        }
        for (DecisionRecord decision : history.decided()) {
            if (transactions.add(decision.handle())) {
                decision(decision, null);
            }
        }
        for (CancelledTimer ended : history.cancelled()) {
            StoredCopy copy = history.own().stream()
                    .filter(one -> one.handle() == ended.handle())
                    .findFirst()
                    .orElse(null);
            add(ended.atMillis(), EventType.CANCELLED, copy, null, null, "called back before its time: " + ended.by());
        }
        for (StoredCopy copy : history.ofGroups()) {
            ofGroup(copy);
        }
        events.sort(Comparator.comparingLong(Event::atMillis)
                .thenComparing(Event::name)
                .thenComparing(Event::order));
        return events;
    }

    private void findQuarantinings(MessageHistory history) {
        List<StoredCopy> all = new ArrayList<>(history.own());
        all.addAll(history.ofGroups());
        for (StoredCopy quarantined : history.ofGroups()) {
            if (!Names.isQuarantine(quarantined.topic())) {
                continue;
            }
            String group = Names.groupOfQuarantine(quarantined.topic());
            StoredCopy passed = null;
            for (StoredCopy copy : all) {
                boolean isRead = copy.isVisible()
                        && (copy.topic().equals(history.topic()) || copy.topic().equals(Names.retryTopic(group)));
                if (isRead
                        && copy.handle() < quarantined.handle()
                        && (passed == null || passed.handle() < copy.handle())) {
                    passed = copy;
                }
            }
            if (passed != null) {
                quarantinings.add(new Quarantining(passed, group, quarantined.storeMillis()));
            }
        }
    }

    private boolean isOfOthers(StoredCopy copy, DeliveryEvent entry) {
        boolean isAck = entry.kind() == DeliveryEvent.DeliveryKind.ACKNOWLEDGED;
        long atMillis = isAck ? entry.lastMillis() : entry.firstMillis();
        return entry.kind() != DeliveryEvent.DeliveryKind.REPLAYED
                && quarantinings.stream()
                        .anyMatch(one -> one.passed() == copy
                                && one.group().equals(entry.group())
                                && one.atMillis() <= atMillis);
    }

    private void add(long atMillis, EventType name, StoredCopy copy, String group, String client, String sentence) {
        events.add(new Event(atMillis, name, events.size(), copy, group, client, sentence));
    }

    /** What storing the copy shows, of no group and no client. */
    private void stored(EventType name, StoredCopy copy, String sentence) {
        add(copy.storeMillis(), name, copy, null, null, sentence);
    }

    // ---- in its own topic

    private void own(StoredCopy copy, MessageHistory history, Set<Long> transactions) {
        if (copy.half() != null) {
            halfStored(copy);
            checks(copy.handle(), copy);
            transactions.add(copy.handle());
        } else if (copy.due() != null) {
            delayed(copy, copy.storeMillis(), copy.due().dueMillis());
        } else if (copy.isGone()) {
            gone(copy, history, transactions);
        } else {
            visible(copy, history, transactions);
        }
    }

    private void gone(StoredCopy copy, MessageHistory history, Set<Long> transactions) {
        DecisionRecord decision = transactionStore.decisionOf(copy.handle());
        boolean isDelayed = history.cancelled().stream().anyMatch(ended -> ended.handle() == copy.handle())
                || copy.property(MessageProperties.REAL_TOPIC) != null;
        if (decision != null) {
            if (transactions.add(copy.handle())) {
                halfStored(copy);
                decision(decision, copy);
            }
        } else if (isDelayed) {
            delayed(copy, copy.storeMillis(), copy.number(MessageProperties.TIMER_OUT_MS, 0));
        }
    }

    private void visible(StoredCopy copy, MessageHistory history, Set<Long> transactions) {
        long handle = StoredMessage.preparedTransactionOffset(copy.bytes(), 0);
        DecisionRecord decision = transactionStore.decisionOf(handle);
        boolean isTransaction = decision != null
                && (SysFlag.transactionState(StoredMessage.sysFlag(copy.bytes(), 0)) == SysFlag.TRANSACTION_COMMIT
                        || copy.topic().equals(Names.TRANS_CHECK_MAX_TIME_TOPIC));
        if (isTransaction && transactions.add(handle)) {
            decision(decision, copy); // its half is dropped from the log, or it would be among the copies
        }
        boolean isDelayed = copy.property(MessageProperties.REAL_TOPIC) != null
                && (copy.property(MessageProperties.TIMER_OUT_MS) != null
                        || copy.property(MessageProperties.DELAY) != null);
        boolean isDelayKnown = history.own().stream()
                .anyMatch(one -> one.isGone() && one.property(MessageProperties.REAL_TOPIC) != null);
        if (isDelayed && !isDelayKnown) {
            long enqueued =
                    copy.number(MessageProperties.TIMER_ENQUEUE_MS, StoredMessage.bornTimestamp(copy.bytes(), 0));
            delayed(copy, enqueued, copy.number(MessageProperties.TIMER_OUT_MS, copy.storeMillis()));
        }
        String redriven = redriven(copy);
        String where = "queue " + copy.queueId() + " of " + copy.topic() + " at offset " + copy.offset();
        if (copy.topic().equals(Names.TRANS_CHECK_MAX_TIME_TOPIC)) {
            stored(EventType.STORED, copy, "set aside in " + where + ": nobody decided its transaction");
        } else if (redriven != null) {
            stored(EventType.REDRIVEN, copy, "sent again to " + where + ", by " + redriven);
        } else if (isTransaction || isDelayed) {
            stored(EventType.VISIBLE, copy, "visible in " + where);
        } else {
            stored(
                    EventType.STORED,
                    copy,
                    "stored and visible in " + where + ", sent from "
                            + StoredMessage.bornHost(copy.bytes(), 0).getHostString());
        }
        deliveries(copy);
    }

    /** Null, or who sent a dead letter again as this copy; its later retries carry the marks too. */
    private static String redriven(StoredCopy copy) {
        String by = copy.property("REDRIVEN_BY");
        return by == null || copy.tries() > 0 ? null : by;
    }

    private void halfStored(StoredCopy half) {
        stored(
                EventType.HALF_STORED,
                half,
                "stored as the half of a transaction of producer group " + half.property(MessageProperties.PGROUP)
                        + ", invisible");
    }

    private void checks(long handle, StoredCopy copy) {
        for (CheckEvent check : transactionStore.checksOf(handle)) {
            String answer = check.answerOrNull() == null
                    ? "no answer is known"
                    : "it answered " + check.answerOrNull() + " on " + Times.at(check.answeredMillis());
            add(
                    check.atMillis(),
                    EventType.CHECKED,
                    copy,
                    null,
                    check.client(),
                    (check.number() > 0 ? "check " + check.number() + " of its transaction at " : "answer of ")
                            + check.client() + ": " + answer);
        }
    }

    /** What came after the decision. */
    private void late(long handle, StoredCopy copy) {
        for (DecisionConflict conflict : conflictStore.conflictsOf(handle)) {
            String word = conflict.late() == Decision.COMMIT ? "a commit" : "a rollback";
            add(
                    conflict.atMillis(),
                    EventType.CONFLICT,
                    copy,
                    null,
                    null,
                    word + " of its transaction came too late and changed nothing, by " + conflict.by());
        }
        PublishRecord published = conflictStore.publicationOf(handle);
        if (published != null) {
            add(
                    published.atMillis(),
                    EventType.PUBLISHED,
                    copy,
                    null,
                    null,
                    "delivered after all though it was rolled back, by " + published.by());
        }
    }

    private void decision(DecisionRecord decision, StoredCopy copy) {
        checks(decision.handle(), copy);
        late(decision.handle(), copy);
        EventType name = switch (decision.outcome()) {
            case COMMIT -> EventType.COMMITTED;
            case ROLLBACK -> EventType.ROLLED_BACK;
            case EXHAUSTED -> EventType.EXHAUSTED;
        };
        String word = decision.outcome() == Decision.COMMIT
                ? "committed"
                : decision.outcome() == Decision.ROLLBACK ? "rolled back" : "given up without a decision";
        add(
                decision.atMillis(),
                name,
                copy,
                null,
                null,
                "its transaction was " + word + (decision.fromCheck() ? " after a check" : "") + ", by "
                        + decision.by());
    }

    private void delayed(StoredCopy copy, long storedMillis, long dueMillis) {
        String unless = copy.property(ConsumeDiagnosis.UNLESS);
        add(
                storedMillis,
                EventType.DELAYED,
                copy,
                null,
                null,
                "stored, to be delivered "
                        + (dueMillis > 0 ? "at " + Times.at(dueMillis) : "later")
                        + (unless == null ? "" : " unless a message comes that fits '" + unless + "'"));
    }

    // ---- in the topics of a group

    private void ofGroup(StoredCopy copy) {
        boolean isQuarantined = copy.topic().startsWith(GroupState.QUARANTINE_PREFIX);
        String group = isQuarantined
                ? copy.topic().substring(GroupState.QUARANTINE_PREFIX.length())
                : Names.groupOf(copy.topic());
        if (Names.isRetry(copy.topic())) {
            retry(copy, group);
        } else if (isQuarantined) {
            add(
                    copy.storeMillis(),
                    EventType.QUARANTINED,
                    copy,
                    group,
                    null,
                    "put aside for group " + group + ": its key is in quarantine");
            settled(copy, group);
        } else {
            String client = copy.property("DLQ_CLIENT");
            add(
                    copy.number("DLQ_MS", copy.storeMillis()),
                    EventType.DEAD_LETTERED,
                    copy,
                    group,
                    client,
                    "dead letter of group " + group + " after " + copy.number("DLQ_TRIES", copy.tries()) + " tries: "
                            + copy.property("DLQ_REASON"));
            settled(copy, group);
        }
    }

    private void retry(StoredCopy copy, String group) {
        String client = copy.property("RETRY_CLIENT");
        long givenBack = copy.number("RETRY_MS", copy.due() != null ? copy.storeMillis() : 0);
        String redriven = redriven(copy);
        if (copy.property(QUARANTINED_ORIGIN) != null && copy.tries() == 0) {
            String text = "given back to group " + group + ": its key was released from quarantine";
            add(copy.storeMillis(), EventType.RELEASED, copy, group, null, text);
        } else if (redriven != null) {
            add(
                    copy.storeMillis(),
                    EventType.REDRIVEN,
                    copy,
                    group,
                    null,
                    "sent again to group " + group + ", by " + redriven);
        } else {
            String until = copy.due() != null
                    ? ", to be delivered again at " + Times.at(copy.due().dueMillis())
                    : ", delivered again from " + Times.at(copy.storeMillis());
            add(
                    givenBack > 0 ? givenBack : copy.storeMillis(),
                    EventType.RETRY,
                    copy,
                    group,
                    client,
                    client == null && copy.property("WAYBILL_QUARANTINE_ORIGIN") != null
                            ? "given back to group " + group + " from quarantine"
                            : "given back by group " + group + (client == null ? "" : " at " + client) + " after try "
                                    + copy.tries() + until);
        }
        if (copy.isVisible()) {
            if (redriven == null && givenBack > 0) {
                add(copy.storeMillis(), EventType.VISIBLE, copy, group, null, "visible for group " + group + " again");
            }
            deliveries(copy);
        }
    }

    /** What was sent again speaks for itself; of what was discarded only this tells. */
    private void settled(StoredCopy copy, String group) {
        Settlement settlement = copy.isVisible() ? state.settlementOf(copy) : null;
        if (settlement != null && settlement.how() == Settlement.How.DISCARDED) {
            String by = settlement.by();
            add(settlement.atMillis(), EventType.DISCARDED, copy, group, by, "discarded by " + by);
        }
    }

    // ---- who got it

    private void deliveries(StoredCopy copy) {
        for (DeliveryEvent entry : deliveries.of(copy.topic(), copy.queueId(), copy.offset(), MOST_ENTRIES)) {
            if (isOfOthers(copy, entry)) {
                continue;
            }
            String who = entry.client().isEmpty() ? "a client" : entry.client();
            // A run is noted with the times of its first and its last message; none was handed out before it was there.
            long firstMillis = Math.max(entry.firstMillis(), copy.storeMillis());
            switch (entry.kind()) {
                case DELIVERED ->
                    add(
                            firstMillis,
                            EventType.DELIVERED,
                            copy,
                            entry.group(),
                            entry.client(),
                            "handed to " + who + " of group " + entry.group());
                case REPLAYED ->
                    add(
                            firstMillis,
                            EventType.REPLAYED,
                            copy,
                            entry.group(),
                            entry.client(),
                            "replayed by " + who + " into group " + entry.group());
                case ACKNOWLEDGED ->
                    add(
                            Math.max(entry.lastMillis(), copy.storeMillis()),
                            EventType.ACKNOWLEDGED,
                            copy,
                            entry.group(),
                            entry.client(),
                            "acknowledged by " + who + " of group " + entry.group());
            }
        }
    }
}
