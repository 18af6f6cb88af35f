/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.filter.Filter;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.Groups;
import io.waybill.broker.group.Member;
import io.waybill.broker.group.Members;
import io.waybill.broker.group.Subscription;
import io.waybill.broker.request.Routes;
import io.waybill.broker.retry.UsedUp;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Chance;
import io.waybill.platform.Clock;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.Perm;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.NotificationHeader;
import io.waybill.protocol.header.PeekHeader;
import io.waybill.protocol.header.PopHandle;
import io.waybill.protocol.header.PopHeader;
import io.waybill.protocol.header.PopReply;
import io.waybill.remoting.Request;

/**
 * The requests that look for messages: POP (200050), PEEK (200052), NOTIFICATION (200054), and POLLING_INFO (200055) about those that wait. Checks a
 * request and hands it to {@link Popping}. Runs on the event loop and does not block.
 *
 * <p>A pop needs no heartbeat: a proxy pops for clients the broker does not know.
 */
final class PopRequests {
    private static final int MOST_MESSAGES = 32;
    /** The client's clock may be ahead or behind by so much; beyond it the pop is not worth holding. */
    private static final long LATE_MILLIS = 500;

    private static final long MOST_INVISIBLE_MILLIS = 30L * 24 * 3_600_000;
    private static final int MAX_ATTEMPT_LENGTH = 255;

    private final Topics topics;
    private final Groups groups;
    private final Members members;
    private final Popping popping;
    private final WaitingPops waiting;
    private final Clock clock;
    private final Chance chance;
    private final int mostBytes;

    PopRequests(
            Topics topics,
            Groups groups,
            Members members,
            Popping popping,
            WaitingPops waiting,
            BrokerSettings settings,
            Clock clock,
            Chance chance) {
        this.topics = topics;
        this.groups = groups;
        this.members = members;
        this.popping = popping;
        this.waiting = waiting;
        this.clock = clock;
        this.chance = chance;
        this.mostBytes = settings.pullMaxBytes();
    }

    void register(Routes routes) {
        routes.on(RequestCode.POP_MESSAGE, this::pop)
                .on(RequestCode.PEEK_MESSAGE, this::peek)
                .on(RequestCode.NOTIFICATION, this::notify)
                .on(RequestCode.POLLING_INFO, this::pollingInfo);
    }

    private void pop(Request request) {
        PopHeader header = PopHeader.read(request.command().fields());
        inRange("maxMsgNums", header.maxMsgNums(), 1, MOST_MESSAGES);
        inRange("invisibleTime", header.invisibleTime(), 1, MOST_INVISIBLE_MILLIS);
        inRange("initMode", header.initMode(), PopHeader.FROM_MIN, PopHeader.FROM_MAX);
        Source source = source(request, header.consumerGroup(), header.topic(), header.queueId());
        if (source == null) {
            return;
        }
        long left = header.bornTime() + header.pollTime() - clock.wallMillis();
        if (left < -LATE_MILLIS) {
            request.reply(Command.response(ResponseCode.POLLING_TIMEOUT, "the pop came too late to be held")
                    .header(new PopReply(
                            clock.wallMillis(),
                            header.invisibleTime(),
                            header.order() ? PopHandle.ORDERED : 0,
                            0,
                            "",
                            "",
                            null))
                    .build());
            return;
        }
        Wanted wanted = wanted(request, header.consumerGroup(), header.topic(), header.expType(), header.exp());
        start(
                request,
                new Pop.Wish(
                        Pop.Kind.TAKE,
                        header.consumerGroup(),
                        header.topic(),
                        header.queueId(),
                        source.topic().readQueueNums(),
                        header.maxMsgNums(),
                        mostBytes,
                        header.invisibleTime(),
                        header.initMode() == PopHeader.FROM_MAX,
                        header.order(),
                        attempt(header.attemptId()),
                        wanted.expression(),
                        wanted.filter(),
                        UsedUp.mostRetries(source.group())),
                header.pollTime() > 0 ? left : 0);
    }

    private void peek(Request request) {
        PeekHeader header = PeekHeader.read(request.command().fields());
        inRange("maxMsgNums", header.maxMsgNums(), 1, MOST_MESSAGES);
        Source source = source(request, header.consumerGroup(), header.topic(), header.queueId());
        if (source == null) {
            return;
        }
        Wanted wanted = wanted(request, header.consumerGroup(), header.topic(), null, null);
        look(
                request,
                Pop.Kind.PEEK,
                source,
                header.consumerGroup(),
                header.queueId(),
                header.maxMsgNums(),
                false,
                null,
                wanted,
                0);
    }

    private void notify(Request request) {
        NotificationHeader header = NotificationHeader.read(request.command().fields());
        Source source = source(request, header.consumerGroup(), header.topic(), header.queueId());
        if (source == null) {
            return;
        }
        Wanted wanted = wanted(request, header.consumerGroup(), header.topic(), header.expType(), header.exp());
        long left = header.bornTime() + header.pollTime() - clock.wallMillis();
        look(
                request,
                Pop.Kind.NOTIFY,
                source,
                header.consumerGroup(),
                header.queueId(),
                1,
                header.order(),
                attempt(header.attemptId()),
                wanted,
                header.pollTime() > 0 ? left : 0);
    }

    private void look(
            Request request,
            Pop.Kind kind,
            Source source,
            String group,
            int queueId,
            int maxCount,
            boolean order,
            String attemptId,
            Wanted wanted,
            long holdMillis) {
        Pop.Wish wish = new Pop.Wish(
                kind,
                group,
                source.topic().topicName(),
                queueId,
                source.topic().readQueueNums(),
                maxCount,
                mostBytes,
                0,
                false,
                order,
                attemptId,
                wanted.expression(),
                wanted.filter(),
                Integer.MAX_VALUE);
        start(request, wish, holdMillis);
    }

    private void start(Request request, Pop.Wish wish, long holdMillis) {
        popping.start(new Pop(request, wish, chance.nextInt(wish.queueCount())), Math.max(0, holdMillis));
    }

    private void pollingInfo(Request request) {
        PeekHeader header = PeekHeader.read(request.command().fields());
        if (source(request, header.consumerGroup(), header.topic(), header.queueId()) != null) {
            int count = waiting.waitingFor(header.consumerGroup(), header.topic(), header.queueId());
            request.reply(Command.response(ResponseCode.SUCCESS, null)
                    .field("pollingNum", Integer.toString(count))
                    .build());
        }
    }

    // ---- checks

    private record Source(SubscriptionGroupConfig group, TopicConfig topic) {}

    private record Wanted(String expression, Filter filter) {}

    private static void inRange(String field, long value, long from, long to) {
        if (value < from || value > to) {
            throw new BadField(field, "from " + from + " to " + to, Long.toString(value));
        }
    }

    private static String attempt(String id) {
        if (id != null && id.length() > MAX_ATTEMPT_LENGTH) {
            throw new BadField(
                    "attemptId", "at most " + MAX_ATTEMPT_LENGTH + " characters", id.length() + " characters");
        }
        return id == null || id.isEmpty() ? null : id;
    }

    /** Null when the request was refused. */
    private Source source(Request request, String groupName, String topicName, int queueId) {
        SubscriptionGroupConfig group = groups.findOrCreate(groupName);
        if (group == null) {
            String illegal = Names.checkGroup(groupName);
            request.refuse(
                    illegal != null ? ResponseCode.INVALID_PARAMETER : ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
                    illegal != null ? illegal : "group '" + groupName + "' does not exist and is not created");
            return null;
        }
        if (!group.consumeEnable()) {
            request.refuse(
                    ResponseCode.NO_PERMISSION, "group '" + groupName + "' may not consume: consumeEnable is false");
            return null;
        }
        TopicConfig topic = topics.find(topicName);
        if (topic == null) {
            String illegal = Names.checkTopic(topicName);
            request.refuse(
                    illegal != null ? ResponseCode.INVALID_PARAMETER : ResponseCode.TOPIC_NOT_EXIST,
                    illegal != null ? illegal : "topic '" + topicName + "' does not exist");
            return null;
        }
        if (!Perm.isReadable(topic.perm()) || !groups.mayRead(groupName, topicName)) {
            request.refuse(
                    ResponseCode.NO_PERMISSION,
                    "topic '" + topicName + "' does not allow reading to group '" + groupName + "'");
            return null;
        }
        if (queueId < PopHeader.ANY_QUEUE || queueId >= topic.readQueueNums()) {
            request.refuse(
                    ResponseCode.INVALID_PARAMETER,
                    "queueId: must be from -1 to " + (topic.readQueueNums() - 1) + " for topic '" + topicName
                            + "', was " + queueId);
            return null;
        }
        return new Source(group, topic);
    }

    /** What the request says, else what its client's heartbeat said, else what the group's did, else everything. */
    private Wanted wanted(Request request, String groupName, String topic, String type, String expression) {
        ConsumerGroup group = members.consumerGroup(groupName);
        Member member = group == null ? null : group.memberOn(request.connection());
        Subscription own = member == null ? null : group.subscriptionsOf(member).get(topic);
        Subscription known = own != null || group == null ? own : group.subscription(topic);
        boolean says = expression != null && !expression.isEmpty();
        if (known != null && (!says || expression.equals(known.data().subString()))) {
            return new Wanted(known.data().subString(), known.filter());
        }
        return says ? new Wanted(expression, Filter.of(type, expression)) : new Wanted("*", Filter.ALL);
    }
}
