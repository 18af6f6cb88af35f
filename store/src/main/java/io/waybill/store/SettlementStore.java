/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store;

import io.waybill.protocol.message.MessageDraft;
import io.waybill.store.log.CommitLog;
import io.waybill.store.log.Completion;
import io.waybill.store.log.StateWrites;
import io.waybill.store.record.Settlement;
import io.waybill.store.record.UniqueKey;
import io.waybill.store.view.Views;
import java.util.List;
import java.util.function.Predicate;

/** What became of messages in set-aside queues. What always holds: each is settled at most once, together with what it became. */
public final class SettlementStore {
    private final Views views;
    private final CommitLog log;

    SettlementStore(Views views, CommitLog log) {
        this.views = views;
        this.log = log;
    }

    /**
     * Settles ranges, all or none, in one frame with copies that become visible; {@link io.waybill.store.log.Stored} of the first copy, without one of
     * the first record. Refused as ALREADY_DECIDED, with the {@link Settlement} that was first, when some message of them is settled.
     *
     * @param copies of any queues; may be empty
     * @param ranges at least one; they must not overlap
     */
    public void settle(List<MessageDraft> copies, List<Settlement> ranges, Completion done) {
        log.submit(StateWrites.settle(copies, ranges, done));
    }

    /**
     * As {@link #settle}, in one frame with a new half message; see {@link TransactionStore#appendHalf}.
     *
     * @param unique null for none
     */
    public void settleAsHalf(
            UniqueKey unique,
            MessageDraft message,
            String producerGroup,
            String sender,
            long firstCheckMillis,
            List<Settlement> ranges,
            Completion done) {
        log.submit(StateWrites.settleAsHalf(unique, message, producerGroup, sender, firstCheckMillis, ranges, done));
    }

    /** Forgets what is settled in a queue, because its topic or group was deleted. */
    public void forget(Settlement.SetAsideKind of, String topic, int queueId, String by, Completion done) {
        log.submit(StateWrites.write(
                List.of(new Settlement(of, topic, queueId, 0, Long.MAX_VALUE, Settlement.How.FORGOTTEN, by)), done));
    }

    /**
     * Shows what is settled from an offset on, by offset, until the visitor has enough; of messages that the log still
     * holds all, of older ones some. Nothing is gathered: a queue may have millions.
     */
    public void visit(String topic, int queueId, long fromOffset, Predicate<Settlement> visitor) {
        views.settlements().from(topic, queueId, fromOffset, visitor);
    }

    /** Null if the message at the offset is not settled. */
    public Settlement settlementOf(String topic, int queueId, long offset) {
        return views.settlements().at(topic, queueId, offset);
    }
}
