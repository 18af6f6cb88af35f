/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.pop;

import io.waybill.client.MessageQueue;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.connection.OffsetApi;
import io.waybill.client.internal.route.Route;
import io.waybill.client.internal.route.RouteCache;
import io.waybill.client.internal.runtime.BrokerRefusal;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.platform.Clock;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.BatchAckBody;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.AckHeader;
import io.waybill.protocol.header.ChangeInvisibleHeader;
import io.waybill.protocol.header.ChangeInvisibleReply;
import io.waybill.protocol.header.PopHandle;
import io.waybill.protocol.header.PopHeader;
import io.waybill.protocol.header.PopReply;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageProperties;
import java.time.Duration;
import java.util.ArrayList;
import java.util.BitSet;
import java.util.Collection;
import java.util.HashMap;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;

/** The requests of consumers by pop. Knows fields, codes and handles, keeps no state. */
public final class PopApi {
    static final int MAX_MESSAGES = 32;
    public static final long DEFAULT_INVISIBLE_MILLIS = 60_000;

    private static final long MIN_INVISIBLE_MILLIS = 1_000;
    private static final long MAX_INVISIBLE_MILLIS = Duration.ofHours(12).toMillis();
    private static final long HOLD_GRACE_MILLIS = 10_000;
    private static final String PLAIN = "0";
    private static final String RETRY_V1 = "1";
    private static final String RETRY_V2 = "2";

    private static final int MAX_ACK_DISTANCE = 4_096;

    private final BrokerConnections connections;
    private final OffsetApi offsets;
    private final Clock clock;
    private final String group;

    /** Held while the handles of several messages are asked for. */
    private final Object lending = new Object();

    public PopApi(BrokerConnections connections, Clock clock, String group) {
        this.connections = connections;
        this.offsets = new OffsetApi(connections);
        this.clock = clock;
        this.group = group;
    }

    public static long invisibleMillis(Duration time) {
        long millis = time == null ? 0 : time.toMillis();
        if (millis < MIN_INVISIBLE_MILLIS || millis > MAX_INVISIBLE_MILLIS) {
            throw ClientExceptions.invalid(
                    "invisibleFor must be 1 s to 12 h, but is " + time, "choose a time in between");
        }
        return millis;
    }

    /** Messages, or none when the time passed; fails with a {@link BrokerRefusal} or a {@code RemotingException}. */
    CompletableFuture<List<PoppedMessage>> pop(String address, PopRequest order) {
        Command request = Command.request(RequestCode.POP_MESSAGE)
                .header(new PopHeader(
                        group,
                        order.topic(),
                        PopHeader.ANY_QUEUE,
                        order.max(),
                        order.invisibleMillis(),
                        order.waitMillis(),
                        clock.wallMillis(),
                        PopHeader.FROM_MIN,
                        order.filter().type(),
                        order.filter().expression(),
                        false,
                        null,
                        order.broker()))
                .build();
        long timeout = connections.callTimeoutMillis() + order.waitMillis() + HOLD_GRACE_MILLIS;
        return connections.call(address, request, timeout).thenApply(reply -> switch (reply.code()) {
            case ResponseCode.SUCCESS -> popped(address, reply, order);
            case ResponseCode.PULL_NOT_FOUND, ResponseCode.POLLING_TIMEOUT -> List.<PoppedMessage>of();
            default -> throw new BrokerRefusal(reply.code(), reply.remark());
        });
    }

    private List<PoppedMessage> popped(String address, Command reply, PopRequest order) {
        PopReply header = PopReply.read(reply.fields());
        Map<String, Long> starts = starts(header.startOffsetInfo());
        List<PoppedMessage> messages = new ArrayList<>();
        for (Message stored : Message.decodeAll(reply.body())) {
            PopHandle handle = handle(stored, header, starts, order);
            MessageQueue queue = new MessageQueue(stored.topic(), order.broker(), handle.queueId());
            PoppedMessage message =
                    new PoppedMessage(stored, queue, wireTopic(order.topic(), handle.topicMark()), handle);
            if (order.filter().matches(stored.tags())) {
                messages.add(message);
            } else {
                ack(address, message); // a stock broker compares hashes of tags only
            }
        }
        return messages;
    }

    private static Map<String, Long> starts(String info) {
        Map<String, Long> starts = new HashMap<>();
        if (info != null && !info.isBlank()) {
            for (String entry : info.split(";")) {
                String[] words = entry.strip().split(" ");
                if (words.length == 3) {
                    starts.put(words[0] + " " + words[1], Long.parseLong(words[2]));
                }
            }
        }
        return starts;
    }

    private PopHandle handle(Message stored, PopReply header, Map<String, Long> starts, PopRequest order) {
        String given = stored.property(MessageProperties.POP_CK);
        if (given != null) {
            return PopHandle.parse(given); // of a retried message, which has its former topic again
        }
        String mark = PLAIN;
        if (Names.isRetry(stored.topic()) && !stored.topic().equals(order.topic())) {
            mark = stored.topic().equals(Names.retryTopic(group + "+" + order.topic())) ? RETRY_V2 : RETRY_V1;
        }
        Long start = starts.get(mark + " " + stored.queueId());
        return new PopHandle(
                start == null ? stored.queueOffset() : start,
                header.popTime(),
                header.invisibleTime(),
                header.reviveQid(),
                mark,
                order.broker(),
                stored.queueId(),
                stored.queueOffset());
    }

    private String wireTopic(String topic, String mark) {
        return switch (mark) {
            case RETRY_V1 -> Names.retryTopic(group + "_" + topic);
            case RETRY_V2 -> Names.retryTopic(group + "+" + topic);
            default -> topic;
        };
    }

    /** Completes when the broker has the acknowledgement; also if it came too late. */
    CompletableFuture<PopHandle> ack(String address, PoppedMessage message) {
        return message.next(handle -> connections
                .call(
                        address,
                        Command.request(RequestCode.ACK_MESSAGE)
                                .header(new AckHeader(
                                        group,
                                        message.wireTopic(),
                                        handle.queueId(),
                                        handle.toString(),
                                        handle.offset(),
                                        handle.brokerName()))
                                .build(),
                        connections.callTimeoutMillis())
                .thenApply(reply -> settled(reply, handle)));
    }

    private static PopHandle settled(Command reply, PopHandle handle) {
        if (reply.code() != ResponseCode.SUCCESS && reply.code() != ResponseCode.NO_MESSAGE) {
            throw new BrokerRefusal(reply.code(), reply.remark());
        }
        return handle;
    }

    /** Like {@link #ack}, for messages of one broker in one request. */
    CompletableFuture<Void> ackAll(String address, String broker, Collection<PoppedMessage> messages) {
        // Each message lends its handle until the one request for all of them is answered; named twice, it would wait
        // for itself.
        List<PoppedMessage> once = List.copyOf(new LinkedHashSet<>(messages));
        CompletableFuture<Command> answer = new CompletableFuture<>();
        List<CompletableFuture<PopHandle>> lent = new ArrayList<>();
        List<CompletableFuture<PopHandle>> ended = new ArrayList<>();
        synchronized (lending) { // two that want the same messages in another order would wait for each other
            for (PoppedMessage message : once) {
                CompletableFuture<PopHandle> handle = new CompletableFuture<>();
                lent.add(handle);
                ended.add(message.next(current -> {
                    handle.complete(current);
                    return answer.thenApply(reply -> settled(reply, current));
                }));
            }
        }
        CompletableFuture.allOf(lent.toArray(CompletableFuture[]::new))
                .thenCompose(ready -> {
                    Map<String, BatchAckBody.Entry> entries = new HashMap<>();
                    for (int i = 0; i < once.size(); i++) {
                        add(entries, once.get(i), lent.get(i).join());
                    }
                    Command request = Command.request(RequestCode.BATCH_ACK_MESSAGE)
                            .body(new BatchAckBody(broker, List.copyOf(entries.values())).toJson())
                            .build();
                    return connections.call(address, request, connections.callTimeoutMillis());
                })
                .whenComplete((reply, failure) -> {
                    if (failure == null) {
                        answer.complete(reply);
                    } else {
                        answer.completeExceptionally(ClientExceptions.unwrap(failure));
                    }
                });
        return CompletableFuture.allOf(ended.toArray(CompletableFuture[]::new));
    }

    private void add(Map<String, BatchAckBody.Entry> entries, PoppedMessage message, PopHandle handle) {
        // What came again may lie far before what is new: it gets an entry of its own, as brokers bound the length of
        // one.
        long distance = handle.offset() - handle.startOffset();
        long start = distance >= 0 && distance < MAX_ACK_DISTANCE ? handle.startOffset() : handle.offset();
        String name = message.wireTopic() + " " + handle.queueId() + " " + start + " " + handle.popTime() + " "
                + handle.invisibleTime() + " " + handle.reviveQid();
        entries.computeIfAbsent(
                        name,
                        n -> new BatchAckBody.Entry(
                                group,
                                message.wireTopic(),
                                handle.topicMark(),
                                start,
                                handle.queueId(),
                                handle.reviveQid(),
                                handle.popTime(),
                                handle.invisibleTime(),
                                new BitSet()))
                .offsets()
                .set((int) (handle.offset() - start));
    }

    /** Keeps a message for so long from now on; fails with a {@link BrokerRefusal} if it is not this consumer's any more. */
    CompletableFuture<PopHandle> changeInvisible(String address, PoppedMessage message, long millis) {
        return message.next(handle -> connections
                .ask(
                        address,
                        Command.request(RequestCode.CHANGE_MESSAGE_INVISIBLETIME)
                                .header(new ChangeInvisibleHeader(
                                        group,
                                        message.wireTopic(),
                                        handle.queueId(),
                                        handle.toString(),
                                        handle.offset(),
                                        millis,
                                        false,
                                        handle.brokerName()))
                                .build(),
                        connections.callTimeoutMillis())
                .thenApply(reply -> {
                    ChangeInvisibleReply changed = ChangeInvisibleReply.read(reply.fields());
                    return new PopHandle(
                            handle.offset(),
                            changed.popTime(),
                            changed.invisibleTime(),
                            changed.reviveQid(),
                            handle.topicMark(),
                            handle.brokerName(),
                            handle.queueId(),
                            handle.offset());
                }));
    }

    /**
     * Places a new group by its progress, in the queues there are; younger ones it takes whole. Pop itself has no times, and its "last" is the first in
     * young queues. Waits.
     */
    void beginAt(RouteCache routes, String topic, StartFrom start) {
        if (start.policy() == StartFrom.Policy.FIRST) {
            return;
        }
        Route route = ClientExceptions.await(routes.find(topic), "finding topic " + topic, false);
        for (MessageQueue queue : route.readable()) {
            String address = routes.master(queue.broker());
            String doing = "finding the start of " + queue;
            if (address == null
                    || ClientExceptions.await(offsets.committed(address, group, queue), doing, false)
                            .isPresent()) {
                continue;
            }
            long offset = ClientExceptions.await(offsets.offsetOf(address, queue, start), doing, false);
            ClientExceptions.await(offsets.commit(address, group, queue, offset), doing, false);
        }
    }

    static WaybillException notOurs() {
        return ClientExceptions.invalid(
                "the message was not received by this consumer", "give a message as receive has returned it");
    }
}
