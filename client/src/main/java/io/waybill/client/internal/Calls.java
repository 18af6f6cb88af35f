/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import io.waybill.client.Admin.TransactionState.Stage;
import io.waybill.client.Decision;
import io.waybill.client.DelayedChange;
import io.waybill.client.DelayedMessages;
import io.waybill.client.MessageQueue;
import io.waybill.client.StartFrom;
import io.waybill.client.TransactionConflictException;
import io.waybill.client.WaybillException;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.CheckClientBody;
import io.waybill.protocol.body.ClusterInfo;
import io.waybill.protocol.body.ConsumerList;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.PullHeader;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.protocol.message.Message;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.List;
import java.util.OptionalLong;
import java.util.Set;
import java.util.concurrent.CompletableFuture;

/**
 * Each request of producers and consumers as one method: typed arguments to frame, frame to typed answer. Knows fields and codes, keeps no state.
 * Futures fail with a {@link Refusal} or a {@code RemotingException} unless a method says otherwise; they complete on an I/O thread.
 */
final class Calls {
    private static final int COMMIT_OFFSET = 0x1;
    private static final int SUSPEND = 0x2;
    private static final int SUBSCRIPTION = 0x4;
    private static final int ILLEGAL_OPERATION = 604;
    private static final int PULL_BYTES = 256 << 10;

    /** A pull's call may last this much longer than the broker holds it. */
    private static final long HOLD_GRACE_MILLIS = 10_000;

    final Links links;
    final Timings timings;

    Calls(Links links, Timings timings) {
        this.links = links;
        this.timings = timings;
    }

    /**
     * What the broker says to a send.
     *
     * @param code 0, or 10 to 12 for stored with a doubt
     * @param uniqueKey of the stored message; of a duplicate that of the first
     * @param duplicates the indexes of messages that were not stored because the topic had them already
     */
    record Stored(
            int code,
            String storedId,
            int queueId,
            long queueOffset,
            String uniqueKey,
            String recallHandle,
            Set<String> duplicates) {
        boolean isDuplicate(int index) {
            return !duplicates.isEmpty()
                    && (duplicates.contains("true") || duplicates.contains(Integer.toString(index)));
        }
    }

    /**
     * What the broker says to a pull; never a failure for codes 0, 19, 20 and 21.
     *
     * @param code 0 found, 19 nothing yet, 20 nothing matched, 21 offset moved
     */
    record Pulled(
            int code, long nextOffset, long minOffset, long maxOffset, long suggestedBroker, List<Message> messages) {}

    /**
     * One pull.
     *
     * @param progress all below is done, for the broker to keep as the group's progress; -1 = nothing to keep
     * @param isReplay whether this reads again what was consumed before; the broker's journal tells it apart
     */
    record PullOrder(
            String group,
            MessageQueue queue,
            long offset,
            int maxMessages,
            long holdMillis,
            WireFilter filter,
            long subscriptionVersion,
            long progress,
            boolean isReplay) {
        PullOrder(
                String group,
                MessageQueue queue,
                long offset,
                int maxMessages,
                long holdMillis,
                WireFilter filter,
                long subscriptionVersion,
                long progress) {
            this(group, queue, offset, maxMessages, holdMillis, filter, subscriptionVersion, progress, false);
        }
    }

    private CompletableFuture<Command> ask(String address, Command.Builder request) {
        return links.ask(address, request.build(), timings.callTimeout());
    }

    private static Command.Builder request(int code) {
        return Command.request(code);
    }

    private static Command.Builder ofQueue(int code, MessageQueue queue) {
        return request(code)
                .field("topic", queue.topic())
                .field("queueId", queue.id())
                .field("bname", queue.broker());
    }

    // ---- name server

    /** Fails with a {@link WaybillException}, of kind NOT_FOUND if the topic is unknown. */
    CompletableFuture<Route> route(String topic) {
        Command question = request(RequestCode.GET_ROUTEINFO_BY_TOPIC)
                .field("topic", topic)
                .field("acceptStandardJsonOnly", true)
                // What will be is not what is: this library finds a new topic by itself.
                .field("exact", true)
                .build();
        String doing = "asking the name server for topic " + topic;
        return links.askNameServer(question, timings.callTimeout())
                .handle((reply, failure) -> {
                    if (failure == null) {
                        return CompletableFuture.completedFuture(WireBodies.route(topic, reply.body()));
                    }
                    WaybillException explained = explained(failure, doing);
                    return explained.kind() == WaybillException.Kind.NOT_FOUND
                            ? unlessNoBroker(explained)
                            : CompletableFuture.<Route>failedFuture(explained);
                })
                .thenCompose(step -> step);
    }

    /** A topic that no broker could keep is not unknown: nobody was there to be asked. */
    private CompletableFuture<Route> unlessNoBroker(WaybillException notFound) {
        return links.askNameServer(request(RequestCode.GET_BROKER_CLUSTER_INFO).build(), timings.callTimeout())
                .handle((reply, failure) -> {
                    boolean none = failure == null
                            && ClusterInfo.parse(reply.body()).brokerAddrTable().isEmpty();
                    throw none ? Failures.noBroker() : notFound;
                });
    }

    static WaybillException explained(Throwable failure, String doing) {
        return Failures.of(failure, doing, false);
    }

    // ---- producers

    CompletableFuture<Stored> send(
            String address, String group, Outgoing message, MessageQueue queue, long timeoutMillis) {
        return links.call(address, sendRequest(group, message, queue).build(), timeoutMillis)
                .thenApply(reply -> {
                    int code = reply.code();
                    boolean stored = code == ResponseCode.SUCCESS || code >= 10 && code <= 12;
                    if (!stored) {
                        throw new Refusal(code, reply.remark());
                    }
                    return new Stored(
                            code,
                            reply.fields().require("msgId"),
                            reply.fields().requireInt("queueId"),
                            reply.fields().requireLong("queueOffset"),
                            reply.fields().get("transactionId"),
                            reply.fields().get("recallHandle"),
                            duplicates(reply.fields().get("WAYBILL_DUPLICATE")));
                });
    }

    private static Set<String> duplicates(String indexes) {
        return indexes == null || indexes.isBlank() ? Set.of() : Set.of(indexes.split(","));
    }

    void sendOneway(String address, String group, Outgoing message, MessageQueue queue) {
        links.oneway(address, sendRequest(group, message, queue).oneway().build());
    }

    private static Command.Builder sendRequest(String group, Outgoing message, MessageQueue queue) {
        int code = message.batch() ? RequestCode.SEND_BATCH_MESSAGE : RequestCode.SEND_MESSAGE_V2;
        return sendRequest(code, group, message, queue);
    }

    private static Command.Builder sendRequest(int code, String group, Outgoing message, MessageQueue queue) {
        return request(code)
                .field("a", group)
                .field("b", message.topic())
                .field("c", Names.DEFAULT_TOPIC)
                .field("d", Routes.NEW_TOPIC_QUEUES)
                .field("e", queue.id())
                .field("f", message.sysFlag())
                .field("g", message.bornMillis())
                .field("h", 0)
                .field("i", message.properties())
                .field("j", 0)
                .field("k", false)
                .field("m", message.batch())
                .field("n", queue.broker())
                .body(message.body());
    }

    /**
     * A message that failed in a consumer, sent to the retry topic of its group as an ordinary message: what is left when the broker cannot take it back
     * by position.
     */
    CompletableFuture<Void> resend(
            String address, String group, MessageQueue queue, Outgoing message, int tried, int maxRetries) {
        Command.Builder request = sendRequest(group, message, queue).field("j", tried);
        return ask(address, maxRetries < 0 ? request : request.field("l", maxRetries))
                .thenAccept(reply -> {});
    }

    /** The header values of a half message or of a check that the end must repeat. */
    record HalfId(
            String topic, String broker, long queueOffset, long position, String messageId, String transactionId) {}

    private static Command.Builder endRequest(
            String group, HalfId half, Decision decision, boolean fromCheck, String remark) {
        int outcome = switch (decision) {
            case COMMIT -> 8;
            case ROLLBACK -> 12;
            case UNKNOWN -> 0;
        };
        Command.Builder request = request(RequestCode.END_TRANSACTION)
                .field("topic", half.topic())
                .field("producerGroup", group)
                .field("tranStateTableOffset", half.queueOffset())
                .field("commitLogOffset", half.position())
                .field("commitOrRollback", outcome)
                .field("fromTransactionCheck", fromCheck)
                .field("msgId", half.messageId())
                .field("transactionId", half.transactionId())
                .field("bname", half.broker());
        return remark == null ? request : request.remark(remark);
    }

    /** Fails with a {@link TransactionConflictException} if it was decided otherwise before. */
    CompletableFuture<Void> endTransaction(
            String address, String group, HalfId half, Decision decision, String remark) {
        Command request = endRequest(group, half, decision, false, remark).build();
        return links.call(address, request, timings.callTimeout()).thenAccept(reply -> {
            String decided = reply.fields().get("decided");
            if (reply.code() == ILLEGAL_OPERATION && decided != null) {
                throw new TransactionConflictException(
                        half.messageId(),
                        decision,
                        Cluster.constant(Stage.class, decided, Stage.OPEN),
                        Instant.ofEpochMilli(reply.fields().getLong("decidedTimestamp", 0)),
                        reply.fields().get("decidedBy"));
            }
            Links.successful(reply);
        });
    }

    /** The decision as a one-way request. */
    static Command end(String group, HalfId half, Decision decision, boolean fromCheck, String remark) {
        return endRequest(group, half, decision, fromCheck, remark).oneway().build();
    }

    CompletableFuture<Void> recall(String address, String group, String topic, String broker, String handle) {
        return ask(
                        address,
                        request(RequestCode.RECALL_MESSAGE)
                                .field("producerGroup", group)
                                .field("topic", topic)
                                .field("recallHandle", handle)
                                .field("bname", broker))
                .thenAccept(reply -> {});
    }

    /** Cancels (no time given) or moves delayed messages. */
    CompletableFuture<DelayedChange> changeTimer(
            String address, String broker, DelayedMessages.Selector which, Instant deliverAt, String by) {
        byte[] question = AdminDelayed.question(which, deliverAt, by).toByteArray();
        return askBody(address, request(RequestCode.CHANGE_TIMER).body(question))
                .thenApply(body -> AdminDelayed.read(broker, Json.parseAnswer(body)));
    }

    // ---- membership

    CompletableFuture<Void> heartbeat(String address, byte[] body) {
        return ask(address, request(RequestCode.HEART_BEAT).body(body)).thenAccept(reply -> {});
    }

    /** @param consumer true for a consumer group, false for a producer group */
    CompletableFuture<Void> unregister(String address, String clientId, String group, boolean consumer) {
        return ask(
                        address,
                        request(RequestCode.UNREGISTER_CLIENT)
                                .field("clientID", clientId)
                                .field(consumer ? "consumerGroup" : "producerGroup", group))
                .thenAccept(reply -> {});
    }

    /** Lets one of the brokers of a topic look at the filter a group has for it, and waits. */
    void checkFilters(Set<String> addresses, String clientId, Membership.Consumer group, String topic) {
        for (String address : addresses) {
            SubscriptionData filter = group.subscriptions().get(topic).subscription(topic, group.version());
            Failures.await(
                    checkFilter(address, clientId, group.group(), filter),
                    "checking the filter of topic " + topic,
                    false);
            return;
        }
    }

    /** Whether a broker takes a filter; fails with a {@link WaybillException} that says what is wrong with it. */
    CompletableFuture<Void> checkFilter(String address, String clientId, String group, SubscriptionData filter) {
        return ask(
                        address,
                        request(RequestCode.CHECK_CLIENT_CONFIG)
                                .body(new CheckClientBody(clientId, group, filter, null).toJson()))
                .handle((reply, failure) -> {
                    if (failure == null) {
                        return null;
                    }
                    if (Failures.unwrap(failure) instanceof Refusal refusal) {
                        throw new WaybillException(
                                WaybillException.Kind.INVALID,
                                refusal.code(),
                                false,
                                "the broker does not take the filter of topic " + filter.topic() + ": "
                                        + refusal.getMessage(),
                                "correct the condition",
                                refusal);
                    }
                    throw explained(failure, "checking the filter of topic " + filter.topic());
                });
    }

    CompletableFuture<List<String>> members(String address, String group) {
        return ask(address, request(RequestCode.GET_CONSUMER_LIST_BY_GROUP).field("consumerGroup", group))
                .thenApply(reply -> reply.body().hasRemaining()
                        ? ConsumerList.parse(reply.body()).consumerIdList()
                        : List.of());
    }

    /** The queues now locked by this client. */
    CompletableFuture<List<MessageQueue>> lock(
            String address, String clientId, String group, List<MessageQueue> queues) {
        return ask(address, request(RequestCode.LOCK_BATCH_MQ).body(WireBodies.lock(clientId, group, queues)))
                .thenApply(reply -> WireBodies.locked(reply.body()));
    }

    CompletableFuture<Void> unlock(String address, String clientId, String group, List<MessageQueue> queues) {
        return ask(address, request(RequestCode.UNLOCK_BATCH_MQ).body(WireBodies.lock(clientId, group, queues)))
                .thenAccept(reply -> {});
    }

    // ---- offsets

    CompletableFuture<OptionalLong> committed(String address, String group, MessageQueue queue) {
        Command question = ofQueue(RequestCode.QUERY_CONSUMER_OFFSET, queue)
                .field("consumerGroup", group)
                .field("setZeroIfNotFound", false)
                .build();
        return links.call(address, question, timings.callTimeout()).thenApply(reply -> {
            if (reply.code() == ResponseCode.QUERY_NOT_FOUND) {
                return OptionalLong.empty();
            }
            long offset = Links.successful(reply).fields().requireLong("offset");
            return offset < 0 ? OptionalLong.empty() : OptionalLong.of(offset);
        });
    }

    CompletableFuture<Void> commit(String address, String group, MessageQueue queue, long offset) {
        return ask(
                        address,
                        ofQueue(RequestCode.UPDATE_CONSUMER_OFFSET, queue)
                                .field("consumerGroup", group)
                                .field("commitOffset", offset))
                .thenAccept(reply -> {});
    }

    CompletableFuture<Long> maxOffset(String address, MessageQueue queue) {
        return offset(address, ofQueue(RequestCode.GET_MAX_OFFSET, queue).field("committed", true));
    }

    CompletableFuture<Long> minOffset(String address, MessageQueue queue) {
        return offset(address, ofQueue(RequestCode.GET_MIN_OFFSET, queue));
    }

    /** The first offset stored at this time or later, else the end. */
    CompletableFuture<Long> offsetAt(String address, MessageQueue queue, long timeMillis) {
        return offset(
                address,
                ofQueue(RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, queue)
                        .field("timestamp", timeMillis)
                        .field("boundaryType", "LOWER"));
    }

    private CompletableFuture<Long> offset(String address, Command.Builder request) {
        return ask(address, request).thenApply(reply -> reply.fields().requireLong("offset"));
    }

    /** Where a beginning lies in a queue. */
    CompletableFuture<Long> offsetOf(String address, MessageQueue queue, StartFrom start) {
        return switch (start.policy()) {
            case FIRST -> minOffset(address, queue);
            case LAST -> maxOffset(address, queue);
            case TIME -> offsetAt(address, queue, start.time().toEpochMilli());
        };
    }

    // ---- messages

    CompletableFuture<Pulled> pull(String address, PullOrder order) {
        Command request = ofQueue(RequestCode.PULL_MESSAGE, order.queue())
                .field("consumerGroup", order.group())
                .field("queueOffset", order.offset())
                .field("maxMsgNums", order.maxMessages())
                .field(
                        "sysFlag",
                        SUBSCRIPTION
                                | (order.holdMillis() > 0 ? SUSPEND : 0)
                                | (order.progress() >= 0 ? COMMIT_OFFSET : 0)
                                | (order.isReplay() ? PullHeader.FLAG_REPLAY : 0))
                .field("commitOffset", Math.max(0, order.progress()))
                .field("suspendTimeoutMillis", order.holdMillis())
                .field("subscription", order.filter().expression())
                .field("subVersion", order.subscriptionVersion())
                .field("expressionType", order.filter().type())
                .field("maxMsgBytes", PULL_BYTES)
                .build();
        long timeout = order.holdMillis() > 0 ? order.holdMillis() + HOLD_GRACE_MILLIS : timings.callTimeout();
        return links.call(address, request, timeout).thenApply(Calls::pulled);
    }

    private static Pulled pulled(Command reply) {
        return switch (reply.code()) {
            case ResponseCode.SUCCESS,
                    ResponseCode.PULL_NOT_FOUND,
                    ResponseCode.PULL_RETRY_IMMEDIATELY,
                    ResponseCode.PULL_OFFSET_MOVED ->
                new Pulled(
                        reply.code(),
                        reply.fields().requireLong("nextBeginOffset"),
                        reply.fields().getLong("minOffset", 0),
                        reply.fields().getLong("maxOffset", 0),
                        reply.fields().getLong("suggestWhichBrokerId", 0),
                        reply.code() == ResponseCode.SUCCESS ? Message.decodeAll(reply.body()) : List.of());
            default -> throw new Refusal(reply.code(), reply.remark());
        };
    }

    /**
     * Gives a failed message back by its position in the broker's log.
     *
     * @param maxRetries negative leaves the limit to the group's settings
     */
    CompletableFuture<Void> sendBack(
            String address, String group, InboundMessage message, int delayLevel, int maxRetries) {
        Command.Builder request = request(RequestCode.CONSUMER_SEND_MSG_BACK)
                .field("offset", message.stored().position())
                .field("group", group)
                .field("delayLevel", delayLevel)
                .field("originMsgId", message.messageId())
                .field("originTopic", message.topic())
                .field("unitMode", false)
                .field("bname", message.queue().broker());
        return ask(address, maxRetries < 0 ? request : request.field("maxReconsumeTimes", maxRetries))
                .thenAccept(reply -> {});
    }

    /** Answers a question; the broker hands it to the client that asked. */
    CompletableFuture<Void> reply(String address, String group, String broker, Outgoing answer) {
        MessageQueue queue = new MessageQueue(answer.topic(), broker, 0);
        return ask(address, sendRequest(RequestCode.SEND_REPLY_MESSAGE_V2, group, answer, queue))
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
        return askBody(address, request(RequestCode.QUARANTINE).body(order)).thenAccept(body -> {});
    }

    /** How a group is set at a broker. */
    CompletableFuture<SubscriptionGroupConfig> groupConfig(String address, String group) {
        return askBody(
                        address,
                        request(RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG).field("group", group))
                .thenApply(SubscriptionGroupConfig::parse);
    }

    /** Messages with a key; empty if there are none. */
    CompletableFuture<List<Message>> byKey(
            String address, String topic, String key, int max, long fromMillis, long toMillis, boolean unique) {
        Command.Builder request = request(RequestCode.QUERY_MESSAGE)
                .field("topic", topic)
                .field("key", key)
                .field("maxNum", max)
                .field("beginTimestamp", fromMillis)
                .field("endTimestamp", toMillis);
        if (unique) {
            request.field("_UNIQUE_KEY_QUERY", true);
        }
        return links.call(address, request.build(), timings.callTimeout()).thenApply(reply -> {
            if (reply.code() == ResponseCode.QUERY_NOT_FOUND) {
                return List.<Message>of();
            }
            return Message.decodeAll(Links.successful(reply).body());
        });
    }

    /** The record at a position of a broker's log; fails with a {@link Refusal} if there is none. */
    CompletableFuture<Message> at(String address, long position) {
        return ask(address, request(RequestCode.VIEW_MESSAGE_BY_ID).field("offset", position))
                .thenApply(reply -> Message.decode(reply.body(), reply.body().position()));
    }

    /** Anything else. */
    CompletableFuture<ByteBuffer> askBody(String address, Command.Builder request) {
        return ask(address, request).thenApply(Command::body);
    }
}
