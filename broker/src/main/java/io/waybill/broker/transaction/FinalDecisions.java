/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.broker.timer.Delay;
import io.waybill.broker.timer.DelayedSends;
import io.waybill.platform.Clock;
import io.waybill.protocol.Names;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.protocol.message.SysFlag;
import io.waybill.store.Store;
import io.waybill.store.log.Completion;
import io.waybill.store.log.Stored;
import io.waybill.store.view.Decision;
import io.waybill.store.view.PendingHalf;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * The three ways a half message ends. Decision and visible copy are one change of the log: both are there or neither.
 *
 * <p>The store lets the first decision win; the later ones complete with a refusal that carries the first. Thread-safe.
 */
final class FinalDecisions {
    /** Rolled back transactions that can still be shown with their message. */
    private static final int MOST_REMEMBERED = 2_000;

    private final Store store;
    private final Clock clock;
    private final DelayedSends delays;

    /** The newest rolled back, by unique key: nothing in the log is visible of them. Guarded by itself. */
    private final Map<String, RolledBack> rolledBack = new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, RolledBack> eldest) {
            return size() > MOST_REMEMBERED;
        }
    };

    /** @param message the record without its body */
    record RolledBack(long handle, ByteBuffer message) {}

    FinalDecisions(Store store, Clock clock, DelayedSends delays) {
        this.store = store;
        this.clock = clock;
        this.delays = delays;
    }

    /**
     * Makes the message visible, or sends it to sleep when it also asks for a delay, which then starts now.
     *
     * @param stored the half as it stands in the log
     */
    void commit(PendingHalf half, ByteBuffer stored, boolean fromCheck, String by, Completion done) {
        MessageDraft.Builder copy = copyOf(half, stored)
                .sysFlag(SysFlag.withTransactionState(StoredMessage.sysFlag(stored, 0), SysFlag.TRANSACTION_COMMIT));
        long dueMillis = 0;
        Map<String, String> properties = MessageProperties.decode(copy.properties());
        Delay delay = delays.delayOf(properties, clock.wallMillis());
        if (delay.isDue()) {
            dueMillis = delay.dueMillis();
            DelayedSends.markDelayed(
                    delay,
                    StoredMessage.topic(stored, 0),
                    StoredMessage.queueId(stored, 0),
                    store.nowMillis(),
                    properties);
            DelayedSends.unlessSince(properties, StoredMessage.storeTimestamp(stored, 0));
            copy.properties(properties);
        } else if (properties.containsKey(MessageProperties.UNLESS)) {
            DelayedSends.withoutUnless(properties);
            copy.properties(properties);
        }
        if (dueMillis == 0) {
            copy.queueId(delays.placement().queueOf(StoredMessage.topic(stored, 0), StoredMessage.queueId(stored, 0)));
        }
        store.decide(half.handle(), Decision.COMMIT, fromCheck, by, copy.build(), dueMillis, done);
    }

    void rollback(PendingHalf half, ByteBuffer stored, boolean fromCheck, String by, Completion done) {
        store.decide(half.handle(), Decision.ROLLBACK, fromCheck, by, null, 0, outcome -> {
            if (outcome instanceof Stored) {
                remember(half.handle(), stored);
            }
            done.done(outcome);
        });
    }

    /** Sets the message aside where operators find it; nobody receives it by itself. */
    void exhaust(PendingHalf half, ByteBuffer stored, String by, Completion done) {
        MessageDraft copy = copyOf(half, stored)
                .property(MessageProperties.REAL_TOPIC, StoredMessage.topic(stored, 0))
                .property(MessageProperties.REAL_QID, Integer.toString(StoredMessage.queueId(stored, 0)))
                .topic(Names.TRANS_CHECK_MAX_TIME_TOPIC)
                .queueId(0)
                .build();
        store.decide(half.handle(), Decision.EXHAUSTED, true, by, copy, 0, done);
    }

    private void remember(long handle, ByteBuffer stored) {
        MessageDraft.Builder copy = MessageDraft.copyOf(stored, 0).body(new byte[0]);
        String uniqueKey = copy.property(MessageProperties.UNIQ_KEY);
        if (uniqueKey == null) {
            return;
        }
        ByteBuffer message = ByteBuffer.wrap(copy.build().bytes());
        StoredMessage.patchStoreTimestamp(message, 0, StoredMessage.storeTimestamp(stored, 0));
        synchronized (rolledBack) {
            rolledBack.put(uniqueKey, new RolledBack(handle, message));
        }
    }

    /** One of the newest rolled back in this run, by unique key; null when it is not among them. */
    RolledBack rolledBack(String uniqueKey) {
        synchronized (rolledBack) {
            return rolledBack.get(uniqueKey);
        }
    }

    /** The same by handle. */
    RolledBack rolledBack(long handle) {
        synchronized (rolledBack) {
            for (RolledBack one : rolledBack.values()) {
                if (one.handle() == handle) {
                    return one;
                }
            }
            return null;
        }
    }

    private static MessageDraft.Builder copyOf(PendingHalf half, ByteBuffer stored) {
        MessageDraft.Builder copy = MessageDraft.copyOf(stored, 0).preparedTransactionOffset(half.handle());
        if (half.checks() > 0) {
            copy.property(MessageProperties.TRANSACTION_CHECK_TIMES, Integer.toString(half.checks()));
        }
        return copy;
    }
}
