/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.query;

import io.waybill.broker.group.Subscription;
import io.waybill.broker.request.Routes;
import io.waybill.protocol.RequestCode;
import io.waybill.store.Store;
import java.util.concurrent.Executor;
import java.util.function.BiFunction;

/** The requests that look for single messages. They may read the disk, so they run on the executor given. */
public final class QueryFeature {
    private final Store store;
    private final BiFunction<String, String, Subscription> subscriptions;
    private final Executor blocking;

    /** @param subscriptions what an online group wants of a topic, or null */
    public QueryFeature(Store store, BiFunction<String, String, Subscription> subscriptions, Executor blocking) {
        this.subscriptions = subscriptions;
        this.store = store;
        this.blocking = blocking;
    }

    public void register(Routes routes) {
        routes.on(RequestCode.QUERY_CONSUME_QUEUE, new QueryConsumeQueue(store, subscriptions, blocking));
        routes.on(RequestCode.QUERY_MESSAGE, new QueryMessage(store, blocking));
        routes.on(RequestCode.VIEW_MESSAGE_BY_ID, new ViewMessage(store, blocking));
    }
}
