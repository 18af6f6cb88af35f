/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.admin;

import io.waybill.client.Topics;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.connection.JsonValues;
import io.waybill.client.internal.message.WireQueues;
import io.waybill.client.internal.runtime.ArgumentChecks;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.ClusterInfo;
import io.waybill.protocol.body.GroupList;
import io.waybill.protocol.body.Perm;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.body.TopicList;
import io.waybill.protocol.body.TopicStats;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;

/**
 * Topics, at all brokers together. A change goes to one broker after the other: if one fails the earlier ones have it
 * already.
 */
final class AdminTopics implements Topics {
    private static final int MAX_QUEUES = 1_024;

    private final AdminConnections cluster;

    AdminTopics(AdminConnections cluster) {
        this.cluster = cluster;
    }

    @Override
    public List<String> allNames() {
        ByteBuffer body = cluster.nameServer(
                Command.request(RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER),
                "asking the name server for the topics");
        List<String> topics = List.copyOf(new TreeSet<>(TopicList.parse(body).topicList()));
        if (topics.isEmpty()) {
            cluster.living(); // or nobody is there who could have topics
        }
        return topics;
    }

    @Override
    public List<String> names() {
        ClusterInfo servers = cluster.info();
        // Each broker and each cluster has a topic of its own name, and a cluster one for replies.
        Set<String> own = new HashSet<>(servers.brokerAddrTable().keySet());
        for (String name : servers.clusterAddrTable().keySet()) {
            own.add(name);
            own.add(Names.replyTopic(name));
        }
        return allNames().stream()
                .filter(topic -> !own.contains(topic)
                        && !Names.isSystemTopic(topic)
                        && !Names.isRetry(topic)
                        && !Names.isDeadLetter(topic))
                .toList();
    }

    @Override
    public void create(String name, int queues) {
        create(name, queues, false);
    }

    @Override
    public void create(String name, int queues, boolean force) {
        ArgumentChecks.topic(name);
        if (queues < 1 || queues > MAX_QUEUES) {
            throw ClientExceptions.invalid(
                    "queues must be 1 to " + MAX_QUEUES + ", but is " + queues, "choose a number in between");
        }
        cluster.living()
                .forEach((broker, address) -> put(
                        broker,
                        address,
                        new TopicConfig(name, queues, queues, Perm.READ_WRITE),
                        "",
                        force,
                        "creating topic "));
    }

    private void put(String broker, String address, TopicConfig topic, String attributes, boolean force, String doing) {
        Command.Builder request = Command.request(RequestCode.UPDATE_AND_CREATE_TOPIC)
                .field("topic", topic.topicName())
                .field("defaultTopic", Names.DEFAULT_TOPIC)
                .field("readQueueNums", topic.readQueueNums())
                .field("writeQueueNums", topic.writeQueueNums())
                .field("perm", topic.perm())
                .field("topicFilterType", topic.topicFilterType())
                .field("topicSysFlag", topic.topicSysFlag())
                .field("order", topic.order())
                .field("force", force);
        if (!attributes.isEmpty()) {
            request.field("attributes", attributes);
        }
        cluster.broker(address, request, doing + topic.topicName() + " at " + broker);
    }

    private TopicConfig config(String broker, String address, String topic) {
        return TopicConfig.parse(cluster.broker(
                address,
                Command.request(RequestCode.GET_TOPIC_CONFIG).field("topic", topic),
                "asking " + broker + " for the settings of " + topic));
    }

    @Override
    public Map<String, String> attributes(String name) {
        Map<String, String> attributes = new TreeMap<>();
        cluster.mastersOf(name)
                .forEach((broker, address) ->
                        attributes.putAll(config(broker, address, name).attributes()));
        return attributes;
    }

    @Override
    public void changeAttributes(String name, Map<String, String> set, Set<String> remove) {
        List<String> changes = new ArrayList<>();
        set.forEach((attribute, value) -> changes.add("+" + attribute + "=" + value));
        remove.forEach(attribute -> changes.add("-" + attribute));
        cluster.mastersOf(name)
                .forEach((broker, address) -> put(
                        broker,
                        address,
                        config(broker, address, name),
                        String.join(",", changes),
                        false,
                        "changing topic "));
    }

    @Override
    public void delete(String name) {
        delete(name, false);
    }

    @Override
    public void delete(String name, boolean force) {
        cluster.mastersOf(name); // it must exist
        ArgumentChecks.topic(name);
        deleteAnywhere(name, force);
    }

    @Override
    public List<DeletedTopic> deleted() {
        List<DeletedTopic> found = new ArrayList<>();
        cluster.living().forEach((broker, address) -> {
            JsonObject answer = cluster.json(
                    address,
                    RequestCode.LIST_DELETED_TOPICS,
                    new JsonWriter().beginObject().endObject(),
                    "asking " + broker + " for deleted topics");
            for (JsonObject one : answer.getArray("topics").objects("topics")) {
                found.add(new DeletedTopic(
                        one.getString("topic"),
                        broker,
                        one.getLong("messages", 0),
                        JsonValues.instant(one, "deletedMillis"),
                        one.getString("by")));
            }
        });
        return List.copyOf(found);
    }

    @Override
    public long restore(String name) {
        ArgumentChecks.topic(name);
        String doing = "restoring topic " + name;
        long messages = 0;
        WaybillException unknown = null;
        boolean restored = false;
        for (Map.Entry<String, String> broker : cluster.living().entrySet()) {
            try {
                ByteBuffer answer = cluster.broker(
                        broker.getValue(),
                        Command.request(RequestCode.RESTORE_TOPIC).field("topic", name),
                        doing + " at " + broker.getKey());
                messages += Json.parse(answer).getLong("messages", 0);
                restored = true;
            } catch (WaybillException e) {
                // Not every broker needs to have kept it; only when none has is the name unknown.
                if (e.code() != ResponseCode.TOPIC_NOT_EXIST) {
                    throw e;
                }
                unknown = e;
            }
        }
        if (!restored) {
            throw new WaybillException(
                    WaybillException.Kind.NOT_FOUND,
                    ResponseCode.TOPIC_NOT_EXIST,
                    false,
                    doing + " failed: no broker keeps messages of a deleted topic of that name",
                    "look at the names with: waybill topic list --deleted",
                    unknown);
        }
        return messages;
    }

    /** Deletes a topic wherever it is kept, if it is. */
    void deleteAnywhere(String name, boolean force) {
        cluster.living().forEach((broker, address) -> {
            try {
                cluster.broker(
                        address,
                        Command.request(RequestCode.DELETE_TOPIC_IN_BROKER)
                                .field("topic", name)
                                .field("force", force),
                        "deleting topic " + name + " at " + broker);
            } catch (WaybillException e) {
                if (e.code() != ResponseCode.TOPIC_NOT_EXIST) {
                    throw e;
                }
            }
        });
        cluster.nameServer(
                Command.request(RequestCode.DELETE_TOPIC_IN_NAMESRV).field("topic", name),
                "deleting topic " + name + " at the name server");
    }

    @Override
    public TopicDescription describe(String topic) {
        List<QueueState> queues = new ArrayList<>();
        cluster.mastersOf(topic).forEach((broker, address) -> {
            ByteBuffer body = cluster.broker(
                    address,
                    Command.request(RequestCode.GET_TOPIC_STATS_INFO).field("topic", topic),
                    "asking " + broker + " for topic " + topic);
            TopicStats.parse(body).offsetTable().forEach((queue, range) -> {
                long last = range.lastUpdateTimestamp();
                queues.add(new QueueState(
                        WireQueues.of(queue),
                        range.minOffset(),
                        range.maxOffset(),
                        last > 0 ? Instant.ofEpochMilli(last) : null));
            });
        });
        queues.sort(Comparator.comparing(QueueState::queue));
        long messages = queues.stream()
                .mapToLong(queue -> Math.max(0, queue.maxOffset() - queue.minOffset()))
                .sum();
        return new TopicDescription(topic, List.copyOf(queues), messages);
    }

    @Override
    public List<String> groups(String topic) {
        Set<String> groups = new TreeSet<>();
        cluster.mastersOf(topic).forEach((broker, address) -> {
            ByteBuffer body = cluster.broker(
                    address,
                    Command.request(RequestCode.QUERY_TOPIC_CONSUME_BY_WHO).field("topic", topic),
                    "asking " + broker + " for the groups of " + topic);
            groups.addAll(GroupList.parse(body).groupList());
        });
        return List.copyOf(groups);
    }
}
