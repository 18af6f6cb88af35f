/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.longpoll.Deliveries;
import io.waybill.broker.longpoll.LongPolling;
import io.waybill.broker.longpoll.ReadLanes;
import io.waybill.broker.longpoll.ReadRules;
import io.waybill.broker.offset.OffsetListener;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.BackgroundDuties;
import io.waybill.broker.request.Feature;
import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Lanes;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.Routes;
import io.waybill.broker.request.Wakeup;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.broker.topic.Topics;
import io.waybill.platform.Platform;
import io.waybill.protocol.RequestCode;
import io.waybill.remoting.Connection;
import io.waybill.store.QueueStore;

/** The feature "pop": its requests, the queues that groups pop, and the pops that wait. */
public final class PopFeature implements Feature {
    private final Wakeup wakeup = new Wakeup();
    private final LongPolling<Pop> longPolling;
    private final PopRequests requests;
    private final AckRequests acks;

    public PopFeature(
            PopStoreAccess store,
            Topics topics,
            Offsets offsets,
            ReadRules rules,
            Deliveries deliveries,
            Lanes lanes,
            BrokerSettings settings,
            Platform platform) {
        QueueStore queues = store.queues();
        PopClock popClock = new PopClock(platform.clock());
        PopQueues popQueues = new PopQueues(store.offsets(), store.pops(), store.clock(), offsets, popClock);
        InvisibilityClock invisibilities = new InvisibilityClock(popClock, wakeup);
        HeldPops heldPops = new HeldPops(
                queues,
                popQueues,
                popClock,
                invisibilities,
                key -> rules.topic(key.topic()) != null && rules.group(key.group()) != null,
                platform.clock());
        longPolling = new LongPolling<>("pop", heldPops, wakeup, settings, platform.clock());
        ReadLanes<Pop> readLanes = new ReadLanes<>(lanes, longPolling);
        PopChecks checks = new PopChecks(rules);
        QueueScanner scanner =
                new QueueScanner(queues, popQueues, checks, topics, deliveries, invisibilities, longPolling, readLanes);
        PopService popService = new PopService(
                checks, rules.limits(), popClock, scanner, longPolling, readLanes, new PopReplies(deliveries));
        requests = new PopRequests(checks, popService, heldPops, settings, platform.random());
        acks = new AckRequests(queues, topics, popQueues, heldPops, invisibilities, deliveries, popClock);
        offsets.addListener(popQueues);
        offsets.addListener(new OffsetListener() {
            @Override
            public void reset(String group, String topic, int queueId) {
                heldPops.serve(group, topic, queueId);
            }
        });
    }

    @Override
    public void routes(Routes routes) {
        requests.routes(routes);
        acks.routes(routes);
        // Moves RocketMQ's pop records from one of its two stores to the other; here is only one.
        routes.on(RequestCode.POP_ROLLBACK, Lane.INLINE, request -> Reply.success());
    }

    @Override
    public void duties(BackgroundDuties duties) {
        duties.add(longPolling, wakeup);
    }

    @Override
    public void closed(Connection connection) {
        longPolling.closed(connection);
    }

    /** The pops that wait. */
    public LongPolling<?> longPolling() {
        return longPolling;
    }
}
