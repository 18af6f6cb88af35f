/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import io.waybill.broker.request.Routes;
import io.waybill.broker.retry.ClientRetryPublisher;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.stats.Stats;
import io.waybill.broker.timer.DelayedMessageWriter;
import io.waybill.broker.topic.Topics;
import io.waybill.broker.transaction.HalfMessageWriter;
import io.waybill.platform.Platform;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.remoting.Connection;
import io.waybill.store.Store;
import java.net.InetSocketAddress;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.concurrent.Executor;
import java.util.function.Function;

/** The feature "send": its handlers, put together. */
public final class SendFeature {
    private final SendMessage handler;
    private final ReplyMessage replying;
    private final Requesters requesters;

    /**
     * @param clients the living connection of a client id, or null
     * @param address where clients reach this broker; part of every message id
     * @param blocking for looking at messages that may have to come from the disk
     */
    public SendFeature(
            Store store,
            Topics topics,
            HalfMessageWriter halves,
            DelayedMessageWriter delays,
            ClientRetryPublisher retries,
            Function<String, Connection> clients,
            BrokerSettings settings,
            Platform platform,
            InetSocketAddress address,
            Stats stats,
            Executor blocking) {
        Map<String, String> properties = new LinkedHashMap<>();
        properties.put(MessageProperties.CLUSTER, settings.clusterName());
        properties.put(MessageProperties.MSG_REGION, settings.region());
        properties.put(MessageProperties.TRACE_ON, Boolean.toString(settings.trace()));
        SendChecks checks = new SendChecks(settings.maxMessageBytes());
        SendReplies replies = new SendReplies(address, settings.region(), settings.trace(), store, stats, blocking);
        requesters = new Requesters(clients, platform.clock());
        handler = new SendMessage(
                store,
                topics,
                checks,
                halves,
                delays,
                retries,
                replies,
                new CancelMarker(store, delays, replies, blocking),
                requesters,
                platform.clock(),
                platform.random(),
                address,
                properties);
        replying = new ReplyMessage(
                store,
                topics,
                checks,
                replies,
                requesters::connectionOf,
                platform.clock(),
                platform.random(),
                address,
                properties);
    }

    /** Forgets a connection. */
    public void closed(Connection connection) {
        requesters.closed(connection);
    }

    public void register(Routes routes) {
        routes.on(RequestCode.SEND_MESSAGE, handler)
                .on(RequestCode.SEND_MESSAGE_V2, handler)
                .on(RequestCode.SEND_BATCH_MESSAGE, handler)
                .on(RequestCode.SEND_REPLY_MESSAGE, replying)
                .on(RequestCode.SEND_REPLY_MESSAGE_V2, replying);
    }
}
