/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.delivery.DeliveryLog;
import io.waybill.broker.request.Outcomes;
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
import io.waybill.store.Store;
import io.waybill.store.log.Completion;
import io.waybill.store.log.Outcome;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/**
 * The requests that speak of taken messages: ACK (200051), BATCH_ACK (200151), CHANGE_INVISIBLETIME (200053).
 *
 * <p>Answered when what they changed is stored. An acknowledgement by an older handle is answered 0 and changes nothing: the message is with somebody
 * else now, or done. What nobody holds, since a reset or a crash came between, will come again: that is 208. A change by an older handle is 208 too.
 */
final class Acks {
    private static final long MOST_INVISIBLE_MILLIS = 30L * 24 * 3_600_000;
    private static final int MOST_ENTRIES = 4_096;

    /** Of one batch: they are looked at on the event loop. */
    private static final int MOST_BATCHED = 65_536;

    private final Store store;
    private final Topics topics;
    private final PopQueues queues;
    private final PopLongPolling waiting;
    private final DeliveryLog deliveries;
    private final PopClock clock;

    Acks(Store store, Topics topics, PopQueues queues, PopLongPolling waiting, DeliveryLog deliveries, PopClock clock) {
        this.store = store;
        this.topics = topics;
        this.queues = queues;
        this.waiting = waiting;
        this.deliveries = deliveries;
        this.clock = clock;
    }

    void register(Routes routes) {
        routes.on(RequestCode.ACK_MESSAGE, this::ack)
                .on(RequestCode.BATCH_ACK_MESSAGE, this::batchAck)
                .on(RequestCode.CHANGE_MESSAGE_INVISIBLETIME, this::change);
    }

    private void ack(Request request) {
        AckHeader header = AckHeader.read(request.command().fields());
        PopHandle handle = PopHandle.parse(header.extraInfo());
        String topic = realTopic(header.topic(), header.consumerGroup());
        if (isRefused(request, topic, header.queueId(), header.offset())) {
            return;
        }
        All all = new All(request, 1);
        ack(
                header.consumerGroup(),
                topic,
                header.queueId(),
                new long[] {header.offset()},
                handle.popTime(),
                request.connection(),
                all);
    }

    private void batchAck(Request request) {
        BatchAckBody body = BatchAckBody.parse(request.command().body());
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
        All all = new All(request, body.acks().size() + 1);
        for (BatchAckBody.Entry entry : body.acks()) {
            String topic = realTopic(entry.topic(), entry.consumerGroup());
            QueueRange range = store.range(topic, entry.queueId());
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
    }

    private void ack(
            String group, String topic, int queueId, long[] offsets, long popTime, Connection connection, All all) {
        PopQueue queue = queues.find(group, topic, queueId);
        List<Long> acked = new ArrayList<>(offsets.length);
        List<Long> unknown = new ArrayList<>(1);
        PopQueue.Verdict verdict = queue == null
                ? queues.isFinished(group, topic, queueId, offsets[offsets.length - 1])
                        ? PopQueue.Verdict.STALE
                        : PopQueue.Verdict.UNKNOWN
                : queue.ack(
                        offsets,
                        popTime,
                        acked,
                        unknown,
                        outcome -> all.one(Outcomes.code(outcome), Outcomes.text(outcome)));
        if (!unknown.isEmpty()) {
            all.fail(ResponseCode.NO_MESSAGE, "nobody holds the message at offset " + unknown.get(0));
        }
        switch (verdict) {
            case STALE -> all.one(ResponseCode.SUCCESS, null);
            case UNKNOWN -> all.one(ResponseCode.NO_MESSAGE, "nobody holds the message at offset " + offsets[0]);
            case UNSURE -> all.one(ResponseCode.SYSTEM_BUSY, "[OVERLOAD] the log refused a change of this queue");
            case RECORDED -> {
                note(group, topic, queueId, acked, connection);
                queue.drain();
                if (queue.isFreed()) {
                    waiting.wake(group, topic, queueId);
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

    private void change(Request request) {
        ChangeInvisibleHeader header =
                ChangeInvisibleHeader.read(request.command().fields());
        PopHandle handle = PopHandle.parse(header.extraInfo());
        if (header.invisibleTime() < 0 || header.invisibleTime() > MOST_INVISIBLE_MILLIS) {
            throw new BadField(
                    "invisibleTime", "from 0 to " + MOST_INVISIBLE_MILLIS, Long.toString(header.invisibleTime()));
        }
        String topic = realTopic(header.topic(), header.consumerGroup());
        if (isRefused(request, topic, header.queueId(), header.offset())) {
            return;
        }
        PopQueue queue = queues.find(header.consumerGroup(), topic, header.queueId());
        long[] popTime = {handle.popTime()};
        long askedMillis = clock.nowMillis();
        Completion done = outcome -> changed(request, header, handle, popTime[0], outcome);
        PopQueue.Verdict verdict = queue == null
                ? PopQueue.Verdict.STALE
                : queue.change(
                        header.offset(),
                        handle.popTime(),
                        Math.max(1, header.invisibleTime()),
                        header.suspend(),
                        popTime,
                        done);
        switch (verdict) {
            case STALE, UNKNOWN ->
                reply(
                        request,
                        ResponseCode.NO_MESSAGE,
                        "the message at offset " + header.offset() + " is done or taken by somebody else",
                        header,
                        handle,
                        clock.stampMillis());
            case UNSURE ->
                request.refuse(ResponseCode.SYSTEM_BUSY, "[OVERLOAD] the log refused a change of this queue");
            case RECORDED -> {
                queue.drain();
                waiting.watch(queue, askedMillis);
            }
        }
    }

    private static void changed(
            Request request, ChangeInvisibleHeader header, PopHandle handle, long popTime, Outcome outcome) {
        reply(request, Outcomes.code(outcome), Outcomes.text(outcome), header, handle, popTime);
    }

    private static void reply(
            Request request, int code, String remark, ChangeInvisibleHeader header, PopHandle handle, long popTime) {
        request.reply(Command.response(code, remark)
                .header(new ChangeInvisibleReply(popTime, Math.max(1, header.invisibleTime()), handle.reviveQid()))
                .build());
    }

    /** Clients that saw a retry topic's mark send the name of a topic RocketMQ would have made for it; here messages stay where they are. */
    private String realTopic(String topic, String group) {
        String prefix = Names.retryTopic(group);
        boolean made = topics.find(topic) == null && topic.length() > prefix.length() + 1 && topic.startsWith(prefix);
        return made ? topic.substring(prefix.length() + 1) : topic;
    }

    private boolean isRefused(Request request, String topic, int queueId, long offset) {
        if (topics.find(topic) == null) {
            request.refuse(ResponseCode.TOPIC_NOT_EXIST, "topic '" + topic + "' does not exist");
            return true;
        }
        if (!topics.hasQueue(topic, queueId)) {
            request.refuse(ResponseCode.MESSAGE_ILLEGAL, "queueId: topic '" + topic + "' has no queue " + queueId);
            return true;
        }
        QueueRange range = store.range(topic, queueId);
        if (offset < range.minOffset() || offset >= range.maxOffset()) {
            request.refuse(
                    ResponseCode.NO_MESSAGE,
                    "offset: must be from " + range.minOffset() + " to " + (range.maxOffset() - 1) + ", was " + offset);
            return true;
        }
        return false;
    }

    /** Answers when the last part is done; with the first part that failed, if one did. */
    private static final class All {
        private final Request request;
        private final AtomicInteger open;
        private final AtomicReference<Command> failure = new AtomicReference<>();

        All(Request request, int parts) {
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
