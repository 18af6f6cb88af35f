/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.ConsumeResult;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.internal.id.UniqueIds;
import io.waybill.client.internal.message.EncodedMessage;
import io.waybill.client.internal.message.InboundMessage;
import io.waybill.client.internal.route.RouteCache;
import io.waybill.platform.Clock;
import io.waybill.protocol.Names;
import io.waybill.protocol.message.MessageProperties;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Request-reply, the side that answers: what a handler has replied goes to the broker, which hands it to the client that asked. */
public final class ReplySender {
    private static final Logger LOG = LoggerFactory.getLogger(ReplySender.class);
    private static final String REPLY_TYPE = "reply";

    private final String group;
    private final Clock clock;
    private final RouteCache routes;
    private final ConsumeApi api;

    public ReplySender(String group, Clock clock, RouteCache routes, ConsumeApi api) {
        this.group = group;
        this.clock = clock;
        this.routes = routes;
        this.api = api;
    }

    /** Hands over what a handler answers, if the message is a question. The asker has a time-out of its own, so a lost answer is only noted. */
    public void reply(InboundMessage message, ConsumeResult result) {
        byte[] body = result.reply();
        EncodedMessage answer = body == null ? null : answer(message, body, clock.wallMillis());
        String broker = message.queue().broker();
        String address = answer == null ? null : routes.master(broker);
        if (address != null) {
            api.reply(address, group, broker, answer).exceptionally(failure -> {
                LOG.warn("the answer to message {} was not handed over: {}", message.messageId(), failure.getMessage());
                return null;
            });
        }
    }

    /** The answer to a question as it goes to the broker; null if the message is no question. */
    static EncodedMessage answer(ReceivedMessage question, byte[] body, long nowMillis) {
        String cluster = question.property(MessageProperties.CLUSTER);
        String correlationId = question.property(MessageProperties.CORRELATION_ID);
        String asker = question.property(MessageProperties.REPLY_TO_CLIENT);
        if (cluster == null || correlationId == null || asker == null) {
            return null;
        }
        Map<String, String> properties = new LinkedHashMap<>();
        properties.put(MessageProperties.UNIQ_KEY, UniqueIds.next());
        properties.put(MessageProperties.MSG_TYPE, REPLY_TYPE);
        properties.put(MessageProperties.CORRELATION_ID, correlationId);
        properties.put(MessageProperties.REPLY_TO_CLIENT, asker);
        String life = question.property(MessageProperties.TTL);
        if (life != null) {
            properties.put(MessageProperties.TTL, life);
        }
        return new EncodedMessage(
                Names.replyTopic(cluster),
                null,
                null,
                0,
                nowMillis,
                EncodedMessage.text(properties),
                body,
                List.of(properties.get(MessageProperties.UNIQ_KEY)),
                false);
    }
}
