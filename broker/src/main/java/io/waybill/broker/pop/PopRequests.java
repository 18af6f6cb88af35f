/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.request.Routes;
import io.waybill.broker.request.Rules;
import io.waybill.broker.retry.RetriesExhausted;
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
 * The requests that look for messages: POP (200050), PEEK (200052), NOTIFICATION (200054), and POLLING_INFO (200055) about those that wait. Checks a
 * request and hands it to {@link PopService}. Runs on the event loop and does not block.
 *
 * <p>A pop needs no heartbeat: a proxy pops for clients the broker does not know. How long it may wait counts from its arrival here; the time at which
 * its client says it was born is that of another clock and decides nothing.
 */
final class PopRequests {
    private static final int MOST_MESSAGES = 32;

    private static final long MOST_INVISIBLE_MILLIS = 30L * 24 * 3_600_000;
    private static final int MAX_ATTEMPT_LENGTH = 255;

    private final PopChecks checks;
    private final Rules rules;
    private final PopService popService;
    private final PopLongPolling waiting;
    private final RandomSource random;
    private final int mostBytes;

    PopRequests(
            PopChecks checks,
            Rules rules,
            PopService popService,
            PopLongPolling waiting,
            BrokerSettings settings,
            RandomSource random) {
        this.checks = checks;
        this.rules = rules;
        this.popService = popService;
        this.waiting = waiting;
        this.random = random;
        this.mostBytes = settings.reads().maxBytes();
    }

    void register(Routes routes) {
        routes.on(RequestCode.POP_MESSAGE, this::pop)
                .on(RequestCode.PEEK_MESSAGE, this::peek)
                .on(RequestCode.NOTIFICATION, this::notify)
                .on(RequestCode.POLLING_INFO, this::pollingInfo);
    }

    private void pop(Request request) {
        PopHeader header = PopHeader.read(request.command().fields());
        inRange("maxMsgNums", header.maxMsgNums(), 1, MOST_MESSAGES);
        inRange("invisibleTime", header.invisibleTime(), 1, MOST_INVISIBLE_MILLIS);
        inRange("initMode", header.initMode(), PopHeader.FROM_MIN, PopHeader.FROM_MAX);
        PopChecks.Asked asked = new PopChecks.Asked(
                header.consumerGroup(), header.topic(), header.queueId(), header.expType(), header.exp());
        long number = rules.number(); // before it is looked at
        PopChecks.Checked checked = checked(request, asked);
        if (checked == null) {
            return;
        }
        start(
                request,
                asked,
                number,
                new Pop.Wish(
                        Pop.Kind.TAKE,
                        header.consumerGroup(),
                        header.topic(),
                        header.queueId(),
                        checked.topic().readQueueNums(),
                        header.maxMsgNums(),
                        mostBytes,
                        header.invisibleTime(),
                        header.initMode() == PopHeader.FROM_MAX,
                        header.order(),
                        attempt(header.attemptId()),
                        checked.expression(),
                        checked.filter(),
                        RetriesExhausted.mostRetries(checked.group())),
                header.pollTime());
    }

    private void peek(Request request) {
        PeekHeader header = PeekHeader.read(request.command().fields());
        inRange("maxMsgNums", header.maxMsgNums(), 1, MOST_MESSAGES);
        PopChecks.Asked asked =
                new PopChecks.Asked(header.consumerGroup(), header.topic(), header.queueId(), null, null);
        look(request, Pop.Kind.PEEK, asked, header.maxMsgNums(), false, null, 0);
    }

    private void notify(Request request) {
        NotificationHeader header = NotificationHeader.read(request.command().fields());
        PopChecks.Asked asked = new PopChecks.Asked(
                header.consumerGroup(), header.topic(), header.queueId(), header.expType(), header.exp());
        look(request, Pop.Kind.NOTIFY, asked, 1, header.order(), attempt(header.attemptId()), header.pollTime());
    }

    private void look(
            Request request,
            Pop.Kind kind,
            PopChecks.Asked asked,
            int maxCount,
            boolean order,
            String attemptId,
            long holdMillis) {
        long number = rules.number(); // before it is looked at
        PopChecks.Checked checked = checked(request, asked);
        if (checked == null) {
            return;
        }
        Pop.Wish wish = new Pop.Wish(
                kind,
                asked.group(),
                asked.topic(),
                asked.queueId(),
                checked.topic().readQueueNums(),
                maxCount,
                mostBytes,
                0,
                false,
                order,
                attemptId,
                checked.expression(),
                checked.filter(),
                Integer.MAX_VALUE);
        start(request, asked, number, wish, holdMillis);
    }

    private void start(Request request, PopChecks.Asked asked, long number, Pop.Wish wish, long holdMillis) {
        Pop pop = new Pop(request, asked, wish, number, random.nextInt(wish.queueCount()));
        popService.start(pop, Math.max(0, holdMillis));
    }

    private void pollingInfo(Request request) {
        PeekHeader header = PeekHeader.read(request.command().fields());
        PopChecks.Asked asked =
                new PopChecks.Asked(header.consumerGroup(), header.topic(), header.queueId(), null, null);
        if (checked(request, asked) != null) {
            int count = waiting.waitingFor(header.consumerGroup(), header.topic(), header.queueId());
            request.reply(Command.response(ResponseCode.SUCCESS, null)
                    .field("pollingNum", Integer.toString(count))
                    .build());
        }
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

    /** Null when the request was refused. */
    private PopChecks.Checked checked(Request request, PopChecks.Asked asked) {
        PopChecks.Checked checked = checks.first(asked, request.connection());
        if (checked.isRefused()) {
            request.refuse(checked.code(), checked.text());
            return null;
        }
        return checked;
    }
}
