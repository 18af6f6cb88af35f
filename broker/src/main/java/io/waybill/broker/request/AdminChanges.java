/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.request;

import io.waybill.protocol.RequestCode;
import io.waybill.remoting.AdminLog;
import io.waybill.remoting.Connection;
import io.waybill.remoting.Request;
import io.waybill.remoting.RequestHandler;
import java.util.Map;
import java.util.function.BiPredicate;

/**
 * Which requests change something on behalf of an operator: each of them leaves a line in the {@link AdminLog}, done or refused. What applications do
 * themselves (send, consume, commit, recall, end their transactions) is not among them.
 */
public final class AdminChanges {
    /** By request code the name that stands in the line. */
    static final Map<Integer, String> ALWAYS = Map.ofEntries(
            Map.entry(RequestCode.UPDATE_AND_CREATE_TOPIC, "UPDATE_AND_CREATE_TOPIC"),
            Map.entry(RequestCode.UPDATE_AND_CREATE_TOPIC_LIST, "UPDATE_AND_CREATE_TOPIC_LIST"),
            Map.entry(RequestCode.DELETE_TOPIC_IN_BROKER, "DELETE_TOPIC_IN_BROKER"),
            Map.entry(RequestCode.RESTORE_TOPIC, "RESTORE_TOPIC"),
            Map.entry(RequestCode.UPDATE_BROKER_CONFIG, "UPDATE_BROKER_CONFIG"),
            Map.entry(RequestCode.TRIGGER_DELETE_FILES, "TRIGGER_DELETE_FILES"),
            Map.entry(RequestCode.CLEAN_EXPIRED_CONSUMEQUEUE, "CLEAN_EXPIRED_CONSUMEQUEUE"),
            Map.entry(RequestCode.DELETE_EXPIRED_COMMITLOG, "DELETE_EXPIRED_COMMITLOG"),
            Map.entry(RequestCode.CLEAN_UNUSED_TOPIC, "CLEAN_UNUSED_TOPIC"),
            Map.entry(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, "UPDATE_AND_CREATE_SUBSCRIPTIONGROUP"),
            Map.entry(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST, "UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST"),
            Map.entry(RequestCode.DELETE_SUBSCRIPTIONGROUP, "DELETE_SUBSCRIPTIONGROUP"),
            Map.entry(RequestCode.UPDATE_AND_GET_GROUP_FORBIDDEN, "UPDATE_AND_GET_GROUP_FORBIDDEN"),
            Map.entry(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, "INVOKE_BROKER_TO_RESET_OFFSET"),
            Map.entry(RequestCode.CLONE_GROUP_OFFSET, "CLONE_GROUP_OFFSET"),
            Map.entry(RequestCode.SET_MESSAGE_REQUEST_MODE, "SET_MESSAGE_REQUEST_MODE"),
            Map.entry(RequestCode.RESUME_CHECK_HALF_MESSAGE, "RESUME_CHECK_HALF_MESSAGE"),
            Map.entry(RequestCode.CONSUME_MESSAGE_DIRECTLY, "CONSUME_MESSAGE_DIRECTLY"),
            Map.entry(RequestCode.DECIDE_TRANSACTION, "DECIDE_TRANSACTION"),
            Map.entry(RequestCode.CHANGE_TIMER, "CHANGE_TIMER"),
            Map.entry(RequestCode.SETTLE_DEAD, "SETTLE_DEAD"),
            Map.entry(RequestCode.QUARANTINE, "QUARANTINE"));

    private final AdminLog log;
    private final BiPredicate<String, Connection> isMember;

    /** @param isMember whether a member of a group speaks on a connection: its commits are not an operator's */
    public AdminChanges(AdminLog log, BiPredicate<String, Connection> isMember) {
        this.log = log;
        this.isMember = isMember;
    }

    /** The handler of a code, with a line in the log where one is due. */
    RequestHandler watch(int code, RequestHandler handler) {
        String name = ALWAYS.get(code);
        if (name != null) {
            return log.watch(name, handler);
        }
        if (code == RequestCode.UPDATE_CONSUMER_OFFSET) {
            RequestHandler watched = log.watch("UPDATE_CONSUMER_OFFSET", handler);
            return request -> (isCommit(request) ? handler : watched).handle(request);
        }
        return handler;
    }

    /** Clients commit one-way or as members; who asks for an answer and is no member is an operator with a tool. */
    private boolean isCommit(Request request) {
        if (request.isOneway()) {
            return true;
        }
        String group = request.command().fields().get("consumerGroup");
        return group != null && isMember.test(group, request.connection());
    }
}
