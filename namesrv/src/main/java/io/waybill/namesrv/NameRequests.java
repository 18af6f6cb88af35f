/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.namesrv;

import io.waybill.namesrv.RouteTable.Address;
import io.waybill.namesrv.RouteTable.Registered;
import io.waybill.namesrv.RouteTable.Registration;
import io.waybill.platform.Clock;
import io.waybill.platform.MemoryBudget;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.BrokerMemberGroup;
import io.waybill.protocol.body.DataVersion;
import io.waybill.protocol.body.KvTable;
import io.waybill.protocol.body.RegisterBrokerBody;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.body.TopicList;
import io.waybill.protocol.body.TopicRoute;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.Fields;
import io.waybill.protocol.header.BrokerHeader;
import io.waybill.protocol.header.BrokerNameHeader;
import io.waybill.protocol.header.DeleteTopicInNamesrvHeader;
import io.waybill.protocol.header.KvHeader;
import io.waybill.protocol.header.RegisterBrokerHeader;
import io.waybill.protocol.header.RegisterBrokerReply;
import io.waybill.protocol.header.RouteHeader;
import io.waybill.remoting.AdminLog;
import io.waybill.remoting.Connection;
import io.waybill.remoting.ConnectionListener;
import io.waybill.remoting.LogRateLimiter;
import io.waybill.remoting.Request;
import io.waybill.remoting.RequestHandler;
import java.nio.ByteBuffer;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** Each request in terms of the route table. Nothing here waits, so all of it runs on event loops. */
final class NameRequests implements RequestHandler, ConnectionListener {
    /** Bits of a topic's flags. */
    private static final int UNIT = 1;

    private static final int UNIT_SUB = 2;

    private static final Logger LOG = LoggerFactory.getLogger(NameRequests.class);

    private static final String ORDER_NAMESPACE = "ORDER_TOPIC_CONFIG";
    private static final int MAX_NAME_LENGTH = 255;
    private static final int MOST_LINES = 20;
    private static final long LINES_MILLIS = 60_000;
    // A client makes an object for each queue of a route.
    private static final int MAX_QUEUES = 65_536;
    // From 4.9.4 on clients read integer keys of JSON objects in quotes.
    private static final int STANDARD_JSON_VERSION = 401;

    /** Heap for the topics of one registration while it is read: of 320 MiB, 32. */
    private static final long MAX_REGISTRATION_BYTES = MemoryBudget.ofHeap(10).limitBytes();

    private final Object reading = new Object();
    private final RouteTable table;
    private final KvConfig kv;
    private final byte[] config;
    private final Clock clock;
    private final Runnable livenessChanged;
    private final LogRateLimiter lines;
    private final Map<Integer, RequestHandler> changes;

    /** @param config the settings in force, one {@code key=value} in a line */
    NameRequests(
            RouteTable table, KvConfig kv, Clock clock, AdminLog adminLog, Runnable livenessChanged, String config) {
        this.config = config.getBytes(StandardCharsets.UTF_8);
        this.table = table;
        this.kv = kv;
        this.clock = clock;
        this.livenessChanged = livenessChanged;
        this.lines = new LogRateLimiter(clock, MOST_LINES, LINES_MILLIS);
        this.changes = Map.of(
                RequestCode.WIPE_WRITE_PERM_OF_BROKER,
                adminLog.watch("WIPE_WRITE_PERM_OF_BROKER", this::wipe),
                RequestCode.ADD_WRITE_PERM_OF_BROKER,
                adminLog.watch("ADD_WRITE_PERM_OF_BROKER", this::add),
                RequestCode.DELETE_TOPIC_IN_NAMESRV,
                adminLog.watch("DELETE_TOPIC_IN_NAMESRV", this::deleteTopic),
                RequestCode.UPDATE_NAMESRV_CONFIG,
                adminLog.watch("UPDATE_NAMESRV_CONFIG", NameRequests::updateConfig),
                RequestCode.PUT_KV_CONFIG,
                adminLog.watch("PUT_KV_CONFIG", this::putKv),
                RequestCode.DELETE_KV_CONFIG,
                adminLog.watch("DELETE_KV_CONFIG", this::deleteKv));
    }

    /** Time as the route table counts it. */
    static long millis(Clock clock) {
        return TimeUnit.NANOSECONDS.toMillis(clock.nanoTime());
    }

    @Override
    public void handle(Request request) {
        RequestHandler change = changes.get(request.code());
        if (change != null) {
            change.handle(request);
            return;
        }
        switch (request.code()) {
            case RequestCode.GET_ROUTEINFO_BY_TOPIC -> route(request);
            case RequestCode.REGISTER_BROKER -> register(request);
            case RequestCode.BROKER_HEARTBEAT -> heartbeat(request);
            case RequestCode.UNREGISTER_BROKER -> unregister(request);
            case RequestCode.QUERY_DATA_VERSION -> queryDataVersion(request);
            case RequestCode.GET_BROKER_CLUSTER_INFO ->
                body(request, table.clusterInfo().toJson());
            case RequestCode.GET_BROKER_MEMBER_GROUP -> memberGroup(request);
            case RequestCode.GET_ALL_TOPIC_LIST_FROM_NAMESERVER ->
                body(request, new TopicList(table.topics()).toJson());
            case RequestCode.GET_TOPICS_BY_CLUSTER ->
                body(request, new TopicList(table.topicsOf(fields(request).require("cluster"))).toJson());
            case RequestCode.GET_SYSTEM_TOPIC_LIST_FROM_NS ->
                body(request, new TopicList(table.systemTopics(), table.anyAddress()).toJson());
            case RequestCode.GET_UNIT_TOPIC_LIST -> body(request, new TopicList(table.flagged(UNIT, 0)).toJson());
            case RequestCode.GET_HAS_UNIT_SUB_TOPIC_LIST ->
                body(request, new TopicList(table.flagged(UNIT_SUB, 0)).toJson());
            case RequestCode.GET_HAS_UNIT_SUB_UNUNIT_TOPIC_LIST ->
                body(request, new TopicList(table.flagged(UNIT_SUB, UNIT)).toJson());
            case RequestCode.GET_NAMESRV_CONFIG -> body(request, config);
            case RequestCode.GET_KV_CONFIG -> getKv(request);
            case RequestCode.GET_KVLIST_BY_NAMESPACE -> listKv(request);
            default ->
                request.refuse(
                        ResponseCode.REQUEST_CODE_NOT_SUPPORTED, "request type " + request.code() + " not supported");
        }
    }

    @Override
    public void closed(Connection connection) {
        List<String> gone = table.connectionClosed(connection.id());
        if (!gone.isEmpty()) {
            String more = lines.admit();
            if (more != null) {
                LOG.info("brokers at {} are gone: their connection closed{}", gone, more);
            }
        }
    }

    private void route(Request request) {
        RouteHeader header = RouteHeader.read(fields(request));
        TopicRoute route = table.route(header.topic());
        boolean isExact = fields(request).getBoolean("exact", false);
        RouteQueries questions = isExact ? null : RouteQueries.of(request.connection());
        if (questions != null) {
            questions.asked(header.topic());
        }
        if (route == null) {
            route = table.expectedRetryRoute(header.topic());
        }
        if (route == null && questions != null && questions.isConsumers(header.topic())) {
            route = table.expectedRoute(header.topic());
        }
        if (route == null) {
            request.refuse(
                    ResponseCode.TOPIC_NOT_EXIST,
                    "No topic route info in name server for the topic: " + header.topic());
            return;
        }
        boolean quoted = header.acceptStandardJsonOnly() || request.command().version() >= STANDARD_JSON_VERSION;
        body(request, route.toJson(quoted));
    }

    private void register(Request request) {
        RegisterBrokerHeader header = RegisterBrokerHeader.read(fields(request));
        ByteBuffer bytes = request.command().body();
        if (header.bodyCrc32() != 0 && header.bodyCrc32() != RegisterBrokerBody.crc(bytes)) {
            request.refuse(ResponseCode.SYSTEM_ERROR, "crc32 not match");
            return;
        }
        checkName("brokerName", header.brokerName());
        checkName("brokerAddr", header.brokerAddr());
        checkName("clusterName", header.clusterName());
        checkOptional("haServerAddr", header.haServerAddr());
        checkOptional("zoneName", header.zoneName());
        if (header.brokerId() < 0) {
            throw new BadField("brokerId", "0 or more", Long.toString(header.brokerId()));
        }
        RegisterBrokerBody body = bytes.hasRemaining() ? read(bytes, header.compressed()) : null;
        List<TopicConfig> topics = new ArrayList<>();
        if (body != null) {
            String fault = null;
            for (TopicConfig topic : body.topics().topicConfigTable().values()) {
                String wrong = faultOf(topic);
                if (wrong == null) {
                    topics.add(topic);
                } else {
                    fault = wrong;
                }
            }
            if (fault != null) {
                int count = body.topics().topicConfigTable().size() - topics.size();
                warn(count + " topics of broker " + header.brokerName() + " are left out, one because " + fault);
            }
        }
        Registration asked = new Registration(
                header.clusterName(),
                header.brokerName(),
                header.brokerId(),
                header.brokerAddr(),
                header.haServerAddr(),
                header.enableActingMaster(),
                header.zoneName(),
                body == null ? DataVersion.NONE : body.topics().dataVersion(),
                topics);
        boolean isNew = table.version(asked.key()) == null;
        Registered result = table.register(asked, request.connection().id(), millis(clock));
        if (!result.accepted()) {
            warn("the broker at " + asked.address() + " is refused: " + result.refusal());
            request.reply(Command.response(ResponseCode.SYSTEM_ERROR, result.refusal())
                    .field("heldBy", result.heldBy())
                    .build());
            return;
        }
        if (isNew) {
            String more = lines.admit();
            if (more != null) {
                LOG.info(
                        "broker {} id {} of cluster {} is at {}{}",
                        asked.brokerName(),
                        asked.brokerId(),
                        asked.cluster(),
                        asked.address(),
                        more);
            }
            livenessChanged.run();
        }
        if (result.topicsIgnored() > 0) {
            warn(result.topicsIgnored() + " topics of broker " + asked.brokerName() + " exceed the limit of "
                    + RouteTable.MAX_TOPICS);
        }
        Command.Builder reply = ok().header(new RegisterBrokerReply(result.masterHaAddress(), result.masterAddress()));
        Map<String, String> orders = kv.list(ORDER_NAMESPACE);
        if (orders != null) {
            reply.body(new KvTable(orders).toJson());
        }
        request.reply(reply.build());
    }

    /** One at a time: each may make a part of the heap of a few bytes. */
    private RegisterBrokerBody read(ByteBuffer bytes, boolean compressed) {
        synchronized (reading) {
            return RegisterBrokerBody.parse(bytes, compressed, MAX_REGISTRATION_BYTES);
        }
    }

    /** What brokers cause is written so often at most: each of them comes back every few seconds. */
    private void warn(String sentence) {
        String more = lines.admit();
        if (more != null) {
            LOG.warn("{}{}", sentence, more);
        }
    }

    /** Null, or why clients must not be told of this topic: its numbers size their tables. */
    private static String faultOf(TopicConfig topic) {
        String fault = Names.checkTopic(topic.topicName());
        if (fault != null) {
            return fault;
        }
        int most = Math.max(topic.readQueueNums(), topic.writeQueueNums());
        int fewest = Math.min(topic.readQueueNums(), topic.writeQueueNums());
        if (fewest < 0 || most > MAX_QUEUES) {
            return "queues: must be 0 to " + MAX_QUEUES + ", but were " + topic.readQueueNums() + " and "
                    + topic.writeQueueNums();
        }
        return null;
    }

    private void heartbeat(Request request) {
        BrokerHeader header = BrokerHeader.read(fields(request));
        table.heartbeat(address(header), millis(clock));
        request.reply(ok().build());
    }

    private void unregister(Request request) {
        BrokerHeader header = BrokerHeader.read(fields(request));
        Connection peer = request.connection();
        boolean isGone = table.unregister(
                address(header),
                header.brokerName(),
                header.brokerId(),
                peer.id(),
                peer.remoteAddress().getHostString());
        String more = isGone ? lines.admit() : null;
        if (more != null) {
            LOG.info("broker {} id {} has left{}", header.brokerName(), header.brokerId(), more);
        }
        request.reply(ok().build());
    }

    private void queryDataVersion(Request request) {
        Address address = address(BrokerHeader.read(fields(request)));
        DataVersion theirs = DataVersion.parse(request.command().body());
        DataVersion ours = table.version(address);
        boolean changed = !theirs.equals(ours);
        if (!changed) {
            table.heartbeat(address, millis(clock));
        }
        Command.Builder reply = ok().field("changed", changed);
        if (ours != null) {
            reply.body(ours.toJson());
        }
        request.reply(reply.build());
    }

    private void memberGroup(Request request) {
        BrokerHeader header = BrokerHeader.read(fields(request));
        body(
                request,
                new BrokerMemberGroup(
                                header.clusterName(),
                                header.brokerName(),
                                table.members(header.clusterName(), header.brokerName()))
                        .toJson());
    }

    private void wipe(Request request) {
        String name = BrokerNameHeader.read(fields(request)).brokerName();
        int count = table.forbidWriting(name);
        AdminLog.changed(request, count + " topics", "without write permission");
        request.reply(ok().field("wipeTopicCount", count).build());
    }

    private void add(Request request) {
        String name = BrokerNameHeader.read(fields(request)).brokerName();
        int count = table.allowWriting(name);
        AdminLog.changed(request, count + " topics", "with write permission");
        request.reply(ok().field("addTopicCount", count).build());
    }

    private static void updateConfig(Request request) {
        request.refuse(
                ResponseCode.NO_PERMISSION,
                "the settings of this name server are read at its start and cannot be changed while it runs");
    }

    private void deleteTopic(Request request) {
        DeleteTopicInNamesrvHeader header = DeleteTopicInNamesrvHeader.read(fields(request));
        String cluster = header.clusterName();
        TopicRoute known = table.route(header.topic());
        AdminLog.changed(
                request,
                known == null ? null : "served by " + known.queueDatas().size() + " brokers",
                null);
        table.deleteTopic(header.topic(), cluster == null || cluster.isEmpty() ? null : cluster);
        request.reply(ok().build());
    }

    private void putKv(Request request) {
        KvHeader header = KvHeader.read(fields(request));
        checkName("namespace", header.namespace());
        checkName("key", header.key());
        String value = header.value();
        if (value == null || value.length() > KvConfig.MAX_VALUE_LENGTH) {
            String seen = value == null ? null : value.length() + " characters";
            throw new BadField("value", "at most " + KvConfig.MAX_VALUE_LENGTH + " characters", seen);
        }
        AdminLog.changed(request, kv.get(header.namespace(), header.key()), value);
        kv.put(header.namespace(), header.key(), value, refusal -> answer(request, refusal));
    }

    private static void answer(Request request, String refusal) {
        if (refusal == null) {
            request.reply(ok().build());
        } else {
            request.refuse(ResponseCode.SYSTEM_ERROR, refusal);
        }
    }

    private void getKv(Request request) {
        KvHeader header = KvHeader.read(fields(request));
        checkName("namespace", header.namespace());
        checkName("key", header.key());
        String value = kv.get(header.namespace(), header.key());
        if (value == null) {
            request.refuse(
                    ResponseCode.QUERY_NOT_FOUND,
                    "No config item, Namespace: " + header.namespace() + " Key: " + header.key());
        } else {
            request.reply(ok().field("value", value).build());
        }
    }

    private void deleteKv(Request request) {
        KvHeader header = KvHeader.read(fields(request));
        checkName("namespace", header.namespace());
        checkName("key", header.key());
        AdminLog.changed(request, kv.get(header.namespace(), header.key()), null);
        kv.delete(header.namespace(), header.key(), refusal -> answer(request, refusal));
    }

    private void listKv(Request request) {
        KvHeader header = KvHeader.read(fields(request));
        Map<String, String> entries = kv.list(header.namespace());
        if (entries == null) {
            request.refuse(ResponseCode.QUERY_NOT_FOUND, "No config item, Namespace: " + header.namespace());
        } else {
            body(request, new KvTable(entries).toJson());
        }
    }

    private static Address address(BrokerHeader header) {
        if (header.brokerAddr() == null) {
            throw new BadField("brokerAddr", "present", null);
        }
        return new Address(header.clusterName(), header.brokerAddr());
    }

    private static void checkOptional(String field, String value) {
        if (value != null && !value.isEmpty()) {
            checkName(field, value);
        }
    }

    private static void checkName(String field, String value) {
        boolean fits = value != null && !value.isEmpty() && value.length() <= MAX_NAME_LENGTH;
        if (!fits || value.chars().anyMatch(c -> c <= ' ' || Character.isISOControl(c))) {
            throw new BadField(field, "1 to " + MAX_NAME_LENGTH + " characters, none of them blank", value);
        }
    }

    private static Fields fields(Request request) {
        return request.command().fields();
    }

    private static Command.Builder ok() {
        return Command.response(ResponseCode.SUCCESS, null);
    }

    private static void body(Request request, byte[] json) {
        request.reply(ok().body(json).build());
    }
}
