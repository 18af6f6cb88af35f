/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.Routes;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.Assignment;
import io.waybill.protocol.body.AssignmentQuery;
import io.waybill.protocol.body.ConsumerData;
import io.waybill.protocol.body.MessageQueue;
import io.waybill.protocol.body.RequestMode;
import io.waybill.protocol.frame.Command;
import io.waybill.remoting.Request;
import java.util.LinkedHashSet;
import java.util.List;
import java.util.Set;

/**
 * QUERY_ASSIGNMENT (400): a client's share of a topic, on all brokers, for clients that leave the sharing to the
 * broker. A client that sent no heartbeat, or a topic whose queues elsewhere are not known right now, is answered
 * without a share: the client keeps what it has and asks again.
 */
final class Assignments {
    private static final Assignment NOTHING_SAID = new Assignment(null, null);

    private final ClientRegistry members;
    private final TopicQueues topicQueues;
    private final RequestModes modes;

    Assignments(ClientRegistry members, TopicQueues topicQueues, RequestModes modes) {
        this.members = members;
        this.topicQueues = topicQueues;
        this.modes = modes;
    }

    void routes(Routes routes) {
        routes.onCommand(
                RequestCode.QUERY_ASSIGNMENT,
                Lane.INLINE,
                command -> AssignmentQuery.parse(command.body()),
                (request, query) -> {
                    topicQueues.of(query.topic()).whenComplete((queues, failure) -> answer(request, query, queues));
                    return Reply.LATER;
                });
    }

    private void answer(Request request, AssignmentQuery query, List<MessageQueue> queues) {
        ConsumerGroup group = members.consumerGroup(query.consumerGroup());
        List<String> clients = group == null ? List.of() : group.clientIds();
        if (queues == null || !clients.contains(query.clientId())) {
            reply(request, NOTHING_SAID);
            return;
        }
        RequestMode mode = modes.of(query.consumerGroup(), query.topic());
        Set<MessageQueue> share = share(query, queues, clients, mode);
        if (share == null) {
            request.refuse(
                    ResponseCode.INVALID_PARAMETER,
                    "strategyName: must be AVG or AVG_BY_CIRCLE, was " + query.strategyName());
        } else {
            reply(request, new Assignment(share, mode.mode()));
        }
    }

    private static Set<MessageQueue> share(
            AssignmentQuery query, List<MessageQueue> queues, List<String> clients, RequestMode mode) {
        if (ConsumerData.BROADCASTING.equals(query.messageModel())) {
            return new LinkedHashSet<>(queues);
        }
        String strategy = query.strategyName();
        if (mode.isPop()) {
            return QueueAllocation.forPop(strategy, queues, clients, query.clientId(), mode.popShareQueueNum());
        }
        List<MessageQueue> share = QueueAllocation.of(strategy, queues, clients, query.clientId());
        return share == null ? null : new LinkedHashSet<>(share);
    }

    private static void reply(Request request, Assignment assignment) {
        request.reply(Command.response(ResponseCode.SUCCESS, null)
                .body(assignment.toJson())
                .build());
    }
}
