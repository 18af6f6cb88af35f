/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.group.ClientChannelInfo;
import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.Groups;
import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Lanes;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.RequestRefused;
import io.waybill.broker.request.Routes;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.ConsumerStatus;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.ConsumeDirectlyHeader;
import io.waybill.protocol.header.ConsumerStatusHeader;
import io.waybill.protocol.header.RunningInfoHeader;
import io.waybill.protocol.message.BadValue;
import io.waybill.protocol.message.MessageIds;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.RemotingException;
import io.waybill.remoting.Request;
import io.waybill.store.MessageStore;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.Collection;
import java.util.List;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.CompletableFuture;

/**
 * What only a running consumer can answer: how it is doing (307), what it makes of one message (309), which offsets it holds (223). The question
 * is passed to it and its answer passed back as it is; 206 when it is not online, 207 when it does not answer within ten seconds.
 */
public final class AskClients implements Feature {
    private static final long TIMEOUT_MILLIS = 10_000;

    private final MessageStore store;
    private final Topics topics;
    private final Groups groups;
    private final ClientRegistry members;
    private final String brokerName;
    private final Lanes lanes;

    public AskClients(
            MessageStore store, Topics topics, Groups groups, ClientRegistry members, String brokerName, Lanes lanes) {
        this.store = store;
        this.topics = topics;
        this.groups = groups;
        this.members = members;
        this.brokerName = brokerName;
        this.lanes = lanes;
    }

    @Override
    public void routes(Routes routes) {
        routes.on(RequestCode.GET_CONSUMER_RUNNING_INFO, Lane.INLINE, RunningInfoHeader::read, this::runningInfo)
                .on(
                        RequestCode.CONSUME_MESSAGE_DIRECTLY,
                        Lane.OPERATOR,
                        ConsumeDirectlyHeader::read,
                        this::consumeDirectly)
                .on(
                        RequestCode.INVOKE_BROKER_TO_GET_CONSUMER_STATUS,
                        Lane.INLINE,
                        ConsumerStatusHeader::read,
                        this::consumerStatus);
    }

    /** 307. */
    Reply runningInfo(Request request, RunningInfoHeader header) {
        return pass(
                request,
                member(header.consumerGroup(), header.clientId()),
                Command.request(RequestCode.GET_CONSUMER_RUNNING_INFO)
                        .header(header)
                        .build());
    }

    /** 309; without a client id some member consumes it. */
    Reply consumeDirectly(Request request, ConsumeDirectlyHeader header) {
        ClientChannelInfo member = member(header.consumerGroup(), header.clientId());
        ByteBuffer message = store.readAt(position(header.msgId()));
        if (message == null) {
            return Reply.refused(ResponseCode.SYSTEM_ERROR, "there is no message " + header.msgId() + " here");
        }
        byte[] copy = new byte[StoredMessage.totalSize(message, 0)];
        message.get(0, copy);
        TopicConfig topic = topics.find(StoredMessage.topic(message, 0));
        SubscriptionGroupConfig group = groups.find(header.consumerGroup());
        ConsumeDirectlyHeader passed = new ConsumeDirectlyHeader(
                header.consumerGroup(),
                member.clientId(),
                header.msgId(),
                brokerName,
                header.topic(),
                topic == null ? 0 : topic.topicSysFlag(),
                group == null ? 0 : group.groupSysFlag());
        return pass(
                request,
                member,
                Command.request(RequestCode.CONSUME_MESSAGE_DIRECTLY)
                        .header(passed)
                        .body(copy)
                        .build());
    }

    private static long position(String msgId) {
        try {
            return MessageIds.decode(msgId == null ? "" : msgId).position();
        } catch (BadValue e) {
            throw new BadField("msgId", "an offset message id", msgId);
        }
    }

    /** 223: the offsets that members hold in memory; of one client when it is named. */
    Reply consumerStatus(Request request, ConsumerStatusHeader header) {
        Collection<ClientChannelInfo> asked = members.membersOf(header.group());
        if (header.clientAddr() != null && !header.clientAddr().isEmpty()) {
            asked = List.of(member(header.group(), header.clientAddr()));
        } else if (asked.isEmpty()) {
            return Reply.refused(
                    ResponseCode.CONSUMER_NOT_ONLINE, "consumer group " + header.group() + " has no client online");
        }
        Map<String, CompletableFuture<Command>> answers = new TreeMap<>();
        for (ClientChannelInfo member : asked) {
            Command question = Command.request(RequestCode.GET_CONSUMER_STATUS_FROM_CLIENT)
                    .header(new ConsumerStatusHeader(header.topic(), header.group(), null))
                    .build();
            answers.put(member.clientId(), member.connection().call(question, TIMEOUT_MILLIS));
        }
        List<CompletableFuture<Command>> all = new ArrayList<>(answers.values());
        CompletableFuture.allOf(all.toArray(CompletableFuture[]::new))
                .whenComplete((done, failure) -> lanes.run(request, () -> status(answers)));
        return Reply.LATER;
    }

    private static Reply status(Map<String, CompletableFuture<Command>> answers) {
        Map<String, Map<MessageQueue, Long>> byClient = new TreeMap<>();
        answers.forEach((client, answer) -> {
            if (!answer.isCompletedExceptionally()) {
                Command told = answer.join();
                if (told.code() == ResponseCode.SUCCESS && told.bodyLength() > 0) {
                    add(byClient, client, told);
                }
            }
        });
        if (byClient.isEmpty()) {
            return Reply.refused(
                    ResponseCode.CONSUME_MSG_TIMEOUT,
                    "none of " + answers.size() + " clients told its offsets within " + TIMEOUT_MILLIS + " ms");
        }
        return Reply.success(new ConsumerStatus(Map.of(), byClient).toJson());
    }

    private static void add(Map<String, Map<MessageQueue, Long>> byClient, String client, Command told) {
        try {
            byClient.put(client, ConsumerStatus.parseOfClient(told.body()).messageQueueTable());
        } catch (BadValue e) {
            // A client whose answer cannot be read is as one that did not answer; the others' answers count.
            byClient.remove(client);
        }
    }

    private ClientChannelInfo member(String group, String clientId) {
        if (clientId == null || clientId.isEmpty()) {
            for (ClientChannelInfo member : members.membersOf(group)) {
                if (member.connection().isOpen()) {
                    return member;
                }
            }
            throw new RequestRefused(
                    ResponseCode.CONSUMER_NOT_ONLINE, "consumer group " + group + " has no client online");
        }
        ClientChannelInfo member = members.member(group, clientId);
        if (member == null) {
            throw new RequestRefused(
                    ResponseCode.CONSUMER_NOT_ONLINE,
                    "client " + clientId + " of consumer group " + group + " is not online");
        }
        return member;
    }

    private Reply pass(Request request, ClientChannelInfo member, Command question) {
        member.connection()
                .call(question, TIMEOUT_MILLIS)
                .whenComplete((answer, failure) -> lanes.run(request, () -> passedBack(member, answer, failure)));
        return Reply.LATER;
    }

    private static Reply passedBack(ClientChannelInfo member, Command answer, Throwable failure) {
        if (answer != null) {
            return Reply.of(Command.response(answer.code(), answer.remark())
                    .body(answer.bodyBytes())
                    .build());
        }
        boolean late = failure instanceof RemotingException why && why.kind() == RemotingException.CallFailure.TIMEOUT;
        return Reply.refused(
                late ? ResponseCode.CONSUME_MSG_TIMEOUT : ResponseCode.CONSUMER_NOT_ONLINE,
                late
                        ? "client " + member.clientId() + " did not answer within " + TIMEOUT_MILLIS + " ms"
                        : "client " + member.clientId() + " could not be asked: its connection is closed");
    }
}
