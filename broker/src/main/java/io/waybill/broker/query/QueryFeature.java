/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.query;

import io.waybill.broker.group.Subscription;
import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Routes;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.header.QueryConsumeQueueHeader;
import io.waybill.protocol.header.QueryMessageHeader;
import io.waybill.protocol.header.ViewMessageHeader;
import io.waybill.store.MessageStore;
import io.waybill.store.QueueStore;
import java.util.function.BiFunction;

/** The requests that look for single messages. They may read the disk. */
public final class QueryFeature implements Feature {
    private final QueryConsumeQueue queues;
    private final QueryMessage keys;
    private final ViewMessage ids;

    /** @param subscriptions what an online group wants of a topic, or null */
    public QueryFeature(
            QueueStore queueStore, MessageStore messageStore, BiFunction<String, String, Subscription> subscriptions) {
        queues = new QueryConsumeQueue(queueStore, subscriptions);
        keys = new QueryMessage(messageStore);
        ids = new ViewMessage(messageStore);
    }

    @Override
    public void routes(Routes routes) {
        routes.on(RequestCode.QUERY_CONSUME_QUEUE, Lane.OPERATOR, QueryConsumeQueueHeader::read, queues)
                .on(RequestCode.QUERY_MESSAGE, Lane.OPERATOR, QueryMessageHeader::read, keys)
                .on(RequestCode.VIEW_MESSAGE_BY_ID, Lane.OPERATOR, ViewMessageHeader::read, ids);
    }
}
