/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import io.waybill.broker.request.Reply;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.message.BadValue;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.remoting.Request;
import io.waybill.store.log.Outcome;
import java.nio.ByteBuffer;

/**
 * SEND_MESSAGE (10), SEND_MESSAGE_V2 (310) and SEND_BATCH_MESSAGE (320).
 *
 * <p>The steps: read the header; check; find the topic or create it; decide the {@link Placement}; append it; the reply is sent by the thread that
 * confirmed. The body is copied once, into the record. Nothing is answered with success that the store did not report as stored. Runs on the event loop
 * and does not block.
 */
final class SendMessage {
    private final Topics topics;
    private final SendChecks checks;
    private final MessagePlacer placer;
    private final MessageAppender appender;
    private final ClientRetries retries;
    private final SendReplies replies;
    private final CancelMarker cancels;
    private final Requesters requesters;

    SendMessage(
            Topics topics,
            SendChecks checks,
            MessagePlacer placer,
            MessageAppender appender,
            ClientRetries retries,
            SendReplies replies,
            CancelMarker cancels,
            Requesters requesters) {
        this.topics = topics;
        this.checks = checks;
        this.placer = placer;
        this.appender = appender;
        this.retries = retries;
        this.replies = replies;
        this.cancels = cancels;
        this.requesters = requesters;
    }

    Reply take(Request request) {
        try {
            begin(request);
        } catch (BadValue e) {
            refuse(request, e);
        }
        return Reply.LATER;
    }

    private void begin(Request request) {
        SendMessageHeader header = SendMessageHeader.read(request.command().fields());
        Placement.Refused refusal = checks.ofRequest(header, request.command().bodyLength());
        if (refusal != null) {
            request.refuse(refusal.code(), refusal.text());
            return;
        }
        TopicConfig topic = topics.find(header.topic());
        if (topic != null) {
            send(request, header, topic, request.command().body());
            return;
        }
        ClientRetries.RetryTarget unknown = retries.refusalOfNew(header.topic());
        if (unknown != null) {
            request.refuse(unknown.code(), unknown.remark());
            return;
        }
        // The creation ends later, when the socket's buffer is gone: this one time the body is copied twice.
        ByteBuffer body = ByteBuffer.wrap(request.command().bodyBytes());
        topics.findOrCreateForSend(
                header.topic(), header.defaultTopic(), header.defaultTopicQueueNums(), header.unitMode(), change -> {
                    if (change.isRefused()) {
                        request.refuse(change.code(), change.text());
                        return;
                    }
                    guarded(request, () -> send(request, header, change.config(), body));
                });
    }

    /** Called by others than the route, who would not answer for what is thrown here. */
    private void guarded(Request request, Runnable step) {
        try {
            step.run();
        } catch (BadValue e) {
            refuse(request, e);
        } catch (RuntimeException e) {
            replies.lanes().failures().answer(request, e);
        }
    }

    /** A message that breaks a limit of messages is 13, a request that cannot be read is 29. */
    private static void refuse(Request request, BadValue e) {
        boolean ofHeader = e instanceof BadField && !"properties".equals(e.field());
        request.refuse(ofHeader ? ResponseCode.INVALID_PARAMETER : ResponseCode.MESSAGE_ILLEGAL, e.getMessage());
    }

    private void send(Request request, SendMessageHeader header, TopicConfig topic, ByteBuffer body) {
        Placement.Refused refusal = checks.ofTopic(header, topic);
        if (refusal != null) {
            request.refuse(refusal.code(), refusal.text());
        } else if (header.batch() || request.code() == RequestCode.SEND_BATCH_MESSAGE) {
            act(request, placer.placeBatch(header, topic, body, request.connection()));
        } else {
            int flags = PropertyFlags.of(header.properties());
            if ((flags & (PropertyFlags.ASKS | PropertyFlags.CANCEL)) == PropertyFlags.ASKS
                    && !Names.isRetry(topic.topicName())) {
                requesters.asks(
                        MessageProperties.get(header.properties(), MessageProperties.REPLY_TO_CLIENT),
                        MessageProperties.get(header.properties(), MessageProperties.TTL),
                        request.connection());
            }
            act(request, placer.place(header, topic, body, flags, request.connection()));
        }
    }

    private void act(Request request, Placement placement) {
        if (placement instanceof Placement.Refused refused) {
            request.refuse(refused.code(), refused.text());
        } else if (placement instanceof Placement.Cancellation cancellation) {
            cancels.take(request, cancellation);
        } else if (placement instanceof Placement.Retry retry) {
            retry(request, retry);
        } else {
            appender.append(placement, outcome -> replies.reply(request, outcome, placement));
        }
    }

    /** A message that an ordered consumer gave up may be taken by somebody else, who decides on a thread of its own. */
    private void retry(Request request, Placement.Retry retry) {
        String topic = retry.header().topic();
        boolean isTaken = retries.isTaken(
                topic, retry.properties(), retry.from(), outcome -> afterOffer(request, retry, outcome));
        if (!isTaken) {
            act(request, placer.placeRetry(retry));
        }
    }

    private void afterOffer(Request request, Placement.Retry retry, Outcome outcome) {
        if (outcome != null) {
            String uniqueKey = retry.properties().get(MessageProperties.UNIQ_KEY);
            replies.single(request, outcome, retry.queueId(), uniqueKey, null);
            return;
        }
        guarded(request, () -> act(request, placer.placeRetry(retry)));
    }
}
