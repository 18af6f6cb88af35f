/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.OffsetReply;
import io.waybill.remoting.AdminLog;
import io.waybill.remoting.Request;
import io.waybill.store.QueueRange;
import io.waybill.store.Store;
import io.waybill.store.record.ConsumerOffset;
import java.util.List;

/**
 * What an operator of RocketMQ does by hand and this broker does by itself: expired log (27, 329) and expired ConsumeQueues (306) are gone as soon as
 * retention says so, so these are answered 0 and do nothing. Cleaning unused topics (316) forgets the progress of groups in topics that were deleted
 * and have no message left.
 */
final class Housekeeping {
    private final Store store;
    private final Topics topics;
    private final Offsets offsets;
    private final Away away;

    Housekeeping(Store store, Topics topics, Offsets offsets, Away away) {
        this.store = store;
        this.topics = topics;
        this.offsets = offsets;
        this.away = away;
    }

    /** 13: where the next record of the log will stand. */
    void endOfLog(Request request) {
        request.reply(Command.response(ResponseCode.SUCCESS, null)
                .header(new OffsetReply(store.positions().confirmed()))
                .build());
    }

    /** 27, 306, 329. */
    void nothingToDo(Request request) {
        request.reply(Command.response(ResponseCode.SUCCESS, "this broker removes what is expired by itself")
                .build());
    }

    /** 316. */
    void unusedTopics(Request request) {
        away.run(request, () -> {
            List<ConsumerOffset> unused =
                    offsets.all().stream().filter(this::isUnused).toList();
            if (unused.isEmpty()) {
                request.reply(Away.ok());
                return;
            }
            AdminLog.changed(request, unused.size() + " offsets of deleted topics", null);
            offsets.forget(unused, outcome -> {
                int code = Outcomes.code(outcome);
                request.reply(Command.response(code, Outcomes.text(outcome)).build());
            });
        });
    }

    private boolean isUnused(ConsumerOffset entry) {
        if (topics.find(entry.topic()) != null) {
            return false;
        }
        QueueRange range = store.keptRange(entry.topic(), entry.queueId());
        return range.minOffset() == range.maxOffset();
    }
}
