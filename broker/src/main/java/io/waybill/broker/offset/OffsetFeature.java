/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.offset;

import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.Routes;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.body.TopicConfig;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.frame.HeaderWriter;
import io.waybill.protocol.header.OffsetReply;
import io.waybill.protocol.header.QueryOffsetHeader;
import io.waybill.protocol.header.QueueHeader;
import io.waybill.protocol.header.SearchOffsetHeader;
import io.waybill.protocol.header.TimestampReply;
import io.waybill.protocol.header.UpdateOffsetHeader;
import io.waybill.remoting.AdminLog;
import io.waybill.remoting.Request;
import io.waybill.store.QueueRange;
import io.waybill.store.Store;
import io.waybill.store.view.Boundary;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.function.Predicate;

/** The requests about offsets: 14, 15 of groups, 29 to 32 of queues. */
public final class OffsetFeature {
    /** A queue whose first message has no more than this behind it in the log is young. */
    static final long YOUNG_BYTES = 256L << 20;

    private final Store store;
    private final Offsets offsets;
    private final Topics topics;
    private final Predicate<String> groupExists;
    private final Executor coldReads;

    /**
     * @param groupExists whether a consumer group has settings
     * @param coldReads runs what may have to read the disk
     */
    public OffsetFeature(
            Store store, Offsets offsets, Topics topics, Predicate<String> groupExists, Executor coldReads) {
        this.store = store;
        this.offsets = offsets;
        this.topics = topics;
        this.groupExists = groupExists;
        this.coldReads = coldReads;
    }

    public void register(Routes routes) {
        routes.on(RequestCode.QUERY_CONSUMER_OFFSET, this::query)
                .on(RequestCode.UPDATE_CONSUMER_OFFSET, this::update)
                .on(RequestCode.GET_MAX_OFFSET, this::max)
                .on(RequestCode.GET_MIN_OFFSET, this::min)
                .on(RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, this::search)
                .on(RequestCode.GET_EARLIEST_MSG_STORETIME, this::earliest);
    }

    /**
     * 14. Without a committed offset: 0 while the queue's very first message was stored lately, so that a new group on a young
     * topic misses nothing; else, or when the client wants no zero, "not found", and it starts by its own policy. "Lately" goes by
     * the bytes of the log since then, not by what is in memory: neither a checkpoint nor a restart changes the answer.
     */
    private void query(Request request) {
        QueryOffsetHeader header = QueryOffsetHeader.read(request.command().fields());
        long offset = offsets.query(header.consumerGroup(), header.topic(), header.queueId());
        if (offset >= 0) {
            reply(request, new OffsetReply(offset));
        } else if (header.setZeroIfNotFound() && keepsItsFirst(header.topic(), header.queueId())) {
            away(request, () -> {
                if (store.logBytesSince(header.topic(), header.queueId(), 0) <= YOUNG_BYTES) {
                    reply(request, new OffsetReply(0));
                } else {
                    refuseUnknown(request, header);
                }
            });
        } else {
            refuseUnknown(request, header);
        }
    }

    private boolean keepsItsFirst(String topic, int queueId) {
        QueueRange range = store.range(topic, queueId);
        return range.minOffset() == 0 && range.maxOffset() > 0;
    }

    private static void refuseUnknown(Request request, QueryOffsetHeader header) {
        request.refuse(
                ResponseCode.QUERY_NOT_FOUND,
                "group '" + header.consumerGroup() + "' has no offset for queue " + header.queueId() + " of topic '"
                        + header.topic() + "'");
    }

    /** 15; normally one-way. */
    private void update(Request request) {
        UpdateOffsetHeader header = UpdateOffsetHeader.read(request.command().fields());
        if (!groupExists.test(header.consumerGroup())) {
            request.refuse(
                    ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, "group '" + header.consumerGroup() + "' does not exist");
            return;
        }
        // A queue beyond those of its topic counts as long as it has messages: it is from before the topic was made
        // smaller.
        boolean known = topics.find(header.topic()) != null
                && store.range(header.topic(), header.queueId()).maxOffset() > 0;
        if (!known && !hasQueue(request, header.topic(), header.queueId())) {
            return;
        }
        if (header.commitOffset() < 0) {
            request.refuse(
                    ResponseCode.INVALID_PARAMETER, "commitOffset: must not be negative, was " + header.commitOffset());
            return;
        }
        if (AdminLog.watches(request)) {
            long before = offsets.query(header.consumerGroup(), header.topic(), header.queueId());
            AdminLog.changed(request, before, header.commitOffset());
        }
        Offsets.Committed committed = offsets.commit(
                header.consumerGroup(),
                header.topic(),
                header.queueId(),
                header.commitOffset(),
                request.connection(),
                !request.isOneway());
        int code = committed.isFenced() ? ResponseCode.ILLEGAL_OPERATION : ResponseCode.SUCCESS;
        request.reply(Command.response(code, committed.why()).build());
    }

    private void max(Request request) {
        QueueHeader header = QueueHeader.read(request.command().fields());
        if (hasQueue(request, header.topic(), header.queueId())) {
            reply(
                    request,
                    new OffsetReply(
                            store.range(header.topic(), header.queueId()).maxOffset()));
        }
    }

    private void min(Request request) {
        QueueHeader header = QueueHeader.read(request.command().fields());
        if (hasQueue(request, header.topic(), header.queueId())) {
            reply(
                    request,
                    new OffsetReply(
                            store.range(header.topic(), header.queueId()).minOffset()));
        }
    }

    private void search(Request request) {
        SearchOffsetHeader header = SearchOffsetHeader.read(request.command().fields());
        if (!hasQueue(request, header.topic(), header.queueId())) {
            return;
        }
        Boundary boundary = "UPPER".equalsIgnoreCase(header.boundaryType()) ? Boundary.UPPER : Boundary.LOWER;
        away(
                request,
                () -> reply(
                        request,
                        new OffsetReply(
                                store.offsetByTime(header.topic(), header.queueId(), header.timestamp(), boundary))));
    }

    private void earliest(Request request) {
        QueueHeader header = QueueHeader.read(request.command().fields());
        if (hasQueue(request, header.topic(), header.queueId())) {
            away(
                    request,
                    () -> reply(
                            request, new TimestampReply(store.earliestStoreTime(header.topic(), header.queueId()))));
        }
    }

    private boolean hasQueue(Request request, String name, int queueId) {
        TopicConfig topic = topics.find(name);
        if (topic == null) {
            request.refuse(ResponseCode.TOPIC_NOT_EXIST, "topic '" + name + "' does not exist");
            return false;
        }
        int queues = Math.max(topic.readQueueNums(), topic.writeQueueNums());
        if (queueId < 0 || queueId >= queues) {
            request.refuse(
                    ResponseCode.INVALID_PARAMETER,
                    "queueId: must be from 0 to " + (queues - 1) + " for topic '" + name + "', was " + queueId);
            return false;
        }
        return true;
    }

    private void away(Request request, Runnable work) {
        try {
            coldReads.execute(() -> {
                try {
                    work.run();
                } catch (RuntimeException e) {
                    Outcomes.refuse(request, e, "the read failed; the broker's log says why");
                    throw e;
                }
            });
        } catch (RejectedExecutionException e) {
            request.refuse(ResponseCode.SYSTEM_BUSY, "[OVERLOAD] too many reads of old messages are waiting");
        }
    }

    private static void reply(Request request, HeaderWriter header) {
        request.reply(
                Command.response(ResponseCode.SUCCESS, null).header(header).build());
    }
}
