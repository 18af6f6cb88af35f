/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.group.Groups;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Lanes;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.Routes;
import io.waybill.protocol.Names;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.SubscriptionGroupConfig;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.header.DeleteGroupHeader;
import io.waybill.protocol.json.Json;
import io.waybill.protocol.json.JsonArray;
import io.waybill.protocol.json.JsonObject;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.remoting.AdminLog;
import io.waybill.remoting.Request;
import io.waybill.store.log.Outcome;
import java.nio.charset.StandardCharsets;
import java.util.ArrayList;
import java.util.List;
import java.util.function.Consumer;

/** The requests of operators that change groups: delete (207), many at once (225), forbid a topic (353). */
public final class GroupRequests implements Feature {
    private static final int MOST_AT_ONCE = 1_000;
    private static final int MOST_SHOWN = 400;

    private final Groups groups;
    private final Offsets offsets;
    private final QuarantinedMessages quarantined;
    private final Lanes lanes;

    /** @param quarantined forgets what a deleted group has set aside */
    public GroupRequests(Groups groups, Offsets offsets, QuarantinedMessages quarantined, Lanes lanes) {
        this.groups = groups;
        this.offsets = offsets;
        this.quarantined = quarantined;
        this.lanes = lanes;
    }

    @Override
    public void routes(Routes routes) {
        routes.on(RequestCode.DELETE_SUBSCRIPTIONGROUP, Lane.OPERATOR, DeleteGroupHeader::read, this::delete)
                .on(RequestCode.UPDATE_AND_CREATE_SUBSCRIPTIONGROUP_LIST, Lane.INLINE, this::putAll)
                .on(RequestCode.UPDATE_AND_GET_GROUP_FORBIDDEN, Lane.INLINE, this::forbidden);
    }

    /**
     * 207. With {@code cleanOffset} what is in quarantine and the progress go first: a crash in between leaves a group with settings and without
     * progress, which can be deleted again. Members that are still connected bring the group back with their next heartbeat where groups may come by themselves.
     */
    Reply delete(Request request, DeleteGroupHeader header) {
        String illegal = Names.checkGroup(header.groupName());
        if (illegal != null) {
            return Reply.refused(ResponseCode.INVALID_PARAMETER, illegal);
        }
        SubscriptionGroupConfig known = groups.find(header.groupName());
        AdminLog.changed(request, known == null ? null : text(known), null);
        if (!header.cleanOffset()) {
            return deleteSettings(request, header.groupName());
        }
        quarantined.forget(header.groupName(), refusal -> {
            if (refusal == null) {
                lanes.run(Lane.OPERATOR, request, () -> forgetProgress(request, header.groupName()));
            } else {
                request.refuse(ResponseCode.SYSTEM_BUSY, refusal);
            }
        });
        return Reply.LATER;
    }

    private Reply forgetProgress(Request request, String group) {
        if (offsets.of(group).isEmpty()) {
            return deleteSettings(request, group);
        }
        offsets.forget(
                group,
                outcome -> lanes.run(
                        request,
                        () -> Outcomes.code(outcome) == ResponseCode.SUCCESS
                                ? deleteSettings(request, group)
                                : Reply.of(outcome)));
        return Reply.LATER;
    }

    private Reply deleteSettings(Request request, String group) {
        groups.delete(group, outcome -> Reply.of(outcome).send(request));
        return Reply.LATER;
    }

    /** 225: all are checked before the first is changed; each change is then for itself. */
    Reply putAll(Request request) {
        JsonArray wanted = Json.parse(request.command().body()).getArray("groupConfigList");
        List<SubscriptionGroupConfig> configs = new ArrayList<>();
        for (JsonObject one : wanted.objects("groupConfigList")) {
            SubscriptionGroupConfig config = SubscriptionGroupConfig.read(one);
            String refusal = groups.refusal(config);
            if (refusal != null) {
                return Reply.refused(ResponseCode.INVALID_PARAMETER, refusal);
            }
            configs.add(config);
        }
        if (configs.isEmpty() || configs.size() > MOST_AT_ONCE) {
            throw new BadField("groupConfigList", "1 to " + MOST_AT_ONCE + " groups", configs.size() + "");
        }
        StringBuilder before = new StringBuilder();
        for (SubscriptionGroupConfig config : configs) {
            SubscriptionGroupConfig known = groups.find(config.groupName());
            before.append(known == null ? config.groupName() + "=none" : text(known))
                    .append(' ');
            if (before.length() > MOST_SHOWN) {
                break; // the line is cut there
            }
        }
        AdminLog.changed(request, before, "as in fields, " + configs.size() + " groups");
        return putNext(request, configs, 0);
    }

    private static String text(SubscriptionGroupConfig config) {
        return new String(config.toJson(), StandardCharsets.UTF_8);
    }

    private Reply putNext(Request request, List<SubscriptionGroupConfig> configs, int index) {
        Consumer<Outcome> then = outcome -> {
            if (Outcomes.code(outcome) != ResponseCode.SUCCESS || index + 1 == configs.size()) {
                Reply.of(outcome).send(request);
            } else {
                lanes.run(Lane.OPERATOR, request, () -> putNext(request, configs, index + 1));
            }
        };
        groups.put(configs.get(index), then);
        return Reply.LATER;
    }

    /** 353: whether a group may read a topic; with {@code readable} it is set before. */
    Reply forbidden(Request request) {
        String group = request.command().fields().require("group");
        String topic = request.command().fields().get("topic");
        String readable = request.command().fields().get("readable");
        if (topic == null || topic.isEmpty()) {
            throw new BadField("topic", "present", topic);
        }
        if (readable == null || readable.isEmpty()) {
            AdminLog.onlyRead(request);
            return forbidden(group, topic);
        }
        if (groups.find(group) == null) {
            return Reply.refused(
                    ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, "consumer group " + group + " does not exist");
        }
        boolean may = request.command().fields().getBoolean("readable", true);
        AdminLog.changed(request, "readable=" + groups.mayRead(group, topic), "readable=" + may);
        groups.allow(
                group,
                topic,
                may,
                outcome -> lanes.run(
                        request,
                        () -> Outcomes.code(outcome) == ResponseCode.SUCCESS
                                ? forbidden(group, topic)
                                : Reply.of(outcome)));
        return Reply.LATER;
    }

    private Reply forbidden(String group, String topic) {
        return Reply.success(new JsonWriter()
                .beginObject()
                .field("group", group)
                .field("readable", groups.mayRead(group, topic))
                .field("topic", topic)
                .endObject()
                .toByteArray());
    }
}
