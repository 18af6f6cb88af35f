/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.filter.Filter;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.FreshSubscriptions;
import io.waybill.broker.group.Groups;
import io.waybill.broker.group.Member;
import io.waybill.broker.group.Members;
import io.waybill.broker.group.Subscription;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.Names;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.Perm;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.header.PullHeader;
import io.waybill.remoting.Request;
import io.waybill.remoting.RequestHandler;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * PULL_MESSAGE (11) and LITE_PULL_MESSAGE (361): checks a pull and hands it to {@link Reading}.
 *
 * <p>Runs on the event loop and does not block. A pull that carries its subscription needs no heartbeat; one that does
 * not is answered by what the group's heartbeats said; one that is ahead of them waits until its client was asked.
 */
final class PullMessage implements RequestHandler {
    private static final Logger log = LoggerFactory.getLogger(PullMessage.class);

    private static final int COMMIT_OFFSET = 1;
    private static final int SUSPEND = 2;
    private static final int SUBSCRIPTION = 4;

    private final Topics topics;
    private final Groups groups;
    private final Members members;
    private final FreshSubscriptions fresh;
    private final Offsets offsets;
    private final OtherMembers otherMembers;
    private final Reading reading;
    private final int pullMaxCount;
    private final int pullMaxBytes;

    PullMessage(
            Topics topics,
            Groups groups,
            Members members,
            Offsets offsets,
            OtherMembers otherMembers,
            Reading reading,
            BrokerSettings settings) {
        this.topics = topics;
        this.groups = groups;
        this.members = members;
        this.fresh = new FreshSubscriptions(members);
        this.offsets = offsets;
        this.otherMembers = otherMembers;
        this.reading = reading;
        this.pullMaxCount = settings.pullMaxCount();
        this.pullMaxBytes = settings.pullMaxBytes();
    }

    /** A filter or the reason why there is none. */
    private record Wanted(Filter filter, int code, String text) {
        static Wanted refused(int code, String text) {
            return new Wanted(null, code, text);
        }

        static Wanted of(Subscription subscription) {
            return new Wanted(subscription.filter(), 0, null);
        }
    }

    @Override
    public void handle(Request request) {
        serve(request, PullHeader.read(request.command().fields()), true);
    }

    private void serve(Request request, PullHeader header, boolean mayAsk) {
        SubscriptionGroupConfig group = group(request, header);
        if (group == null) {
            return;
        }
        TopicConfig topic = topic(request, header);
        if (topic == null) {
            return;
        }
        Wanted wanted = wanted(request, header, group);
        if (wanted.code() == ResponseCode.SUBSCRIPTION_NOT_LATEST
                && mayAsk
                && !request.isOneway()
                && fresh.ask(header.consumerGroup(), request.connection(), () -> serveAgain(request, header))) {
            return;
        }
        if (wanted.filter() == null) {
            request.refuse(wanted.code(), wanted.text());
            return;
        }
        if ((header.sysFlag() & COMMIT_OFFSET) != 0 && header.commitOffset() >= 0) {
            offsets.commit(
                    header.consumerGroup(),
                    header.topic(),
                    header.queueId(),
                    header.commitOffset(),
                    request.connection(),
                    false);
        }
        if (request.isOneway()) {
            request.refuse(ResponseCode.SUCCESS, null); // nobody waits for messages, so nothing is read or held for it
            return;
        }
        Pull pull = new Pull(
                request,
                header.consumerGroup(),
                header.topic(),
                header.queueId(),
                header.queueOffset(),
                Math.min(header.maxMsgNums(), pullMaxCount),
                header.maxMsgBytes() > 0 ? Math.min(header.maxMsgBytes(), pullMaxBytes) : pullMaxBytes,
                wanted.filter(),
                topic.topicSysFlag(),
                group.groupSysFlag());
        pull.home(home(request, header));
        if (pull.home() != null && Names.isRetry(header.topic())) {
            otherMembers.reads(pull.home(), header.topic(), header.queueId(), request.connection());
        }
        pull.replay((header.sysFlag() & PullHeader.FLAG_REPLAY) != 0);
        long hold = (header.sysFlag() & SUSPEND) != 0 ? header.suspendTimeoutMillis() : 0;
        reading.start(pull, hold);
    }

    /** The group whose other members count; null for somebody who only reads under its name. */
    private ConsumerGroup home(Request request, PullHeader header) {
        ConsumerGroup group = members.consumerGroup(header.consumerGroup());
        if (group == null || (header.sysFlag() & SUBSCRIPTION) == 0) {
            return group;
        }
        Member member = group.memberOn(request.connection());
        return member != null && group.subscriptionsOf(member).containsKey(header.topic()) ? group : null;
    }

    private void serveAgain(Request request, PullHeader header) {
        try {
            serve(request, header, false);
        } catch (RuntimeException e) {
            log.error("A pull of group {} failed", header.consumerGroup(), e);
            request.refuse(ResponseCode.SYSTEM_ERROR, "the pull was not served; the broker's log says why");
        }
    }

    private SubscriptionGroupConfig group(Request request, PullHeader header) {
        String name = header.consumerGroup();
        SubscriptionGroupConfig group = groups.findOrCreate(name);
        if (group == null) {
            String illegal = Names.checkGroup(name);
            request.refuse(
                    illegal != null ? ResponseCode.INVALID_PARAMETER : ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
                    illegal != null ? illegal : "group '" + name + "' does not exist and is not created");
            return null;
        }
        if (!group.consumeEnable()) {
            request.refuse(ResponseCode.NO_PERMISSION, "group '" + name + "' may not consume: consumeEnable is false");
            return null;
        }
        return group;
    }

    private TopicConfig topic(Request request, PullHeader header) {
        TopicConfig topic = topics.find(header.topic());
        if (topic == null) {
            String illegal = Names.checkTopic(header.topic());
            request.refuse(
                    illegal != null ? ResponseCode.INVALID_PARAMETER : ResponseCode.TOPIC_NOT_EXIST,
                    illegal != null ? illegal : "topic '" + header.topic() + "' does not exist");
            return null;
        }
        if (!groups.mayRead(header.consumerGroup(), header.topic())) {
            request.refuse(
                    ResponseCode.NO_PERMISSION,
                    "topic '" + header.topic() + "' is forbidden to group '" + header.consumerGroup() + "'");
            return null;
        }
        if (!Perm.isReadable(topic.perm())) {
            request.refuse(
                    ResponseCode.NO_PERMISSION,
                    "topic '" + header.topic() + "' does not allow reading: perm is " + topic.perm());
            return null;
        }
        if (header.queueId() < 0 || header.queueId() >= topic.readQueueNums()) {
            request.refuse(
                    ResponseCode.INVALID_PARAMETER,
                    "queueId: must be from 0 to " + (topic.readQueueNums() - 1) + " for topic '" + header.topic()
                            + "', was " + header.queueId());
            return null;
        }
        if (header.maxMsgNums() < 1) {
            request.refuse(
                    ResponseCode.INVALID_PARAMETER, "maxMsgNums: must be at least 1, was " + header.maxMsgNums());
            return null;
        }
        return topic;
    }

    private Wanted wanted(Request request, PullHeader header, SubscriptionGroupConfig config) {
        if ((header.sysFlag() & SUBSCRIPTION) != 0) {
            return carried(header);
        }
        ConsumerGroup group = members.consumerGroup(header.consumerGroup());
        if (group == null) {
            return Wanted.refused(
                    ResponseCode.SUBSCRIPTION_NOT_EXIST,
                    "group '" + header.consumerGroup() + "' has sent no heartbeat yet");
        }
        if (group.isBroadcasting() && !config.consumeBroadcastEnable()) {
            return Wanted.refused(
                    ResponseCode.NO_PERMISSION,
                    "group '" + header.consumerGroup() + "' may not broadcast: consumeBroadcastEnable is false");
        }
        Member member = group.memberOn(request.connection());
        Subscription own = member == null ? null : group.subscriptionsOf(member).get(header.topic());
        Subscription subscription = own != null ? own : group.subscription(header.topic());
        if (subscription == null) {
            return Wanted.refused(
                    ResponseCode.SUBSCRIPTION_NOT_EXIST,
                    "group '" + header.consumerGroup() + "' is not subscribed to topic '" + header.topic() + "'");
        }
        if (subscription.version() < header.subVersion()) {
            return Wanted.refused(
                    ResponseCode.SUBSCRIPTION_NOT_LATEST,
                    "subscription of group '" + header.consumerGroup() + "' to topic '" + header.topic()
                            + "' is older here (" + subscription.version() + ") than the pull's ("
                            + header.subVersion() + ")");
        }
        return Wanted.of(subscription);
    }

    private static Wanted carried(PullHeader header) {
        try {
            return new Wanted(Filter.of(header.expressionType(), header.subscription()), 0, null);
        } catch (BadField e) {
            return Wanted.refused(ResponseCode.SUBSCRIPTION_PARSE_FAILED, e.getMessage());
        }
    }
}
