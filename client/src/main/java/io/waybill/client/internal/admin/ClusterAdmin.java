/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.admin;

import io.waybill.client.Admin;
import io.waybill.client.DeadLetters;
import io.waybill.client.Decision;
import io.waybill.client.DelayedMessages;
import io.waybill.client.Groups;
import io.waybill.client.MessageHistory;
import io.waybill.client.MessageQueue;
import io.waybill.client.Quarantine;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.TransactionInspector;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.connection.BrokerConnections;
import io.waybill.client.internal.connection.JsonValues;
import io.waybill.client.internal.connection.OffsetApi;
import io.waybill.client.internal.group.GroupApi;
import io.waybill.client.internal.message.InboundMessage;
import io.waybill.client.internal.message.WireQueues;
import io.waybill.client.internal.route.Route;
import io.waybill.client.internal.route.RouteCache;
import io.waybill.client.internal.runtime.ArgumentChecks;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.client.internal.runtime.ClientRuntime;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.ClusterInfo;
import io.waybill.protocol.body.ConsumeStats;
import io.waybill.protocol.body.GroupList;
import io.waybill.protocol.body.KvTable;
import io.waybill.protocol.body.Perm;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.body.TopicList;
import io.waybill.protocol.body.TopicStats;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageIds;
import java.nio.ByteBuffer;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;

/** The admin face: one question per server and one JSON answer each. Nothing is cached. */
public final class ClusterAdmin implements Admin {
    private static final int MAX_QUEUES = 1_024;
    private static final int UNIQUE_MAX = 32;

    private final AdminConnections cluster;
    private final MessageQueryApi messages;

    public ClusterAdmin(ClientRuntime runtime, BrokerConnections connections, RouteCache routes) {
        this(new AdminConnections(runtime, connections, routes));
    }

    ClusterAdmin(AdminConnections cluster) {
        this.cluster = cluster;
        this.messages = new MessageQueryApi(cluster.connections);
    }

    private static <T> T await(CompletableFuture<T> future, String doing) {
        return AdminConnections.await(future, doing);
    }

    private ByteBuffer broker(String address, Command.Builder request, String doing) {
        return cluster.broker(address, request, doing);
    }

    private Map<String, String> mastersOf(String topic) {
        return cluster.mastersOf(topic);
    }

    @Override
    public Map<String, String> brokers() {
        return cluster.brokers();
    }

    @Override
    public List<BrokerStatus> status() {
        List<BrokerStatus> all = new ArrayList<>();
        cluster.living().forEach((broker, address) -> {
            try {
                ByteBuffer body = broker(
                        address,
                        Command.request(RequestCode.GET_BROKER_RUNTIME_INFO),
                        "asking " + broker + " how it is");
                all.add(new BrokerStatus(
                        broker, address, Map.copyOf(KvTable.parse(body).table()), null));
            } catch (WaybillException e) {
                all.add(new BrokerStatus(broker, address, Map.of(), e.getMessage()));
            }
        });
        return List.copyOf(all);
    }

    @Override
    public TransactionInspector transactions() {
        return new AdminTransactions(cluster);
    }

    @Override
    public DeadLetters deadLetters() {
        return new AdminDeadLetters(cluster);
    }

    @Override
    public DelayedMessages delayed() {
        return new AdminDelayed(cluster);
    }

    @Override
    public Quarantine quarantine() {
        return new AdminQuarantine(cluster);
    }

    @Override
    public Groups groups() {
        return new AdminGroups(cluster);
    }

    // ---- topics

    @Override
    public List<String> allTopics() {
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
    public List<String> topics() {
        ClusterInfo servers = cluster.info();
        Set<String> own = new HashSet<>(servers.brokerAddrTable().keySet());
        for (String name : servers.clusterAddrTable().keySet()) {
            own.add(name);
            own.add(Names.replyTopic(name));
        }
        return allTopics().stream()
                .filter(topic -> !own.contains(topic)
                        && !Names.isSystemTopic(topic)
                        && !Names.isRetry(topic)
                        && !Names.isDeadLetter(topic))
                .toList();
    }

    @Override
    public void createTopic(String name, int queues) {
        createTopic(name, queues, false);
    }

    @Override
    public void createTopic(String name, int queues, boolean force) {
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
        broker(address, request, doing + topic.topicName() + " at " + broker);
    }

    private TopicConfig config(String broker, String address, String topic) {
        return TopicConfig.parse(broker(
                address,
                Command.request(RequestCode.GET_TOPIC_CONFIG).field("topic", topic),
                "asking " + broker + " for the settings of " + topic));
    }

    @Override
    public Map<String, String> topicAttributes(String name) {
        Map<String, String> attributes = new TreeMap<>();
        mastersOf(name)
                .forEach((broker, address) ->
                        attributes.putAll(config(broker, address, name).attributes()));
        return attributes;
    }

    @Override
    public void changeTopicAttributes(String name, Map<String, String> set, Set<String> remove) {
        List<String> changes = new ArrayList<>();
        set.forEach((attribute, value) -> changes.add("+" + attribute + "=" + value));
        remove.forEach(attribute -> changes.add("-" + attribute));
        mastersOf(name)
                .forEach((broker, address) -> put(
                        broker,
                        address,
                        config(broker, address, name),
                        String.join(",", changes),
                        false,
                        "changing topic "));
    }

    @Override
    public void deleteTopic(String name) {
        deleteTopic(name, false);
    }

    @Override
    public void deleteTopic(String name, boolean force) {
        mastersOf(name); // it must exist
        ArgumentChecks.topic(name);
        deleteAnywhere(name, force);
    }

    @Override
    public List<DeletedTopic> deletedTopics() {
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
    public long restoreTopic(String name) {
        ArgumentChecks.topic(name);
        String doing = "restoring topic " + name;
        long messages = 0;
        WaybillException unknown = null;
        boolean restored = false;
        for (Map.Entry<String, String> broker : cluster.living().entrySet()) {
            try {
                ByteBuffer answer = broker(
                        broker.getValue(),
                        Command.request(RequestCode.RESTORE_TOPIC).field("topic", name),
                        doing + " at " + broker.getKey());
                messages += Json.parse(answer).getLong("messages", 0);
                restored = true;
            } catch (WaybillException e) {
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
                broker(
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
        mastersOf(topic).forEach((broker, address) -> {
            ByteBuffer body = broker(
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

    // ---- groups

    @Override
    public List<String> groups(String topic) {
        Set<String> groups = new TreeSet<>();
        mastersOf(topic).forEach((broker, address) -> {
            ByteBuffer body = broker(
                    address,
                    Command.request(RequestCode.QUERY_TOPIC_CONSUME_BY_WHO).field("topic", topic),
                    "asking " + broker + " for the groups of " + topic);
            groups.addAll(GroupList.parse(body).groupList());
        });
        return List.copyOf(groups);
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
                ByteBuffer body = broker(
                        broker.getValue(),
                        Command.request(RequestCode.GET_CONSUME_STATS).field("consumerGroup", group),
                        "asking " + broker.getKey() + " for group " + group);
                answered = true;
                ConsumeStats.parse(body)
                        .offsetTable()
                        .forEach((queue, state) -> queues.add(
                                new QueueProgress(WireQueues.of(queue), state.consumerOffset(), state.brokerOffset())));
            } catch (WaybillException e) {
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
            return await(
                    new GroupApi(cluster.connections).members(address, group), "asking for the members of " + group);
        } catch (WaybillException e) {
            if (e.code() >= 0) {
                return List.of(); // the answer for a group without members
            }
            throw e;
        }
    }

    @Override
    public Map<MessageQueue, Long> resetGroup(String group, String topic, Instant time) {
        ArgumentChecks.group(group);
        Map<MessageQueue, Long> offsets = new TreeMap<>();
        mastersOf(topic).forEach((broker, address) -> {
            offsets.putAll(AdminGroups.reset(cluster, broker, address, group, topic, time.toEpochMilli()));
        });
        return offsets;
    }

    @Override
    public Map<MessageQueue, Long> offsetsAt(String topic, Instant time) {
        Map<String, String> masters = mastersOf(topic);
        Route route = await(cluster.routes.find(topic), "finding topic " + topic);
        Map<MessageQueue, Long> offsets = new TreeMap<>();
        for (MessageQueue queue : route.readable()) {
            String address = masters.get(queue.broker());
            if (address != null) {
                offsets.put(
                        queue,
                        await(
                                new OffsetApi(cluster.connections).offsetAt(address, queue, time.toEpochMilli()),
                                "finding a time in " + queue));
            }
        }
        return offsets;
    }

    // ---- messages

    @Override
    public List<ReceivedMessage> byKey(String topic, String key, int max) {
        return byKey(topic, key, max, Instant.EPOCH, Instant.ofEpochMilli(Long.MAX_VALUE));
    }

    @Override
    public List<ReceivedMessage> byKey(String topic, String key, int max, Instant from, Instant to) {
        ArgumentChecks.positive("max", max);
        List<InboundMessage> found = new ArrayList<>();
        mastersOf(topic).forEach((broker, address) -> {
            for (Message stored : query(address, topic, key, max, from, to, false)) {
                add(found, InboundMessage.of(stored, broker), key);
            }
            for (Message stored : query(address, topic, key, UNIQUE_MAX, from, to, true)) {
                add(found, InboundMessage.of(stored, broker), key);
            }
        });
        found.sort(Comparator.comparing(InboundMessage::storedAt));
        return List.copyOf(found.subList(0, Math.min(max, found.size())));
    }

    private List<Message> query(
            String address, String topic, String key, int max, Instant from, Instant to, boolean unique) {
        return await(
                messages.byKey(address, topic, key, max, from.toEpochMilli(), to.toEpochMilli(), unique),
                "asking for messages of " + topic + " with key " + key);
    }

    private static void add(List<InboundMessage> found, InboundMessage message, String key) {
        boolean known = found.stream().anyMatch(other -> other.storedId().equals(message.storedId()));
        if (!known && (message.keys().contains(key) || message.messageId().equals(key))) {
            found.add(message);
        }
    }

    @Override
    public Optional<ReceivedMessage> byId(String topic, String id) {
        Map<String, String> masters = mastersOf(topic);
        for (Map.Entry<String, String> broker : masters.entrySet()) {
            for (Message stored : query(
                    broker.getValue(),
                    topic,
                    id,
                    UNIQUE_MAX,
                    Instant.EPOCH,
                    Instant.ofEpochMilli(Long.MAX_VALUE),
                    true)) {
                InboundMessage message = InboundMessage.of(stored, broker.getKey());
                if (message.messageId().equals(id)) {
                    return Optional.of(message);
                }
            }
        }
        if (!MessageIds.isOffsetId(id)) {
            return Optional.empty();
        }
        // Only brokers of the topic are asked: an id from outside must not make this process connect anywhere.
        long position = MessageIds.decode(id).position();
        for (Map.Entry<String, String> broker : masters.entrySet()) {
            try {
                Message stored = await(messages.at(broker.getValue(), position), "asking for message " + id);
                if (stored.offsetId().equalsIgnoreCase(id)) {
                    return Optional.of(InboundMessage.of(stored, broker.getKey()));
                }
            } catch (WaybillException e) {
                if (e.code() < 0) {
                    throw e;
                }
            }
        }
        return Optional.empty();
    }

    // ---- the life of a message

    @Override
    public List<MessageHistory> trace(String topic, String id) {
        return lives(topic, "id", id);
    }

    @Override
    public List<MessageHistory> traceKey(String topic, String key) {
        return lives(topic, "key", key);
    }

    private List<MessageHistory> lives(String topic, String kind, String name) {
        ArgumentChecks.given(kind, name);
        JsonWriter question = new JsonWriter().beginObject().field(kind, name);
        if (topic != null) {
            question.field("topic", topic);
        }
        question.endObject();
        List<MessageHistory> lives = new ArrayList<>();
        cluster.living()
                .forEach((broker, address) -> cluster.find(
                                address,
                                RequestCode.TRACE_MESSAGE,
                                question,
                                "asking " + broker + " for the life of " + name)
                        .ifPresent(answer -> {
                            for (JsonObject one : answer.getArray("messages").objects("messages")) {
                                lives.add(life(broker, one));
                            }
                        }));
        return List.copyOf(lives);
    }

    private static MessageHistory life(String broker, JsonObject json) {
        List<MessageHistory.Event> events = new ArrayList<>();
        for (JsonObject one : json.getArray("events").objects("events")) {
            Map<String, String> more = JsonValues.texts(one);
            more.keySet().removeAll(List.of("timestamp", "event", "group", "client", "sentence"));
            events.add(new MessageHistory.Event(
                    Instant.ofEpochMilli(one.getLong("timestamp", 0)),
                    one.getString("event"),
                    one.getString("group"),
                    one.getString("client"),
                    one.getString("sentence", ""),
                    more));
        }
        return new MessageHistory(
                broker,
                json.getString("topic"),
                json.getString("uniqueKey"),
                json.getString("offsetMsgId"),
                List.copyOf(events));
    }

    // ---- transactions

    @Override
    public List<TransactionState> transactions(int max) {
        return transactions().list(TransactionInspector.Query.first(max));
    }

    @Override
    public Optional<TransactionState> transaction(String messageId) {
        return transactions().find(messageId).map(TransactionInspector.Details::state);
    }

    @Override
    public TransactionState decide(String messageId, Decision outcome, String by) {
        return transactions().decide(messageId, outcome, "decided by hand", by);
    }
}
