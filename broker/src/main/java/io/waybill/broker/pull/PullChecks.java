/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.filter.Filter;
import io.waybill.broker.group.ClientChannelInfo;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.Subscription;
import io.waybill.broker.group.SubscriptionRefresher;
import io.waybill.broker.longpoll.ReadRules;
import io.waybill.broker.longpoll.ReadRules.ReadRefusal;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.header.PullHeader;
import io.waybill.remoting.Connection;

/**
 * On which terms a pull is served, by the rules in force now: asked when it comes, and again when it waited and
 * something changed since.
 *
 * <p>A pull that carries its subscription needs no heartbeat; one that does not gets what the group's heartbeats
 * requested. Without state of its own.
 */
final class PullChecks {
    private static final int SUBSCRIPTION = 4;

    private final ReadRules rules;

    PullChecks(ReadRules rules) {
        this.rules = rules;
    }

    /** To be kept from before the checks. */
    long number() {
        return rules.number();
    }

    /** Who asks a client for its newest heartbeat. */
    SubscriptionRefresher refresher() {
        return rules.refresher();
    }

    /** When a pull comes. */
    PullTerms first(PullHeader header, Connection connection) {
        return check(header, connection, rules.groupOrNew(header.consumerGroup()), null);
    }

    /** When it waited. That its group was made for it is no reason to make it again when it was deleted. */
    PullTerms again(Pull pull) {
        SubscriptionGroupConfig group = rules.group(pull.group());
        return check(
                pull.header(), pull.request().connection(), group, pull.terms().filter());
    }

    /** @param known the filter a waiting pull has; null when it comes */
    private PullTerms check(PullHeader header, Connection connection, SubscriptionGroupConfig group, Filter known) {
        if ((header.sysFlag() & PullHeader.FLAG_CLASS_FILTER) != 0) {
            return PullTerms.refused(
                    ResponseCode.SUBSCRIPTION_PARSE_FAILED,
                    "sysFlag: class filters (0x8) are not offered; use tags or SQL92");
        }
        String name = header.consumerGroup();
        ReadRefusal refusal = ReadRules.ofGroup(name, group);
        if (refusal != null) {
            return PullTerms.refused(refusal);
        }
        TopicConfig topic = rules.topic(header.topic());
        refusal = rules.ofTopic(name, header.topic(), topic, header.queueId(), 0);
        if (refusal != null) {
            return PullTerms.refused(refusal);
        }
        if (header.maxMsgNums() < 1) {
            return PullTerms.refused(
                    ResponseCode.INVALID_PARAMETER, "maxMsgNums: must be at least 1, was " + header.maxMsgNums());
        }
        ConsumerGroup online = rules.members(name);
        ClientChannelInfo member = online == null ? null : online.memberOn(connection);
        Subscription own =
                member == null ? null : online.subscriptionsOf(member).get(header.topic());
        if ((header.sysFlag() & SUBSCRIPTION) == 0) {
            return byHeartbeats(header, group, topic, online, own, known == null);
        }
        try {
            Filter filter = known != null ? known : Filter.of(header.expressionType(), header.subscription());
            return own == null
                    ? new PullTerms(group, topic, filter, null, false, null, null)
                    : new PullTerms(
                            group, topic, filter, own.filter(), own.isOutdated(header.subVersion()), online, null);
        } catch (BadField e) {
            return PullTerms.refused(ResponseCode.SUBSCRIPTION_PARSE_FAILED, e.getMessage());
        }
    }

    private static PullTerms byHeartbeats(
            PullHeader header,
            SubscriptionGroupConfig config,
            TopicConfig topic,
            ConsumerGroup online,
            Subscription own,
            boolean isFirst) {
        String name = header.consumerGroup();
        if (online == null) {
            return PullTerms.refused(
                    ResponseCode.SUBSCRIPTION_NOT_EXIST, "group '" + name + "' has sent no heartbeat yet");
        }
        if (online.isBroadcasting() && !config.consumeBroadcastEnable()) {
            return PullTerms.refused(
                    ResponseCode.NO_PERMISSION,
                    "group '" + name + "' may not broadcast: consumeBroadcastEnable is false");
        }
        Subscription subscription = own != null ? own : online.subscription(header.topic());
        if (subscription == null) {
            return PullTerms.refused(
                    ResponseCode.SUBSCRIPTION_NOT_EXIST,
                    "group '" + name + "' is not subscribed to topic '" + header.topic() + "'");
        }
        if (isFirst && subscription.version() < header.subVersion()) {
            return PullTerms.refused(
                    ResponseCode.SUBSCRIPTION_NOT_LATEST,
                    "subscription of group '" + name + "' to topic '" + header.topic() + "' is older here ("
                            + subscription.version() + ") than the pull's (" + header.subVersion() + ")");
        }
        boolean isOutdated = subscription.isOutdated(header.subVersion());
        Filter filter = subscription.filter();
        return new PullTerms(config, topic, filter, filter, isOutdated, online, null);
    }
}
