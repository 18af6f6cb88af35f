/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.longpoll.Deliveries;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.Routes;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.BatchAckBody;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.AckHeader;
import io.waybill.protocol.header.ChangeInvisibleHeader;
import io.waybill.protocol.header.ChangeInvisibleReply;
import io.waybill.protocol.header.PopHandle;
import io.waybill.remoting.Connection;
import io.waybill.remoting.Request;
import io.waybill.store.QueueRange;
import io.waybill.store.QueueStore;
import io.waybill.store.log.Completion;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/**
 * The requests that speak of leased messages: ACK (200051), BATCH_ACK (200151), CHANGE_INVISIBLETIME (200053).
 *
 * <p>Answered when what they changed is stored. An acknowledgement by an older handle is answered 0 and changes
 * nothing: the message is with somebody else now, or done. What nobody has leased, since a reset or a crash came
 * between, will come again: that is 208. A change by an older handle is 208 too.
 */
final class AckRequests {
    private static final long MOST_INVISIBLE_MILLIS = 30L * 24 * 3_600_000;
    private static final int MOST_ENTRIES = 4_096;

    /** Of one batch: they are looked at on the event loop. */
    private static final int MOST_BATCHED = 65_536;

    private final QueueStore queues;
    private final Topics topics;
    private final PopQueues popQueues;
    private final HeldPops heldPops;
    private final InvisibilityClock invisibilities;
    private final Deliveries deliveries;
    private final PopClock clock;

    AckRequests(
            QueueStore queues,
            Topics topics,
            PopQueues popQueues,
            HeldPops heldPops,
            InvisibilityClock invisibilities,
            Deliveries deliveries,
            PopClock clock) {
        this.queues = queues;
        this.topics = topics;
        this.popQueues = popQueues;
        this.heldPops = heldPops;
        this.invisibilities = invisibilities;
        this.deliveries = deliveries;
        this.clock = clock;
    }

    void routes(Routes routes) {
        routes.on(RequestCode.ACK_MESSAGE, Lane.INLINE, AckHeader::read, this::ack)
                .onCommand(
                        RequestCode.BATCH_ACK_MESSAGE,
                        Lane.INLINE,
                        command -> BatchAckBody.parse(command.body()),
                        this::batchAck)
                .on(RequestCode.CHANGE_MESSAGE_INVISIBLETIME, Lane.INLINE, ChangeInvisibleHeader::read, this::change);
    }

    private Reply ack(Request request, AckHeader header) {
        PopHandle handle = PopHandle.parse(header.extraInfo());
        String topic = realTopic(header.topic(), header.consumerGroup());
        Reply refusal = refusal(topic, header.queueId(), header.offset());
        if (refusal != null) {
            return refusal;
        }
        AckReply all = new AckReply(request, 1);
        ack(
                header.consumerGroup(),
                topic,
                header.queueId(),
                new long[] {header.offset()},
                handle.popTime(),
                request.connection(),
                all);
        return Reply.LATER;
    }

    private Reply batchAck(Request request, BatchAckBody body) {
        if (body.acks().size() > MOST_ENTRIES) {
            throw new BadField(
                    "acks", "at most " + MOST_ENTRIES + " entries", body.acks().size() + " entries");
        }
        long messages = body.acks().stream()
                .mapToLong(entry -> entry.offsets().cardinality())
                .sum();
        if (messages > MOST_BATCHED) {
            throw new BadField("acks", "at most " + MOST_BATCHED + " messages", messages + " messages");
        }
        AckReply all = new AckReply(request, body.acks().size() + 1);
        for (BatchAckBody.Entry entry : body.acks()) {
            String topic = realTopic(entry.topic(), entry.consumerGroup());
            QueueRange range = queues.offsetRange(topic, entry.queueId());
            long[] offsets = entry.offsets().stream()
                    .mapToLong(bit -> entry.startOffset() + bit)
                    .filter(offset -> offset >= range.minOffset() && offset < range.maxOffset())
                    .toArray();
            // What does not exist cannot come again: one bad entry must not stop the others.
            if (offsets.length == 0 || !topics.hasQueue(topic, entry.queueId())) {
                all.one(ResponseCode.SUCCESS, null);
            } else {
                ack(entry.consumerGroup(), topic, entry.queueId(), offsets, entry.popTime(), request.connection(), all);
            }
        }
        all.one(ResponseCode.SUCCESS, null);
        return Reply.LATER;
    }

    private void ack(
            String group,
            String topic,
            int queueId,
            long[] offsets,
            long popTime,
            Connection connection,
            AckReply all) {
        PopQueue queue = popQueues.find(group, topic, queueId);
        List<Long> acked = new ArrayList<>(offsets.length);
        List<Long> unknown = new ArrayList<>(1);
        LeaseOutcome answer = queue == null
                ? popQueues.isFinished(group, topic, queueId, offsets[offsets.length - 1])
                        ? LeaseOutcome.STALE
                        : LeaseOutcome.UNKNOWN
                : queue.ack(
                        offsets,
                        popTime,
                        acked,
                        unknown,
                        outcome -> all.one(Outcomes.code(outcome), Outcomes.text(outcome)));
        if (!unknown.isEmpty()) {
            all.fail(ResponseCode.NO_MESSAGE, "nobody has leased the message at offset " + unknown.get(0));
        }
        switch (answer) {
            case STALE -> all.one(ResponseCode.SUCCESS, null);
            case UNKNOWN -> all.one(ResponseCode.NO_MESSAGE, "nobody has leased the message at offset " + offsets[0]);
            case UNSURE -> all.one(ResponseCode.SYSTEM_BUSY, "[OVERLOAD] the log refused a change of this queue");
            case RECORDED -> {
                note(group, topic, queueId, acked, connection);
                queue.drain();
                if (queue.isFreed()) {
                    heldPops.serve(group, topic, queueId);
                }
            }
        }
    }

    private void note(String group, String topic, int queueId, List<Long> acked, Connection connection) {
        for (int i = 0; i < acked.size(); ) {
            int last = i;
            while (last + 1 < acked.size() && acked.get(last + 1) == acked.get(last) + 1) {
                last++;
            }
            deliveries.acknowledged(group, topic, queueId, acked.get(i), acked.get(last) + 1, connection);
            i = last + 1;
        }
    }

    private Reply change(Request request, ChangeInvisibleHeader header) {
        PopHandle handle = PopHandle.parse(header.extraInfo());
        if (header.invisibleTime() < 0 || header.invisibleTime() > MOST_INVISIBLE_MILLIS) {
            throw new BadField(
                    "invisibleTime", "from 0 to " + MOST_INVISIBLE_MILLIS, Long.toString(header.invisibleTime()));
        }
        String topic = realTopic(header.topic(), header.consumerGroup());
        Reply refusal = refusal(topic, header.queueId(), header.offset());
        if (refusal != null) {
            return refusal;
        }
        PopQueue queue = popQueues.find(header.consumerGroup(), topic, header.queueId());
        long[] popTime = {handle.popTime()};
        long askedMillis = clock.nowMillis();
        Completion done = outcome ->
                request.reply(changed(Outcomes.code(outcome), Outcomes.text(outcome), header, handle, popTime[0]));
        LeaseOutcome answer = queue == null
                ? LeaseOutcome.STALE
                : queue.change(
                        header.offset(),
                        handle.popTime(),
                        Math.max(1, header.invisibleTime()),
                        header.suspend(),
                        popTime,
                        done);
        return switch (answer) {
            case STALE, UNKNOWN ->
                Reply.of(changed(
                        ResponseCode.NO_MESSAGE,
                        "the message at offset " + header.offset() + " is done or leased by somebody else",
                        header,
                        handle,
                        clock.stampMillis()));
            case UNSURE -> Reply.refused(ResponseCode.SYSTEM_BUSY, "[OVERLOAD] the log refused a change of this queue");
            case RECORDED -> {
                queue.drain();
                invisibilities.watch(queue, askedMillis);
                yield Reply.LATER;
            }
        };
    }

    private static Command changed(
            int code, String remark, ChangeInvisibleHeader header, PopHandle handle, long popTime) {
        return Command.response(code, remark)
                .header(new ChangeInvisibleReply(popTime, Math.max(1, header.invisibleTime()), handle.reviveQid()))
                .build();
    }

    /**
     * Clients that saw a retry topic's mark send the name of a topic RocketMQ would have made for it; here messages
     * stay where they are.
     */
    private String realTopic(String topic, String group) {
        String prefix = Names.retryTopic(group);
        boolean made = topics.find(topic) == null && topic.length() > prefix.length() + 1 && topic.startsWith(prefix);
        return made ? topic.substring(prefix.length() + 1) : topic;
    }

    /** Null when there is such a message. */
    private Reply refusal(String topic, int queueId, long offset) {
        if (topics.find(topic) == null) {
            return Reply.refused(ResponseCode.TOPIC_NOT_EXIST, "topic '" + topic + "' does not exist");
        }
        if (!topics.hasQueue(topic, queueId)) {
            return Reply.refused(
                    ResponseCode.MESSAGE_ILLEGAL, "queueId: topic '" + topic + "' has no queue " + queueId);
        }
        QueueRange range = queues.offsetRange(topic, queueId);
        if (offset < range.minOffset() || offset >= range.maxOffset()) {
            return Reply.refused(
                    ResponseCode.NO_MESSAGE,
                    "offset: must be from " + range.minOffset() + " to " + (range.maxOffset() - 1) + ", was " + offset);
        }
        return null;
    }

    /** Answers when the last part is done; with the first part that failed, if one did. */
    private static final class AckReply {
        private final Request request;
        private final AtomicInteger open;
        private final AtomicReference<Command> failure = new AtomicReference<>();

        AckReply(Request request, int parts) {
            this.request = request;
            this.open = new AtomicInteger(parts);
        }

        void fail(int code, String text) {
            failure.compareAndSet(null, Command.response(code, text).build());
        }

        void one(int code, String text) {
            if (code != ResponseCode.SUCCESS) {
                fail(code, text);
            }
            if (open.decrementAndGet() == 0) {
                Command failed = failure.get();
                request.reply(
                        failed != null
                                ? failed
                                : Command.response(ResponseCode.SUCCESS, null).build());
            }
        }
    }
}
