/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.Groups;
import io.waybill.broker.group.Members;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.Routes;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.GroupList;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.TopicHeader;
import io.waybill.remoting.Request;
import io.waybill.store.Store;
import java.util.ArrayList;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Executor;

/** The requests of operators and their tools about topics, groups and the broker. */
public final class Administration {
    private final Members members;
    private final Offsets offsets;
    private final ResetOffset reset;
    private final TopicStatus topicStatus;
    private final ConsumerProgress progress;
    private final Connections connections;
    private final RuntimeFigures figures;

    /** @param blocking for looking at messages that may have to come from the disk */
    public Administration(
            Store store,
            Topics topics,
            Groups groups,
            Members members,
            Offsets offsets,
            Clock clock,
            String brokerName,
            Executor blocking) {
        this.members = members;
        this.offsets = offsets;
        this.reset = new ResetOffset(store, topics, groups, offsets, brokerName, blocking);
        this.topicStatus = new TopicStatus(store, topics, brokerName, blocking);
        this.progress = new ConsumerProgress(store, topics, members, offsets, brokerName, blocking);
        this.connections = new Connections(members);
        this.figures = new RuntimeFigures(store, clock, blocking);
    }

    public void register(Routes routes) {
        routes.on(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, reset)
                .on(RequestCode.GET_TOPIC_STATS_INFO, topicStatus)
                .on(RequestCode.GET_CONSUME_STATS, progress)
                .on(RequestCode.GET_CONSUMER_CONNECTION_LIST, connections::consumers)
                .on(RequestCode.GET_PRODUCER_CONNECTION_LIST, connections::producers)
                .on(RequestCode.QUERY_TOPIC_CONSUME_BY_WHO, this::groupsOfTopic)
                .on(RequestCode.GET_BROKER_RUNTIME_INFO, figures);
    }

    /** Groups that have progress in the topic or are online and subscribe to it. */
    private void groupsOfTopic(Request request) {
        String topic = TopicHeader.read(request.command().fields()).topic();
        Set<String> names = new TreeSet<>(offsets.groupsOf(topic));
        for (ConsumerGroup group : members.consumerGroups()) {
            if (group.subscription(topic) != null) {
                names.add(group.name());
            }
        }
        request.reply(Command.response(ResponseCode.SUCCESS, null)
                .body(new GroupList(new ArrayList<>(names)).toJson())
                .build());
    }
}
