/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.send;

import io.waybill.broker.request.Reply;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.PushReplyHeader;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.message.BadValue;
import io.waybill.protocol.message.CopyRoom;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.SysFlag;
import io.waybill.remoting.Connection;
import io.waybill.remoting.Request;
import io.waybill.store.MessageStore;
import io.waybill.store.log.Stored;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.util.LinkedHashMap;
import java.util.Map;

/**
 * SEND_REPLY_MESSAGE (324) and SEND_REPLY_MESSAGE_V2 (325): a consumer answers a request message.
 *
 * <p>The answer is pushed (326) to the client named in its property REPLY_TO_CLIENT and, whether that worked or not, stored in the reply topic
 * as any message. Code 0 says that the requesting client took it; otherwise the code is 1, and the sentence says why and where the answer lies.
 * Runs on event loops and does not block.
 */
final class ReplyMessage {
    /** Replies that did not reach their client, of the last ones: the stock client sends each twice more. */
    private static final int MOST_KEPT = 256;

    private static final int MAX_KEY_LENGTH = 255;

    /** A client that reads its socket answers at once: it only hands the reply to the thread that waits. */
    private static final long PUSH_TIMEOUT_MILLIS = 3_000;

    private final MessageStore messages;
    private final Topics topics;
    private final SendChecks checks;
    private final SendReplies replies;
    private final Requesters requesters;
    private final MessageStamp stamp;
    /** What was stored of undeliverable replies by unique key, the latest. Guarded by itself. */
    private final Map<String, Stored> kept = new LinkedHashMap<>() {
        @Override
        protected boolean removeEldestEntry(Map.Entry<String, Stored> eldest) {
            return size() > MOST_KEPT;
        }
    };

    ReplyMessage(
            MessageStore messages,
            Topics topics,
            SendChecks checks,
            SendReplies replies,
            Requesters requesters,
            MessageStamp stamp) {
        this.messages = messages;
        this.topics = topics;
        this.checks = checks;
        this.replies = replies;
        this.requesters = requesters;
        this.stamp = stamp;
    }

    Reply take(Request request) {
        try {
            begin(request);
        } catch (BadValue e) {
            boolean ofHeader = e instanceof BadField && !"properties".equals(e.field());
            request.refuse(ofHeader ? ResponseCode.INVALID_PARAMETER : ResponseCode.MESSAGE_ILLEGAL, e.getMessage());
        }
        return Reply.LATER;
    }

    private void begin(Request request) {
        SendMessageHeader header = SendMessageHeader.read(request.command().fields());
        TopicConfig topic = topics.find(header.topic());
        Placement.Refused refusal = checks.ofRequest(header, request.command().bodyLength());
        if (refusal == null && topic != null) {
            refusal = checks.ofTopic(header, topic);
        }
        if (refusal == null && (topic == null || !header.topic().endsWith(Names.REPLY_TOPIC_SUFFIX))) {
            refusal = new Placement.Refused(
                    ResponseCode.TOPIC_NOT_EXIST,
                    "topic '" + header.topic() + "' is no reply topic of this broker; it is named <cluster>"
                            + Names.REPLY_TOPIC_SUFFIX);
        }
        if (refusal != null) {
            request.refuse(refusal.code(), refusal.text());
            return;
        }
        int special = PropertyFlags.TRANSACTION | PropertyFlags.DELAY | PropertyFlags.UNLESS | PropertyFlags.CANCEL;
        if ((PropertyFlags.of(header.properties()) & special) != 0
                || SysFlag.transactionState(header.sysFlag()) == SysFlag.TRANSACTION_PREPARED) {
            request.refuse(
                    ResponseCode.MESSAGE_ILLEGAL,
                    "a reply asks for a delay, a condition, a cancellation or a transaction; it is delivered at once");
            return;
        }
        push(request, header, topic);
    }

    private void push(Request request, SendMessageHeader header, TopicConfig topic) {
        Map<String, String> properties = MessageProperties.decode(header.properties());
        stamp.addBrokerTo(properties);
        byte[] encoded = CopyRoom.encodeFirst(properties);
        byte[] body = request.command().bodyBytes();
        MessageDraft stored = stamp.draft(header, topic, ByteBuffer.wrap(body), request.connection())
                .sysFlag(header.sysFlag())
                .queueId(stamp.queueOf(header, topic))
                .properties(encoded)
                .build();
        String client = properties.get(MessageProperties.REPLY_TO_CLIENT);
        String correlation = properties.get(MessageProperties.CORRELATION_ID);
        if (client == null) {
            store(request, stored, correlation, "property REPLY_TO_CLIENT is missing: nobody to push the reply to");
            return;
        }
        Connection connection = requesters.connectionOf(client);
        if (connection == null) {
            store(request, stored, correlation, "client '" + client + "' that asked is not connected to this broker");
            return;
        }
        properties.put(
                MessageProperties.PUSH_REPLY_TIME, Long.toString(stamp.clock().wallMillis()));
        connection
                .call(pushed(request, header, properties, body), PUSH_TIMEOUT_MILLIS)
                .whenComplete((answer, failure) -> store(
                        request,
                        stored,
                        correlation,
                        failure == null ? faultOf(client, answer) : faultOf(client, failure)));
    }

    private Command pushed(Request request, SendMessageHeader header, Map<String, String> properties, byte[] body) {
        SendMessageHeader withTime = new SendMessageHeader(
                header.producerGroup(),
                header.topic(),
                header.defaultTopic(),
                header.defaultTopicQueueNums(),
                header.queueId(),
                header.sysFlag(),
                header.bornTimestamp(),
                header.flag(),
                MessageProperties.encode(properties),
                header.reconsumeTimes(),
                header.unitMode(),
                -1,
                false,
                null);
        return Command.request(RequestCode.PUSH_REPLY_MESSAGE_TO_CLIENT)
                .header(new PushReplyHeader(
                        withTime,
                        text(request.connection().remoteAddress()),
                        text(stamp.storeHost()),
                        stamp.storeClock().nowMillis()))
                .body(body)
                .build();
    }

    private static String text(InetSocketAddress address) {
        return address.getAddress().getHostAddress() + ":" + address.getPort();
    }

    private static String faultOf(String client, Command answer) {
        return answer.code() == ResponseCode.SUCCESS
                ? null
                : "client '" + client + "' did not take the reply: " + answer.remark();
    }

    private static String faultOf(String client, Throwable failure) {
        return "the reply did not reach client '" + client + "': " + failure.getMessage();
    }

    /** Keeps the reply, once, however often it is sent, and answers. */
    private void store(Request request, MessageDraft message, String correlation, String fault) {
        String key = message.uniqueKey() == null ? null : message.uniqueKey() + ' ' + correlation;
        Stored before;
        synchronized (kept) {
            before = key == null ? null : kept.get(key);
        }
        if (before != null) {
            replies.reply(request, before, message, fault);
            return;
        }
        messages.append(message, outcome -> {
            if (fault != null && key != null && key.length() <= MAX_KEY_LENGTH && outcome instanceof Stored stored) {
                synchronized (kept) {
                    kept.put(key, stored);
                }
            }
            replies.reply(request, outcome, message, fault);
        });
    }
}
