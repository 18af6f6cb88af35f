/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Lanes;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.Reply;
import io.waybill.broker.stats.Stats;
import io.waybill.broker.timer.DelayedMessageWriter;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.SendReply;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageIds;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.Request;
import io.waybill.store.MessageStore;
import io.waybill.store.log.BatchStored;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Stored;
import io.waybill.store.record.FirstMessage;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.List;

/**
 * The one reply every kind of send gets. Success is said only for what is confirmed, this message or the first one with its key, and the
 * reply carries id, queue and offset, with the address of this broker in the id.
 */
public final class SendReplies {
    /** Ids of an IPv6 address take 57 bytes each, a header has at most 64 KiB. */
    static final int MOST_IDS = 1_000;

    /** Messages of one batch that claim keys: the reply to it names each that is a duplicate. */
    static final int MOST_CLAIMS = 8_192;

    /** Characters of ids and of numbers of duplicates together, so that both fit a header. */
    private static final int MOST_CHARACTERS = 60_000;

    /** Of a reply: the message was sent before; {@code true}, or of a batch with new messages too the numbers of those, from 0. */
    private static final String DUPLICATE = "WAYBILL_DUPLICATE";

    /** Ends a one-way request; not sent. */
    private static final Command DONE =
            Command.response(ResponseCode.SUCCESS, null).build();

    private final InetSocketAddress address;
    private final String region;
    private final boolean trace;
    private final MessageStore messages;
    private final DelayedMessageWriter delays;
    private final Stats stats;
    private final Lanes lanes;

    public SendReplies(
            MessageStamp stamp, MessageStore messages, DelayedMessageWriter delays, Stats stats, Lanes lanes) {
        this.address = stamp.storeHost();
        this.region = stamp.region();
        this.trace = stamp.isTraced();
        this.messages = messages;
        this.delays = delays;
        this.stats = stats;
        this.lanes = lanes;
    }

    Lanes lanes() {
        return lanes;
    }

    /** Answers a send whose placement was appended, with this outcome. */
    void reply(Request request, Outcome outcome, Placement placement) {
        if (placement instanceof Placement.Visible visible) {
            single(request, outcome, visible.message(), null);
        } else if (placement instanceof Placement.Delayed delayed) {
            String topic = delayed.message().topic();
            single(request, outcome, delayed.message(), key -> delays.recallHandle(topic, delayed.dueMillis(), key));
        } else if (placement instanceof Placement.Half half) {
            single(request, outcome, half.half().message(), null);
        } else if (placement instanceof Placement.DeadLetter dead) {
            single(request, outcome, dead.message(), null);
        } else if (placement instanceof Placement.Batch batch) {
            batch(request, outcome, batch.queueId(), batch.messages(), batch.batchKey());
        } else {
            throw new IllegalArgumentException("was not appended: " + placement);
        }
    }

    private void single(Request request, Outcome outcome, MessageDraft message, RecallHandleFactory recall) {
        single(request, outcome, message.queueId(), message.uniqueKey(), recall);
    }

    /**
     * Answers the send of one message. A half or delayed message has no offset yet; 0 stands for it. A duplicate is answered as the first one was.
     *
     * @param recall null unless it is delayed
     */
    void single(Request request, Outcome outcome, int queueId, String uniqueKey, RecallHandleFactory recall) {
        if (outcome instanceof Stored) {
            stats.answered(request.arrivedNanos(), 1);
        }
        if (request.isOneway()) {
            request.reply(DONE);
            return;
        }
        FirstMessage first = Duplicates.first(outcome);
        if (first != null) {
            lanes.run(Lane.BLOCKING, request, () -> {
                duplicate(request, first, uniqueKey, recall);
                return Reply.LATER;
            });
            return;
        }
        if (!(outcome instanceof Stored stored)) {
            refuse(request, outcome);
            return;
        }
        String id = MessageIds.offsetId(address, stored.position());
        String handle = recall == null ? null : recall.handle(uniqueKey);
        success(request, id, queueId, Math.max(0, stored.queueOffset()), uniqueKey, handle);
    }

    /** Ends of transactions and recalls name a message by its unique key: the first one's, which need not be this one's. */
    private void duplicate(Request request, FirstMessage first, String ownKey, RecallHandleFactory recall) {
        ByteBuffer stored = messages.readUnverified(first.position());
        String firstKey = stored == null ? null : StoredMessage.property(stored, 0, MessageProperties.UNIQ_KEY);
        String key = firstKey == null ? ownKey : firstKey;
        request.reply(Command.response(ResponseCode.SUCCESS, null)
                .header(new SendReply(
                        MessageIds.offsetId(address, first.position()),
                        first.queueId(),
                        Math.max(0, first.queueOffset()),
                        key,
                        null,
                        recall == null ? null : recall.handle(key),
                        region,
                        trace))
                .field(DUPLICATE, "true")
                .build());
    }

    /** Answers a batch with the ids of its messages, as many as a header holds. */
    private void batch(Request request, Outcome outcome, int queueId, List<MessageDraft> drafts, String transactionId) {
        if (outcome instanceof Stored || outcome instanceof BatchStored) {
            stats.answered(request.arrivedNanos(), drafts.size());
        }
        if (request.isOneway()) {
            request.reply(DONE);
            return;
        }
        if (outcome instanceof BatchStored stored) {
            batch(request, stored, queueId, transactionId);
            return;
        }
        if (!(outcome instanceof Stored stored)) {
            refuse(request, outcome);
            return;
        }
        StringBuilder ids = new StringBuilder(Math.min(drafts.size(), MOST_IDS) * 33);
        long position = stored.position();
        for (MessageDraft draft : drafts.subList(0, Math.min(drafts.size(), MOST_IDS))) {
            addId(ids, position);
            position += draft.size(); // they lie back to back in the log
        }
        success(request, ids.toString(), queueId, stored.queueOffset(), transactionId, null);
    }

    private void batch(Request request, BatchStored stored, int queueId, String transactionId) {
        int duplicates = 0;
        StringBuilder known = new StringBuilder();
        for (int i = 0; i < stored.stored().size(); i++) {
            if (stored.stored().get(i) == null) {
                known.append(duplicates++ == 0 ? "" : ",").append(i);
            }
        }
        boolean all = duplicates == stored.stored().size();
        int room = MOST_CHARACTERS - (all ? 0 : known.length());
        StringBuilder ids = new StringBuilder();
        for (int i = 0; i < Math.min(MOST_IDS, stored.stored().size()) && ids.length() < room; i++) {
            Stored own = stored.stored().get(i);
            addId(ids, own == null ? stored.prior().get(i).position() : own.position());
        }
        Stored own = stored.stored().get(0);
        FirstMessage prior = stored.prior().get(0);
        long offset = own == null ? Math.max(0, prior.queueOffset()) : own.queueOffset();
        int queue = own == null ? prior.queueId() : queueId;
        Command.Builder reply = Command.response(ResponseCode.SUCCESS, null)
                .header(new SendReply(ids.toString(), queue, offset, transactionId, null, null, region, trace));
        if (duplicates > 0) {
            reply.field(DUPLICATE, all ? "true" : known.toString());
        }
        request.reply(reply.build());
    }

    private void addId(StringBuilder ids, long position) {
        if (ids.length() > 0) {
            ids.append(',');
        }
        ids.append(MessageIds.offsetId(address, position));
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
