/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.Subscription;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.Reply;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.body.TopicList;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.header.GroupNameHeader;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.remoting.Request;
import io.waybill.store.QueueRange;
import io.waybill.store.QueueStore;
import io.waybill.store.StoreClock;
import io.waybill.store.record.ConsumerOffset;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HashSet;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/** What is asked about the progress of groups, read only: 43, 303, 308, 343, 345. */
final class GroupOffsets {
    private final QueueStore queueStore;
    private final StoreClock storeClock;
    private final Topics topics;
    private final ClientRegistry members;
    private final Offsets offsets;
    private final String brokerName;

    GroupOffsets(
            QueueStore queueStore,
            StoreClock storeClock,
            Topics topics,
            ClientRegistry members,
            Offsets offsets,
            String brokerName) {
        this.queueStore = queueStore;
        this.storeClock = storeClock;
        this.topics = topics;
        this.members = members;
        this.offsets = offsets;
        this.brokerName = brokerName;
    }

    /** 43: every committed offset, by {@code topic@group} and queue. */
    Reply all(Request request) {
        Map<String, Map<Integer, Long>> table = new TreeMap<>();
        for (ConsumerOffset entry : offsets.all()) {
            table.computeIfAbsent(entry.topic() + '@' + entry.group(), k -> new TreeMap<>())
                    .put(entry.queueId(), entry.offset());
        }
        JsonWriter json = new JsonWriter().beginObject().name("offsetTable").beginObject();
        table.forEach((name, queues) -> writeQueues(json.name(name), queues));
        return Reply.success(json.endObject().endObject().toByteArray());
    }

    private static void writeQueues(JsonWriter json, Map<Integer, Long> queues) {
        json.beginObject();
        queues.forEach((queueId, offset) -> json.field(Integer.toString(queueId), offset));
        json.endObject();
    }

    /** 303: for each queue the times of its first and last message, of the one consumed last, and how old the next one is. */
    Reply timeSpan(Request request, GroupNameHeader header) {
        TopicConfig topic = topics.find(header.topic() == null ? "" : header.topic());
        if (topic == null) {
            return Reply.refused(ResponseCode.TOPIC_NOT_EXIST, "topic " + header.topic() + " does not exist");
        }
        return Reply.success(timeSpan(header.group(), topic));
    }

    private byte[] timeSpan(String group, TopicConfig topic) {
        String name = topic.topicName();
        JsonWriter json =
                new JsonWriter().beginObject().name("consumeTimeSpanSet").beginArray();
        for (int queueId = 0; queueId < topic.writeQueueNums(); queueId++) {
            QueueRange range = queueStore.offsetRange(name, queueId);
            long first = queueStore.earliestStoreTime(name, queueId);
            long committed = offsets.query(group, name, queueId);
            boolean behind = committed < range.maxOffset() && range.maxOffset() > range.minOffset();
            long next = Math.max(committed, range.minOffset());
            json.beginObject()
                    .field(
                            "consumeTimeStamp",
                            committed > 0 ? StoreTimes.at(queueStore, name, queueId, committed - 1) : first)
                    .field(
                            "delayTime",
                            behind
                                    ? Math.max(
                                            0, storeClock.nowMillis() - StoreTimes.at(queueStore, name, queueId, next))
                                    : 0)
                    .field("maxTimeStamp", StoreTimes.at(queueStore, name, queueId, range.maxOffset() - 1))
                    .name("messageQueue");
            new MessageQueue(name, brokerName, queueId).write(json);
            json.field("minTimeStamp", first).endObject();
        }
        return json.endArray().endObject().toByteArray();
    }

    /** What 308 asks for. */
    record Correction(String topic, String compareGroup, String filterGroups) {
        static Correction read(Fields fields) {
            return new Correction(fields.require("topic"), fields.get("compareGroup"), fields.get("filterGroups"));
        }
    }

    /**
     * 308: for each queue of a topic the smallest offset among its groups, but {@link Long#MAX_VALUE} where the compared group is behind it. Groups
     * named in {@code filterGroups} are left out.
     */
    Reply correction(Request request, Correction asked) {
        String topic = asked.topic();
        String compare = asked.compareGroup();
        String filter = asked.filterGroups();
        Set<String> without = filter == null ? Set.of() : new HashSet<>(Arrays.asList(filter.split(",")));
        Map<Integer, Long> smallest = new TreeMap<>();
        Map<Integer, Long> compared = new TreeMap<>();
        for (ConsumerOffset entry : offsets.all()) {
            if (entry.topic().equals(topic)) {
                if (!without.contains(entry.group())) {
                    smallest.merge(entry.queueId(), entry.offset(), Math::min);
                }
                if (entry.group().equals(compare)) {
                    compared.put(entry.queueId(), entry.offset());
                }
            }
        }
        compared.forEach((queueId, offset) ->
                smallest.computeIfPresent(queueId, (same, min) -> min > offset ? Long.MAX_VALUE : min));
        JsonWriter json = new JsonWriter().beginObject().name("correctionOffsets");
        writeQueues(json, smallest);
        return Reply.success(json.endObject().toByteArray());
    }

    /** 343: the topics a group has consumed or subscribes to. */
    Reply topicsOf(Request request, GroupNameHeader header) {
        Set<String> names = new TreeSet<>();
        offsets.of(header.group()).forEach(entry -> names.add(entry.topic()));
        if (members.consumerGroup(header.group()) != null) {
            names.addAll(members.consumerGroup(header.group()).subscriptions().keySet());
        }
        return Reply.success(new TopicList(new ArrayList<>(names)).toJson());
    }

    /** 345: what an online group wants of a topic; without a subscription just the names. */
    Reply subscription(Request request, GroupNameHeader header) {
        String topic = header.topic() == null ? "" : header.topic();
        Subscription subscription = members.subscription(header.group(), topic);
        JsonWriter json = new JsonWriter().beginObject().field("group", header.group());
        if (subscription != null) {
            subscription.data().write(json.name("subscriptionData"));
        }
        return Reply.success(json.field("topic", topic).endObject().toByteArray());
    }
}
