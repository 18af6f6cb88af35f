/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.longpoll;

import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.Groups;
import io.waybill.broker.group.SubscriptionRefresher;
import io.waybill.broker.request.Rules;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.protocol.Names;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.Perm;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.body.TopicConfig;
import java.util.Collection;

/**
 * What decides which messages a reader gets: topics, groups, their members, and how many a group may get. Asked when a
 * request comes, and again when it waited and something changed since.
 *
 * <p>What always holds: {@link #number} is raised when a change is in force and before anybody is notified of it; so
 * what was decided at one number is what is in force as long as it is the number. Thread-safe.
 */
public final class ReadRules {
    private final Topics topics;
    private final Groups groups;
    private final ClientRegistry members;
    private final Rules rules;
    private final RateLimits limits;

    public ReadRules(Topics topics, Groups groups, ClientRegistry members, Rules rules, Clock clock) {
        this.topics = topics;
        this.groups = groups;
        this.members = members;
        this.rules = rules;
        this.limits = new RateLimits(groups, clock);
    }

    /** Why a reader gets nothing: the code of the answer, and its text. */
    public record ReadRefusal(int code, String text) {}

    /** To be kept from before the rules are looked at; see {@link Rules}. */
    public long number() {
        return rules.number();
    }

    /** How many messages groups may get. */
    public RateLimits limits() {
        return limits;
    }

    /** The topic; null if there is none. */
    public TopicConfig topic(String name) {
        return topics.find(name);
    }

    /** The group; null if there is none. */
    public SubscriptionGroupConfig group(String name) {
        return groups.find(name);
    }

    /** The group, made if groups are made when they are used; null if there is none. */
    public SubscriptionGroupConfig groupOrNew(String name) {
        return groups.findOrCreate(name);
    }

    /** The members of a group; null when it has none. */
    public ConsumerGroup members(String group) {
        return members.consumerGroup(group);
    }

    /** The groups that have members. */
    public Collection<ConsumerGroup> groupsWithMembers() {
        return members.consumerGroups();
    }

    /** Who asks a client for its newest heartbeat. */
    public SubscriptionRefresher refresher() {
        return members.fresh();
    }

    /** Whether the group may read the topic. */
    public boolean mayRead(String group, String topic) {
        return groups.mayRead(group, topic);
    }

    /** Why a group must not read any topic; null if it may. @param config null if there is no such group */
    public static ReadRefusal ofGroup(String name, SubscriptionGroupConfig config) {
        if (config == null) {
            String illegal = Names.checkGroup(name);
            return illegal != null
                    ? new ReadRefusal(ResponseCode.INVALID_PARAMETER, illegal)
                    : new ReadRefusal(
                            ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
                            "group '" + name + "' does not exist and is not created");
        }
        return config.consumeEnable()
                ? null
                : new ReadRefusal(
                        ResponseCode.NO_PERMISSION, "group '" + name + "' may not consume: consumeEnable is false");
    }

    /**
     * Why a group must not read a queue of a topic; null if it may.
     *
     * @param config null if there is no such topic
     * @param lowestQueueId 0, or -1 for requests that may ask for any queue by it
     */
    public ReadRefusal ofTopic(String group, String name, TopicConfig config, int queueId, int lowestQueueId) {
        if (config == null) {
            String illegal = Names.checkTopic(name);
            return illegal != null
                    ? new ReadRefusal(ResponseCode.INVALID_PARAMETER, illegal)
                    : new ReadRefusal(ResponseCode.TOPIC_NOT_EXIST, "topic '" + name + "' does not exist");
        }
        if (!groups.mayRead(group, name)) {
            return new ReadRefusal(
                    ResponseCode.NO_PERMISSION, "topic '" + name + "' is forbidden to group '" + group + "'");
        }
        if (!Perm.isReadable(config.perm())) {
            return new ReadRefusal(
                    ResponseCode.NO_PERMISSION,
                    "topic '" + name + "' does not allow reading: perm is " + config.perm());
        }
        if (queueId < lowestQueueId || queueId >= config.readQueueNums()) {
            return new ReadRefusal(
                    ResponseCode.INVALID_PARAMETER,
                    "queueId: must be from " + lowestQueueId + " to " + (config.readQueueNums() - 1) + " for topic '"
                            + name + "', was " + queueId);
        }
        return null;
    }
}
