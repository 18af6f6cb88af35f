/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.group;

import io.waybill.broker.request.Lanes;
import io.waybill.broker.request.Reply;
import io.waybill.broker.topic.TopicChange;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.Names;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.HeartbeatData;
import io.waybill.protocol.body.SubscriptionData;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.remoting.Request;
import java.util.ArrayList;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * HEART_BEAT (34): who a client is and what it subscribes to.
 *
 * <p>Answered only after it is in force, and after the retry topic of a new group is stored and known to the name servers:
 * the client's next pull or route query must find it. A retry topic that cannot be made (a full disk, a frozen log) does
 * not keep a consumer from consuming.
 */
final class HeartBeat {
    private static final Logger log = LoggerFactory.getLogger(HeartBeat.class);
    private static final int MAX_GROUPS = 4096;
    private static final int MAX_TOPICS = 1024;
    /** Groups of one heartbeat whose members are asked for what it leaves out. */
    private static final int MAX_ASKED = 64;

    /** Topics one heartbeat creates; the next one goes on. */
    private static final int MAX_NEW_TOPICS = 64;

    /** As many as the name server has told the consumer. */
    private static final int NEW_TOPIC_QUEUES = 4;

    private static final int MAX_BYTES = 1 << 20;

    private final Groups groups;
    private final ClientRegistry members;
    private final Topics topics;
    private final Lanes lanes;

    HeartBeat(Groups groups, ClientRegistry members, Topics topics, Lanes lanes) {
        this.groups = groups;
        this.members = members;
        this.topics = topics;
        this.lanes = lanes;
    }

    Reply take(Request request) {
        if (request.command().bodyLength() > MAX_BYTES) {
            throw new BadField(
                    "body", "at most " + MAX_BYTES + " bytes", request.command().bodyLength() + " bytes");
        }
        long arrival = members.arrival();
        HeartbeatData data = HeartbeatData.parse(request.command().body());
        String refusal = refusal(data);
        if (refusal != null) {
            return Reply.refused(ResponseCode.INVALID_PARAMETER, refusal);
        }
        refusal = unreadable(data);
        if (refusal != null) {
            return Reply.refused(ResponseCode.SUBSCRIPTION_PARSE_FAILED, refusal);
        }
        Map<SubscriptionGroupConfig, Boolean> wanting = new LinkedHashMap<>();
        for (ConsumerData consumer : data.consumers()) {
            SubscriptionGroupConfig config = groups.findOrCreate(consumer.groupName());
            if (config == null) {
                return Reply.refused(
                        ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
                        "group '" + consumer.groupName() + "' does not exist and is not created");
            }
            boolean missing = topics.find(Names.retryTopic(consumer.groupName())) == null;
            if (missing && config.retryQueueNums() > 0) {
                wanting.put(config, consumer.unitMode());
            }
        }
        Map<String, String> unknown = unknownTopics(data);
        if (wanting.isEmpty() && unknown.isEmpty()) {
            return apply(request, data, arrival);
        }
        AtomicInteger missing = new AtomicInteger(wanting.size() + unknown.size());
        unknown.forEach((topic, group) ->
                topics.findOrCreateForSend(topic, Names.DEFAULT_TOPIC, NEW_TOPIC_QUEUES, false, change -> {
                    if (!change.isRefused()) {
                        log.info(
                                "Topic {} is created by the subscription of group {}, client {}: autoCreateTopic is on",
                                topic,
                                group,
                                data.clientId());
                    }
                    if (missing.decrementAndGet() == 0) {
                        lanes.run(request, () -> apply(request, data, arrival));
                    }
                }));
        wanting.forEach((config, isUnit) ->
                topics.ensure(Names.retryTopic(config.groupName()), config.retryQueueNums(), isUnit, change -> {
                    warnIfRefused(config.groupName(), change);
                    if (missing.decrementAndGet() == 0) {
                        lanes.run(request, () -> apply(request, data, arrival));
                    }
                }));
        return Reply.LATER;
    }

    /**
     * The topics of subscriptions that do not exist where topics are created by use, each with a group that wants it. A consumer that comes first waits for
     * them as a producer would, and must be there when the first message is.
     */
    private Map<String, String> unknownTopics(HeartbeatData data) {
        Map<String, String> unknown = new LinkedHashMap<>();
        if (topics.find(Names.DEFAULT_TOPIC) == null) {
            return unknown;
        }
        for (ConsumerData consumer : data.consumers()) {
            for (SubscriptionData subscription : consumer.subscriptions()) {
                String topic = subscription.topic();
                if (unknown.size() < MAX_NEW_TOPICS
                        && topics.find(topic) == null
                        && Names.groupOf(topic) == null
                        && !Names.isSystemTopic(topic)
                        && !Names.isSendForbidden(topic)) {
                    unknown.put(topic, consumer.groupName());
                }
            }
        }
        return unknown;
    }

    private Reply apply(Request request, HeartbeatData data, long arrival) {
        List<ConsumerData> unknown = new ArrayList<>();
        if (data.withoutSub()) {
            for (ConsumerData consumer : data.consumers()) {
                boolean isKnown = members.isMember(consumer.groupName(), data.clientId(), request.connection());
                if (!isKnown && unknown.size() < MAX_ASKED) {
                    unknown.add(consumer);
                }
            }
        }
        if (unknown.isEmpty()) {
            return applyKnown(request, data, arrival);
        }
        List<ConsumerData> known = new ArrayList<>(data.consumers());
        known.removeAll(unknown);
        AtomicInteger open = new AtomicInteger(unknown.size());
        for (ConsumerData consumer : unknown) {
            members.fresh()
                    .ask(
                            consumer.groupName(),
                            request.connection(),
                            data.clientId(),
                            () -> {
                                if (open.decrementAndGet() == 0) {
                                    lanes.run(request, () -> applyKnown(request, with(data, known, true), arrival));
                                }
                            },
                            told -> applyTold(request, data, consumer, told, arrival));
        }
        return Reply.LATER;
    }

    private static HeartbeatData with(HeartbeatData data, List<ConsumerData> consumers, boolean withoutSub) {
        return new HeartbeatData(data.clientId(), consumers, data.producers(), data.heartbeatFingerprint(), withoutSub);
    }

    /** The client was asked for what its heartbeat left out; when it did not tell, it is a member that wants nothing until it does. */
    private void applyTold(
            Request request, HeartbeatData data, ConsumerData consumer, List<SubscriptionData> told, long arrival) {
        ConsumerData complete = new ConsumerData(
                consumer.groupName(),
                consumer.consumeType(),
                consumer.messageModel(),
                consumer.consumeFromWhere(),
                told == null ? List.of() : told,
                consumer.unitMode());
        HeartbeatData whole = new HeartbeatData(data.clientId(), List.of(complete), List.of(), 0, told == null);
        if (told != null && (refusal(whole) != null || unreadable(whole) != null)) {
            applyTold(request, data, consumer, null, arrival);
            return;
        }
        try {
            members.heartbeat(
                    request.connection(),
                    request.command().language(),
                    request.command().version(),
                    whole,
                    arrival);
        } catch (BadField e) {
            log.debug("A member of group {} that was asked is one too many", consumer.groupName(), e);
        }
    }

    private Reply applyKnown(Request request, HeartbeatData data, long arrival) {
        boolean fullWanted = members.heartbeat(
                request.connection(),
                request.command().language(),
                request.command().version(),
                data,
                arrival);
        // Clients that do not use fingerprints are told the same as by any broker: true.
        return Reply.of(Command.response(ResponseCode.SUCCESS, null)
                .field("IS_SUPPORT_HEART_BEAT_V2", true)
                .field("IS_SUB_CHANGE", fullWanted)
                .build());
    }

    private static String refusal(HeartbeatData data) {
        if (data.clientId() == null || data.clientId().isBlank()) {
            return "clientID: must not be empty";
        }
        if (data.clientId().length() > Names.MAX_GROUP_TOPIC_LENGTH) {
            return "clientID: must have at most " + Names.MAX_GROUP_TOPIC_LENGTH + " characters, had "
                    + data.clientId().length();
        }
        int count = data.consumers().size() + data.producers().size();
        if (count > MAX_GROUPS) {
            return "a heartbeat may name at most " + MAX_GROUPS + " groups, had " + count;
        }
        for (ConsumerData consumer : data.consumers()) {
            String illegal = Names.checkGroup(consumer.groupName());
            if (illegal != null) {
                return illegal;
            }
            if (consumer.subscriptions().size() > MAX_TOPICS) {
                return "group '" + consumer.groupName() + "': may subscribe to at most " + MAX_TOPICS + " topics, had "
                        + consumer.subscriptions().size();
            }
            for (SubscriptionData subscription : consumer.subscriptions()) {
                String topic = Names.checkTopic(subscription.topic());
                if (topic != null) {
                    return topic;
                }
            }
        }
        for (String producer : data.producers()) {
            String illegal = Names.checkGroup(producer);
            if (illegal != null) {
                return "producer " + illegal;
            }
        }
        return null;
    }

    /** Null, or what is wrong with the first expression that cannot be compiled; looked for before anything is applied. */
    private static String unreadable(HeartbeatData data) {
        for (ConsumerData consumer : data.consumers()) {
            for (SubscriptionData subscription : consumer.subscriptions()) {
                if (subscription.classFilterMode()) {
                    return "subscription of group '" + consumer.groupName() + "' to topic '" + subscription.topic()
                            + "': classFilterMode is not offered; use tags or SQL92";
                }
                try {
                    Subscription.of(subscription);
                } catch (BadField e) {
                    return "subscription of group '" + consumer.groupName() + "' to topic '" + subscription.topic()
                            + "': " + e.getMessage();
                }
            }
        }
        return null;
    }

    private static void warnIfRefused(String group, TopicChange change) {
        if (change.isRefused()) {
            log.warn("The retry topic of group {} could not be created: {}", group, change.text());
        }
    }
}
