/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.admin;

import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Routes;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.stats.Stats;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.header.TopicHeader;
import io.waybill.protocol.header.ViewStatsHeader;
import io.waybill.store.QueueStore;
import io.waybill.store.StoreStatus;

/** The requests of operators and their tools about the broker as a whole: its topics, its settings, what is cleaned up. */
public final class BrokerAdminFeature implements Feature {
    private final TopicStatus topicStatus;
    private final ViewStats viewStats;
    private final BrokerConfig config;
    private final Housekeeping housekeeping;

    public BrokerAdminFeature(
            QueueStore queueStore,
            StoreStatus storeStatus,
            Topics topics,
            Offsets offsets,
            Stats stats,
            BrokerSettings settings) {
        this.topicStatus = new TopicStatus(queueStore, topics, stats, settings.brokerName());
        this.viewStats = new ViewStats(stats);
        this.config = new BrokerConfig(settings);
        this.housekeeping = new Housekeeping(queueStore, storeStatus, topics, offsets);
    }

    @Override
    public void routes(Routes routes) {
        routes.on(RequestCode.GET_TOPIC_STATS_INFO, Lane.OPERATOR, TopicHeader::read, topicStatus)
                .on(RequestCode.VIEW_BROKER_STATS_DATA, Lane.INLINE, ViewStatsHeader::read, viewStats)
                .on(RequestCode.GET_BROKER_CONFIG, Lane.INLINE, config::get)
                .on(RequestCode.UPDATE_BROKER_CONFIG, Lane.INLINE, config::update)
                .on(RequestCode.QUERY_BROKER_OFFSET, Lane.INLINE, housekeeping::endOfLog)
                .on(RequestCode.TRIGGER_DELETE_FILES, Lane.INLINE, housekeeping::compatibilityNoOp)
                .on(RequestCode.CLEAN_EXPIRED_CONSUMEQUEUE, Lane.INLINE, housekeeping::compatibilityNoOp)
                .on(RequestCode.DELETE_EXPIRED_COMMITLOG, Lane.INLINE, housekeeping::compatibilityNoOp)
                .on(RequestCode.CLEAN_UNUSED_TOPIC, Lane.OPERATOR, housekeeping::unusedTopics);
    }
}
