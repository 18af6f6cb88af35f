/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.broker.timer.Delay;
import io.waybill.broker.timer.DelayedMessageWriter;
import io.waybill.platform.Clock;
import io.waybill.protocol.Names;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.protocol.message.SysFlag;
import io.waybill.store.ConflictStore;
import io.waybill.store.StoreClock;
import io.waybill.store.TransactionStore;
import io.waybill.store.log.Completion;
import io.waybill.store.log.Stored;
import io.waybill.store.record.Decision;
import io.waybill.store.record.PendingHalf;
import io.waybill.store.record.RolledBack;
import io.waybill.store.record.UniqueKey;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The three ways a half message ends, and how one that was rolled back is delivered after all. Decision and visible copy are one change of the log:
 * both are there or neither.
 *
 * <p>The store lets the first decision win; the later ones complete with a refusal that carries the first. Thread-safe.
 */
public final class TransactionResolver {
    /** Rolled back transactions that are found by their unique key; with {@link #LONGEST_KEY} some 1 MiB at most. */
    private static final int MOST_REMEMBERED = 2_000;

    /** One with a longer key is found by its handle only. */
    private static final int LONGEST_KEY = 255;

    private final TransactionStore transactionStore;
    private final ConflictStore conflictStore;
    private final StoreClock storeClock;
    private final Clock clock;
    private final DelayedMessageWriter delays;

    /** Handles of the newest rolled back, by unique key: nothing in the log is visible of them. Guarded by itself. */
    private final Map<String, Long> rolledBack = new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Long> eldest) {
            return size() > MOST_REMEMBERED;
        }
    };

    public TransactionResolver(
            TransactionStore transactionStore,
            ConflictStore conflictStore,
            StoreClock storeClock,
            Clock clock,
            DelayedMessageWriter delays) {
        this.transactionStore = transactionStore;
        this.conflictStore = conflictStore;
        this.storeClock = storeClock;
        this.clock = clock;
        this.delays = delays;
    }

    /**
     * Makes the message visible, or sends it to sleep when it also asks for a delay, which then starts now.
     *
     * @param stored the half as it stands in the log
     */
    void commit(PendingHalf half, ByteBuffer stored, boolean fromCheck, String by, Completion done) {
        Final last = visible(half.handle(), half.checks(), stored);
        transactionStore.decide(half.handle(), Decision.COMMIT, fromCheck, by, last.copy(), last.dueMillis(), done);
    }

    /**
     * Delivers a message that was rolled back, once: as a commit would have.
     *
     * @param stored the half as it stands in the log
     * @param unique the key it claims again in a topic without duplicates, or null
     */
    void publish(RolledBack half, ByteBuffer stored, UniqueKey unique, String by, Completion done) {
        Final last = visible(half.handle(), half.checks(), stored);
        conflictStore.publish(half.handle(), by, unique, last.copy(), last.dueMillis(), done);
    }

    private record Final(MessageDraft copy, long dueMillis) {}

    private Final visible(long handle, int checks, ByteBuffer stored) {
        MessageDraft.Builder copy = copyOf(handle, checks, stored)
                .sysFlag(SysFlag.withTransactionState(StoredMessage.sysFlag(stored, 0), SysFlag.TRANSACTION_COMMIT));
        long dueMillis = 0;
        Map<String, String> properties = MessageProperties.decode(copy.properties());
        Delay delay = delays.delayOf(properties, clock.wallMillis());
        if (delay.isDue()) {
            dueMillis = delay.dueMillis();
            DelayedMessageWriter.markDelayed(
                    delay,
                    StoredMessage.topic(stored, 0),
                    StoredMessage.queueId(stored, 0),
                    storeClock.nowMillis(),
                    properties);
            DelayedMessageWriter.unlessSince(properties, StoredMessage.storeTimestamp(stored, 0));
            copy.properties(properties);
        } else if (properties.containsKey(MessageProperties.UNLESS)) {
            DelayedMessageWriter.withoutUnless(properties);
            copy.properties(properties);
        }
        if (dueMillis == 0) {
            copy.queueId(delays.placement().queueOf(StoredMessage.topic(stored, 0), StoredMessage.queueId(stored, 0)));
        }
        return new Final(copy.build(), dueMillis);
    }

    void rollback(PendingHalf half, ByteBuffer stored, boolean fromCheck, String by, Completion done) {
        transactionStore.decide(half.handle(), Decision.ROLLBACK, fromCheck, by, null, 0, outcome -> {
            if (outcome instanceof Stored) {
                remember(half.handle(), stored);
            }
            done.done(outcome);
        });
    }

    /** Sets the message aside where operators find it; nobody receives it by itself. */
    void exhaust(PendingHalf half, ByteBuffer stored, String by, Completion done) {
        MessageDraft copy = copyOf(half.handle(), half.checks(), stored)
                .property(MessageProperties.REAL_TOPIC, StoredMessage.topic(stored, 0))
                .property(MessageProperties.REAL_QID, Integer.toString(StoredMessage.queueId(stored, 0)))
                .topic(Names.TRANS_CHECK_MAX_TIME_TOPIC)
                .queueId(0)
                .build();
        transactionStore.decide(half.handle(), Decision.EXHAUSTED, true, by, copy, 0, done);
    }

    private void remember(long handle, ByteBuffer stored) {
        String uniqueKey = StoredMessage.property(stored, 0, MessageProperties.UNIQ_KEY);
        if (uniqueKey != null && uniqueKey.length() <= LONGEST_KEY) {
            synchronized (rolledBack) {
                rolledBack.put(uniqueKey, handle);
            }
        }
    }

    /** The handle of one of the newest rolled back in this run, by unique key; null when it is not among them. */
    Long rolledBack(String uniqueKey) {
        synchronized (rolledBack) {
            return rolledBack.get(uniqueKey);
        }
    }

    private static MessageDraft.Builder copyOf(long handle, int checks, ByteBuffer stored) {
        MessageDraft.Builder copy = MessageDraft.copyOf(stored, 0).preparedTransactionOffset(handle);
        if (checks > 0) {
            copy.property(MessageProperties.TRANSACTION_CHECK_TIMES, Integer.toString(checks));
        }
        return copy;
    }
}
