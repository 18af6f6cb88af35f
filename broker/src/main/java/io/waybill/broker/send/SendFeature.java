/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Routes;
import io.waybill.broker.timer.DelayedMessageWriter;
import io.waybill.broker.topic.Topics;
import io.waybill.broker.transaction.HalfMessageWriter;
import io.waybill.protocol.RequestCode;
import io.waybill.remoting.Connection;
import io.waybill.store.MessageStore;
import java.util.function.Function;

/** The feature "send": its handlers, put together. */
public final class SendFeature implements Feature {
    private final SendMessage sending;
    private final ReplyMessage replying;
    private final Requesters requesters;

    /** @param clients the living connection of a client id, or null */
    public SendFeature(
            MessageStore messages,
            Topics topics,
            HalfMessageWriter halves,
            DelayedMessageWriter delays,
            ClientRetries retries,
            Function<String, Connection> clients,
            MessageStamp stamp,
            SendReplies replies) {
        SendChecks checks = new SendChecks(stamp.maxMessageBytes());
        requesters = new Requesters(clients, stamp.clock());
        sending = new SendMessage(
                topics,
                checks,
                new MessagePlacer(stamp, delays, halves, retries),
                new MessageAppender(messages, delays, halves, topics),
                retries,
                replies,
                new CancelMarker(delays, replies, replies.lanes()),
                requesters);
        replying = new ReplyMessage(messages, topics, checks, replies, requesters, stamp);
    }

    @Override
    public void closed(Connection connection) {
        requesters.closed(connection);
    }

    @Override
    public void routes(Routes routes) {
        routes.on(RequestCode.SEND_MESSAGE, Lane.INLINE, sending::take)
                .on(RequestCode.SEND_MESSAGE_V2, Lane.INLINE, sending::take)
                .on(RequestCode.SEND_BATCH_MESSAGE, Lane.INLINE, sending::take)
                .on(RequestCode.SEND_REPLY_MESSAGE, Lane.INLINE, replying::take)
                .on(RequestCode.SEND_REPLY_MESSAGE_V2, Lane.INLINE, replying::take);
    }
}
