/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.MessageQueue;
import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.message.EncodedMessage;
import io.waybill.client.internal.message.InboundMessage;
import io.waybill.client.internal.message.WireQueues;
import io.waybill.client.internal.runtime.BrokerRefusal;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.LockBatchBody;
import io.waybill.protocol.body.LockBatchReply;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;
import java.util.concurrent.CompletableFuture;

/**
 * What a consumer asks of a broker beside messages and offsets: locks, messages that are sent back, replies. Keeps no state. Futures fail with a
 * {@link BrokerRefusal} or a {@code RemotingException}; they complete on an I/O thread.
 */
public final class ConsumeApi {
    private final BrokerConnections connections;

    public ConsumeApi(BrokerConnections connections) {
        this.connections = connections;
    }

    /** The queues now locked by this client. */
    CompletableFuture<List<MessageQueue>> lock(
            String address, String clientId, String group, List<MessageQueue> queues) {
        return connections
                .ask(address, Command.request(RequestCode.LOCK_BATCH_MQ).body(lockBody(clientId, group, queues)))
                .thenApply(reply -> locked(reply.body()));
    }

    CompletableFuture<Void> unlock(String address, String clientId, String group, List<MessageQueue> queues) {
        return connections
                .ask(address, Command.request(RequestCode.UNLOCK_BATCH_MQ).body(lockBody(clientId, group, queues)))
                .thenAccept(reply -> {});
    }

    private static byte[] lockBody(String clientId, String group, List<MessageQueue> queues) {
        Set<io.waybill.protocol.body.MessageQueue> wire = new LinkedHashSet<>();
        queues.forEach(queue -> wire.add(WireQueues.toWire(queue)));
        return new LockBatchBody(group, clientId, wire, false).toJson();
    }

    private static List<MessageQueue> locked(ByteBuffer body) {
        return LockBatchReply.parse(body).lockOKMQSet().stream()
                .map(WireQueues::of)
                .toList();
    }

    /**
     * Sends a failed message back by its position in the broker's log.
     *
     * @param maxRetries negative leaves the limit to the group's settings
     */
    public CompletableFuture<Void> sendBack(
            String address, String group, InboundMessage message, int delayLevel, int maxRetries) {
        Command.Builder request = Command.request(RequestCode.CONSUMER_SEND_MSG_BACK)
                .field("offset", message.stored().position())
                .field("group", group)
                .field("delayLevel", delayLevel)
                .field("originMsgId", message.messageId())
                .field("originTopic", message.topic())
                .field("unitMode", false)
                .field("bname", message.queue().broker());
        return connections
                .ask(address, maxRetries < 0 ? request : request.field("maxReconsumeTimes", maxRetries))
                .thenAccept(reply -> {});
    }

    /**
     * A message that failed in a consumer, sent to the retry topic of its group as an ordinary message: what is left when the broker cannot take it back
     * by position.
     */
    CompletableFuture<Void> resend(
            String address, String group, MessageQueue queue, EncodedMessage message, int tried, int maxRetries) {
        Command.Builder request = message.sendRequest(group, queue).field("j", tried);
        return connections
                .ask(address, maxRetries < 0 ? request : request.field("l", maxRetries))
                .thenAccept(reply -> {});
    }

    /** Answers a question; the broker hands it to the client that asked. */
    CompletableFuture<Void> reply(String address, String group, String broker, EncodedMessage answer) {
        MessageQueue queue = new MessageQueue(answer.topic(), broker, 0);
        return connections
                .ask(address, answer.sendRequest(RequestCode.SEND_REPLY_MESSAGE_V2, group, queue))
                .thenAccept(reply -> {});
    }

    /** Quarantines the key of a message that an ordered consumer cannot handle. */
    CompletableFuture<Void> quarantine(String address, String group, InboundMessage message, String key, String by) {
        byte[] order = new JsonWriter()
                .beginObject()
                .field("group", group)
                .field("action", "QUARANTINE")
                .field("topic", message.queue().topic())
                .field("key", key)
                .field("queueId", message.queue().id())
                .field("offset", message.offset())
                .field("reason", "failed " + message.attempt() + " times")
                .field("by", by)
                .endObject()
                .toByteArray();
        return connections
                .ask(address, Command.request(RequestCode.QUARANTINE).body(order))
                .thenAccept(reply -> {});
    }

    /** How a group is set at a broker. */
    CompletableFuture<SubscriptionGroupConfig> groupConfig(String address, String group) {
        return connections
                .ask(
                        address,
                        Command.request(RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG)
                                .field("group", group))
                .thenApply(reply -> SubscriptionGroupConfig.parse(reply.body()));
    }
}
