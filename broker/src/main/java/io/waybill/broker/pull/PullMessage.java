/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.SubscriptionRefresher;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.Rules;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.protocol.Names;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.header.PullHeader;
import io.waybill.remoting.Request;
import io.waybill.remoting.RequestHandler;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * PULL_MESSAGE (11) and LITE_PULL_MESSAGE (361): checks a pull and hands it to {@link PullService}.
 *
 * <p>Runs on the event loop and does not block. A pull that is ahead of its heartbeats waits until its client was asked.
 */
final class PullMessage implements RequestHandler {
    private static final Logger log = LoggerFactory.getLogger(PullMessage.class);

    private static final int COMMIT_OFFSET = 1;
    private static final int SUSPEND = 2;

    private final PullChecks checks;
    private final Rules rules;
    private final SubscriptionRefresher fresh;
    private final Offsets offsets;
    private final SubscriptionConflictRouter conflictRouter;
    private final PullService pullService;
    private final int pullMaxCount;
    private final int pullMaxBytes;

    PullMessage(
            PullChecks checks,
            Rules rules,
            ClientRegistry members,
            Offsets offsets,
            SubscriptionConflictRouter conflictRouter,
            PullService pullService,
            BrokerSettings settings) {
        this.checks = checks;
        this.rules = rules;
        this.fresh = members.fresh();
        this.offsets = offsets;
        this.conflictRouter = conflictRouter;
        this.pullService = pullService;
        this.pullMaxCount = settings.reads().maxCount();
        this.pullMaxBytes = settings.reads().maxBytes();
    }

    @Override
    public void handle(Request request) {
        serve(request, PullHeader.read(request.command().fields()), true);
    }

    private void serve(Request request, PullHeader header, boolean mayAsk) {
        long number = rules.number(); // before it is looked at
        PullChecks.Checked checked = checks.first(header, request.connection());
        if (checked.code() == ResponseCode.SUBSCRIPTION_NOT_LATEST
                && mayAsk
                && !request.isOneway()
                && fresh.ask(header.consumerGroup(), request.connection(), () -> serveAgain(request, header))) {
            commit(request, header);
            return;
        }
        boolean isUnknown = checked.code() == ResponseCode.SUBSCRIPTION_NOT_EXIST && mayAsk && !request.isOneway();
        if (isUnknown
                && fresh.isAsked(header.consumerGroup(), request.connection(), () -> serveAgain(request, header))) {
            commit(request, header);
            return;
        }
        if (checked.isRefused()) {
            request.refuse(checked.code(), checked.text());
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
                request,
                header,
                Math.min(header.maxMsgNums(), pullMaxCount),
                header.maxMsgBytes() > 0 ? Math.min(header.maxMsgBytes(), pullMaxBytes) : pullMaxBytes);
        pull.decided(checked, number);
        if (checked.isOutdated()) {
            pullService.comeAgain(pull);
            return;
        }
        if (pull.subscribedGroup() != null && Names.isRetry(header.topic())) {
            conflictRouter.reads(pull.subscribedGroup(), header.topic(), header.queueId(), request.connection());
        }
        pull.replay((header.sysFlag() & PullHeader.FLAG_REPLAY) != 0);
        long hold = (header.sysFlag() & SUSPEND) != 0 ? header.suspendTimeoutMillis() : 0;
        pullService.start(pull, hold);
    }

    /** What a pull commits counts when it comes: one that waited for an answer of its client may have been overtaken by a later commit. */
    private void commit(Request request, PullHeader header) {
        if ((header.sysFlag() & COMMIT_OFFSET) != 0 && header.commitOffset() >= 0) {
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
        try {
            serve(request, header, false);
        } catch (RuntimeException e) {
            if (!Outcomes.isRebuilding(e)) {
                log.error("A pull of group {} failed", header.consumerGroup(), e);
            }
            Outcomes.refuse(request, e, "the pull was not served; the broker's log says why");
        }
    }
}
