/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.Groups;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.Routes;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.body.GroupList;
import io.waybill.protocol.header.CloneOffsetHeader;
import io.waybill.protocol.header.GroupHeader;
import io.waybill.protocol.header.GroupNameHeader;
import io.waybill.protocol.header.ProducerGroupHeader;
import io.waybill.protocol.header.ResetOffsetHeader;
import io.waybill.protocol.header.TopicHeader;
import io.waybill.remoting.Request;
import io.waybill.store.QueueStore;
import io.waybill.store.StoreClock;
import java.util.ArrayList;
import java.util.Set;
import java.util.TreeSet;

/** The requests of operators and their tools about the progress of groups, and about who is connected. */
public final class GroupAdminFeature implements Feature {
    private final ClientRegistry members;
    private final Offsets offsets;
    private final ResetOffset reset;
    private final CloneOffsets cloneOffsets;
    private final GroupOffsets groupOffsets;
    private final Connections connections;

    public GroupAdminFeature(
            QueueStore queueStore,
            StoreClock storeClock,
            Topics topics,
            Groups groups,
            ClientRegistry members,
            Offsets offsets,
            String brokerName) {
        this.members = members;
        this.offsets = offsets;
        this.reset = new ResetOffset(queueStore, topics, groups, members, offsets, brokerName);
        this.cloneOffsets = new CloneOffsets(groups, members, offsets);
        this.groupOffsets = new GroupOffsets(queueStore, storeClock, topics, members, offsets, brokerName);
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
