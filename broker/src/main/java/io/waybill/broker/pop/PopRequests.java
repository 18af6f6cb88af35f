/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.request.Lane;
import io.waybill.broker.request.Reply;
import io.waybill.broker.request.Routes;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.platform.RandomSource;
import io.waybill.protocol.RequestCode;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.BadField;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.NotificationHeader;
import io.waybill.protocol.header.PeekHeader;
import io.waybill.protocol.header.PopHeader;
import io.waybill.remoting.Request;

/**
 * The requests that look for messages: POP (200050), PEEK (200052), NOTIFICATION (200054), and POLLING_INFO (200055)
 * about those that wait. Checks a request and hands it to {@link PopService}. Runs on the event loop and does not
 * block.
 *
 * <p>A pop needs no heartbeat: a proxy pops for clients the broker does not know. How long it may wait counts from its
 * arrival here; the time at which its client says it was made is that of another clock and decides nothing.
 */
final class PopRequests {
    private static final int MOST_MESSAGES = 32;

    private static final long MOST_INVISIBLE_MILLIS = 30L * 24 * 3_600_000;
    private static final int MAX_ATTEMPT_LENGTH = 255;

    private final PopChecks checks;
    private final PopService popService;
    private final HeldPops heldPops;
    private final RandomSource random;
    private final int mostBytes;

    PopRequests(
            PopChecks checks, PopService popService, HeldPops heldPops, BrokerSettings settings, RandomSource random) {
        this.checks = checks;
        this.popService = popService;
        this.heldPops = heldPops;
        this.random = random;
        this.mostBytes = settings.reads().maxBytes();
    }

    void routes(Routes routes) {
        routes.on(RequestCode.POP_MESSAGE, Lane.INLINE, PopHeader::read, this::pop)
                .on(RequestCode.PEEK_MESSAGE, Lane.INLINE, PeekHeader::read, this::peek)
                .on(RequestCode.NOTIFICATION, Lane.INLINE, NotificationHeader::read, this::notify)
                .on(RequestCode.POLLING_INFO, Lane.INLINE, PeekHeader::read, this::pollingInfo);
    }

    private Reply pop(Request request, PopHeader header) {
        inRange("maxMsgNums", header.maxMsgNums(), 1, MOST_MESSAGES);
        inRange("invisibleTime", header.invisibleTime(), 1, MOST_INVISIBLE_MILLIS);
        inRange("initMode", header.initMode(), PopHeader.FROM_MIN, PopHeader.FROM_MAX);
        PopParameters parameters = new PopParameters(
                PopMode.LEASE,
                header.consumerGroup(),
                header.topic(),
                header.queueId(),
                header.maxMsgNums(),
                mostBytes,
                header.invisibleTime(),
                header.initMode() == PopHeader.FROM_MAX,
                header.order(),
                attempt(header.attemptId()),
                header.expType(),
                header.exp());
        return start(request, parameters, header.pollTime());
    }

    private Reply peek(Request request, PeekHeader header) {
        inRange("maxMsgNums", header.maxMsgNums(), 1, MOST_MESSAGES);
        return start(request, ofPeek(header), 0);
    }

    private PopParameters ofPeek(PeekHeader header) {
        return new PopParameters(
                PopMode.PEEK,
                header.consumerGroup(),
                header.topic(),
                header.queueId(),
                header.maxMsgNums(),
                mostBytes,
                0,
                false,
                false,
                null,
                null,
                null);
    }

    private Reply notify(Request request, NotificationHeader header) {
        PopParameters parameters = new PopParameters(
                PopMode.NOTIFY,
                header.consumerGroup(),
                header.topic(),
                header.queueId(),
                1,
                mostBytes,
                0,
                false,
                header.order(),
                attempt(header.attemptId()),
                header.expType(),
                header.exp());
        return start(request, parameters, header.pollTime());
    }

    private Reply start(Request request, PopParameters parameters, long holdMillis) {
        long number = checks.number(); // before it is looked at
        PopTerms terms = checks.first(parameters, request.connection());
        if (terms.isRefused()) {
            return Reply.refused(terms.refusal().code(), terms.refusal().text());
        }
        Pop pop = new Pop(popService, request, parameters, terms, number, random.nextInt(terms.queueCount()));
        popService.start(pop, Math.max(0, holdMillis));
        return Reply.LATER;
    }

    private Reply pollingInfo(Request request, PeekHeader header) {
        PopTerms terms = checks.first(ofPeek(header), request.connection());
        if (terms.isRefused()) {
            return Reply.refused(terms.refusal().code(), terms.refusal().text());
        }
        int count = heldPops.waitingFor(header.consumerGroup(), header.topic(), header.queueId());
        return Reply.of(Command.response(ResponseCode.SUCCESS, null)
                .field("pollingNum", Integer.toString(count))
                .build());
    }

    // ---- checks

    private static void inRange(String field, long value, long from, long to) {
        if (value < from || value > to) {
            throw new BadField(field, "from " + from + " to " + to, Long.toString(value));
        }
    }

    private static String attempt(String id) {
        if (id != null && id.length() > MAX_ATTEMPT_LENGTH) {
            throw new BadField(
                    "attemptId", "at most " + MAX_ATTEMPT_LENGTH + " characters", id.length() + " characters");
        }
        return id == null || id.isEmpty() ? null : id;
    }
}
