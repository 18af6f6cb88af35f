/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.admin;

import io.waybill.client.Groups;
import io.waybill.client.WaybillException;
import io.waybill.client.internal.message.WireQueues;
import io.waybill.client.internal.runtime.ArgumentChecks;
import io.waybill.client.internal.runtime.ClientExceptions;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.ClientConnection;
import io.waybill.protocol.body.ConsumeDirectlyResult;
import io.waybill.protocol.body.ConsumerConnections;
import io.waybill.protocol.body.ConsumerRunningInfo;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.body.SubscriptionGroupTable;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.protocol.message.MessageIds;
import java.time.Duration;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Comparator;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import java.util.TreeSet;
import java.util.concurrent.TimeUnit;

/** Groups, at all brokers together. */
final class AdminGroups implements Groups {
    /** A member may take its time to run a handler or to walk its stacks. */
    private static final long MEMBER_MILLIS = 15_000;

    private final AdminConnections cluster;

    AdminGroups(AdminConnections cluster) {
        this.cluster = cluster;
    }

    @Override
    public List<String> names() {
        Set<String> names = new TreeSet<>();
        cluster.living()
                .forEach((broker, address) -> names.addAll(SubscriptionGroupTable.parse(cluster.broker(
                                address,
                                Command.request(RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG),
                                "asking " + broker + " for its groups"))
                        .subscriptionGroupTable()
                        .keySet()));
        return List.copyOf(names);
    }

    // ---- backlog and doctor

    @Override
    public Backlog backlog(String group) {
        ArgumentChecks.group(group);
        Map<String, TopicBacklog> topics = new TreeMap<>();
        TopicBacklog total = null;
        WaybillException unknown = null;
        JsonWriter question =
                new JsonWriter().beginObject().field("group", group).endObject();
        for (Map.Entry<String, String> broker : cluster.living().entrySet()) {
            JsonObject answer;
            try {
                answer = cluster.json(
                        broker.getValue(),
                        RequestCode.GROUP_BACKLOG,
                        question,
                        "asking " + broker.getKey() + " for the backlog of " + group);
            } catch (WaybillException e) {
                if (!AdminConnections.isUnknown(e)) {
                    throw e;
                }
                unknown = e;
                continue;
            }
            for (JsonObject one : answer.getArray("topics").objects("topics")) {
                TopicBacklog part = backlog(one.getString("topic"), one);
                topics.merge(part.topic(), part, AdminGroups::sum);
            }
            JsonObject sum = answer.getObject("total");
            TopicBacklog part = backlog(null, sum == null ? Json.parse("{}") : sum);
            total = total == null ? part : sum(total, part);
        }
        if (total == null) {
            throw unknown != null
                    ? new WaybillException(
                            WaybillException.Kind.NOT_FOUND,
                            unknown.code(),
                            false,
                            "no broker knows group " + group,
                            "see waybill group list; a group comes into being when a consumer names it",
                            unknown)
                    : ClientExceptions.refused(
                            "asking for the backlog of " + group,
                            ResponseCode.SYSTEM_ERROR,
                            "no broker is registered",
                            false);
        }
        return new Backlog(group, List.copyOf(topics.values()), total);
    }

    private static TopicBacklog backlog(String topic, JsonObject json) {
        return new TopicBacklog(
                topic,
                amount(json, "ready"),
                amount(json, "inFlight"),
                amount(json, "retrying"),
                amount(json, "delayed"),
                amount(json, "half"),
                amount(json, "dead"),
                amount(json, "quarantined"),
                json.getBoolean("exact", true));
    }

    private static Amount amount(JsonObject json, String name) {
        String age = "oldest" + Character.toUpperCase(name.charAt(0)) + name.substring(1) + "Seconds";
        return new Amount(
                json.getLong(name, 0),
                json.get(age) == null ? null : Duration.ofMillis((long) (json.getDouble(age, 0) * 1_000)));
    }

    private static TopicBacklog sum(TopicBacklog a, TopicBacklog b) {
        return new TopicBacklog(
                a.topic(),
                sum(a.ready(), b.ready()),
                sum(a.inFlight(), b.inFlight()),
                sum(a.retrying(), b.retrying()),
                sum(a.delayed(), b.delayed()),
                sum(a.half(), b.half()),
                sum(a.dead(), b.dead()),
                sum(a.quarantined(), b.quarantined()),
                a.exact() && b.exact());
    }

    private static Amount sum(Amount a, Amount b) {
        Duration age = a.age() == null || b.age() != null && b.age().compareTo(a.age()) > 0 ? b.age() : a.age();
        return new Amount(a.messages() + b.messages(), age);
    }

    @Override
    public List<Finding> diagnose(String group, Subject subject) {
        ArgumentChecks.group(group);
        JsonWriter question = new JsonWriter().beginObject().field("group", group);
        if (subject.topic() != null) {
            question.field("topic", subject.topic());
        }
        if (subject.messageId() != null) {
            question.field("messageId", subject.messageId());
        }
        if (subject.key() != null) {
            question.field("key", subject.key());
        }
        question.endObject();
        List<Finding> findings = new ArrayList<>();
        cluster.living().forEach((broker, address) -> {
            JsonObject answer =
                    cluster.json(address, RequestCode.DOCTOR, question, "asking " + broker + " about group " + group);
            findings.addAll(DoctorAnswer.findings(broker, answer));
        });
        // A broker that does not have the message says nothing about it when another one has.
        if (findings.stream().anyMatch(finding -> finding.cause() != Cause.NOT_FOUND)) {
            findings.removeIf(finding -> finding.cause() == Cause.NOT_FOUND);
        }
        return List.copyOf(findings);
    }

    // ---- members

    @Override
    public List<Member> members(String group) {
        ArgumentChecks.group(group);
        Map<String, Member> members = new TreeMap<>();
        cluster.living().forEach((broker, address) -> {
            // Twice at one broker: two processes with one client id, or one that has just reconnected.
            Map<String, Integer> times = new HashMap<>();
            for (ClientConnection one : connections(broker, address, group)) {
                int time = times.merge(one.clientId(), 1, Integer::sum);
                members.put(one.clientId() + ' ' + time, new Member(one.clientId(), one.clientAddr(), one.language()));
            }
        });
        if (members.isEmpty()) {
            cluster.requireGroup(group);
        }
        return List.copyOf(members.values());
    }

    private List<ClientConnection> connections(String broker, String address, String group) {
        try {
            return ConsumerConnections.parse(cluster.broker(
                            address,
                            Command.request(RequestCode.GET_CONSUMER_CONNECTION_LIST)
                                    .field("consumerGroup", group),
                            "asking " + broker + " for the members of " + group))
                    .connectionSet();
        } catch (WaybillException e) {
            if (e.code() == ResponseCode.CONSUMER_NOT_ONLINE || AdminConnections.isUnknown(e)) {
                return List.of();
            }
            throw e;
        }
    }

    /** A broker the member is connected to: name and address. */
    private Map.Entry<String, String> brokerOf(String group, String clientId) {
        for (Map.Entry<String, String> broker : cluster.living().entrySet()) {
            if (connections(broker.getKey(), broker.getValue(), group).stream()
                    .anyMatch(one -> one.clientId().equals(clientId))) {
                return broker;
            }
        }
        throw new WaybillException(
                WaybillException.Kind.NOT_FOUND,
                ResponseCode.CONSUMER_NOT_ONLINE,
                false,
                "group " + group + " has no living member " + clientId,
                "look at the list of its members",
                null);
    }

    @Override
    public MemberInfo runningInfo(String group, String clientId, boolean stacks) {
        ArgumentChecks.group(group);
        ArgumentChecks.given("client id", clientId);
        Map.Entry<String, String> broker = brokerOf(group, clientId);
        ConsumerRunningInfo info = ConsumerRunningInfo.parse(cluster.broker(
                broker.getValue(),
                Command.request(RequestCode.GET_CONSUMER_RUNNING_INFO)
                        .field("consumerGroup", group)
                        .field("clientId", clientId)
                        .field("jstackEnable", stacks),
                "asking member " + clientId,
                MEMBER_MILLIS));
        List<HeldQueue> queues = new ArrayList<>();
        info.mqTable()
                .forEach((queue, state) -> queues.add(new HeldQueue(
                        WireQueues.of(queue),
                        state.commitOffset(),
                        state.cachedCount(),
                        state.locked(),
                        state.lastPullTimestamp() <= 0 ? null : Instant.ofEpochMilli(state.lastPullTimestamp()))));
        info.mqPopTable()
                .forEach((queue, state) -> queues.add(new HeldQueue(
                        WireQueues.of(queue),
                        -1,
                        state.waitAckCount(),
                        false,
                        state.lastPopTimestamp() <= 0 ? null : Instant.ofEpochMilli(state.lastPopTimestamp()))));
        queues.sort(Comparator.comparing(HeldQueue::queue));
        Map<String, String> subscriptions = new TreeMap<>();
        info.subscriptionSet().forEach(one -> subscriptions.put(one.topic(), one.subString()));
        Map<String, Rates> topics = new TreeMap<>();
        info.statusTable()
                .forEach((topic, status) -> topics.put(
                        topic,
                        new Rates(
                                status.pullMillis(),
                                status.pulledPerSecond(),
                                status.consumeMillis(),
                                status.consumedPerSecond(),
                                status.failedPerSecond(),
                                status.failedLastHour())));
        return new MemberInfo(clientId, info.properties(), subscriptions, List.copyOf(queues), topics, info.jstack());
    }

    @Override
    public HandledOnce consumeDirectly(String group, String clientId, String topic, String id) {
        ArgumentChecks.group(group);
        ArgumentChecks.given("client id", clientId);
        String storedId = MessageIds.isOffsetId(id)
                ? id
                : new AdminMessages(cluster)
                        .byId(topic, id)
                        .orElseThrow(() -> ClientExceptions.refused(
                                "finding message " + id,
                                ResponseCode.QUERY_NOT_FOUND,
                                "topic " + topic + " has none of that id",
                                false))
                        .delivery()
                        .storedId();
        Map.Entry<String, String> broker = brokerOf(group, clientId);
        ConsumeDirectlyResult result = ConsumeDirectlyResult.parse(cluster.broker(
                broker.getValue(),
                Command.request(RequestCode.CONSUME_MESSAGE_DIRECTLY)
                        .field("consumerGroup", group)
                        .field("clientId", clientId)
                        .field("msgId", storedId)
                        .field("brokerName", broker.getKey())
                        .field("topic", topic),
                "letting " + clientId + " handle message " + id,
                MEMBER_MILLIS));
        return new HandledOnce(
                result.consumeResult(), result.remark(), Duration.ofMillis(Math.max(0, result.spentTimeMills())));
    }

    // ---- settings

    private SubscriptionGroupConfig config(String address, String broker, String group) {
        return SubscriptionGroupConfig.parse(cluster.broker(
                address,
                Command.request(RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG).field("group", group),
                "asking " + broker + " for the settings of " + group));
    }

    @Override
    public GroupSettings settings(String group) {
        ArgumentChecks.group(group);
        Map.Entry<String, String> first = cluster.living().entrySet().iterator().next();
        SubscriptionGroupConfig config = config(first.getValue(), first.getKey(), group);
        return new GroupSettings(
                group,
                config.consumeEnable(),
                config.consumeBroadcastEnable(),
                config.consumeMessageOrderly(),
                config.retryMaxTimes(),
                backoff(config.groupRetryPolicy()),
                config.attributes());
    }

    private static Backoff backoff(JsonObject policy) {
        if (policy == null) {
            return null;
        }
        JsonObject growing = policy.getObject("exponentialRetryPolicy");
        if ("EXPONENTIAL".equals(policy.getString("type")) && growing != null) {
            return Backoff.exponential(
                    Duration.ofMillis(growing.getLong("initial", 5_000)),
                    Duration.ofMillis(growing.getLong("max", TimeUnit.HOURS.toMillis(2))),
                    growing.getLong("multiplier", 2));
        }
        JsonObject custom = policy.getObject("customizedRetryPolicy");
        if (custom == null) {
            return null;
        }
        return Backoff.steps(custom.getArray("next").longs("next").stream()
                .map(Duration::ofMillis)
                .toArray(Duration[]::new));
    }

    private static JsonObject policy(Backoff backoff) {
        if (backoff == null) {
            return null;
        }
        JsonWriter json = new JsonWriter().beginObject();
        if (backoff.steps().isEmpty()) {
            json.field("type", "EXPONENTIAL")
                    .name("exponentialRetryPolicy")
                    .beginObject()
                    .field("initial", backoff.initial().toMillis())
                    .field("max", backoff.max().toMillis())
                    .field("multiplier", backoff.multiplier())
                    .endObject();
        } else {
            json.field("type", "CUSTOMIZED").name("customizedRetryPolicy").beginObject();
            json.name("next").beginArray();
            backoff.steps().forEach(step -> json.value(step.toMillis()));
            json.endArray().endObject();
        }
        return Json.parse(json.endObject().toByteArray());
    }

    @Override
    public void put(GroupSettings settings) {
        ArgumentChecks.group(settings.group());
        cluster.living().forEach((broker, address) -> {
            SubscriptionGroupConfig old = config(address, broker, settings.group());
            Map<String, String> changes = new LinkedHashMap<>();
            old.attributes().keySet().forEach(name -> changes.put("-" + name, ""));
            settings.attributes().forEach((name, value) -> {
                changes.remove("-" + name);
                changes.put("+" + name, value);
            });
            write(
                    address,
                    broker,
                    new SubscriptionGroupConfig(
                            old.groupName(),
                            settings.enabled(),
                            old.consumeFromMinEnable(),
                            settings.broadcastAllowed(),
                            settings.ordered(),
                            old.retryQueueNums(),
                            settings.maxRetries(),
                            policy(settings.backoff()),
                            old.brokerId(),
                            old.whichBrokerWhenConsumeSlowly(),
                            old.notifyConsumerIdsChangedEnable(),
                            old.groupSysFlag(),
                            old.consumeTimeoutMinute(),
                            changes));
        });
    }

    @Override
    public void changeAttributes(String group, Map<String, String> set, Set<String> remove) {
        ArgumentChecks.group(group);
        Map<String, String> changes = new LinkedHashMap<>();
        remove.forEach(name -> changes.put("-" + name, ""));
        set.forEach((name, value) -> changes.put("+" + name, value));
        cluster.living().forEach((broker, address) -> {
            write(address, broker, config(address, broker, group).withAttributes(changes));
        });
    }

    private void write(String address, String broker, SubscriptionGroupConfig config) {
        cluster.broker(
                address,
                Command.request(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP).body(config.toJson()),
                "setting group " + config.groupName() + " at " + broker);
    }

    @Override
    public void delete(String group) {
        ArgumentChecks.group(group);
        List<Member> members = members(group);
        if (!members.isEmpty()) {
            throw new WaybillException(
                    WaybillException.Kind.REFUSED,
                    -1,
                    false,
                    "group " + group + " has a living member: " + members.get(0).clientId(),
                    "stop its consumers first",
                    null);
        }
        AdminTopics topics = new AdminTopics(cluster);
        cluster.living().forEach((broker, address) -> {
            cluster.broker(
                    address,
                    Command.request(RequestCode.DELETE_SUBSCRIPTIONGROUP)
                            .field("groupName", group)
                            .field("cleanOffset", true),
                    "deleting group " + group + " at " + broker);
        });
        topics.deleteAnywhere(Names.retryTopic(group), true);
        topics.deleteAnywhere(Names.deadLetterTopic(group), true);
    }
}
