/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.group;

import io.waybill.broker.filter.Filter;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.Pages;
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

/** The requests about groups and their members that need no file of their own. */
public final class GroupFeature {
    private final Groups groups;
    private final ClientRegistry members;
    private final HeartBeat heartBeat;

    public GroupFeature(Groups groups, ClientRegistry members, Topics topics) {
        this.groups = groups;
        this.members = members;
        this.heartBeat = new HeartBeat(groups, members, topics);
    }

    public void register(Routes routes) {
        routes.on(RequestCode.HEART_BEAT, heartBeat)
                .on(RequestCode.UNREGISTER_CLIENT, this::unregister)
                .on(RequestCode.GET_CONSUMER_LIST_BY_GROUP, this::consumerList)
                .on(RequestCode.CHECK_CLIENT_CONFIG, this::checkClientConfig)
                .on(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP, this::updateGroup)
                .on(RequestCode.GET_ALL_SUBSCRIPTIONGROUP_CONFIG, this::allGroups)
                .on(RequestCode.GET_SUBSCRIPTIONGROUP_CONFIG, this::groupConfig);
    }

    private void unregister(Request request) {
        UnregisterClientHeader header =
                UnregisterClientHeader.read(request.command().fields());
        members.unregister(request.connection(), header.clientID(), header.producerGroup(), header.consumerGroup());
        request.reply(Command.response(ResponseCode.SUCCESS, null).build());
    }

    private void consumerList(Request request) {
        GroupHeader header = GroupHeader.read(request.command().fields());
        ConsumerGroup group = members.consumerGroup(header.consumerGroup());
        List<String> ids = group == null ? List.of() : group.clientIds();
        if (ids.isEmpty()) {
            request.refuse(
                    ResponseCode.SYSTEM_ERROR, "group '" + header.consumerGroup() + "' has no consumers connected");
            return;
        }
        request.reply(Command.response(ResponseCode.SUCCESS, null)
                .body(new ConsumerList(ids).toJson())
                .build());
    }

    /** Asked by clients with an expression that is not a list of tags, before they start. */
    private void checkClientConfig(Request request) {
        CheckClientBody body = CheckClientBody.parse(request.command().body());
        try {
            Filter.of(body.subscription().expressionType(), body.subscription().subString());
        } catch (BadField e) {
            request.refuse(ResponseCode.SUBSCRIPTION_PARSE_FAILED, e.getMessage());
            return;
        }
        request.reply(Command.response(ResponseCode.SUCCESS, null).build());
    }

    private void updateGroup(Request request) {
        SubscriptionGroupConfig config =
                groups.changed(SubscriptionGroupConfig.parse(request.command().body()));
        String refusal = groups.refusal(config, config.toJson());
        if (refusal != null) {
            request.refuse(ResponseCode.INVALID_PARAMETER, refusal);
            return;
        }
        SubscriptionGroupConfig known = groups.find(config.groupName());
        AdminLog.changed(request, known == null ? null : text(known), text(config));
        groups.put(config, outcome -> {
            int code = Outcomes.code(outcome);
            request.reply(Command.response(code, Outcomes.text(outcome)).build());
        });
    }

    private static String text(SubscriptionGroupConfig config) {
        return new String(config.toJson(), StandardCharsets.UTF_8);
    }

    private void allGroups(Request request) {
        SubscriptionGroupTable table = groups.snapshot();
        List<Map.Entry<String, SubscriptionGroupConfig>> sorted =
                List.copyOf(table.subscriptionGroupTable().entrySet());
        Pages page =
                Pages.of(request.command().fields(), "groupSeq", "maxGroupNum", table.dataVersion(), sorted.size());
        Map<String, SubscriptionGroupConfig> part = new LinkedHashMap<>();
        sorted.subList(page.from(), page.to()).forEach(group -> part.put(group.getKey(), group.getValue()));
        request.reply(Command.response(ResponseCode.SUCCESS, null)
                .field("totalGroupNum", sorted.size())
                .body(new SubscriptionGroupTable(table.dataVersion(), part).toJson())
                .build());
    }

    private void groupConfig(Request request) {
        GroupNameHeader header = GroupNameHeader.read(request.command().fields());
        SubscriptionGroupConfig config = groups.findOrDefault(header.group());
        if (config == null) {
            request.refuse(ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, "group '" + header.group() + "' does not exist");
            return;
        }
        request.reply(Command.response(ResponseCode.SUCCESS, null)
                .body(config.toJson())
                .build());
    }
}
