/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal;

import io.waybill.client.MessageQueue;
import io.waybill.client.internal.group.CheckedProducer;
import io.waybill.client.internal.group.GroupMember;
import io.waybill.client.internal.group.MemberRegistry;
import io.waybill.client.internal.message.InboundMessage;
import io.waybill.client.internal.message.WireQueues;
import io.waybill.client.internal.runtime.ClientRuntime;
import io.waybill.client.internal.runtime.HandlerThread;
import io.waybill.client.internal.send.RequestReplyFutures;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.ConsumeDirectlyResult;
import io.waybill.protocol.body.ConsumerStatus;
import io.waybill.protocol.body.OffsetTable;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.RunningInfoHeader;
import io.waybill.protocol.message.Message;
import io.waybill.protocol.message.MessageProperties;
import io.waybill.remoting.Request;
import java.util.LinkedHashMap;
import java.util.Map;
import java.util.TreeMap;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.BiFunction;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** What brokers ask a client. Called on I/O threads, which it never blocks: what may run a handler or take a while goes to a listener thread. */
final class BrokerRequests {
    private static final Logger LOG = LoggerFactory.getLogger(BrokerRequests.class);
    private static final byte[] NOTHING = {};

    private final ClientRuntime runtime;
    private final MemberRegistry registry;
    private final RequestReplyFutures replies;

    BrokerRequests(ClientRuntime runtime, MemberRegistry registry, RequestReplyFutures replies) {
        this.runtime = runtime;
        this.registry = registry;
        this.replies = replies;
    }

    void handle(Request request) {
        switch (request.code()) {
            case RequestCode.CHECK_TRANSACTION_STATE -> check(request);
            case RequestCode.NOTIFY_CONSUMER_IDS_CHANGED -> {
                GroupMember member = member(request, "consumerGroup");
                if (member != null) {
                    member.membersChanged();
                }
                request.reply(Command.response(ResponseCode.SUCCESS, null).build());
            }
            case RequestCode.RESET_CONSUMER_CLIENT_OFFSET ->
                ask(request, "group", (member, command) -> {
                    Map<MessageQueue, Long> offsets = new TreeMap<>();
                    OffsetTable.parse(command.body())
                            .offsetTable()
                            .forEach((queue, offset) -> offsets.put(WireQueues.of(queue), offset));
                    member.reset(offsets);
                    return NOTHING;
                });
            case RequestCode.GET_CONSUMER_STATUS_FROM_CLIENT ->
                ask(request, "group", (member, command) -> {
                    Map<io.waybill.protocol.body.MessageQueue, Long> offsets = new LinkedHashMap<>();
                    member.positions(command.fields().require("topic"))
                            .forEach((queue, offset) -> offsets.put(WireQueues.toWire(queue), offset));
                    return new ConsumerStatus(offsets, Map.of()).toJson();
                });
            case RequestCode.GET_CONSUMER_RUNNING_INFO ->
                ask(request, "consumerGroup", (member, command) -> {
                    boolean stacks = RunningInfoHeader.read(command.fields()).jstackEnable();
                    return member.runningInfo(stacks ? stacks() : null).toJson();
                });
            case RequestCode.CONSUME_MESSAGE_DIRECTLY -> ask(request, "consumerGroup", BrokerRequests::consumeOnce);
            case RequestCode.PUSH_REPLY_MESSAGE_TO_CLIENT -> {
                if (!replies.answered(request)) {
                    LOG.debug("an answer came for which nobody waits any more");
                }
                request.reply(Command.response(ResponseCode.SUCCESS, null).build());
            }
            default ->
                request.refuse(
                        ResponseCode.REQUEST_CODE_NOT_SUPPORTED, "this client does not know request " + request.code());
        }
    }

    private GroupMember member(Request request, String field) {
        String group = request.command().fields().get(field);
        return group == null ? null : registry.consumer(group);
    }

    /** Answers what a member says; on a listener thread, because it may run a handler. */
    private void ask(Request request, String field, BiFunction<GroupMember, Command, byte[]> question) {
        GroupMember member = member(request, field);
        if (member == null) {
            request.refuse(
                    ResponseCode.SYSTEM_ERROR,
                    "this client has no consumer of group "
                            + request.command().fields().get(field));
            return;
        }
        Command command = request.command().detached(); // this outlives the call
        try {
            runtime.listeners()
                    .execute(() -> HandlerThread.run(() -> {
                        try {
                            request.reply(Command.response(ResponseCode.SUCCESS, null)
                                    .body(question.apply(member, command))
                                    .build());
                        } catch (RuntimeException e) {
                            LOG.warn("request {} of a broker failed", request.code(), e);
                            request.refuse(ResponseCode.SYSTEM_ERROR, String.valueOf(e.getMessage()));
                        }
                    }));
        } catch (RejectedExecutionException e) {
            request.refuse(ResponseCode.SYSTEM_BUSY, "this client has no free thread");
        }
    }

    private static byte[] consumeOnce(GroupMember member, Command command) {
        Message stored = Message.decode(command.body(), command.body().position());
        String broker = command.fields().get("brokerName");
        ConsumeDirectlyResult result = member.consumeOnce(InboundMessage.of(stored, broker == null ? "" : broker));
        if (result == null) {
            throw new IllegalStateException("the consumer of group " + member.group() + " has no handler");
        }
        return result.toJson();
    }

    private static String stacks() {
        StringBuilder text = new StringBuilder();
        Thread.getAllStackTraces().forEach((thread, frames) -> {
            text.append('"')
                    .append(thread.getName())
                    .append("\" ")
                    .append(thread.getState())
                    .append('\n');
            for (StackTraceElement frame : frames) {
                text.append("    at ").append(frame).append('\n');
            }
            text.append('\n');
        });
        return text.toString();
    }

    private void check(Request request) {
        Command command = request.command();
        Message stored = Message.decode(command.body(), command.body().position());
        String group = stored.property(MessageProperties.PGROUP);
        CheckedProducer producer = group == null ? null : registry.checkedProducer(group);
        if (producer == null) {
            LOG.warn("a check for group {} came, but this client has no transactional producer of it", group);
            return;
        }
        String broker = command.fields().get("bname");
        producer.check(request.connection(), command, InboundMessage.of(stored, broker == null ? "" : broker));
    }
}
