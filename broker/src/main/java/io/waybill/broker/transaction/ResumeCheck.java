/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

import io.waybill.broker.request.Outcomes;
import io.waybill.platform.Clock;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.ResumeCheckHeader;
import io.waybill.protocol.message.BadValue;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageIds;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.Request;
import io.waybill.remoting.RequestHandler;
import io.waybill.store.Store;
import java.nio.ByteBuffer;
import java.util.concurrent.Executor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * RESUME_CHECK_HALF_MESSAGE (323): takes a message that was given up after too many checks and makes it a half message again, with no checks
 * counted and the first one due at once. It is a new transaction with a new handle; the message that was set aside stays where it is.
 */
final class ResumeCheck implements RequestHandler {
    private static final Logger LOG = LoggerFactory.getLogger(ResumeCheck.class);

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
                resume(request, position);
            } catch (RuntimeException e) {
                LOG.error("code {} failed for log position {}", RequestCode.RESUME_CHECK_HALF_MESSAGE, position, e);
                request.refuse(ResponseCode.SYSTEM_ERROR, "the transaction was not resumed; the broker's log says why");
            }
        });
    }

    private void resume(Request request, long position) {
        ByteBuffer stored = store.readAt(position);
        if (stored == null || !StoredMessage.topicEquals(stored, 0, Names.TRANS_CHECK_MAX_TIME_TOPIC)) {
            request.refuse(
                    ResponseCode.SYSTEM_ERROR,
                    "there is no message of " + Names.TRANS_CHECK_MAX_TIME_TOPIC + " at log position " + position);
            return;
        }
        MessageDraft.Builder half = MessageDraft.copyOf(stored, 0);
        String uniqueKey = half.property(MessageProperties.UNIQ_KEY);
        if (uniqueKey != null && lookup.openByUniqueKey(uniqueKey) != null) {
            request.refuse(ResponseCode.ILLEGAL_OPERATION, "transaction " + uniqueKey + " is open already");
            return;
        }
        String producerGroup = half.property(MessageProperties.PGROUP);
        half.topic(half.property(MessageProperties.REAL_TOPIC))
                .queueId(Integer.parseInt(half.property(MessageProperties.REAL_QID)))
                .preparedTransactionOffset(0)
                .removeProperty(MessageProperties.REAL_TOPIC)
                .removeProperty(MessageProperties.REAL_QID)
                .removeProperty(MessageProperties.TRANSACTION_CHECK_TIMES);
        store.putHalf(half.build(), producerGroup, clock.wallMillis(), outcome -> {
            int code = Outcomes.code(outcome);
            if (code == ResponseCode.SUCCESS) {
                request.reply(Command.response(ResponseCode.SUCCESS, null).build());
            } else {
                request.refuse(code, Outcomes.text(outcome));
            }
        });
    }
}
