/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

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
import io.waybill.broker.request.Routes;
import io.waybill.broker.request.Wakeup;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.platform.Clock;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.header.PullHeader;
import io.waybill.remoting.Connection;
import io.waybill.store.QueueStore;

/** The feature "pull": its requests, and the pulls that wait. */
public final class PullFeature implements Feature {
    private final DeliveryInterceptors interceptors;
    private final Wakeup wakeup = new Wakeup();
    private final LongPolling<Pull> longPolling;
    private final PullMessage handler;

    public PullFeature(
            QueueStore queues,
            Offsets offsets,
            ReadRules rules,
            DeliveryInterceptors interceptors,
            Deliveries deliveries,
            Lanes lanes,
            BrokerSettings settings,
            Clock clock) {
        this.interceptors = interceptors;
        HeldPulls heldPulls = new HeldPulls(clock);
        longPolling = new LongPolling<>("pull", heldPulls, wakeup, settings, clock);
        PullChecks checks = new PullChecks(rules);
        PullService pullService = new PullService(
                queues,
                offsets,
                checks,
                rules.limits(),
                interceptors,
                longPolling,
                new ReadLanes<>(lanes, longPolling),
                new PullAnswers(queues, longPolling, deliveries));
        handler = new PullMessage(checks, offsets, deliveries, heldPulls, interceptors, pullService, lanes, settings);
        offsets.addListener(new OffsetListener() {
            @Override
            public void reset(String group, String topic, int queueId) {
                interceptors.reset(group, topic, queueId);
                heldPulls.reset(group, topic, queueId);
            }
        });
    }

    @Override
    public void routes(Routes routes) {
        routes.on(RequestCode.PULL_MESSAGE, Lane.INLINE, PullHeader::read, handler)
                .on(RequestCode.LITE_PULL_MESSAGE, Lane.INLINE, PullHeader::read, handler);
    }

    @Override
    public void duties(BackgroundDuties duties) {
        duties.add(longPolling, wakeup);
    }

    @Override
    public void closed(Connection connection) {
        longPolling.closed(connection);
        interceptors.closed(connection);
    }

    /** The pulls that wait. */
    public LongPolling<?> longPolling() {
        return longPolling;
    }
}
