/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import io.waybill.client.MessageQueue;
import io.waybill.client.StartFrom;
import io.waybill.client.WaybillException;
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
final class PopCalls {
    static final int MAX_MESSAGES = 32;
    static final long DEFAULT_INVISIBLE_MILLIS = 60_000;

    private static final long MIN_INVISIBLE_MILLIS = 1_000;
    private static final long MAX_INVISIBLE_MILLIS = Duration.ofHours(12).toMillis();
    private static final long HOLD_GRACE_MILLIS = 10_000;
    private static final String PLAIN = "0";
    private static final String RETRY_V1 = "1";
    private static final String RETRY_V2 = "2";

    private static final int MAX_ACK_DISTANCE = 4_096;

    private final Calls calls;
    private final Clock clock;
    private final String group;

    /** Held while the handles of several messages are asked for. */
    private final Object lending = new Object();

    PopCalls(Calls calls, Clock clock, String group) {
        this.calls = calls;
        this.clock = clock;
        this.group = group;
    }

    static long invisibleMillis(Duration time) {
        long millis = time == null ? 0 : time.toMillis();
        if (millis < MIN_INVISIBLE_MILLIS || millis > MAX_INVISIBLE_MILLIS) {
            throw Failures.invalid("invisibleFor must be 1 s to 12 h, but is " + time, "choose a time in between");
        }
        return millis;
    }

    /**
     * One pop from any queue of a broker.
     *
     * @param waitMillis how long the broker may hold it when there is nothing
     */
    record Order(String topic, String broker, WireFilter filter, int max, long invisibleMillis, long waitMillis) {}

    /** Messages, or none when the time passed; fails with a {@link Refusal} or a {@code RemotingException}. */
    CompletableFuture<List<PoppedMessage>> pop(String address, Order order) {
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
        long timeout = calls.timings.callTimeout() + order.waitMillis() + HOLD_GRACE_MILLIS;
        return calls.links.call(address, request, timeout).thenApply(reply -> switch (reply.code()) {
            case ResponseCode.SUCCESS -> popped(address, reply, order);
            case ResponseCode.PULL_NOT_FOUND, ResponseCode.POLLING_TIMEOUT -> List.<PoppedMessage>of();
            default -> throw new Refusal(reply.code(), reply.remark());
        });
    }

    private List<PoppedMessage> popped(String address, Command reply, Order order) {
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

    private PopHandle handle(Message stored, PopReply header, Map<String, Long> starts, Order order) {
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
        return message.next(handle -> calls.links
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
                        calls.timings.callTimeout())
                .thenApply(reply -> settled(reply, handle)));
    }

    private static PopHandle settled(Command reply, PopHandle handle) {
        if (reply.code() != ResponseCode.SUCCESS && reply.code() != ResponseCode.NO_MESSAGE) {
            throw new Refusal(reply.code(), reply.remark());
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
                    return calls.links.call(address, request, calls.timings.callTimeout());
                })
                .whenComplete((reply, failure) -> {
                    if (failure == null) {
                        answer.complete(reply);
                    } else {
                        answer.completeExceptionally(Failures.unwrap(failure));
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

    /** Keeps a message for so long from now on; fails with a {@link Refusal} if it is not this consumer's any more. */
    CompletableFuture<PopHandle> changeInvisible(String address, PoppedMessage message, long millis) {
        return message.next(handle -> calls.links
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
                        calls.timings.callTimeout())
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
    void beginAt(Routes routes, String topic, StartFrom start) {
        if (start.policy() == StartFrom.Policy.FIRST) {
            return;
        }
        Route route = Failures.await(routes.find(topic), "finding topic " + topic, false);
        for (MessageQueue queue : route.readable()) {
            String address = routes.master(queue.broker());
            String doing = "finding the start of " + queue;
            if (address == null
                    || Failures.await(calls.committed(address, group, queue), doing, false)
                            .isPresent()) {
                continue;
            }
            long offset = Failures.await(calls.offsetOf(address, queue, start), doing, false);
            Failures.await(calls.commit(address, group, queue, offset), doing, false);
        }
    }

    static WaybillException notOurs() {
        return Failures.invalid(
                "the message was not received by this consumer", "give a message as receive has returned it");
    }
}
