/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.group.ClientChannelInfo;
import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.Groups;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.RouteHandler;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.body.OffsetTable;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.header.ResetOffsetHeader;
import io.waybill.remoting.AdminLog;
import io.waybill.remoting.Request;
import io.waybill.store.QueueRange;
import io.waybill.store.QueueStore;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Stored;
import io.waybill.store.view.Boundary;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/**
 * INVOKE_BROKER_TO_RESET_OFFSET (222): moves a group to the first message of each queue that was stored at or after a time, whether the group is
 * online or not. Without such a message, and for a negative time, that is the end of the queue. With a queue and an offset of 0 or more in the
 * request it is that offset, brought into the range of the queue.
 *
 * <p>Answered when every new offset is in the log. Running members learn it by the answer to their held or next pull. A reset without force never
 * moves a group forward. Of a group whose members broadcast each of those that are connected is told, since each keeps its own offsets; nothing
 * is recorded, and one that is not connected stays where it is.
 */
final class ResetOffset implements RouteHandler<ResetOffsetHeader> {
    private static final int MOST_SHOWN = 400;

    private final QueueStore store;
    private final Topics topics;
    private final Groups groups;
    private final ClientRegistry members;
    private final Offsets offsets;
    private final String brokerName;

    ResetOffset(
            QueueStore store,
            Topics topics,
            Groups groups,
            ClientRegistry members,
            Offsets offsets,
            String brokerName) {
        this.store = store;
        this.topics = topics;
        this.groups = groups;
        this.members = members;
        this.offsets = offsets;
        this.brokerName = brokerName;
    }

    @Override
    public Reply handle(Request request, ResetOffsetHeader header) {
        TopicConfig topic = topics.find(header.topic());
        if (topic == null) {
            return Reply.refused(ResponseCode.TOPIC_NOT_EXIST, "topic " + header.topic() + " does not exist");
        }
        if (groups.find(header.group()) == null) {
            return Reply.refused(
                    ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, "consumer group " + header.group() + " does not exist");
        }
        if (header.queueId() >= topic.readQueueNums()) {
            return Reply.refused(
                    ResponseCode.INVALID_PARAMETER,
                    "queueId: must be less than " + topic.readQueueNums() + ", but was " + header.queueId());
        }
        boolean one = header.queueId() >= 0;
        int first = one ? header.queueId() : 0;
        int end = one ? first + 1 : topic.readQueueNums();
        Map<MessageQueue, Long> targets = new TreeMap<>();
        for (int queueId = first; queueId < end; queueId++) {
            targets.put(new MessageQueue(header.topic(), brokerName, queueId), target(header, queueId));
        }
        StringBuilder before = new StringBuilder();
        StringBuilder after = new StringBuilder();
        targets.forEach((queue, offset) -> {
            if (after.length() <= MOST_SHOWN) { // the line is cut there
                before.append(queue.queueId()).append(':');
                before.append(offsets.query(header.group(), header.topic(), queue.queueId()))
                        .append(' ');
                after.append(queue.queueId()).append(':').append(offset).append(' ');
            }
        });
        AdminLog.changed(request, before, after);
        byte[] answer = new OffsetTable(targets).toJson();
        if (isBroadcasting(header.group())) {
            targets.forEach((queue, offset) -> offsets.broadcastResets()
                    .reset(header.group(), header.topic(), queue.queueId(), offset, readers(header)));
            return Reply.success(answer);
        }
        AtomicInteger open = new AtomicInteger(targets.size());
        AtomicReference<Outcome> failure = new AtomicReference<>();
        targets.forEach((queue, offset) ->
                offsets.reset(header.group(), header.topic(), queue.queueId(), offset, outcome -> {
                    if (!(outcome instanceof Stored)) {
                        failure.set(outcome);
                    }
                    if (open.decrementAndGet() == 0) {
                        reply(answer, failure.get()).send(request);
                    }
                }));
        return Reply.LATER;
    }

    /** The members that read the topic. */
    private Set<String> readers(ResetOffsetHeader header) {
        ConsumerGroup group = members.consumerGroup(header.group());
        Set<String> ids = new HashSet<>();
        for (ClientChannelInfo member : group == null ? List.<ClientChannelInfo>of() : group.members()) {
            if (group.subscriptionsOf(member).containsKey(header.topic())) {
                ids.add(member.clientId());
            }
        }
        return ids;
    }

    private long target(ResetOffsetHeader header, int queueId) {
        QueueRange range = store.offsetRange(header.topic(), queueId);
        long wanted;
        if (header.queueId() >= 0 && header.offset() >= 0) {
            wanted = Math.max(range.minOffset(), Math.min(header.offset(), range.maxOffset()));
        } else if (header.timestamp() < 0) {
            wanted = range.maxOffset();
        } else {
            wanted = store.offsetByTime(header.topic(), queueId, header.timestamp(), Boundary.LOWER);
        }
        long current = offsets.query(header.group(), header.topic(), queueId);
        return !header.isForce() && current >= 0 ? Math.min(current, wanted) : wanted;
    }

    private static Reply reply(byte[] answer, Outcome failure) {
        return failure == null ? Reply.success(answer) : Reply.of(failure);
    }

    /** Whether each member of a group that is online keeps its own offsets. */
    private boolean isBroadcasting(String name) {
        ConsumerGroup group = members.consumerGroup(name);
        return group != null && group.isBroadcasting();
    }
}
