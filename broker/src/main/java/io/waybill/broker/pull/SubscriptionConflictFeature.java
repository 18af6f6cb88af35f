/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.longpoll.Deliveries;
import io.waybill.broker.longpoll.ReadRules;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.BackgroundDuties;
import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Lanes;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Clock;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * What is done when members of a group subscribe to different things (ADR 0015): messages reach the members that want
 * them, and queues nobody reads are read.
 */
public final class SubscriptionConflictFeature implements Feature {
    private static final Logger log = LoggerFactory.getLogger(SubscriptionConflictFeature.class);

    private final SubscriptionConflictRouter router;
    private final UnreadQueues unreadQueues;

    public SubscriptionConflictFeature(
            SubscriptionConflictStoreAccess store,
            Topics topics,
            Offsets offsets,
            ReadRules rules,
            Deliveries deliveries,
            Lanes lanes,
            String brokerName,
            Clock clock) {
        router =
                new SubscriptionConflictRouter(store.messages(), store.timers(), store.clock(), topics, offsets, clock);
        UnreadQueueScan scan =
                new UnreadQueueScan(store.queues(), store.pops(), store.clock(), offsets, rules, deliveries);
        unreadQueues = new UnreadQueues(
                store.queues(), offsets, scan, router, rules, brokerName, clock, lanes.executor(Lane.BLOCKING));
    }

    /** To be asked for every pull. */
    public DeliveryInterceptor interceptor() {
        return router;
    }

    /** The members of a group began to subscribe to different things, or there are more of them. */
    public void conflictFound(ConsumerGroup group) {
        router.raise(group, change -> {
            if (change.isRefused()) {
                log.warn("The retry topic of group {} gets no queue for each member: {}", group.name(), change.text());
            }
        });
    }

    @Override
    public void duties(BackgroundDuties duties) {
        duties.add(unreadQueues);
    }
}
