/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.Groups;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.Routes;
import io.waybill.broker.stats.Stats;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.ConsumeStats;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.ConsumeStatsHeader;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.remoting.Request;
import io.waybill.store.QueueStore;
import io.waybill.store.record.ConsumerOffset;
import java.util.Arrays;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * GET_CONSUME_STATS (208): how far a group is in each queue of one topic, or of all topics it subscribes to or has progress in.
 * GET_BROKER_CONSUME_STATS (317): the same of every group.
 */
public final class ConsumerProgress implements Feature {
    private final QueueStore store;
    private final Topics topics;
    private final Groups groups;
    private final ClientRegistry members;
    private final Offsets offsets;
    private final Stats stats;
    private final String brokerName;
    private final String address;

    /** @param address of this broker, host and port */
    public ConsumerProgress(
            QueueStore store,
            Topics topics,
            Groups groups,
            ClientRegistry members,
            Offsets offsets,
            Stats stats,
            String brokerName,
            String address) {
        this.store = store;
        this.topics = topics;
        this.groups = groups;
        this.members = members;
        this.offsets = offsets;
        this.stats = stats;
        this.brokerName = brokerName;
        this.address = address;
    }

    @Override
    public void routes(Routes routes) {
        routes.onCommand(RequestCode.GET_CONSUME_STATS, Lane.OPERATOR, ConsumeStatsQuery::read, this::ofGroup)
                .on(
                        RequestCode.GET_BROKER_CONSUME_STATS,
                        Lane.OPERATOR,
                        fields -> fields.getBoolean("isOrder", false),
                        this::ofAll);
    }

    /** The topic may be given as {@code topic}, or several as {@code topicList} with semicolons between. */
    private record ConsumeStatsQuery(ConsumeStatsHeader header, String list) {
        static ConsumeStatsQuery read(Command command) {
            return new ConsumeStatsQuery(
                    ConsumeStatsHeader.read(command.fields()), command.fields().get("topicList"));
        }
    }

    /** 208. */
    private Reply ofGroup(Request request, ConsumeStatsQuery asked) {
        ConsumeStatsHeader header = asked.header();
        Set<String> names;
        if (header.topic() != null && !header.topic().isEmpty()) {
            names = Set.of(header.topic());
        } else if (asked.list() != null && !asked.list().isEmpty()) {
            names = new TreeSet<>(Arrays.asList(asked.list().split(";")));
        } else {
            names = topicsOf(header.consumerGroup());
        }
        return Reply.success(stats(header.consumerGroup(), names).toJson());
    }

    /** 317. */
    private Reply ofAll(Request request, boolean isOrder) {
        JsonWriter json = new JsonWriter()
                .beginObject()
                .field("brokerAddr", address)
                .name("consumeStatsList")
                .beginArray();
        long behind = 0;
        for (SubscriptionGroupConfig group : groups.all()) {
            json.beginObject().name(group.groupName()).beginArray();
            for (String name : topicsOf(group.groupName())) {
                TopicConfig topic = topics.find(name);
                if (topic == null || isOrder && !topic.order()) {
                    continue;
                }
                ConsumeStats one = stats(group.groupName(), Set.of(name));
                one.write(json);
                for (ConsumeStats.QueueProgress queue : one.offsetTable().values()) {
                    behind += Math.max(0, queue.brokerOffset() - queue.consumerOffset());
                }
            }
            json.endArray().endObject();
        }
        return Reply.success(json.endArray()
                .field("totalDiff", behind)
                .field("totalInflightDiff", 0)
                .endObject()
                .toByteArray());
    }

    private ConsumeStats stats(String group, Set<String> names) {
        Map<MessageQueue, ConsumeStats.QueueProgress> queues = new TreeMap<>();
        double perSecond = 0;
        for (String name : names) {
            perSecond += stats.outPerSecond(group, name);
            TopicConfig topic = topics.find(name);
            int count = topic == null ? 0 : topic.readQueueNums();
            for (int queueId = 0; queueId < count; queueId++) {
                long committed = Math.max(0, offsets.query(group, name, queueId));
                queues.put(
                        new MessageQueue(name, brokerName, queueId),
                        new ConsumeStats.QueueProgress(
                                store.offsetRange(name, queueId).maxOffset(),
                                committed,
                                committed,
                                StoreTimes.at(store, name, queueId, committed - 1)));
            }
        }
        return new ConsumeStats(queues, perSecond);
    }

    private Set<String> topicsOf(String group) {
        Set<String> names = new TreeSet<>();
        for (ConsumerOffset entry : offsets.of(group)) {
            names.add(entry.topic());
        }
        ConsumerGroup online = members.consumerGroup(group);
        if (online != null) {
            names.addAll(online.subscriptions().keySet());
        }
        return names;
    }
}
