/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

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
import io.waybill.protocol.header.PopHeader;
import io.waybill.remoting.Connection;

/**
 * Whether a pop, a peek or a notification is served and what it gets, by what is in force now: asked when it comes, and again when it waited and
 * something changed since. Without state of its own.
 */
final class PopChecks {
    private final Topics topics;
    private final Groups groups;
    private final ClientRegistry members;

    PopChecks(Topics topics, Groups groups, ClientRegistry members) {
        this.topics = topics;
        this.groups = groups;
        this.members = members;
    }

    /**
     * What was asked for.
     *
     * @param queueId -1 for any
     * @param type of the expression; may be null, like the expression
     */
    record Asked(String group, String topic, int queueId, String type, String expression) {}

    /** @param code 0, or the code of a refusal, with its text */
    record Checked(
            SubscriptionGroupConfig group, TopicConfig topic, String expression, Filter filter, int code, String text) {
        static Checked refused(int code, String text) {
            return new Checked(null, null, null, null, code, text);
        }

        boolean isRefused() {
            return code != 0;
        }
    }

    /** @throws io.waybill.protocol.frame.BadField when the expression cannot be read */
    Checked first(Asked asked, Connection connection) {
        return check(asked, connection, groups.findOrCreate(asked.group()), null);
    }

    /** When it waited. That its group was made for it is no reason to make it again when it was deleted. */
    Checked again(Pop pop) {
        return check(
                pop.asked(), pop.request().connection(), groups.find(pop.asked().group()), pop.wish());
    }

    private Checked check(Asked asked, Connection connection, SubscriptionGroupConfig group, Pop.Wish before) {
        String name = asked.group();
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
        TopicConfig topic = topics.find(asked.topic());
        if (topic == null) {
            String illegal = Names.checkTopic(asked.topic());
            return illegal != null
                    ? Checked.refused(ResponseCode.INVALID_PARAMETER, illegal)
                    : Checked.refused(ResponseCode.TOPIC_NOT_EXIST, "topic '" + asked.topic() + "' does not exist");
        }
        if (!Perm.isReadable(topic.perm()) || !groups.mayRead(name, asked.topic())) {
            return Checked.refused(
                    ResponseCode.NO_PERMISSION,
                    "topic '" + asked.topic() + "' does not allow reading to group '" + name + "'");
        }
        if (asked.queueId() < PopHeader.ANY_QUEUE || asked.queueId() >= topic.readQueueNums()) {
            return Checked.refused(
                    ResponseCode.INVALID_PARAMETER,
                    "queueId: must be from -1 to " + (topic.readQueueNums() - 1) + " for topic '" + asked.topic()
                            + "', was " + asked.queueId());
        }
        return wanted(asked, connection, group, topic, before);
    }

    /** What the request says, else what its client's heartbeat said, else what the group's did, else everything. */
    private Checked wanted(
            Asked asked, Connection connection, SubscriptionGroupConfig config, TopicConfig topic, Pop.Wish before) {
        ConsumerGroup group = members.consumerGroup(asked.group());
        ClientChannelInfo member = group == null ? null : group.memberOn(connection);
        Subscription own = member == null ? null : group.subscriptionsOf(member).get(asked.topic());
        Subscription known = own != null || group == null ? own : group.subscription(asked.topic());
        String said = asked.expression();
        boolean says = said != null && !said.isEmpty();
        if (known != null && (!says || said.equals(known.data().subString()))) {
            return new Checked(config, topic, known.data().subString(), known.filter(), 0, null);
        }
        if (!says) {
            return new Checked(config, topic, "*", Filter.ALL, 0, null);
        }
        boolean isSame = before != null && said.equals(before.expression());
        return new Checked(config, topic, said, isSame ? before.filter() : Filter.of(asked.type(), said), 0, null);
    }
}
