/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.group;

import io.waybill.broker.filter.Filter;
import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Lanes;
import io.waybill.broker.request.Pages;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.Routes;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.CheckClientBody;
import io.waybill.protocol.body.ConsumerList;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.body.SubscriptionGroupTable;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.GroupHeader;
import io.waybill.protocol.header.GroupNameHeader;
import io.waybill.protocol.header.UnregisterClientHeader;
import io.waybill.remoting.AdminLog;
import io.waybill.remoting.Request;
import java.nio.charset.StandardCharsets;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;

/** Consumer groups and the clients that are connected for them: heartbeats, who is a member, the settings of groups. */
public final class GroupFeature implements Feature {
    private final Groups groups;
    private final ClientRegistry members;
    private final HeartBeat heartBeat;

    public GroupFeature(Groups groups, ClientRegistry members, Topics topics, Lanes lanes) {
        this.groups = groups;
        this.members = members;
        this.heartBeat = new HeartBeat(groups, members, topics, lanes);
    }

    @Override
    public void routes(Routes routes) {
        routes.on(RequestCode.HEART_BEAT, Lane.INLINE, heartBeat::take)
                .on(RequestCode.UNREGISTER_CLIENT, Lane.INLINE, UnregisterClientHeader::read, this::unregister)
                .on(RequestCode.GET_CONSUMER_LIST_BY_GROUP, Lane.INLINE, GroupHeader::read, this::consumerList)
                .on(RequestCode.CHECK_CLIENT_CONFIG, Lane.INLINE, this::checkClientConfig)
                .on(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, Lane.INLINE, this::updateGroup)
                .on(RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG, Lane.INLINE, this::allGroups)
                .on(RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG, Lane.INLINE, GroupNameHeader::read, this::groupConfig);
    }

    private Reply unregister(Request request, UnregisterClientHeader header) {
        members.unregister(request.connection(), header.clientID(), header.producerGroup(), header.consumerGroup());
        return Reply.success();
    }

    private Reply consumerList(Request request, GroupHeader header) {
        ConsumerGroup group = members.consumerGroup(header.consumerGroup());
        List<String> ids = group == null ? List.of() : group.clientIds();
        if (ids.isEmpty()) {
            return Reply.refused(
                    ResponseCode.SYSTEM_ERROR, "group '" + header.consumerGroup() + "' has no consumers connected");
        }
        return Reply.success(new ConsumerList(ids).toJson());
    }

    /** Asked by clients with an expression that is not a list of tags, before they start. */
    private Reply checkClientConfig(Request request) {
        CheckClientBody body = CheckClientBody.parse(request.command().body());
        try {
            Filter.of(body.subscription().expressionType(), body.subscription().subString());
        } catch (BadField e) {
            return Reply.refused(ResponseCode.SUBSCRIPTION_PARSE_FAILED, e.getMessage());
        }
        return Reply.success();
    }

    private Reply updateGroup(Request request) {
        SubscriptionGroupConfig config =
                groups.changed(SubscriptionGroupConfig.parse(request.command().body()));
        String refusal = groups.refusal(config, config.toJson());
        if (refusal != null) {
            return Reply.refused(ResponseCode.INVALID_PARAMETER, refusal);
        }
        SubscriptionGroupConfig known = groups.find(config.groupName());
        AdminLog.changed(request, known == null ? null : text(known), text(config));
        groups.put(config, outcome -> Reply.of(outcome).send(request));
        return Reply.LATER;
    }

    private static String text(SubscriptionGroupConfig config) {
        return new String(config.toJson(), StandardCharsets.UTF_8);
    }

    private Reply allGroups(Request request) {
        SubscriptionGroupTable table = groups.snapshot();
        List<Map.Entry<String, SubscriptionGroupConfig>> sorted =
                List.copyOf(table.subscriptionGroupTable().entrySet());
        Pages page =
                Pages.of(request.command().fields(), "groupSeq", "maxGroupNum", table.dataVersion(), sorted.size());
        Map<String, SubscriptionGroupConfig> part = new LinkedHashMap<>();
        sorted.subList(page.from(), page.to()).forEach(group -> part.put(group.getKey(), group.getValue()));
        return Reply.of(Command.response(ResponseCode.SUCCESS, null)
                .field("totalGroupNum", sorted.size())
                .body(new SubscriptionGroupTable(table.dataVersion(), part).toJson())
                .build());
    }

    private Reply groupConfig(Request request, GroupNameHeader header) {
        SubscriptionGroupConfig config = groups.findOrDefault(header.group());
        if (config == null) {
            return Reply.refused(
                    ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, "group '" + header.group() + "' does not exist");
        }
        return Reply.success(config.toJson());
    }
}
