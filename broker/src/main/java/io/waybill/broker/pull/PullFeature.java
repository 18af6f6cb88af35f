/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.delivery.DeliveryLog;
import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.Groups;
import io.waybill.broker.group.MembershipListener;
import io.waybill.broker.longpoll.RateLimits;
import io.waybill.broker.offset.OffsetListener;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.Routes;
import io.waybill.broker.request.Rules;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.stats.Stats;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import io.waybill.protocol.RequestCode;
import io.waybill.remoting.Connection;
import io.waybill.store.Store;
import java.util.concurrent.Executor;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** The feature "pull": its handler, its waiting pulls, and what wakes them, put together. */
public final class PullFeature {
    private static final Logger log = LoggerFactory.getLogger(PullFeature.class);

    private final PullMessage handler;
    private final PullLongPolling longPolling;
    private final RateLimits limits;
    private final SubscriptionConflictRouter conflictRouter;
    private final DeliveryInterceptors interceptors = new DeliveryInterceptors();
    private final UnreadQueues unread;

    public PullFeature(
            Store store,
            Topics topics,
            Groups groups,
            ClientRegistry members,
            Offsets offsets,
            DeliveryLog deliveries,
            Rules rules,
            Stats stats,
            BrokerSettings settings,
            Clock clock,
            Executor coldReads,
            Executor filters) {
        longPolling = new PullLongPolling(
                clock, settings.reads().holdMaxMillis(), settings.reads().maxHeld());
        SubscriptionConflictRouter others = new SubscriptionConflictRouter(store, topics, offsets, clock);
        conflictRouter = others;
        interceptors.add(others);
        members.addListener(new MembershipListener() {
            @Override
            public void conflict(ConsumerGroup group) {
                others.raise(group, change -> {
                    if (change.isRefused()) {
                        log.warn(
                                "The retry topic of group {} gets no queue for each member: {}",
                                group.name(),
                                change.text());
                    }
                });
            }
        });
        limits = new RateLimits(groups, clock);
        unread = new UnreadQueues(
                store,
                topics,
                groups,
                members,
                offsets,
                deliveries,
                others,
                limits,
                settings.brokerName(),
                clock,
                coldReads);
        PullChecks checks = new PullChecks(topics, groups, members);
        PullService pullService = new PullService(
                store,
                offsets,
                longPolling,
                deliveries,
                interceptors,
                limits,
                rules,
                checks,
                stats,
                coldReads,
                filters);
        longPolling.readBy(pullService);
        handler = new PullMessage(checks, rules, members, offsets, conflictRouter, pullService, settings);
        offsets.addListener(new OffsetListener() {
            @Override
            public void reset(String group, String topic, int queueId) {
                interceptors.reset(group, topic, queueId);
                longPolling.reset(group, topic, queueId);
            }
        });
    }

    public void register(Routes routes) {
        routes.on(RequestCode.PULL_MESSAGE, handler).on(RequestCode.LITE_PULL_MESSAGE, handler);
    }

    /** What pulls keep from their clients; a feature may add its reason before the first request. */
    public DeliveryInterceptors interceptors() {
        return interceptors;
    }

    /** How many messages groups may get; for whoever hands out messages another way. */
    public RateLimits limits() {
        return limits;
    }

    /** Forgets a connection. */
    public void closed(Connection connection) {
        longPolling.closed(connection);
        conflictRouter.closed(connection);
    }

    /** What brings on the messages of queues that no member reads; a duty to be started. */
    public Duty unread() {
        return unread;
    }

    /** The pulls that wait; a duty to be started. */
    public PullLongPolling longPolling() {
        return longPolling;
    }
}
