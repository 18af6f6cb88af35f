/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.query;

import io.waybill.broker.group.Subscription;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.RouteHandler;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.header.QueryConsumeQueueHeader;
import io.waybill.protocol.json.JsonWriter;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.remoting.Request;
import io.waybill.store.QueueRange;
import io.waybill.store.QueueStore;
import io.waybill.store.ReadResult;
import java.nio.ByteBuffer;
import java.util.function.BiFunction;

/**
 * QUERY_CONSUME_QUEUE (321): where the messages of a queue stand in the log, from an offset on, and with an online group whether its filter lets
 * each through.
 */
final class QueryConsumeQueue implements RouteHandler<QueryConsumeQueueHeader> {
    private static final int MOST_ENTRIES = 1_000;
    private static final int MOST_BYTES = 64 << 20;

    private final QueueStore store;
    private final BiFunction<String, String, Subscription> subscriptions;

    QueryConsumeQueue(QueueStore store, BiFunction<String, String, Subscription> subscriptions) {
        this.store = store;
        this.subscriptions = subscriptions;
    }

    @Override
    public Reply handle(Request request, QueryConsumeQueueHeader header) {
        if (header.count() < 1) {
            throw new BadField("count", "at least 1", header.count() + "");
        }
        return Reply.success(entries(header));
    }

    private byte[] entries(QueryConsumeQueueHeader header) {
        QueueRange range = store.offsetRange(header.topic(), header.queueId());
        Subscription subscription =
                header.consumerGroup() == null ? null : subscriptions.apply(header.consumerGroup(), header.topic());
        JsonWriter json = new JsonWriter()
                .beginObject()
                .field("maxQueueIndex", range.maxOffset())
                .field("minQueueIndex", range.minOffset())
                .name("queueData")
                .beginArray();
        ReadResult read = store.readQueue(
                header.topic(),
                header.queueId(),
                Math.max(header.index(), range.minOffset()),
                Math.min(header.count(), MOST_ENTRIES),
                MOST_BYTES,
                null,
                null);
        for (ByteBuffer slice : read.slices()) {
            int size;
            for (int at = slice.position(); at < slice.limit(); at += size) {
                size = StoredMessage.totalSize(slice, at);
                long tagsCode = StoredMessage.tagsCode(slice, at);
                boolean passes = subscription != null
                        && (subscription.filter().isAll()
                                || subscription.filter().mayMatch(tagsCode)
                                        && subscription.filter().matches(slice, at));
                json.beginObject()
                        .field("eval", passes)
                        .field("physicOffset", StoredMessage.position(slice, at))
                        .field("physicSize", size)
                        .field("tagsCode", tagsCode)
                        .endObject();
            }
        }
        json.endArray();
        if (subscription != null) {
            subscription.data().write(json.name("subscriptionData"));
        }
        return json.endObject().toByteArray();
    }
}
