/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import io.waybill.client.Admin;
import io.waybill.client.Decision;
import io.waybill.client.ReceivedMessage;
import io.waybill.client.TopicQueue;
import io.waybill.client.WaybillException;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.ClusterInfo;
import io.waybill.protocol.body.ConsumeStats;
import io.waybill.protocol.body.GroupList;
import io.waybill.protocol.body.OffsetTable;
import io.waybill.protocol.body.Perm;
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

/** The admin face: one question per server and one JSON answer each. Nothing is cached. */
final class AdminCore implements Admin {
    private static final int MAX_QUEUES = 1_024;
    private static final int UNIQUE_MAX = 32;

    private final ClientCore client;

    AdminCore(ClientCore client) {
        this.client = client;
    }

    private static <T> T await(java.util.concurrent.CompletableFuture<T> future, String doing) {
        return Failures.await(future, doing, false);
    }

    private ByteBuffer nameServer(Command.Builder request, String doing) {
        return await(
                        client.calls()
                                .links
                                .askNameServer(request.build(), client.timings().callTimeout()),
                        doing)
                .body();
    }

    private ByteBuffer broker(String address, Command.Builder request, String doing) {
        return await(client.calls().askBody(address, request), doing);
    }

    private ClusterInfo cluster() {
        return ClusterInfo.parse(nameServer(
                Command.request(RequestCode.GET_BROKER_CLUSTER_INFO), "asking the name server for the brokers"));
    }

    private static Map<String, String> masters(ClusterInfo cluster) {
        Map<String, String> masters = new TreeMap<>();
        cluster.brokerAddrTable().forEach((name, broker) -> {
            if (broker.masterAddress() != null) {
                masters.put(name, broker.masterAddress());
            }
        });
        return masters;
    }

    @Override
    public Map<String, String> brokers() {
        return masters(cluster());
    }

    /** The masters of a topic: name to address. */
    private Map<String, String> mastersOf(String topic) {
        MessageChecks.topic(topic);
        Route route = await(client.routes().refresh(topic), "finding topic " + topic);
        Map<String, String> masters = new TreeMap<>();
        route.brokers().forEach((name, addresses) -> {
            String master = addresses.get(Route.MASTER);
            if (master != null) {
                masters.put(name, master);
            }
        });
        return masters;
    }

    // ---- topics

    @Override
    public List<String> allTopics() {
        ByteBuffer body = nameServer(
                Command.request(RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER),
                "asking the name server for the topics");
        return List.copyOf(new TreeSet<>(TopicList.parse(body).topicList()));
    }

    @Override
    public List<String> topics() {
        ClusterInfo cluster = cluster();
        Set<String> own = new HashSet<>(cluster.brokerAddrTable().keySet());
        for (String name : cluster.clusterAddrTable().keySet()) {
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
        MessageChecks.topic(name);
        if (queues < 1 || queues > MAX_QUEUES) {
            throw Failures.invalid(
                    "queues must be 1 to " + MAX_QUEUES + ", but is " + queues, "choose a number in between");
        }
        Map<String, String> brokers = brokers();
        if (brokers.isEmpty()) {
            throw Failures.refused(
                    "creating topic " + name, ResponseCode.SYSTEM_ERROR, "no broker is registered", false);
        }
        brokers.forEach((broker, address) -> broker(
                address,
                Command.request(RequestCode.UPDATE_AND_CREATE_TOPIC)
                        .field("topic", name)
                        .field("defaultTopic", Names.DEFAULT_TOPIC)
                        .field("readQueueNums", queues)
                        .field("writeQueueNums", queues)
                        .field("perm", Perm.READ_WRITE)
                        .field("topicFilterType", "SINGLE_TAG")
                        .field("topicSysFlag", 0)
                        .field("order", false),
                "creating topic " + name + " at " + broker));
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
                        WireBodies.queue(queue),
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
        MessageChecks.group(group);
        Set<String> members = new TreeSet<>();
        List<QueueProgress> queues = new ArrayList<>();
        WaybillException refusal = null;
        boolean answered = false;
        for (Map.Entry<String, String> broker : brokers().entrySet()) {
            try {
                ByteBuffer body = broker(
                        broker.getValue(),
                        Command.request(RequestCode.GET_CONSUME_STATS).field("consumerGroup", group),
                        "asking " + broker.getKey() + " for group " + group);
                answered = true;
                ConsumeStats.parse(body)
                        .offsetTable()
                        .forEach((queue, state) -> queues.add(new QueueProgress(
                                WireBodies.queue(queue), state.consumerOffset(), state.brokerOffset())));
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
        queues.sort(Comparator.comparing(QueueProgress::queue));
        long lag = queues.stream().mapToLong(QueueProgress::lag).sum();
        return new GroupProgress(group, List.copyOf(members), List.copyOf(queues), lag);
    }

    private List<String> members(String address, String group) {
        try {
            return await(client.calls().members(address, group), "asking for the members of " + group);
        } catch (WaybillException e) {
            if (e.code() >= 0) {
                return List.of(); // the answer for a group without members
            }
            throw e;
        }
    }

    @Override
    public Map<TopicQueue, Long> resetGroup(String group, String topic, Instant time) {
        MessageChecks.group(group);
        Map<TopicQueue, Long> offsets = new TreeMap<>();
        mastersOf(topic).forEach((broker, address) -> {
            ByteBuffer body = broker(
                    address,
                    Command.request(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET)
                            .field("group", group)
                            .field("topic", topic)
                            .field("queueId", -1)
                            .field("offset", -1)
                            .field("timestamp", time.toEpochMilli())
                            .field("isForce", true),
                    "moving group " + group + " at " + broker);
            OffsetTable.parse(body)
                    .offsetTable()
                    .forEach((queue, offset) -> offsets.put(WireBodies.queue(queue), offset));
        });
        return offsets;
    }

    @Override
    public Map<TopicQueue, Long> offsetsAt(String topic, Instant time) {
        Map<String, String> masters = mastersOf(topic);
        Route route = await(client.routes().find(topic), "finding topic " + topic);
        Map<TopicQueue, Long> offsets = new TreeMap<>();
        for (TopicQueue queue : route.readable()) {
            String address = masters.get(queue.broker());
            if (address != null) {
                offsets.put(
                        queue,
                        await(
                                client.calls().offsetAt(address, queue, time.toEpochMilli()),
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
        Checks.positive("max", max);
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
                client.calls().byKey(address, topic, key, max, from.toEpochMilli(), to.toEpochMilli(), unique),
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
                Message stored = await(client.calls().at(broker.getValue(), position), "asking for message " + id);
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

    // ---- transactions

    @Override
    public List<TransactionState> transactions(int max) {
        Checks.positive("max", max);
        List<TransactionState> all = new ArrayList<>();
        brokers().forEach((broker, address) -> {
            ByteBuffer body = broker(
                    address,
                    Command.request(RequestCode.LIST_TRANSACTIONS)
                            .body(new JsonWriter()
                                    .beginObject()
                                    .field("max", max)
                                    .endObject()
                                    .toByteArray()),
                    "asking " + broker + " for its transactions");
            for (JsonObject transaction :
                    Json.parse(body).getArray("transactions").objects("transactions")) {
                all.add(state(broker, transaction, TransactionState.Stage.OPEN, null));
            }
        });
        all.sort(Comparator.comparing(TransactionState::storedAt));
        return List.copyOf(all.subList(0, Math.min(max, all.size())));
    }

    @Override
    public Optional<TransactionState> transaction(String messageId) {
        Checks.given("message id", messageId);
        for (Map.Entry<String, String> broker : brokers().entrySet()) {
            Optional<TransactionState> state = show(broker.getKey(), broker.getValue(), messageId);
            if (state.isPresent()) {
                return state;
            }
        }
        return Optional.empty();
    }

    private Optional<TransactionState> show(String broker, String address, String messageId) {
        try {
            ByteBuffer body = broker(
                    address,
                    Command.request(RequestCode.SHOW_TRANSACTION)
                            .body(new JsonWriter()
                                    .beginObject()
                                    .field("id", messageId)
                                    .endObject()
                                    .toByteArray()),
                    "asking " + broker + " for transaction " + messageId);
            JsonObject json = Json.parse(body);
            JsonObject kept = json.getObject("transaction"); // missing when nothing of the message is left
            return Optional.of(state(
                    broker,
                    kept == null ? Json.parse("{}") : kept,
                    stage(json.getString("state")),
                    json.getObject("decision")));
        } catch (WaybillException e) {
            if (e.code() == ResponseCode.SYSTEM_ERROR || e.kind() == WaybillException.Kind.NOT_FOUND) {
                return Optional.empty(); // not this broker's
            }
            throw e;
        }
    }

    @Override
    public TransactionState decide(String messageId, Decision outcome, String by) {
        Checks.given("message id", messageId);
        Checks.given("by", by);
        if (outcome != Decision.COMMIT && outcome != Decision.ROLLBACK) {
            throw Failures.invalid("a decision must be COMMIT or ROLLBACK, but is " + outcome, "choose one of the two");
        }
        for (Map.Entry<String, String> broker : brokers().entrySet()) {
            if (show(broker.getKey(), broker.getValue(), messageId).isEmpty()) {
                continue;
            }
            broker(
                    broker.getValue(),
                    Command.request(RequestCode.DECIDE_TRANSACTION)
                            .body(new JsonWriter()
                                    .beginObject()
                                    .field("id", messageId)
                                    .field("decision", outcome.name())
                                    .field("reason", by) // the broker adds from where
                                    .endObject()
                                    .toByteArray()),
                    "deciding transaction " + messageId);
            return show(broker.getKey(), broker.getValue(), messageId).orElseThrow(() -> missing(messageId));
        }
        throw missing(messageId);
    }

    private static WaybillException missing(String messageId) {
        return Failures.refused(
                "deciding transaction " + messageId, ResponseCode.QUERY_NOT_FOUND, "no broker knows it", false);
    }

    private static TransactionState.Stage stage(String text) {
        for (TransactionState.Stage stage : TransactionState.Stage.values()) {
            if (stage.name().equals(text)) {
                return stage;
            }
        }
        throw new WaybillException(
                WaybillException.Kind.UNREADABLE,
                -1,
                false,
                "the broker names an unknown transaction state: " + text,
                "use a client as new as the broker",
                null);
    }

    private static TransactionState state(
            String broker, JsonObject json, TransactionState.Stage stage, JsonObject decision) {
        String keys = json.getString("keys");
        long next = json.getLong("nextCheckTimestamp", 0);
        return new TransactionState(
                json.getString("transactionId"),
                broker,
                json.getString("topic"),
                json.getString("producerGroup"),
                keys == null || keys.isBlank()
                        ? List.of()
                        : List.of(keys.strip().split(" +")),
                stage,
                json.getLong("storeTimestamp", 0) <= 0 ? null : Instant.ofEpochMilli(json.getLong("storeTimestamp", 0)),
                json.getInt("checks", 0),
                next <= 0 || stage != TransactionState.Stage.OPEN ? null : Instant.ofEpochMilli(next),
                decision == null ? null : Instant.ofEpochMilli(decision.getLong("timestamp", 0)),
                decision == null ? null : decision.getString("by"));
    }
}
