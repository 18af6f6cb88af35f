/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.Groups;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.RouteHandler;
import io.waybill.protocol.Names;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.header.CloneOffsetHeader;
import io.waybill.remoting.AdminLog;
import io.waybill.remoting.Request;
import io.waybill.store.log.Outcome;
import io.waybill.store.log.Stored;
import io.waybill.store.record.ConsumerOffset;
import java.util.List;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicReference;

/**
 * CLONE_GROUP_OFFSET (314): sets a group's offsets to those of another, in one topic or in all the other has consumed; its retry topic is its own
 * and left out. Like a reset: answered when it is in the log, running members are told, and they drop what they hold of the old position.
 */
final class CloneOffsets implements RouteHandler<CloneOffsetHeader> {
    private static final int MOST_SHOWN = 400;

    private final Groups groups;
    private final ClientRegistry members;
    private final Offsets offsets;

    CloneOffsets(Groups groups, ClientRegistry members, Offsets offsets) {
        this.groups = groups;
        this.members = members;
        this.offsets = offsets;
    }

    @Override
    public Reply handle(Request request, CloneOffsetHeader header) {
        if (groups.find(header.destGroup()) == null) {
            return Reply.refused(
                    ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
                    "consumer group " + header.destGroup() + " does not exist");
        }
        if (groups.find(header.srcGroup()) == null) {
            return Reply.refused(
                    ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST,
                    "consumer group " + header.srcGroup() + " does not exist");
        }
        if (isBroadcasting(header.destGroup())) {
            return Reply.refused(
                    ResponseCode.ILLEGAL_OPERATION,
                    "the members of group " + header.destGroup()
                            + " broadcast: each keeps its own offsets, and one group's cannot be theirs; reset it to a time");
        }
        boolean all = header.topic() == null || header.topic().isEmpty();
        List<ConsumerOffset> known = offsets.of(header.srcGroup()).stream()
                .filter(entry ->
                        all ? !Names.isRetry(entry.topic()) : entry.topic().equals(header.topic()))
                .toList();
        StringBuilder before = new StringBuilder();
        StringBuilder after = new StringBuilder();
        for (ConsumerOffset entry : known) {
            if (after.length() <= MOST_SHOWN) { // the line is cut there
                String queue = entry.topic() + "/" + entry.queueId() + ":";
                before.append(queue)
                        .append(offsets.query(header.destGroup(), entry.topic(), entry.queueId()))
                        .append(' ');
                after.append(queue).append(entry.offset()).append(' ');
            }
        }
        AdminLog.changed(request, before, after);
        if (known.isEmpty()) {
            return Reply.success();
        }
        AtomicInteger open = new AtomicInteger(known.size());
        AtomicReference<Outcome> failure = new AtomicReference<>();
        for (ConsumerOffset entry : known) {
            offsets.reset(header.destGroup(), entry.topic(), entry.queueId(), entry.offset(), outcome -> {
                if (!(outcome instanceof Stored)) {
                    failure.set(outcome);
                }
                if (open.decrementAndGet() == 0) {
                    Reply.of(failure.get() == null ? outcome : failure.get()).send(request);
                }
            });
        }
        return Reply.LATER;
    }

    /** Whether each member of a group that is online keeps its own offsets. */
    private boolean isBroadcasting(String name) {
        ConsumerGroup group = members.consumerGroup(name);
        return group != null && group.isBroadcasting();
    }
}
