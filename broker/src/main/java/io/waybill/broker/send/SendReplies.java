/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import io.waybill.broker.request.Outcomes;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.SendReply;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageIds;
import io.waybill.remoting.Request;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Stored;
import java.net.InetSocketAddress;
import java.util.List;

/**
 * The one reply every kind of send gets. Success is said only for {@link Stored}: the message is confirmed, and the reply
 * carries id, queue and offset, with the address of this broker in the id.
 */
final class SendReplies {
    /** Ids of an IPv6 address take 57 bytes each, a header has at most 64 KiB. */
    static final int MOST_IDS = 1_000;

    private final InetSocketAddress address;
    private final String region;
    private final boolean trace;

    SendReplies(InetSocketAddress address, String region, boolean trace) {
        this.address = address;
        this.region = region;
        this.trace = trace;
    }

    /** Answers the send of one message. A half or delayed message has no offset yet; 0 stands for it. */
    void single(Request request, Outcome outcome, int queueId, String transactionId, String recallHandle) {
        if (request.isOneway()) {
            return;
        }
        if (!(outcome instanceof Stored stored)) {
            refuse(request, outcome);
            return;
        }
        String id = MessageIds.offsetId(address, stored.position());
        success(request, id, queueId, Math.max(0, stored.queueOffset()), transactionId, recallHandle);
    }

    /** Answers a batch with the ids of its messages, which lie back to back in the log, as many as a header holds. */
    void batch(Request request, Outcome outcome, int queueId, List<MessageDraft> drafts, String transactionId) {
        if (request.isOneway()) {
            return;
        }
        if (!(outcome instanceof Stored stored)) {
            refuse(request, outcome);
            return;
        }
        StringBuilder ids = new StringBuilder(Math.min(drafts.size(), MOST_IDS) * 33);
        long position = stored.position();
        for (MessageDraft draft : drafts.subList(0, Math.min(drafts.size(), MOST_IDS))) {
            if (ids.length() > 0) {
                ids.append(',');
            }
            ids.append(MessageIds.offsetId(address, position));
            position += draft.size();
        }
        success(request, ids.toString(), queueId, stored.queueOffset(), transactionId, null);
    }

    /**
     * Answers a reply message.
     *
     * @param fault why the asking client did not get it, or null when it did: then nothing the store says changes that
     */
    void reply(Request request, Outcome outcome, MessageDraft message, String fault) {
        String id = outcome instanceof Stored stored ? MessageIds.offsetId(address, stored.position()) : null;
        if (fault != null) {
            String where =
                    id == null ? "; it could not be stored either: " + Outcomes.text(outcome) : "; stored as " + id;
            request.refuse(ResponseCode.SYSTEM_ERROR, fault + where);
            return;
        }
        long offset = outcome instanceof Stored stored ? stored.queueOffset() : 0;
        success(request, id == null ? "0" : id, message.queueId(), offset, message.uniqueKey(), null);
    }

    private void success(
            Request request, String id, int queueId, long queueOffset, String transactionId, String recallHandle) {
        request.reply(Command.response(ResponseCode.SUCCESS, null)
                .header(new SendReply(id, queueId, queueOffset, transactionId, null, recallHandle, region, trace))
                .build());
    }

    private static void refuse(Request request, Outcome outcome) {
        request.refuse(Outcomes.code(outcome), Outcomes.text(outcome));
    }
}
