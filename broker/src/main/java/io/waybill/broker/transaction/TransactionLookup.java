/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.broker.topic.Topics;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.message.MessageIds;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.ConflictStore;
import io.waybill.store.MessageStore;
import io.waybill.store.TransactionStore;
import io.waybill.store.record.Decision;
import io.waybill.store.record.DecisionRecord;
import io.waybill.store.record.PendingHalf;
import java.nio.ByteBuffer;

/**
 * Finds a transaction by what a person has at hand: its id (the unique key of the message), the offset message id of the half, or the handle.
 * May read the disk.
 */
final class TransactionLookup {
    /** Open halves looked through for a unique key, oldest first. */
    static final int MOST_SCANNED = 100_000;

    private final MessageStore messageStore;
    private final TransactionStore transactionStore;
    private final ConflictStore conflictStore;
    private final TransactionResolver decisions;
    private final Topics topics;

    TransactionLookup(
            MessageStore messageStore,
            TransactionStore transactionStore,
            ConflictStore conflictStore,
            TransactionResolver decisions,
            Topics topics) {
        this.messageStore = messageStore;
        this.transactionStore = transactionStore;
        this.conflictStore = conflictStore;
        this.decisions = decisions;
        this.topics = topics;
    }

    /**
     * @param half null when it is decided
     * @param stored the half, also of a rolled back one, or the message it became; null when nothing is left to read
     * @param decision null while it is open
     */
    record FoundTransaction(long handle, PendingHalf half, ByteBuffer stored, DecisionRecord decision) {}

    /**
     * Null when there is none.
     *
     * @param topic where to look for a decided message with this unique key; null looks everywhere
     */
    FoundTransaction find(String id, String topic) {
        FoundTransaction found = byHandle(handleOf(id));
        if (found == null) {
            found = openByUniqueKey(id);
        }
        return found != null
                ? found
                : newer(rolledBack(id), topic == null ? decidedInAnyTopic(id) : decidedByUniqueKey(topic, id));
    }

    /** Of two decided transactions with one unique key: after a resume there are several. */
    private static FoundTransaction newer(FoundTransaction a, FoundTransaction b) {
        return a == null || b != null && b.handle() > a.handle() ? b : a;
    }

    private static long handleOf(String id) {
        if (MessageIds.isOffsetId(id)) {
            return MessageIds.decode(id).position();
        }
        try {
            return Long.parseLong(id);
        } catch (NumberFormatException e) {
            return -1;
        }
    }

    private FoundTransaction byHandle(long handle) {
        if (handle < 0) {
            return null;
        }
        PendingHalf half = transactionStore.openHalf(handle);
        if (half != null) {
            return new FoundTransaction(handle, half, messageStore.readPending(handle), null);
        }
        return decided(handle);
    }

    private FoundTransaction decided(long handle) {
        DecisionRecord decision = transactionStore.decisionOf(handle);
        if (decision == null) {
            return null;
        }
        ByteBuffer stored = decision.outcome() == Decision.ROLLBACK
                ? conflictStore.readRolledBack(handle)
                : transactionStore.readDecided(handle);
        return new FoundTransaction(handle, null, stored, decision);
    }

    /** Of this run, or of an earlier one if a decision on it came too late. */
    private FoundTransaction rolledBack(String uniqueKey) {
        Long handle = decisions.rolledBack(uniqueKey);
        long[] late = {handle == null ? -1 : handle};
        if (handle == null) {
            int[] looked = new int[1];
            conflictStore.visitConflicts(conflict -> {
                if (conflict.messageId().equals(uniqueKey)) {
                    late[0] = conflict.handle();
                }
                return ++looked[0] < MOST_SCANNED;
            });
        }
        return late[0] < 0 ? null : decided(late[0]);
    }

    FoundTransaction openByUniqueKey(String uniqueKey) {
        for (PendingHalf half : transactionStore.openHalves(MOST_SCANNED)) {
            ByteBuffer stored = messageStore.readPending(half.handle());
            if (stored != null && uniqueKey.equals(StoredMessage.property(stored, 0, MessageProperties.UNIQ_KEY))) {
                return new FoundTransaction(half.handle(), half, stored, null);
            }
        }
        return null;
    }

    /** The key index goes by topic. The topic of what was given up is among them. */
    private FoundTransaction decidedInAnyTopic(String uniqueKey) {
        FoundTransaction newest = null;
        for (TopicConfig topic : topics.all()) {
            newest = newer(newest, decidedByUniqueKey(topic.topicName(), uniqueKey));
        }
        return newest;
    }

    private FoundTransaction decidedByUniqueKey(String topic, String uniqueKey) {
        FoundTransaction[] found = {null};
        int[] left = {32};
        messageStore.visitByKey(
                topic,
                uniqueKey,
                0,
                Long.MAX_VALUE,
                visible -> { // newest first
                    long handle = StoredMessage.preparedTransactionOffset(visible, 0);
                    DecisionRecord decision = transactionStore.decisionOf(handle);
                    if (decision != null
                            && uniqueKey.equals(StoredMessage.property(visible, 0, MessageProperties.UNIQ_KEY))) {
                        found[0] = new FoundTransaction(handle, null, visible, decision);
                    }
                    return found[0] == null && --left[0] > 0;
                });
        return found[0];
    }
}
