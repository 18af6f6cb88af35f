/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.RequestOrigin;
import io.waybill.broker.request.RouteHandler;
import io.waybill.platform.Clock;
import io.waybill.protocol.Names;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.ResumeCheckHeader;
import io.waybill.protocol.message.BadValue;
import io.waybill.protocol.message.CopyRoom;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageIds;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.Request;
import io.waybill.store.MessageStore;
import io.waybill.store.SettlementStore;
import io.waybill.store.log.Refused;
import io.waybill.store.log.Stored;
import io.waybill.store.record.Settlement;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.function.LongFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * RESUME_CHECK_HALF_MESSAGE (323): takes a message that was given up after too many checks and makes it a half message again, with no checks
 * counted and the first one due at once. It is a new transaction with a new handle, which carries {@link #RESUMED_FROM} and {@link #RESUMED_BY}; the
 * message that was set aside stays where it is, and cannot be resumed again: one frame has the new half and the record that settles the old message.
 */
final class ResumeCheck implements RouteHandler<ResumeCheckHeader> {
    private static final Logger LOG = LoggerFactory.getLogger(ResumeCheck.class);

    /** The handle of the transaction that was given up. */
    static final String RESUMED_FROM = "RESUMED_FROM";
    /** Who resumed it, and why. */
    static final String RESUMED_BY = "RESUMED_BY";

    private final MessageStore messageStore;
    private final SettlementStore settlementStore;
    private final TransactionLookup lookup;
    private final Clock clock;

    ResumeCheck(MessageStore messageStore, SettlementStore settlementStore, TransactionLookup lookup, Clock clock) {
        this.messageStore = messageStore;
        this.settlementStore = settlementStore;
        this.lookup = lookup;
        this.clock = clock;
    }

    @Override
    public Reply handle(Request request, ResumeCheckHeader header) {
        try {
            long position = MessageIds.decode(header.msgId()).position();
            resume(request, messageStore.readAt(position), "tool at " + RequestOrigin.address(request), null);
            return Reply.LATER;
        } catch (BadValue e) {
            return Reply.refused(ResponseCode.INVALID_PARAMETER, e.getMessage());
        }
    }

    /**
     * Resumes and answers. May block on the disk.
     *
     * @param aside the message that was set aside, or null
     * @param by who wants it, for people
     * @param then makes the body of the answer from the new handle; null for none
     */
    void resume(Request request, ByteBuffer aside, String by, LongFunction<byte[]> then) {
        if (aside == null || !StoredMessage.topicEquals(aside, 0, Names.TRANS_CHECK_MAX_TIME_TOPIC)) {
            request.refuse(
                    ResponseCode.SYSTEM_ERROR,
                    "there is no message of " + Names.TRANS_CHECK_MAX_TIME_TOPIC + " at this position");
            return;
        }
        MessageDraft.Builder half = MessageDraft.copyOf(aside, 0);
        String uniqueKey = half.property(MessageProperties.UNIQ_KEY);
        if (uniqueKey != null && lookup.openByUniqueKey(uniqueKey) != null) {
            request.refuse(ResponseCode.ILLEGAL_OPERATION, "transaction " + uniqueKey + " is open already");
            return;
        }
        putAgain(request, aside, half, by, then);
    }

    private void putAgain(
            Request request, ByteBuffer aside, MessageDraft.Builder half, String by, LongFunction<byte[]> then) {
        String producerGroup = half.property(MessageProperties.PGROUP);
        String realTopic = half.property(MessageProperties.REAL_TOPIC);
        String realQueue = half.property(MessageProperties.REAL_QID);
        long handle = StoredMessage.preparedTransactionOffset(aside, 0);
        half.topic(realTopic)
                .queueId(Integer.parseInt(realQueue))
                .preparedTransactionOffset(0)
                .removeProperty(MessageProperties.REAL_TOPIC)
                .removeProperty(MessageProperties.REAL_QID)
                .removeProperty(MessageProperties.TRANSACTION_CHECK_TIMES)
                .property(RESUMED_FROM, Long.toString(handle));
        int room = CopyRoom.MAX_FIRST_LENGTH - half.properties().length;
        if (by.length() * 3 + RESUMED_BY.length() + 2 <= room) { // else the log of the broker alone tells
            half.property(RESUMED_BY, by);
        }
        String uniqueKey = half.property(MessageProperties.UNIQ_KEY);
        long offset = StoredMessage.queueOffset(aside, 0);
        Settlement resumed = new Settlement(
                Settlement.SetAsideKind.EXHAUSTED,
                Names.TRANS_CHECK_MAX_TIME_TOPIC,
                StoredMessage.queueId(aside, 0),
                offset,
                offset + 1,
                Settlement.How.RESUMED,
                by);
        long firstCheckMillis = clock.wallMillis();
        MessageDraft again = half.build();
        settlementStore.settleAsHalf(null, again, producerGroup, "", firstCheckMillis, List.of(resumed), outcome -> {
            if (outcome instanceof Refused) {
                request.refuse(ResponseCode.ILLEGAL_OPERATION, "transaction " + uniqueKey + " was resumed before");
                return;
            }
            if (!(outcome instanceof Stored stored)) {
                request.refuse(Outcomes.code(outcome), Outcomes.text(outcome));
                return;
            }
            LOG.info(
                    "transaction {} that was given up is asked about again as {} by {}", handle, stored.position(), by);
            Command.Builder reply = Command.response(ResponseCode.SUCCESS, null);
            request.reply((then == null ? reply : reply.body(then.apply(stored.position()))).build());
        });
    }
}
