/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.RequestOrigin;
import io.waybill.platform.Clock;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
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
import io.waybill.remoting.RequestHandler;
import io.waybill.store.Store;
import io.waybill.store.log.Refused;
import io.waybill.store.log.Stored;
import io.waybill.store.record.PopChange;
import io.waybill.store.record.PopDelta;
import io.waybill.store.record.PopKey;
import io.waybill.store.record.PopState;
import io.waybill.store.record.UniqueKey;
import java.nio.ByteBuffer;
import java.util.List;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.Executor;
import java.util.function.LongFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * RESUME_CHECK_HALF_MESSAGE (323): takes a message that was given up after too many checks and makes it a half message again, with no checks
 * counted and the first one due at once. It is a new transaction with a new handle, which carries {@link #RESUMED_FROM} and {@link #RESUMED_BY}; the
 * message that was set aside stays where it is, and cannot be resumed again: it is finished in the pop state of {@link Names#DESK_GROUP}, and until that
 * is stored the new half holds a unique key.
 */
final class ResumeCheck implements RequestHandler {
    private static final Logger LOG = LoggerFactory.getLogger(ResumeCheck.class);

    /** The handle of the transaction that was given up. */
    static final String RESUMED_FROM = "RESUMED_FROM";
    /** Who resumed it, and why. */
    static final String RESUMED_BY = "RESUMED_BY";

    private static final PopKey DESK = new PopKey(Names.DESK_GROUP, Names.TRANS_CHECK_MAX_TIME_TOPIC, 0);
    private static final long ONCE_MILLIS = 30L * 86_400_000;

    /** Offsets of messages that are being resumed. */
    private final Set<Long> begun = ConcurrentHashMap.newKeySet();

    private final Store store;
    private final TransactionLookup lookup;
    private final Clock clock;
    private final Executor blocking;

    ResumeCheck(Store store, TransactionLookup lookup, Clock clock, Executor blocking) {
        this.store = store;
        this.lookup = lookup;
        this.clock = clock;
        this.blocking = blocking;
    }

    @Override
    public void handle(Request request) {
        ResumeCheckHeader header = ResumeCheckHeader.read(request.command().fields());
        long position;
        try {
            position = MessageIds.decode(header.msgId()).position();
        } catch (BadValue e) {
            request.refuse(ResponseCode.INVALID_PARAMETER, e.getMessage());
            return;
        }
        blocking.execute(() -> {
            try {
                resume(request, store.readAt(position), "tool at " + RequestOrigin.address(request), null);
            } catch (BadValue e) {
                request.refuse(ResponseCode.INVALID_PARAMETER, e.getMessage());
            } catch (RuntimeException e) {
                LOG.error("code {} failed for log position {}", RequestCode.RESUME_CHECK_HALF_MESSAGE, position, e);
                Outcomes.refuse(request, e, "the transaction was not resumed; the broker's log says why");
            }
        });
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
        long offset = StoredMessage.queueOffset(aside, 0);
        PopState desk = store.popState(DESK);
        if (desk != null && desk.isAcked(offset) || !begun.add(offset)) {
            request.refuse(ResponseCode.ILLEGAL_OPERATION, "transaction " + uniqueKey + " was resumed before");
            return;
        }
        try {
            putAgain(request, aside, half, offset, by, then);
        } catch (RuntimeException e) {
            begun.remove(offset);
            throw e;
        }
    }

    private void putAgain(
            Request request,
            ByteBuffer aside,
            MessageDraft.Builder half,
            long offset,
            String by,
            LongFunction<byte[]> then) {
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
        UniqueKey once = new UniqueKey(
                Names.TRANS_CHECK_MAX_TIME_TOPIC, RESUMED_FROM + " " + handle, store.keyTimeMillis() + ONCE_MILLIS);
        store.putHalf(once, half.build(), producerGroup, clock.wallMillis(), outcome -> {
            if (!(outcome instanceof Stored stored)) {
                begun.remove(offset);
                boolean twice = outcome instanceof Refused;
                request.refuse(twice ? ResponseCode.ILLEGAL_OPERATION : Outcomes.code(outcome), Outcomes.text(outcome));
                return;
            }
            List<PopChange> steps = List.of(new PopChange.Start(0), new PopChange.Ack(offset, offset + 1));
            store.pop(List.of(new PopDelta(DESK, steps)), finished -> {
                if (finished instanceof Stored) { // else this run remembers, and the key for later ones
                    begun.remove(offset);
                } else {
                    LOG.warn("that transaction {} was resumed is not recorded: {}", handle, Outcomes.text(finished));
                }
            });
            LOG.info(
                    "transaction {} that was given up is asked about again as {} by {}", handle, stored.position(), by);
            Command.Builder reply = Command.response(ResponseCode.SUCCESS, null);
            request.reply((then == null ? reply : reply.body(then.apply(stored.position()))).build());
        });
    }
}
