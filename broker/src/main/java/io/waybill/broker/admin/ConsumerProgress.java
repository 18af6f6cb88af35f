/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.Members;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.ConsumeStats;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.ConsumeStatsHeader;
import io.waybill.remoting.Request;
import io.waybill.remoting.RequestHandler;
import io.waybill.store.Store;
import io.waybill.store.view.ProgressEntry;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.Executor;

/**
 * GET_CONSUME_STATS (208): how far a group is in each queue of one topic, or of all topics it subscribes to or has progress in.
 */
final class ConsumerProgress implements RequestHandler {
    private final Store store;
    private final Topics topics;
    private final Members members;
    private final Offsets offsets;
    private final String brokerName;
    private final Executor blocking;

    ConsumerProgress(
            Store store, Topics topics, Members members, Offsets offsets, String brokerName, Executor blocking) {
        this.store = store;
        this.topics = topics;
        this.members = members;
        this.offsets = offsets;
        this.brokerName = brokerName;
        this.blocking = blocking;
    }

    @Override
    public void handle(Request request) {
        ConsumeStatsHeader header = ConsumeStatsHeader.read(request.command().fields());
        blocking.execute(() -> {
            try {
                request.reply(Command.response(ResponseCode.SUCCESS, null)
                        .body(stats(header).toJson())
                        .build());
            } catch (RuntimeException e) {
                request.refuse(ResponseCode.SYSTEM_ERROR, "the progress could not be read; the broker's log says why");
                throw e; // for the log
            }
        });
    }

    private ConsumeStats stats(ConsumeStatsHeader header) {
        String group = header.consumerGroup();
        Map<MessageQueue, ConsumeStats.QueueProgress> queues = new TreeMap<>();
        for (String name : topicsOf(group, header.topic())) {
            TopicConfig topic = topics.find(name);
            int count = topic == null ? 0 : topic.readQueueNums();
            for (int queueId = 0; queueId < count; queueId++) {
                long committed = Math.max(0, offsets.query(group, name, queueId));
                queues.put(
                        new MessageQueue(name, brokerName, queueId),
                        new ConsumeStats.QueueProgress(
                                store.range(name, queueId).maxOffset(),
                                committed,
                                committed,
                                StoreTimes.at(store, name, queueId, committed - 1)));
            }
        }
        return new ConsumeStats(queues, 0);
    }

    private Set<String> topicsOf(String group, String only) {
        if (only != null && !only.isEmpty()) {
            return Set.of(only);
        }
        Set<String> names = new TreeSet<>();
        for (ProgressEntry entry : offsets.of(group)) {
            names.add(entry.topic());
        }
        ConsumerGroup online = members.consumerGroup(group);
        if (online != null) {
            names.addAll(online.subscriptions().keySet());
        }
        return names;
    }
}
