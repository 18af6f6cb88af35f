/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.admin;

import io.waybill.client.GroupOffsets;
import io.waybill.client.MessageQueue;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.connection.OffsetApi;
import io.waybill.client.internal.group.GroupApi;
import io.waybill.client.internal.message.WireQueues;
import io.waybill.client.internal.route.Route;
import io.waybill.client.internal.runtime.ArgumentChecks;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.ConsumeStats;
import io.waybill.protocol.body.OffsetTable;
import io.waybill.protocol.frame.Command;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Progress of groups, at all brokers together.
 *
 * <p>A change is made at one broker after the other and not undone when a later one fails. Each broker sets offsets and
 * adds nothing to them, so the caller repeats the call.
 */
final class AdminOffsets implements GroupOffsets {
    private final AdminConnections cluster;

    AdminOffsets(AdminConnections cluster) {
        this.cluster = cluster;
    }

    @Override
    public GroupProgress progress(String group) {
        ArgumentChecks.group(group);
        Set<String> members = new TreeSet<>();
        List<QueueProgress> queues = new ArrayList<>();
        WaybillException refusal = null;
        boolean answered = false;
        for (Map.Entry<String, String> broker : cluster.living().entrySet()) {
            try {
                ByteBuffer body = cluster.broker(
                        broker.getValue(),
                        Command.request(RequestCode.GET_CONSUME_STATS).field("consumerGroup", group),
                        "asking " + broker.getKey() + " for group " + group);
                answered = true;
                ConsumeStats.parse(body)
                        .offsetTable()
                        .forEach((queue, state) -> queues.add(
                                new QueueProgress(WireQueues.of(queue), state.consumerOffset(), state.brokerOffset())));
            } catch (WaybillException e) {
                // A broker that has answered does not know the group, which another may; one that is away could hide
                // progress.
                if (e.code() < 0) {
                    throw e;
                }
                refusal = e;
                continue;
            }
            members.addAll(members(broker.getValue(), group));
        }
        if (!answered && refusal != null) {
            throw refusal;
        }
        if (queues.isEmpty() && members.isEmpty()) {
            cluster.requireGroup(group);
        }
        queues.sort(Comparator.comparing(QueueProgress::queue));
        long lag = queues.stream().mapToLong(QueueProgress::lag).sum();
        return new GroupProgress(group, List.copyOf(members), List.copyOf(queues), lag);
    }

    private List<String> members(String address, String group) {
        try {
            return AdminConnections.await(
                    new GroupApi(cluster.connections).members(address, group), "asking for the members of " + group);
        } catch (WaybillException e) {
            if (e.code() >= 0) {
                return List.of(); // the answer for a group without members
            }
            throw e;
        }
    }

    @Override
    public Map<MessageQueue, Long> reset(String group, String topic, Instant time) {
        ArgumentChecks.group(group);
        Map<MessageQueue, Long> offsets = new TreeMap<>();
        cluster.mastersOf(topic).forEach((broker, address) -> {
            offsets.putAll(reset(broker, address, group, topic, time.toEpochMilli()));
        });
        return offsets;
    }

    @Override
    public Map<MessageQueue, Long> at(String topic, Instant time) {
        Map<String, String> masters = cluster.mastersOf(topic);
        Route route = AdminConnections.await(cluster.routes.find(topic), "finding topic " + topic);
        Map<MessageQueue, Long> offsets = new TreeMap<>();
        for (MessageQueue queue : route.readable()) {
            String address = masters.get(queue.broker());
            if (address != null) {
                offsets.put(
                        queue,
                        AdminConnections.await(
                                new OffsetApi(cluster.connections).offsetAt(address, queue, time.toEpochMilli()),
                                "finding a time in " + queue));
            }
        }
        return offsets;
    }

    @Override
    public void copy(String from, String to, String topic) {
        ArgumentChecks.group(from);
        ArgumentChecks.group(to);
        Map<String, String> brokers = topic == null ? cluster.living() : cluster.mastersOf(topic);
        brokers.forEach((broker, address) -> {
            Command.Builder request = Command.request(RequestCode.CLONE_GROUP_OFFSET)
                    .field("srcGroup", from)
                    .field("destGroup", to)
                    .field("offline", false);
            cluster.broker(
                    address,
                    topic == null ? request : request.field("topic", topic),
                    "giving the progress of " + from + " to " + to + " at " + broker);
        });
    }

    @Override
    public Map<MessageQueue, Long> skipBacklog(String group, String topic) {
        ArgumentChecks.group(group);
        Map<MessageQueue, Long> offsets = new TreeMap<>();
        cluster.mastersOf(topic).forEach((broker, address) -> offsets.putAll(reset(broker, address, group, topic, -1)));
        return offsets;
    }

    /**
     * Asks for all queues at once (queueId -1), by time (offset -1). Without isForce a stock broker moves a group only
     * back, never forward (Broker2Client.resetOffset of RocketMQ).
     *
     * @param timeMillis -1 for the end, as in skipAccumulatedMessage of the stock mqadmin
     */
    private Map<MessageQueue, Long> reset(String broker, String address, String group, String topic, long timeMillis) {
        Map<MessageQueue, Long> offsets = new TreeMap<>();
        OffsetTable.parse(cluster.broker(
                        address,
                        Command.request(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET)
                                .field("group", group)
                                .field("topic", topic)
                                .field("queueId", -1)
                                .field("offset", -1)
                                .field("timestamp", timeMillis)
                                .field("isForce", true),
                        "moving group " + group + " at " + broker))
                .offsetTable()
                .forEach((queue, offset) -> offsets.put(WireQueues.of(queue), offset));
        return offsets;
    }
}
