/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.group.Groups;
import io.waybill.broker.group.ClientChannelInfo;
import io.waybill.broker.group.ClientRegistry;
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
import io.waybill.store.Store;
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
final class AskClients {
    private static final long TIMEOUT_MILLIS = 10_000;

    private final Store store;
    private final Topics topics;
    private final Groups groups;
    private final ClientRegistry members;
    private final String brokerName;
    private final Away away;

    AskClients(Store store, Topics topics, Groups groups, ClientRegistry members, String brokerName, Away away) {
        this.store = store;
        this.topics = topics;
        this.groups = groups;
        this.members = members;
        this.brokerName = brokerName;
        this.away = away;
    }

    /** 307. */
    void runningInfo(Request request) {
        RunningInfoHeader header = RunningInfoHeader.read(request.command().fields());
        ClientChannelInfo member = member(request, header.consumerGroup(), header.clientId());
        if (member != null) {
            pass(
                    request,
                    member,
                    Command.request(RequestCode.GET_CONSUMER_RUNNING_INFO)
                            .header(header)
                            .build());
        }
    }

    /** 309; without a client id some member consumes it. */
    void consumeDirectly(Request request) {
        ConsumeDirectlyHeader header =
                ConsumeDirectlyHeader.read(request.command().fields());
        ClientChannelInfo member = member(request, header.consumerGroup(), header.clientId());
        if (member == null) {
            return;
        }
        long position = position(header.msgId());
        away.run(request, () -> {
            ByteBuffer message = store.readAt(position);
            if (message == null) {
                request.refuse(ResponseCode.SYSTEM_ERROR, "there is no message " + header.msgId() + " here");
                return;
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
            pass(
                    request,
                    member,
                    Command.request(RequestCode.CONSUME_MESSAGE_DIRECTLY)
                            .header(passed)
                            .body(copy)
                            .build());
        });
    }

    private static long position(String msgId) {
        try {
            return MessageIds.decode(msgId == null ? "" : msgId).position();
        } catch (BadValue e) {
            throw new BadField("msgId", "an offset message id", msgId);
        }
    }

    /** 223: the offsets that members hold in memory; of one client when it is named. */
    void consumerStatus(Request request) {
        ConsumerStatusHeader header =
                ConsumerStatusHeader.read(request.command().fields());
        Collection<ClientChannelInfo> asked = members.membersOf(header.group());
        if (header.clientAddr() != null && !header.clientAddr().isEmpty()) {
            ClientChannelInfo member = member(request, header.group(), header.clientAddr());
            if (member == null) {
                return;
            }
            asked = List.of(member);
        } else if (asked.isEmpty()) {
            request.refuse(
                    ResponseCode.CONSUMER_NOT_ONLINE, "consumer group " + header.group() + " has no client online");
            return;
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
                .whenComplete((done, failure) -> answerStatus(request, answers));
    }

    private static void answerStatus(Request request, Map<String, CompletableFuture<Command>> answers) {
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
            request.refuse(
                    ResponseCode.CONSUME_MSG_TIMEOUT,
                    "none of " + answers.size() + " clients told its offsets within " + TIMEOUT_MILLIS + " ms");
        } else {
            request.reply(Away.body(new ConsumerStatus(Map.of(), byClient).toJson()));
        }
    }

    private static void add(Map<String, Map<MessageQueue, Long>> byClient, String client, Command told) {
        try {
            byClient.put(client, ConsumerStatus.parseOfClient(told.body()).messageQueueTable());
        } catch (BadValue e) {
            // A client whose answer cannot be read is as one that did not answer; the others' answers count.
            byClient.remove(client);
        }
    }

    private ClientChannelInfo member(Request request, String group, String clientId) {
        if (clientId == null || clientId.isEmpty()) {
            for (ClientChannelInfo member : members.membersOf(group)) {
                if (member.connection().isOpen()) {
                    return member;
                }
            }
            request.refuse(ResponseCode.CONSUMER_NOT_ONLINE, "consumer group " + group + " has no client online");
            return null;
        }
        ClientChannelInfo member = members.member(group, clientId);
        if (member == null) {
            request.refuse(
                    ResponseCode.CONSUMER_NOT_ONLINE,
                    "client " + clientId + " of consumer group " + group + " is not online");
        }
        return member;
    }

    private static void pass(Request request, ClientChannelInfo member, Command question) {
        member.connection().call(question, TIMEOUT_MILLIS).whenComplete((answer, failure) -> {
            if (answer != null) {
                request.reply(Command.response(answer.code(), answer.remark())
                        .body(answer.bodyBytes())
                        .build());
                return;
            }
            boolean late = failure instanceof RemotingException why && why.kind() == RemotingException.Kind.TIMEOUT;
            request.refuse(
                    late ? ResponseCode.CONSUME_MSG_TIMEOUT : ResponseCode.CONSUMER_NOT_ONLINE,
                    late
                            ? "client " + member.clientId() + " did not answer within " + TIMEOUT_MILLIS + " ms"
                            : "client " + member.clientId() + " could not be asked: its connection is closed");
        });
    }
}
