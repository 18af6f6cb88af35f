/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.Reply;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.OffsetReply;
import io.waybill.remoting.AdminLog;
import io.waybill.remoting.Request;
import io.waybill.store.QueueRange;
import io.waybill.store.QueueStore;
import io.waybill.store.StoreStatus;
import io.waybill.store.record.ConsumerOffset;
import java.util.List;

/**
 * What an operator of RocketMQ does by hand and this broker does by itself: expired log (27, 329) and expired ConsumeQueues (306) are gone as soon as
 * retention says so, so these are answered 0 and do nothing. Cleaning unused topics (316) forgets the progress of groups in topics that were deleted
 * and have no message left.
 */
final class Housekeeping {
    private final QueueStore queueStore;
    private final StoreStatus storeStatus;
    private final Topics topics;
    private final Offsets offsets;

    Housekeeping(QueueStore queueStore, StoreStatus storeStatus, Topics topics, Offsets offsets) {
        this.queueStore = queueStore;
        this.storeStatus = storeStatus;
        this.topics = topics;
        this.offsets = offsets;
    }

    /** 13: where the next record of the log will stand. */
    Reply endOfLog(Request request) {
        return Reply.of(Command.response(ResponseCode.SUCCESS, null)
                .header(new OffsetReply(storeStatus.positions().confirmed()))
                .build());
    }

    /** 27, 306, 329. */
    Reply compatibilityNoOp(Request request) {
        return Reply.of(Command.response(ResponseCode.SUCCESS, "this broker removes what is expired by itself")
                .build());
    }

    /** 316. */
    Reply unusedTopics(Request request) {
        List<ConsumerOffset> unused =
                offsets.all().stream().filter(this::isUnused).toList();
        if (unused.isEmpty()) {
            return Reply.success();
        }
        AdminLog.changed(request, unused.size() + " offsets of deleted topics", null);
        offsets.forget(unused, outcome -> Reply.of(outcome).send(request));
        return Reply.LATER;
    }

    private boolean isUnused(ConsumerOffset entry) {
        if (topics.find(entry.topic()) != null) {
            return false;
        }
        QueueRange range = queueStore.keptOffsetRange(entry.topic(), entry.queueId());
        return range.minOffset() == range.maxOffset();
    }
}
