/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.longpoll.Deliveries;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.Lanes;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.RouteHandler;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.protocol.Names;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.header.PullHeader;
import io.waybill.remoting.Connection;
import io.waybill.remoting.Request;

/**
 * PULL_MESSAGE (11) and LITE_PULL_MESSAGE (361): checks a pull and hands it to {@link PullService}.
 *
 * <p>Runs on the event loop and does not block. A pull that is ahead of its heartbeats waits until its client was
 * asked.
 */
final class PullMessage implements RouteHandler<PullHeader> {
    private final PullChecks checks;
    private final Offsets offsets;
    private final Deliveries deliveries;
    private final HeldPulls heldPulls;
    private final DeliveryInterceptors interceptors;
    private final PullService pullService;
    private final Lanes lanes;
    private final int pullMaxCount;
    private final int pullMaxBytes;

    PullMessage(
            PullChecks checks,
            Offsets offsets,
            Deliveries deliveries,
            HeldPulls heldPulls,
            DeliveryInterceptors interceptors,
            PullService pullService,
            Lanes lanes,
            BrokerSettings settings) {
        this.checks = checks;
        this.offsets = offsets;
        this.deliveries = deliveries;
        this.heldPulls = heldPulls;
        this.interceptors = interceptors;
        this.pullService = pullService;
        this.lanes = lanes;
        this.pullMaxCount = settings.reads().maxCount();
        this.pullMaxBytes = settings.reads().maxBytes();
    }

    @Override
    public Reply handle(Request request, PullHeader header) {
        serve(request, header, true);
        return Reply.LATER;
    }

    private void serve(Request request, PullHeader header, boolean mayAsk) {
        long number = checks.number(); // before it is looked at
        PullTerms terms = checks.first(header, request.connection());
        if (mayAsk && !request.isOneway() && awaitsHeartbeat(request, header, terms)) {
            commit(request, header);
            return;
        }
        if (terms.isRefused()) {
            request.refuse(terms.refusal().code(), terms.refusal().text());
            return;
        }
        if (mayAsk) {
            commit(request, header);
        }
        if (request.isOneway()) {
            request.refuse(ResponseCode.SUCCESS, null); // nobody waits for messages, so nothing is read or held for it
            return;
        }
        Pull pull = new Pull(
                pullService,
                request,
                header,
                Math.min(header.maxMsgNums(), pullMaxCount),
                header.maxMsgBytes() > 0 ? Math.min(header.maxMsgBytes(), pullMaxBytes) : pullMaxBytes);
        pull.decided(terms, number);
        if (terms.isOutdated()) {
            pullService.comeAgain(pull);
        } else {
            start(pull);
        }
    }

    /** Whether it is ahead of its heartbeats, and goes on when its client has answered. */
    private boolean awaitsHeartbeat(Request request, PullHeader header, PullTerms terms) {
        if (terms.isRefused(ResponseCode.SUBSCRIPTION_NOT_LATEST)) {
            return checks.refresher()
                    .ask(header.consumerGroup(), request.connection(), () -> serveAgain(request, header));
        }
        return terms.isRefused(ResponseCode.SUBSCRIPTION_NOT_EXIST)
                && checks.refresher()
                        .isAsked(header.consumerGroup(), request.connection(), () -> serveAgain(request, header));
    }

    private void start(Pull pull) {
        PullHeader header = pull.header();
        Connection connection = pull.request().connection();
        boolean isRetry = pull.subscribedGroup() != null && Names.isRetry(header.topic());
        if (isRetry) {
            interceptors.retryPulled(pull.subscribedGroup(), header.topic(), header.queueId(), connection);
        }
        pull.tracker(deliveries.tracker(header.consumerGroup(), header.topic(), header.queueId()));
        pull.tracker().pulled(connection);
        if (isRetry) {
            heldPulls.takenOver(header.consumerGroup(), header.topic(), header.queueId(), connection);
        }
        pullService.start(pull, header.maySuspend() ? header.suspendTimeoutMillis() : 0);
    }

    /**
     * What a pull commits counts when it comes: one that waited for an answer of its client may have been overtaken by
     * a later commit.
     */
    private void commit(Request request, PullHeader header) {
        if (header.commitsOffset() && header.commitOffset() >= 0) {
            offsets.commit(
                    header.consumerGroup(),
                    header.topic(),
                    header.queueId(),
                    header.commitOffset(),
                    request.connection(),
                    false);
        }
    }

    private void serveAgain(Request request, PullHeader header) {
        lanes.run(request, () -> {
            serve(request, header, false);
            return Reply.LATER;
        });
    }
}
