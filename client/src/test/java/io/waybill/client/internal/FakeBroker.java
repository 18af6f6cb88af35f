/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import io.waybill.client.MessageQueue;
import io.waybill.client.internal.id.UniqueIds;
import io.waybill.client.internal.message.WireQueues;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.BrokerData;
import io.waybill.protocol.body.ClusterInfo;
import io.waybill.protocol.body.ConsumeStats;
import io.waybill.protocol.body.ConsumerList;
import io.waybill.protocol.body.GroupList;
import io.waybill.protocol.body.HeartbeatData;
import io.waybill.protocol.body.LockBatchBody;
import io.waybill.protocol.body.LockBatchReply;
import io.waybill.protocol.body.OffsetTable;
import io.waybill.protocol.body.QueueData;
import io.waybill.protocol.body.TopicList;
import io.waybill.protocol.body.TopicRoute;
import io.waybill.protocol.body.TopicStats;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.PullHeader;
import io.waybill.protocol.header.PullReply;
import io.waybill.protocol.header.SendMessageHeader;
import io.waybill.protocol.header.SendReply;
import io.waybill.protocol.message.BatchBody;
import io.waybill.protocol.message.MessageDraft;
import io.waybill.protocol.message.MessageIds;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.Connection;
import io.waybill.remoting.ConnectionListener;
import io.waybill.remoting.EventLoops;
import io.waybill.remoting.RemotingServer;
import io.waybill.remoting.Request;
import io.waybill.remoting.ServerSettings;
import java.io.IOException;
import java.net.InetSocketAddress;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.Deque;
import java.util.HashMap;
import java.util.HashSet;
import java.util.Iterator;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.CompletableFuture;
import java.util.function.Consumer;

/**
 * Name server and broker in one, in memory, on loopback: does what the protocol reference says, and anything else a test scripts for the next request
 * of a code. All state is guarded by this object.
 */
final class FakeBroker implements AutoCloseable {
    static final String NAME = "broker-a";
    static final String CLUSTER = "TestCluster";

    private final EventLoops loops = EventLoops.shared();
    private RemotingServer server;
    private final Map<String, Integer> topics = new TreeMap<>();
    private final Map<MessageQueue, List<ByteBuffer>> queues = new HashMap<>();
    private final Map<String, Map<MessageQueue, Long>> offsets = new HashMap<>();
    private final Map<Connection, HeartbeatData> clients = new LinkedHashMap<>();
    private final Map<MessageQueue, String> locks = new HashMap<>(); // "group client"
    private final Map<Integer, Deque<Consumer<Request>>> scripts = new HashMap<>();
    private final List<Command> seen = new ArrayList<>();
    private final List<HeldPull> heldPulls = new ArrayList<>();
    private final Map<Long, ByteBuffer> log = new HashMap<>();
    private final List<ByteBuffer> hidden = new ArrayList<>();
    private long position;
    private long storeMillis = 1_000_000;
    boolean autoCreate = true;
    boolean holdPulls = true;

    private record HeldPull(Request request, PullHeader header) {}

    FakeBroker() {
        try {
            server = RemotingServer.start(
                    ServerSettings.defaults("127.0.0.1", 0).withDrainMillis(0),
                    loops,
                    this::handle,
                    new ConnectionListener() {
                        @Override
                        public void closed(Connection connection) {
                            left(connection);
                        }
                    });
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
        topics.put(Names.DEFAULT_TOPIC, 8);
    }

    String address() {
        return "127.0.0.1:" + server.address().getPort();
    }

    synchronized FakeBroker topic(String name, int queueCount) {
        topics.put(name, queueCount);
        return this;
    }

    /** The next request of the code is answered by this, and by nothing else. */
    synchronized FakeBroker next(int code, Consumer<Request> script) {
        scripts.computeIfAbsent(code, c -> new ArrayDeque<>()).add(script);
        return this;
    }

    FakeBroker refuseNext(int code, int responseCode, String remark) {
        return next(code, request -> request.refuse(responseCode, remark));
    }

    synchronized List<Command> seen(int code) {
        return seen.stream().filter(command -> command.code() == code).toList();
    }

    synchronized void clock(long millis) {
        storeMillis = millis;
    }

    synchronized List<ByteBuffer> queue(MessageQueue queue) {
        return List.copyOf(queues.getOrDefault(queue, List.of()));
    }

    synchronized long offset(String group, MessageQueue queue) {
        return offsets.getOrDefault(group, Map.of()).getOrDefault(queue, -1L);
    }

    synchronized void offset(String group, MessageQueue queue, long offset) {
        offsets.computeIfAbsent(group, g -> new HashMap<>()).put(queue, offset);
    }

    synchronized Map<MessageQueue, String> locks() {
        return Map.copyOf(locks);
    }

    synchronized void lock(MessageQueue queue, String owner) {
        if (owner == null) {
            locks.remove(queue);
        } else {
            locks.put(queue, owner);
        }
    }

    synchronized List<String> members(String group) {
        Set<String> members = new TreeSet<>();
        clients.values()
                .forEach(client -> client.consumers().forEach(consumer -> {
                    if (consumer.groupName().equals(group)) {
                        members.add(client.clientId());
                    }
                }));
        return List.copyOf(members);
    }

    synchronized List<Connection> producers(String group) {
        return clients.entrySet().stream()
                .filter(client -> client.getValue().producers().contains(group))
                .map(Map.Entry::getKey)
                .toList();
    }

    /** Pulls do not hand out this message any more. */
    synchronized void hide(MessageQueue queue, int offset) {
        hidden.add(queues.get(queue).get(offset));
    }

    /** Asks the first member of a group. */
    CompletableFuture<Command> ask(String group, Command request) {
        Connection member;
        synchronized (this) {
            member = clients.entrySet().stream()
                    .filter(client -> client.getValue().consumers().stream()
                            .anyMatch(consumer -> consumer.groupName().equals(group)))
                    .map(Map.Entry::getKey)
                    .findFirst()
                    .orElseThrow();
        }
        return member.call(request, 10_000);
    }

    /** Puts a message with body and tag. */
    synchronized long put(MessageQueue queue, String body, String tag) {
        Map<String, String> properties = new LinkedHashMap<>();
        properties.put(MessageProperties.UNIQ_KEY, UniqueIds.next());
        if (tag != null) {
            properties.put(MessageProperties.TAGS, tag);
        }
        return append(queue, 0, body.getBytes(StandardCharsets.UTF_8), MessageProperties.encode(properties), 0, 0);
    }

    synchronized long append(MessageQueue queue, int sysFlag, byte[] body, byte[] properties, int tries, long born) {
        List<ByteBuffer> messages = queues.computeIfAbsent(queue, q -> new ArrayList<>());
        ByteBuffer stored = record(queue, sysFlag, body, properties, tries, born, messages.size());
        messages.add(stored);
        log.put(StoredMessage.position(stored, 0), stored);
        wake();
        return messages.size() - 1;
    }

    private ByteBuffer record(
            MessageQueue queue, int sysFlag, byte[] body, byte[] properties, int tries, long born, long offset) {
        MessageDraft draft = MessageDraft.builder()
                .topic(queue.topic())
                .queueId(queue.id())
                .flag(0)
                .sysFlag(sysFlag)
                .bornTimestamp(born)
                .bornHost(server.address())
                .storeHost(server.address())
                .reconsumeTimes(tries)
                .body(body)
                .properties(properties)
                .build();
        ByteBuffer stored = ByteBuffer.wrap(draft.bytes());
        StoredMessage.patchQueueOffset(stored, 0, offset);
        StoredMessage.patchPosition(stored, 0, position);
        StoredMessage.patchStoreTimestamp(stored, 0, storeMillis);
        position += stored.limit();
        return stored;
    }

    /** The half message of the first send of a message, as if it were stored. */
    synchronized ByteBuffer half(io.waybill.client.Message message) {
        for (Command command : seen(RequestCode.SEND_MESSAGE_V2)) {
            SendMessageHeader header = SendMessageHeader.read(command.fields());
            if (message.id().equals(MessageProperties.get(header.properties(), MessageProperties.UNIQ_KEY))) {
                return record(
                        new MessageQueue(header.topic(), NAME, header.queueId()),
                        header.sysFlag() & ~0xC,
                        command.bodyBytes(),
                        header.properties(),
                        0,
                        header.bornTimestamp(),
                        7);
            }
        }
        throw new IllegalStateException("message " + message.id() + " was not sent");
    }

    /** Sends the check of a half message to the first producer of a group. */
    void check(String group, long halfPosition, ByteBuffer half, String id) {
        check(0, group, halfPosition, half, id);
    }

    /** The same to one of several. */
    void check(int index, String group, long halfPosition, ByteBuffer half, String id) {
        Connection producer;
        synchronized (this) {
            producer = producers(group).get(index);
        }
        producer.send(Command.request(RequestCode.CHECK_TRANSACTION_STATE)
                .field("topic", Names.HALF_TOPIC)
                .field("tranStateTableOffset", 7)
                .field("commitLogOffset", halfPosition)
                .field("msgId", id)
                .field("transactionId", id)
                .field("bname", NAME)
                .body(half)
                .build());
    }

    synchronized ByteBuffer at(long logPosition) {
        return log.get(logPosition);
    }

    // ---- requests

    private synchronized void handle(Request request) {
        Command command = request.command();
        seen.add(command.detached());
        Deque<Consumer<Request>> scripted = scripts.get(command.code());
        if (scripted != null && !scripted.isEmpty()) {
            scripted.poll().accept(request);
            return;
        }
        answer(request);
    }

    /** The ordinary answer; scripts may use it too. */
    synchronized void answer(Request request) {
        Command command = request.command();
        switch (command.code()) {
            case RequestCode.GET_ROUTEINFO_BY_TOPIC -> route(request);
            case RequestCode.GET_BROKER_CLUSTER_INFO ->
                body(
                        request,
                        new ClusterInfo(
                                        Map.of(NAME, new BrokerData(CLUSTER, NAME, Map.of(0L, address()))),
                                        Map.of(CLUSTER, Set.of(NAME)))
                                .toJson());
            case RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER -> {
                List<String> all = new ArrayList<>(topics.keySet());
                all.addAll(List.of(NAME, CLUSTER, CLUSTER + "_REPLY_TOPIC"));
                body(request, new TopicList(all).toJson());
            }
            case RequestCode.SEND_MESSAGE_V2, RequestCode.SEND_BATCH_MESSAGE -> send(request);
            case RequestCode.HEART_BEAT -> heartbeat(request);
            case RequestCode.UNREGISTER_CLIENT -> unregister(request);
            case RequestCode.GET_CONSUMER_LIST_BY_GROUP -> {
                List<String> members = members(field(request, "consumerGroup"));
                if (members.isEmpty()) {
                    request.refuse(ResponseCode.SYSTEM_ERROR, "no member");
                } else {
                    body(request, new ConsumerList(members).toJson());
                }
            }
            case RequestCode.QUERY_CONSUMER_OFFSET -> {
                long offset = offset(field(request, "consumerGroup"), queueOf(request));
                if (offset < 0) {
                    request.refuse(ResponseCode.QUERY_NOT_FOUND, "none");
                } else {
                    offsetReply(request, offset);
                }
            }
            case RequestCode.UPDATE_CONSUMER_OFFSET -> {
                offset(field(request, "consumerGroup"), queueOf(request), number(request, "commitOffset"));
                ok(request);
            }
            case RequestCode.GET_MAX_OFFSET ->
                offsetReply(request, queue(queueOf(request)).size());
            case RequestCode.GET_MIN_OFFSET -> offsetReply(request, 0);
            case RequestCode.SEARCH_OFFSET_BY_TIMESTAMP ->
                offsetReply(request, search(queueOf(request), number(request, "timestamp")));
            case RequestCode.PULL_MESSAGE -> pull(request, PullHeader.read(command.fields()), true);
            case RequestCode.CONSUMER_SEND_MSG_BACK -> sendBack(request);
            case RequestCode.END_TRANSACTION -> ok(request);
            case RequestCode.RECALL_MESSAGE ->
                request.reply(
                        Command.response(0, null).field("msgId", "recalled").build());
            case RequestCode.LOCK_BATCH_MQ -> lock(request);
            case RequestCode.UNLOCK_BATCH_MQ -> {
                LockBatchBody body = LockBatchBody.parse(command.body());
                body.mqSet()
                        .forEach(queue ->
                                locks.remove(WireQueues.of(queue), body.consumerGroup() + " " + body.clientId()));
                ok(request);
            }
            case RequestCode.UPDATE_AND_CREATE_TOPIC -> {
                topics.put(field(request, "topic"), (int) number(request, "writeQueueNums"));
                ok(request);
            }
            case RequestCode.GET_TOPIC_STATS_INFO -> {
                Map<io.waybill.protocol.body.MessageQueue, TopicStats.QueueRange> ranges = new LinkedHashMap<>();
                eachQueue(
                        field(request, "topic"),
                        queue -> ranges.put(
                                new io.waybill.protocol.body.MessageQueue(queue.topic(), queue.broker(), queue.id()),
                                new TopicStats.QueueRange(
                                        0, queue(queue).size(), queue(queue).isEmpty() ? 0 : storeMillis)));
                body(request, new TopicStats(ranges, 0).toJson());
            }
            case RequestCode.QUERY_TOPIC_CONSUME_BY_WHO ->
                body(request, new GroupList(List.copyOf(new TreeSet<>(offsets.keySet()))).toJson());
            case RequestCode.GET_CONSUME_STATS -> {
                Map<io.waybill.protocol.body.MessageQueue, ConsumeStats.QueueProgress> progress = new LinkedHashMap<>();
                offsets.getOrDefault(field(request, "consumerGroup"), Map.of())
                        .forEach((queue, offset) -> progress.put(
                                new io.waybill.protocol.body.MessageQueue(queue.topic(), queue.broker(), queue.id()),
                                new ConsumeStats.QueueProgress(queue(queue).size(), offset, offset, 0)));
                body(request, new ConsumeStats(progress, 0).toJson());
            }
            case RequestCode.INVOKE_BROKER_TO_RESET_OFFSET -> {
                Map<io.waybill.protocol.body.MessageQueue, Long> moved = new LinkedHashMap<>();
                eachQueue(
                        field(request, "topic"),
                        queue -> moved.put(
                                new io.waybill.protocol.body.MessageQueue(queue.topic(), queue.broker(), queue.id()),
                                search(queue, number(request, "timestamp"))));
                body(request, new OffsetTable(moved).toJson());
            }
            case RequestCode.QUERY_MESSAGE -> query(request);
            case RequestCode.VIEW_MESSAGE_BY_ID -> {
                ByteBuffer stored = log.get(number(request, "offset"));
                if (stored == null) {
                    request.refuse(ResponseCode.SYSTEM_ERROR, "no message there");
                } else {
                    request.reply(
                            Command.response(0, null).body(stored.duplicate()).build());
                }
            }
            case RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG ->
                body(request, "{\"subscriptionGroupTable\":{}}".getBytes(StandardCharsets.UTF_8));
            default -> request.refuse(ResponseCode.REQUEST_CODE_NOT_SUPPORTED, "not faked: " + command.code());
        }
    }

    static String field(Request request, String name) {
        return request.command().fields().get(name);
    }

    static long number(Request request, String name) {
        return request.command().fields().requireLong(name);
    }

    private static MessageQueue queueOf(Request request) {
        return new MessageQueue(field(request, "topic"), NAME, (int) number(request, "queueId"));
    }

    private static void ok(Request request) {
        request.reply(Command.response(0, null).build());
    }

    private static void body(Request request, byte[] body) {
        request.reply(Command.response(0, null).body(body).build());
    }

    private static void offsetReply(Request request, long offset) {
        request.reply(Command.response(0, null).field("offset", offset).build());
    }

    private void eachQueue(String topic, Consumer<MessageQueue> action) {
        for (int id = 0; id < topics.getOrDefault(topic, 0); id++) {
            action.accept(new MessageQueue(topic, NAME, id));
        }
    }

    private void route(Request request) {
        String topic = field(request, "topic");
        Integer count = topics.get(topic);
        if (count == null || topic.equals(Names.DEFAULT_TOPIC) && !autoCreate) {
            request.refuse(ResponseCode.TOPIC_NOT_EXIST, "No topic route info in name server for the topic: " + topic);
            return;
        }
        body(
                request,
                new TopicRoute(
                                null,
                                List.of(new QueueData(NAME, count, count, 6, 0)),
                                List.of(new BrokerData(CLUSTER, NAME, Map.of(0L, address()))))
                        .toJson());
    }

    private void send(Request request) {
        SendMessageHeader header = SendMessageHeader.read(request.command().fields());
        topics.putIfAbsent(header.topic(), header.defaultTopicQueueNums());
        MessageQueue queue = new MessageQueue(header.topic(), NAME, header.queueId());
        boolean half = MessageProperties.isTrue(header.properties(), MessageProperties.TRAN_MSG);
        List<String> ids = new ArrayList<>();
        long first = half ? 7 : queue(queue).size();
        if (header.batch()) {
            for (BatchBody.Part part : BatchBody.parse(request.command().body())) {
                byte[] body = new byte[part.body().remaining()];
                part.body().get(body);
                ids.add(offsetId(position));
                append(queue, 0, body, part.properties(), 0, header.bornTimestamp());
            }
        } else {
            ids.add(offsetId(position));
            byte[] body = request.command().bodyBytes();
            if (half) {
                ByteBuffer stored =
                        record(queue, header.sysFlag() & ~0xC, body, header.properties(), 0, header.bornTimestamp(), 7);
                log.put(StoredMessage.position(stored, 0), stored);
            } else {
                append(
                        queue,
                        header.sysFlag(),
                        body,
                        header.properties(),
                        header.reconsumeTimes(),
                        header.bornTimestamp());
            }
        }
        request.reply(Command.response(0, null)
                .header(new SendReply(
                        String.join(",", ids),
                        header.queueId(),
                        first,
                        MessageProperties.get(header.properties(), MessageProperties.UNIQ_KEY)))
                .build());
    }

    String offsetId(long at) {
        return MessageIds.offsetId(
                new InetSocketAddress("127.0.0.1", server.address().getPort()), at);
    }

    private void heartbeat(Request request) {
        HeartbeatData data = HeartbeatData.parse(request.command().body());
        Set<String> changed = new HashSet<>();
        HeartbeatData before = clients.put(request.connection(), data);
        data.consumers().forEach(consumer -> {
            topics.putIfAbsent(Names.retryTopic(consumer.groupName()), 1);
            if (before == null
                    || before.consumers().stream().noneMatch(c -> c.groupName().equals(consumer.groupName()))) {
                changed.add(consumer.groupName());
            }
        });
        ok(request);
        changed.forEach(this::notifyMembers);
    }

    private void notifyMembers(String group) {
        clients.forEach((connection, client) -> {
            if (client.consumers().stream().anyMatch(c -> c.groupName().equals(group))) {
                connection.send(Command.request(RequestCode.NOTIFY_CONSUMER_IDS_CHANGED)
                        .field("consumerGroup", group)
                        .build());
            }
        });
    }

    private void unregister(Request request) {
        HeartbeatData data = clients.get(request.connection());
        String group = field(request, "consumerGroup");
        if (data != null && group != null) {
            clients.put(
                    request.connection(),
                    new HeartbeatData(
                            data.clientId(),
                            data.consumers().stream()
                                    .filter(c -> !c.groupName().equals(group))
                                    .toList(),
                            data.producers()));
            notifyMembers(group);
        }
        ok(request);
    }

    private synchronized void left(Connection connection) {
        HeartbeatData data = clients.remove(connection);
        heldPulls.removeIf(pull -> pull.request().connection() == connection);
        if (data != null) {
            data.consumers().forEach(consumer -> notifyMembers(consumer.groupName()));
        }
    }

    private void lock(Request request) {
        LockBatchBody body = LockBatchBody.parse(request.command().body());
        String owner = body.consumerGroup() + " " + body.clientId();
        Set<io.waybill.protocol.body.MessageQueue> granted = new HashSet<>();
        for (io.waybill.protocol.body.MessageQueue queue : body.mqSet()) {
            if (locks.putIfAbsent(WireQueues.of(queue), owner) == null
                    || locks.get(WireQueues.of(queue)).equals(owner)) {
                granted.add(queue);
            }
        }
        body(request, new LockBatchReply(granted).toJson());
    }

    private long search(MessageQueue queue, long millis) {
        List<ByteBuffer> messages = queue(queue);
        for (int i = 0; i < messages.size(); i++) {
            if (StoredMessage.storeTimestamp(messages.get(i), 0) >= millis) {
                return i;
            }
        }
        return messages.size();
    }

    private void pull(Request request, PullHeader header, boolean mayPark) {
        MessageQueue queue = new MessageQueue(header.topic(), NAME, header.queueId());
        if (header.commitsOffset()) {
            offset(header.consumerGroup(), queue, header.commitOffset());
        }
        List<ByteBuffer> messages = queue(queue);
        if (header.queueOffset() > messages.size()) {
            pullReply(request, ResponseCode.PULL_OFFSET_MOVED, messages.size(), messages.size(), List.of());
            return;
        }
        if (header.queueOffset() == messages.size()) {
            if (mayPark && holdPulls && header.maySuspend()) {
                // The body of a held request is not needed; its header was read.
                heldPulls.add(new HeldPull(request, header));
            } else {
                pullReply(request, ResponseCode.PULL_NOT_FOUND, header.queueOffset(), messages.size(), List.of());
            }
            return;
        }
        int from = (int) header.queueOffset();
        int to = (int) Math.min(messages.size(), header.queueOffset() + header.maxMsgNums());
        List<ByteBuffer> found = new ArrayList<>(messages.subList(from, to));
        found.removeIf(message -> hidden.stream().anyMatch(one -> one == message));
        int code = found.isEmpty() ? ResponseCode.PULL_RETRY_IMMEDIATELY : 0;
        pullReply(request, code, to, messages.size(), found);
    }

    static void pullReply(Request request, int code, long next, long max, List<ByteBuffer> messages) {
        int size = messages.stream().mapToInt(ByteBuffer::limit).sum();
        ByteBuffer body = ByteBuffer.allocate(size);
        messages.forEach(message -> body.put(message.duplicate().position(0)));
        body.flip();
        request.reply(Command.response(code, null)
                .header(new PullReply(next, 0, max))
                .body(body)
                .build());
    }

    private void wake() {
        for (Iterator<HeldPull> all = heldPulls.iterator(); all.hasNext(); ) {
            HeldPull pull = all.next();
            MessageQueue queue =
                    new MessageQueue(pull.header().topic(), NAME, pull.header().queueId());
            if (queue(queue).size() > pull.header().queueOffset()) {
                all.remove();
                pull(pull.request(), pull.header(), false);
            }
        }
    }

    /** Answers the held pull of a queue as an offset reset does. */
    synchronized void moveHeldPull(MessageQueue queue, long offset) {
        for (Iterator<HeldPull> all = heldPulls.iterator(); all.hasNext(); ) {
            HeldPull pull = all.next();
            if (pull.header().topic().equals(queue.topic()) && pull.header().queueId() == queue.id()) {
                all.remove();
                pullReply(
                        pull.request(),
                        ResponseCode.PULL_OFFSET_MOVED,
                        offset,
                        queue(queue).size(),
                        List.of());
            }
        }
    }

    synchronized int heldPulls() {
        return heldPulls.size();
    }

    private void sendBack(Request request) {
        ByteBuffer original = log.get(number(request, "offset"));
        if (original == null) {
            request.refuse(ResponseCode.SYSTEM_ERROR, "no message at that offset");
            return;
        }
        String group = field(request, "group");
        int tries = StoredMessage.reconsumeTimes(original, 0);
        boolean dead = number(request, "delayLevel") < 0 || tries >= number(request, "maxReconsumeTimes");
        String topic = dead ? Names.deadLetterTopic(group) : Names.retryTopic(group);
        topics.putIfAbsent(topic, 1);
        io.waybill.protocol.message.Message message = io.waybill.protocol.message.Message.decode(original, 0);
        Map<String, String> properties = new LinkedHashMap<>(message.properties());
        properties.putIfAbsent(MessageProperties.RETRY_TOPIC, message.topic());
        ok(request);
        append(
                new MessageQueue(topic, NAME, 0),
                message.sysFlag(),
                message.body(),
                MessageProperties.encode(properties),
                tries + 1,
                message.bornTimestamp());
    }

    private void query(Request request) {
        String key = field(request, "key");
        String topic = field(request, "topic");
        boolean unique = "true".equals(field(request, "_UNIQUE_KEY_QUERY"));
        List<ByteBuffer> found = new ArrayList<>();
        eachQueue(
                topic,
                queue -> queue(queue).forEach(stored -> {
                    io.waybill.protocol.message.Message message = io.waybill.protocol.message.Message.decode(stored, 0);
                    boolean hit = unique
                            ? key.equals(message.uniqueKey())
                            : message.keys() != null
                                    && List.of(message.keys().split(" ")).contains(key);
                    if (hit) {
                        found.add(stored);
                    }
                }));
        if (found.isEmpty()) {
            request.refuse(ResponseCode.QUERY_NOT_FOUND, "none");
            return;
        }
        ByteBuffer body =
                ByteBuffer.allocate(found.stream().mapToInt(ByteBuffer::limit).sum());
        found.forEach(message -> body.put(message.duplicate().position(0)));
        request.reply(Command.response(0, null)
                .field("indexLastUpdateTimestamp", 0)
                .field("indexLastUpdatePhyoffset", 0)
                .body(body.flip())
                .build());
    }

    @Override
    public void close() {
        server.close();
        loops.close();
    }
}
