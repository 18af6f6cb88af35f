/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.offset;

import io.waybill.broker.request.BackgroundDuties;
import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Lanes;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.RequestRefused;
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
import io.waybill.store.QueueStore;
import io.waybill.store.view.Boundary;
import java.util.function.Predicate;

/** The requests about offsets: 14, 15 of groups, 29 to 32 of queues. */
public final class OffsetFeature implements Feature {
    private final QueueStore store;
    private final Offsets offsets;
    private final Topics topics;
    private final Predicate<String> groupExists;
    private final Lanes lanes;

    /** @param groupExists whether a consumer group has settings */
    public OffsetFeature(QueueStore store, Offsets offsets, Topics topics, Predicate<String> groupExists, Lanes lanes) {
        this.store = store;
        this.offsets = offsets;
        this.topics = topics;
        this.groupExists = groupExists;
        this.lanes = lanes;
    }

    @Override
    public void routes(Routes routes) {
        routes.on(RequestCode.QUERY_CONSUMER_OFFSET, Lane.INLINE, QueryOffsetHeader::read, this::query)
                .on(RequestCode.UPDATE_CONSUMER_OFFSET, Lane.INLINE, UpdateOffsetHeader::read, this::update)
                .on(RequestCode.GET_MAX_OFFSET, Lane.INLINE, QueueHeader::read, this::max)
                .on(RequestCode.GET_MIN_OFFSET, Lane.INLINE, QueueHeader::read, this::min)
                .on(RequestCode.SEARCH_OFFSET_BY_TIMESTAMP, Lane.BLOCKING, SearchOffsetHeader::read, this::search)
                .on(RequestCode.GET_EARLIEST_MSG_STORETIME, Lane.BLOCKING, QueueHeader::read, this::earliest);
    }

    @Override
    public void duties(BackgroundDuties duties) {
        duties.add(offsets.recording());
    }

    @Override
    public void stop() {
        offsets.close();
    }

    /**
     * 14. Without a committed offset: 0 while the queue is young (see {@link StartOffsets}), so that a new group misses
     * nothing; else, or when the client wants no zero, "not found", and it starts by its own policy.
     */
    private Reply query(Request request, QueryOffsetHeader header) {
        long offset = offsets.query(header.consumerGroup(), header.topic(), header.queueId());
        if (offset >= 0) {
            return reply(new OffsetReply(offset));
        }
        QueueRange range = store.offsetRange(header.topic(), header.queueId());
        if (!header.setZeroIfNotFound() || !StartOffsets.keepsItsFirst(range)) {
            return unknown(header);
        }
        lanes.run(
                Lane.BLOCKING,
                request,
                () -> offsets.starts().isYoung(header.topic(), header.queueId(), range)
                        ? reply(new OffsetReply(0))
                        : unknown(header));
        return Reply.LATER;
    }

    private static Reply unknown(QueryOffsetHeader header) {
        return Reply.refused(
                ResponseCode.QUERY_NOT_FOUND,
                "group '" + header.consumerGroup() + "' has no offset for queue " + header.queueId() + " of topic '"
                        + header.topic() + "'");
    }

    /** 15; normally one-way. */
    private Reply update(Request request, UpdateOffsetHeader header) {
        if (!groupExists.test(header.consumerGroup())) {
            return Reply.refused(
                    ResponseCode.SUBSCRIPTION_GROUP_NOT_EXIST, "group '" + header.consumerGroup() + "' does not exist");
        }
        // A queue beyond those of its topic counts as long as it has messages: it is from before the topic was made
        // smaller.
        boolean known = topics.find(header.topic()) != null
                && store.offsetRange(header.topic(), header.queueId()).maxOffset() > 0;
        if (!known) {
            requireQueue(header.topic(), header.queueId());
        }
        if (header.commitOffset() < 0) {
            return Reply.refused(
                    ResponseCode.INVALID_PARAMETER, "commitOffset: must not be negative, was " + header.commitOffset());
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
        return Reply.of(Command.response(code, committed.why()).build());
    }

    private Reply max(Request request, QueueHeader header) {
        requireQueue(header.topic(), header.queueId());
        return reply(new OffsetReply(
                store.offsetRange(header.topic(), header.queueId()).maxOffset()));
    }

    private Reply min(Request request, QueueHeader header) {
        requireQueue(header.topic(), header.queueId());
        return reply(new OffsetReply(
                store.offsetRange(header.topic(), header.queueId()).minOffset()));
    }

    private Reply search(Request request, SearchOffsetHeader header) {
        requireQueue(header.topic(), header.queueId());
        Boundary boundary = "UPPER".equalsIgnoreCase(header.boundaryType()) ? Boundary.UPPER : Boundary.LOWER;
        return reply(
                new OffsetReply(store.offsetByTime(header.topic(), header.queueId(), header.timestamp(), boundary)));
    }

    private Reply earliest(Request request, QueueHeader header) {
        requireQueue(header.topic(), header.queueId());
        return reply(new TimestampReply(store.earliestStoreTime(header.topic(), header.queueId())));
    }

    private void requireQueue(String name, int queueId) {
        TopicConfig topic = topics.find(name);
        if (topic == null) {
            throw new RequestRefused(ResponseCode.TOPIC_NOT_EXIST, "topic '" + name + "' does not exist");
        }
        int queues = Math.max(topic.readQueueNums(), topic.writeQueueNums());
        if (queueId < 0 || queueId >= queues) {
            throw new RequestRefused(
                    ResponseCode.INVALID_PARAMETER,
                    "queueId: must be from 0 to " + (queues - 1) + " for topic '" + name + "', was " + queueId);
        }
    }

    private static Reply reply(HeaderWriter header) {
        return Reply.of(
                Command.response(ResponseCode.SUCCESS, null).header(header).build());
    }
}
