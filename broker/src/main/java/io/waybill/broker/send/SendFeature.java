/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import io.waybill.broker.request.Routes;
import io.waybill.broker.timer.DelayedMessageWriter;
import io.waybill.broker.topic.Topics;
import io.waybill.broker.transaction.HalfMessageWriter;
import io.waybill.protocol.RequestCode;
import io.waybill.remoting.Connection;
import io.waybill.store.MessageStore;
import java.util.concurrent.Executor;
import java.util.function.Function;

/** The feature "send": its handlers, put together. */
public final class SendFeature {
    private final SendMessage sending;
    private final ReplyMessage replying;
    private final Requesters requesters;

    /**
     * @param clients the living connection of a client id, or null
     * @param blocking for looking at messages that may have to come from the disk
     */
    public SendFeature(
            MessageStore messages,
            Topics topics,
            HalfMessageWriter halves,
            DelayedMessageWriter delays,
            ClientRetries retries,
            Function<String, Connection> clients,
            MessageStamp stamp,
            SendReplies replies,
            Executor blocking) {
        SendChecks checks = new SendChecks(stamp.maxMessageBytes());
        requesters = new Requesters(clients, stamp.clock());
        sending = new SendMessage(
                topics,
                checks,
                new MessagePlacer(stamp, delays, halves, retries),
                new MessageAppender(messages, delays, halves, topics),
                retries,
                replies,
                new CancelMarker(delays, replies, blocking),
                requesters);
        replying = new ReplyMessage(messages, topics, checks, replies, requesters, stamp);
    }

    /** Forgets a connection. */
    public void closed(Connection connection) {
        requesters.closed(connection);
    }

    public void register(Routes routes) {
        routes.on(RequestCode.SEND_MESSAGE, sending)
                .on(RequestCode.SEND_MESSAGE_V2, sending)
                .on(RequestCode.SEND_BATCH_MESSAGE, sending)
                .on(RequestCode.SEND_REPLY_MESSAGE, replying)
                .on(RequestCode.SEND_REPLY_MESSAGE_V2, replying);
    }
}
