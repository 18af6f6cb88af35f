/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.filter.Filter;
import io.waybill.broker.group.ClientChannelInfo;
import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.Groups;
import io.waybill.broker.group.Subscription;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.Names;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.Perm;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.header.PullHeader;
import io.waybill.remoting.Connection;

/**
 * Whether a pull is served and what it gets, by what is in force now: asked when it comes, and again when it waited and something changed since.
 *
 * <p>A pull that carries its subscription needs no heartbeat; one that does not gets what the group's heartbeats said. Without state of its own.
 */
final class PullChecks {
    private static final int SUBSCRIPTION = 4;

    private final Topics topics;
    private final Groups groups;
    private final ClientRegistry members;

    PullChecks(Topics topics, Groups groups, ClientRegistry members) {
        this.topics = topics;
        this.groups = groups;
        this.members = members;
    }

    /**
     * What was decided.
     *
     * @param told what the client's heartbeat or its group's said it wants, also when the pull carries it; null when nobody said it
     * @param isOutdated whether the pull is of a time when its client wanted something else: it shall come again
     * @param subscribedGroup the group whose other members count; null for somebody who only reads under its name
     * @param code 0, or the code of a refusal, with its text
     */
    record Checked(
            SubscriptionGroupConfig group,
            TopicConfig topic,
            Filter filter,
            Filter told,
            boolean isOutdated,
            ConsumerGroup subscribedGroup,
            int code,
            String text) {
        static Checked refused(int code, String text) {
            return new Checked(null, null, null, null, false, null, code, text);
        }

        boolean isRefused() {
            return code != 0;
        }
    }

    /** When a pull comes. */
    Checked first(PullHeader header, Connection connection) {
        return check(header, connection, groups.findOrCreate(header.consumerGroup()), null);
    }

    /** When it waited. That its group was made for it is no reason to make it again when it was deleted. */
    Checked again(Pull pull) {
        SubscriptionGroupConfig group = groups.find(pull.group());
        return check(pull.header(), pull.request().connection(), group, pull.filter());
    }

    /** @param known the filter a waiting pull has; null when it comes */
    private Checked check(PullHeader header, Connection connection, SubscriptionGroupConfig group, Filter known) {
        String name = header.consumerGroup();
        if ((header.sysFlag() & PullHeader.FLAG_CLASS_FILTER) != 0) {
            return Checked.refused(
                    ResponseCode.SUBSCRIPTION_PARSE_FAILED,
                    "sysFlag: class filters (0x8) are not offered; use tags or SQL92");
        }
        if (group == null) {
            String illegal = Names.checkGroup(name);
            return illegal != null
                    ? Checked.refused(ResponseCode.INVALID_PARAMETER, illegal)
                    : Checked.refused(
                            ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
                            "group '" + name + "' does not exist and is not created");
        }
        if (!group.consumeEnable()) {
            return Checked.refused(
                    ResponseCode.NO_PERMISSION, "group '" + name + "' may not consume: consumeEnable is false");
        }
        TopicConfig topic = topics.find(header.topic());
        Checked refusal = ofTopic(header, topic);
        if (refusal != null) {
            return refusal;
        }
        ConsumerGroup online = members.consumerGroup(name);
        ClientChannelInfo member = online == null ? null : online.memberOn(connection);
        Subscription own =
                member == null ? null : online.subscriptionsOf(member).get(header.topic());
        if ((header.sysFlag() & SUBSCRIPTION) == 0) {
            return byHeartbeats(header, group, topic, online, own, known == null);
        }
        try {
            Filter filter = known != null ? known : Filter.of(header.expressionType(), header.subscription());
            return own == null
                    ? new Checked(group, topic, filter, null, false, null, 0, null)
                    : new Checked(
                            group, topic, filter, own.filter(), own.isOutdated(header.subVersion()), online, 0, null);
        } catch (BadField e) {
            return Checked.refused(ResponseCode.SUBSCRIPTION_PARSE_FAILED, e.getMessage());
        }
    }

    private Checked ofTopic(PullHeader header, TopicConfig topic) {
        if (topic == null) {
            String illegal = Names.checkTopic(header.topic());
            return illegal != null
                    ? Checked.refused(ResponseCode.INVALID_PARAMETER, illegal)
                    : Checked.refused(ResponseCode.TOPIC_NOT_EXIST, "topic '" + header.topic() + "' does not exist");
        }
        if (!groups.mayRead(header.consumerGroup(), header.topic())) {
            return Checked.refused(
                    ResponseCode.NO_PERMISSION,
                    "topic '" + header.topic() + "' is forbidden to group '" + header.consumerGroup() + "'");
        }
        if (!Perm.isReadable(topic.perm())) {
            return Checked.refused(
                    ResponseCode.NO_PERMISSION,
                    "topic '" + header.topic() + "' does not allow reading: perm is " + topic.perm());
        }
        if (header.queueId() < 0 || header.queueId() >= topic.readQueueNums()) {
            return Checked.refused(
                    ResponseCode.INVALID_PARAMETER,
                    "queueId: must be from 0 to " + (topic.readQueueNums() - 1) + " for topic '" + header.topic()
                            + "', was " + header.queueId());
        }
        if (header.maxMsgNums() < 1) {
            return Checked.refused(
                    ResponseCode.INVALID_PARAMETER, "maxMsgNums: must be at least 1, was " + header.maxMsgNums());
        }
        return null;
    }

    private static Checked byHeartbeats(
            PullHeader header,
            SubscriptionGroupConfig config,
            TopicConfig topic,
            ConsumerGroup online,
            Subscription own,
            boolean isFirst) {
        String name = header.consumerGroup();
        if (online == null) {
            return Checked.refused(
                    ResponseCode.SUBSCRIPTION_NOT_EXIST, "group '" + name + "' has sent no heartbeat yet");
        }
        if (online.isBroadcasting() && !config.consumeBroadcastEnable()) {
            return Checked.refused(
                    ResponseCode.NO_PERMISSION,
                    "group '" + name + "' may not broadcast: consumeBroadcastEnable is false");
        }
        Subscription subscription = own != null ? own : online.subscription(header.topic());
        if (subscription == null) {
            return Checked.refused(
                    ResponseCode.SUBSCRIPTION_NOT_EXIST,
                    "group '" + name + "' is not subscribed to topic '" + header.topic() + "'");
        }
        if (isFirst && subscription.version() < header.subVersion()) {
            return Checked.refused(
                    ResponseCode.SUBSCRIPTION_NOT_LATEST,
                    "subscription of group '" + name + "' to topic '" + header.topic() + "' is older here ("
                            + subscription.version() + ") than the pull's (" + header.subVersion() + ")");
        }
        boolean isOutdated = subscription.isOutdated(header.subVersion());
        Filter filter = subscription.filter();
        return new Checked(config, topic, filter, filter, isOutdated, online, 0, null);
    }
}
