/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.Groups;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Lanes;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.Routes;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.GroupList;
import io.waybill.protocol.header.CloneOffsetHeader;
import io.waybill.protocol.header.ConsumeDirectlyHeader;
import io.waybill.protocol.header.ConsumerStatusHeader;
import io.waybill.protocol.header.DeleteGroupHeader;
import io.waybill.protocol.header.GroupHeader;
import io.waybill.protocol.header.GroupNameHeader;
import io.waybill.protocol.header.ProducerGroupHeader;
import io.waybill.protocol.header.ResetOffsetHeader;
import io.waybill.protocol.header.RunningInfoHeader;
import io.waybill.protocol.header.TopicHeader;
import io.waybill.remoting.Request;
import io.waybill.store.Store;
import java.util.ArrayList;
import java.util.Set;
import java.util.TreeSet;

/** The requests of operators and their tools about groups and their clients. */
public final class GroupAdminFeature implements Feature {
    private final ClientRegistry members;
    private final Offsets offsets;
    private final ResetOffset reset;
    private final CloneOffsets cloneOffsets;
    private final GroupOffsets groupOffsets;
    private final GroupRequests groupRequests;
    private final AskClients askClients;
    private final Connections connections;

    /** @param quarantined forgets what a deleted group has set aside */
    public GroupAdminFeature(
            Store store,
            Topics topics,
            Groups groups,
            ClientRegistry members,
            Offsets offsets,
            QuarantinedMessages quarantined,
            String brokerName,
            Lanes lanes) {
        this.members = members;
        this.offsets = offsets;
        this.reset = new ResetOffset(store, topics, groups, members, offsets, brokerName);
        this.cloneOffsets = new CloneOffsets(groups, members, offsets);
        this.groupOffsets = new GroupOffsets(store, topics, members, offsets, brokerName);
        this.groupRequests = new GroupRequests(groups, offsets, quarantined, lanes);
        this.askClients = new AskClients(store, topics, groups, members, brokerName, lanes);
        this.connections = new Connections(members);
    }

    @Override
    public void routes(Routes routes) {
        routes.on(RequestCode.INVOKE_BROKER_TO_RESET_OFFSET, Lane.OPERATOR, ResetOffsetHeader::read, reset)
                .on(RequestCode.CLONE_GROUP_OFFSET, Lane.OPERATOR, CloneOffsetHeader::read, cloneOffsets)
                .on(RequestCode.GET_ALL_CONSUMER_OFFSET, Lane.OPERATOR, groupOffsets::all)
                .on(RequestCode.QUERY_CONSUME_TIME_SPAN, Lane.OPERATOR, GroupNameHeader::read, groupOffsets::timeSpan)
                .on(
                        RequestCode.QUERY_CORRECTION_OFFSET,
                        Lane.OPERATOR,
                        GroupOffsets.Correction::read,
                        groupOffsets::correction)
                .on(RequestCode.QUERY_TOPICS_BY_CONSUMER, Lane.OPERATOR, GroupNameHeader::read, groupOffsets::topicsOf)
                .on(
                        RequestCode.QUERY_SUBSCRIPTION_BY_CONSUMER,
                        Lane.INLINE,
                        GroupNameHeader::read,
                        groupOffsets::subscription)
                .on(RequestCode.QUERY_TOPIC_CONSUME_BY_WHO, Lane.OPERATOR, TopicHeader::read, this::groupsOfTopic);
        routes.on(RequestCode.DELETE_SUBSCRIPTIONGROUP, Lane.OPERATOR, DeleteGroupHeader::read, groupRequests::delete)
                .on(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST, Lane.INLINE, groupRequests::putAll)
                .on(RequestCode.UPDATE_AND_GET_GROUP_FORBIDDEN, Lane.INLINE, groupRequests::forbidden);
        routes.on(RequestCode.GET_CONSUMER_RUNNING_INFO, Lane.INLINE, RunningInfoHeader::read, askClients::runningInfo)
                .on(
                        RequestCode.CONSUME_MESSAGE_DIRECTLY,
                        Lane.OPERATOR,
                        ConsumeDirectlyHeader::read,
                        askClients::consumeDirectly)
                .on(
                        RequestCode.INVOKE_BROKER_TO_GET_CONSUMER_STATUS,
                        Lane.INLINE,
                        ConsumerStatusHeader::read,
                        askClients::consumerStatus);
        routes.on(RequestCode.GET_CONSUMER_CONNECTION_LIST, Lane.INLINE, GroupHeader::read, connections::consumers)
                .on(
                        RequestCode.GET_PRODUCER_CONNECTION_LIST,
                        Lane.INLINE,
                        ProducerGroupHeader::read,
                        connections::producers)
                .on(RequestCode.GET_ALL_PRODUCER_INFO, Lane.INLINE, connections::allProducers);
    }

    /** Groups that have progress in the topic or are online and subscribe to it. */
    private Reply groupsOfTopic(Request request, TopicHeader header) {
        Set<String> names = new TreeSet<>(offsets.groupsOf(header.topic()));
        for (ConsumerGroup group : members.consumerGroups()) {
            if (group.subscription(header.topic()) != null) {
                names.add(group.name());
            }
        }
        return Reply.success(new GroupList(new ArrayList<>(names)).toJson());
    }
}
