/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.delivery.DeliveryLog;
import io.waybill.broker.filter.Filter;
import io.waybill.broker.filter.Metered;
import io.waybill.broker.group.ClientChannelInfo;
import io.waybill.broker.longpoll.RateLimits;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.Rules;
import io.waybill.broker.stats.Stats;
import io.waybill.protocol.Names;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.PullReply;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.QueueRange;
import io.waybill.store.ReadResult;
import io.waybill.store.Store;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Reads for pulls and answers them.
 *
 * <p>What is in memory is read by the calling thread; what is not goes to a few threads of its own, so that a consumer of
 * old messages never holds up an event loop or the thread that confirms. Neither ever waits for a thread that is reading:
 * see {@link Pull}. Messages are sent as slices of the log, without a copy. What a pull may have is decided by the rules in
 * force when it is answered, however long it waited. A pull is answered at most once, whoever comes
 * first: its own request, a wake-up, its deadline or a reset.
 */
final class PullService {
    private static final Logger log = LoggerFactory.getLogger(PullService.class);
    private static final Runnable NOTHING_HELD = () -> {};
    private static final long MASTER = 0;
    /** Reads of one turn while the rules change under it. */
    private static final int MOST_LOOKS = 8;

    private final Store store;
    private final Offsets offsets;
    private final PullLongPolling longPolling;
    private final DeliveryLog deliveries;
    private final DeliveryInterceptors interceptors;
    private final RateLimits limits;
    private final Rules rules;
    private final PullChecks checks;
    private final Stats stats;
    private final Executor coldReads;
    private final Executor filters;

    PullService(
            Store store,
            Offsets offsets,
            PullLongPolling longPolling,
            DeliveryLog deliveries,
            DeliveryInterceptors interceptors,
            RateLimits limits,
            Rules rules,
            PullChecks checks,
            Stats stats,
            Executor coldReads,
            Executor filters) {
        this.store = store;
        this.offsets = offsets;
        this.longPolling = longPolling;
        this.deliveries = deliveries;
        this.interceptors = interceptors;
        this.limits = limits;
        this.rules = rules;
        this.checks = checks;
        this.stats = stats;
        this.coldReads = coldReads;
        this.filters = filters;
    }

    /** A new pull. When nothing is there yet it waits for {@code holdMillis}; 0 = it does not wait. */
    void start(Pull pull, long holdMillis) {
        pull.deadlineNanos(longPolling.deadline(holdMillis));
        pull.tracker(deliveries.tracker(pull.group(), pull.topic(), pull.queueId()));
        pull.tracker().pulled(pull.request().connection());
        if (pull.subscribedGroup() != null && Names.isRetry(pull.topic())) {
            longPolling.taken(
                    pull.group(), pull.topic(), pull.queueId(), pull.request().connection());
        }
        advance(pull, holdMillis > 0 ? Pull.FIRST : Pull.FIRST | Pull.EXPIRE);
    }

    /** Something became visible in the queue of a waiting pull. Does not block. */
    void wake(Pull pull) {
        advance(pull, Pull.LOOK);
    }

    /** The time of a waiting pull is over. */
    void expire(Pull pull) {
        advance(pull, Pull.EXPIRE);
    }

    /** The offset of a waiting pull's group was reset. */
    void reset(Pull pull) {
        advance(pull, Pull.RESET);
    }

    private void advance(Pull pull, int reasons) {
        if (pull.begin(reasons)) {
            work(pull);
        }
    }

    private void work(Pull pull) {
        do {
            int reasons = pull.takeReasons();
            if (pull.filter().isHeavy() && !longPolling.isClosing()) {
                away(filters, pull, reasons);
                return;
            }
            if (!store.isHot(pull.topic(), pull.queueId(), pull.scannedTo())) {
                away(coldReads, pull, reasons);
                return;
            }
            if (!turn(pull, reasons, true)) {
                return;
            }
        } while (pull.goesOn());
    }

    /** Goes on in a thread that nobody else waits for; the turn stays this pull's. */
    private void away(Executor lane, Pull pull, int reasons) {
        try {
            lane.execute(() -> {
                if (turn(pull, reasons, false)) {
                    resume(pull);
                }
            });
        } catch (RejectedExecutionException e) {
            refuse(pull, ResponseCode.SYSTEM_BUSY, "[OVERLOAD] too many reads of old messages are waiting");
        }
    }

    /** Ends a turn that was not ended by {@link #work} itself. */
    private void resume(Pull pull) {
        if (pull.goesOn()) {
            work(pull);
        }
    }

    /** False when the turn goes on elsewhere and {@link #resume} ends it. */
    private boolean turn(Pull pull, int reasons, boolean isInline) {
        try {
            if ((reasons & (Pull.FIRST | Pull.RESET)) == 0 || !answerReset(pull)) {
                return read(pull, reasons, isInline);
            }
        } catch (RuntimeException e) {
            failed(pull, e);
        }
        return true;
    }

    private void failed(Pull pull, RuntimeException e) {
        if (!Outcomes.isRebuilding(e)) {
            log.error("A pull of topic {} queue {} at {} failed", pull.topic(), pull.queueId(), pull.scannedTo(), e);
        }
        refuse(pull, Outcomes.code(e), Outcomes.text(e, "the read failed; the broker's log says why"));
    }

    private boolean answerReset(Pull pull) {
        long reset = offsets.takeReset(pull.group(), pull.topic(), pull.queueId());
        if (reset < 0
                && pull.subscribedGroup() != null
                && pull.subscribedGroup().isBroadcasting()) {
            ClientChannelInfo member =
                    pull.subscribedGroup().memberOn(pull.request().connection());
            String client = member == null ? null : member.clientId();
            reset = offsets.takeMemberReset(pull.group(), pull.topic(), pull.queueId(), client);
        }
        if (reset < 0) {
            return false;
        }
        QueueRange range = store.range(pull.topic(), pull.queueId());
        answer(pull, PullResult.reset(reset), range.minOffset(), range.maxOffset());
        return true;
    }

    private boolean read(Pull pull, int reasons, boolean isInline) {
        for (int looks = 0; looks < MOST_LOOKS; looks++) {
            long number = rules.number();
            if (pull.decidedAt() != number && !decideAgain(pull, number)) {
                return true;
            }
            DeliveryInterceptor.MessageRouter router = interceptors.router(pull);
            Filter filter = router == null ? pull.filter() : router.filter();
            if (isInline && filter.isHeavy() && !longPolling.isClosing()) {
                away(filters, pull, reasons);
                return false;
            }
            int granted = (int) limits.take(pull.group(), pull.maxCount());
            if (granted == 0) {
                throttle(pull, reasons);
                return true;
            }
            Metered metered = Metered.of(filter, isInline);
            ReadResult read = store.read(
                    pull.topic(), pull.queueId(), pull.scannedTo(), granted, pull.maxBytes(), metered, metered);
            boolean isDecided = rules.number() == number;
            limits.giveBack(pull.group(), isDecided ? granted - read.count() : granted);
            if (isDecided) {
                if (isInline
                        && metered != null
                        && metered.isSpent()
                        && read.status() == ReadResult.Status.NO_MATCH
                        && !longPolling.isClosing()) {
                    pull.scannedTo(read.nextOffset());
                    away(filters, pull, reasons);
                    return false;
                }
                if (router != null && read.status() == ReadResult.Status.FOUND) {
                    return route(pull, reasons, read, router);
                }
                conclude(pull, reasons, read);
                return true;
            }
        }
        comeAgain(pull); // something changes all the time
        return true;
    }

    /** Something changed since it was decided what the pull gets. False when the turn ends here. */
    private boolean decideAgain(Pull pull, long number) {
        PullChecks.Checked checked = checks.again(pull);
        if (checked.isRefused()) {
            refuse(pull, checked.code(), checked.text());
            return false;
        }
        if (checked.isOutdated() || pull.told() != null && pull.told() != checked.told()) {
            comeAgain(pull);
            return false;
        }
        pull.decided(checked, number);
        return true;
    }

    /**
     * Ends a pull from when its client wanted something else; nothing is passed. It cannot be served by what is wanted now: stock clients filter once more
     * what they get by what they wanted when they asked, and pass the rest.
     */
    void comeAgain(Pull pull) {
        QueueRange range = store.range(pull.topic(), pull.queueId());
        answer(pull, PullResult.noMatch(pull.offset()), range.minOffset(), range.maxOffset());
    }

    /** Gives the client its messages after those that are not for it are kept elsewhere. */
    private boolean route(Pull pull, int reasons, ReadResult read, DeliveryInterceptor.MessageRouter router) {
        List<ByteBuffer> given = new ArrayList<>();
        List<ByteBuffer> rerouted = new ArrayList<>();
        long bytes = 0;
        for (ByteBuffer slice : read.slices()) {
            for (int at = slice.position(); at < slice.limit(); ) {
                ByteBuffer message = slice.slice(at, StoredMessage.totalSize(slice, at));
                at += message.limit();
                DeliveryInterceptor.Verdict verdict = router.verdict(message, 0);
                if (verdict == DeliveryInterceptor.Verdict.DELIVER) {
                    given.add(message);
                    bytes += message.limit();
                } else if (verdict == DeliveryInterceptor.Verdict.REROUTE) {
                    rerouted.add(message);
                }
            }
        }
        ReadResult mine = given.size() == read.count()
                ? read
                : new ReadResult(
                        given.isEmpty() ? ReadResult.Status.NO_MATCH : ReadResult.Status.FOUND,
                        read.nextOffset(),
                        read.minOffset(),
                        read.maxOffset(),
                        given,
                        given.size(),
                        bytes,
                        read.cold(),
                        null);
        limits.giveBack(pull.group(), read.count() - mine.count());
        if (rerouted.isEmpty()) {
            conclude(pull, reasons, mine);
            return true;
        }
        reroute(pull, reasons, router, rerouted, mine);
        return false;
    }

    private void reroute(
            Pull pull,
            int reasons,
            DeliveryInterceptor.MessageRouter router,
            List<ByteBuffer> rerouted,
            ReadResult mine) {
        // Not by the thread that confirms, which may be the one that woke this pull: storing is a change of its own.
        try {
            coldReads.execute(() -> {
                try {
                    router.reroute(rerouted, refusal -> rerouted(pull, reasons, mine, refusal));
                } catch (RuntimeException e) {
                    failed(pull, e);
                    resume(pull);
                }
            });
        } catch (RejectedExecutionException e) {
            refuse(pull, ResponseCode.SYSTEM_BUSY, "[OVERLOAD] too many reads of old messages are waiting");
            resume(pull);
        }
    }

    private void rerouted(Pull pull, int reasons, ReadResult mine, String refusal) {
        try {
            if (refusal == null) {
                conclude(pull, reasons, mine);
            } else {
                refuse(
                        pull,
                        ResponseCode.SYSTEM_ERROR,
                        "messages that are not for this member could not be kept elsewhere: " + refusal);
            }
        } catch (RuntimeException e) {
            failed(pull, e);
        }
        resume(pull);
    }

    private void conclude(Pull pull, int reasons, ReadResult read) {
        PullResult decision = PullResult.of(pull.scannedTo(), read);
        boolean waits = (reasons & Pull.EXPIRE) == 0 && !longPolling.isClosing();
        boolean isHeld = pull.place() != null;
        if (waits && (decision.isNothingYet() || isHeld && read.status() == ReadResult.Status.NO_MATCH)) {
            stay(pull, decision.nextOffset(), isHeld);
            return;
        }
        if (decision.isNothingYet() && pull.scannedTo() > pull.offset()) {
            // What came while it waited did not match: the client goes on behind it.
            decision = PullResult.noMatch(pull.scannedTo());
        }
        if (decision.code() == ResponseCode.SUCCESS) {
            finish(pull);
            stats.delivered(pull.group(), pull.topic(), read.count(), read.bytes());
            pull.tracker()
                    .delivered(
                            pull.offset(), decision.nextOffset(), pull.request().connection(), pull.isReplay());
            pull.request().reply(head(pull, decision, read.minOffset(), read.maxOffset()), read.slices(), NOTHING_HELD);
        } else if (decision.code() == ResponseCode.SYSTEM_ERROR) {
            refuse(pull, decision.code(), decision.remark());
        } else {
            if (decision.code() == ResponseCode.PULL_RETRY_IMMEDIATELY) {
                pull.tracker()
                        .passed(
                                pull.offset(),
                                decision.nextOffset(),
                                pull.request().connection());
            }
            answer(pull, decision, read.minOffset(), read.maxOffset());
        }
    }

    /** The group has had what it may get for now: the pull waits, also one that did not ask to, or its client would come again at once. */
    private void throttle(Pull pull, int reasons) {
        boolean isHeld = pull.place() != null;
        boolean isOver = (reasons & Pull.EXPIRE) != 0 && isHeld;
        if (isOver || longPolling.isClosing()) {
            QueueRange range = store.range(pull.topic(), pull.queueId());
            PullResult none = new PullResult(ResponseCode.PULL_NOT_FOUND, pull.offset(), "RATE_LIMITED");
            answer(
                    pull,
                    pull.scannedTo() > pull.offset() ? PullResult.noMatch(pull.scannedTo()) : none,
                    range.minOffset(),
                    range.maxOffset());
            return;
        }
        long waitNanos = limits.waitNanos(pull.group());
        if (!isHeld) {
            pull.deadlineNanos(longPolling.noEarlier(pull.deadlineNanos(), waitNanos));
            if (!longPolling.hold(pull)) {
                refuse(
                        pull,
                        ResponseCode.SYSTEM_BUSY,
                        "[OVERLOAD] too many pulls are waiting for messages (maxHeldPulls)");
                return;
            }
        }
        longPolling.lookAgain(pull, waitNanos);
    }

    private void stay(Pull pull, long scannedTo, boolean isHeld) {
        boolean moved = scannedTo != pull.scannedTo();
        pull.scannedTo(scannedTo);
        if (!isHeld && !longPolling.hold(pull)) {
            refuse(pull, ResponseCode.SYSTEM_BUSY, "[OVERLOAD] too many pulls are waiting for messages (maxHeldPulls)");
            return;
        }
        // PullLongPolling first and looked at again after that, so no message slips in between.
        if ((!isHeld || moved) && hasMore(pull)) {
            pull.note(Pull.LOOK);
        }
    }

    private boolean hasMore(Pull pull) {
        QueueRange range = store.range(pull.topic(), pull.queueId());
        return range.maxOffset() > pull.scannedTo() || range.minOffset() > pull.scannedTo();
    }

    private void answer(Pull pull, PullResult decision, long minOffset, long maxOffset) {
        finish(pull);
        pull.request().reply(head(pull, decision, minOffset, maxOffset));
    }

    private void refuse(Pull pull, int code, String text) {
        if (!pull.isAnswered()) {
            finish(pull);
            pull.request().refuse(code, text);
        }
    }

    private void finish(Pull pull) {
        pull.answered();
        if (pull.place() != null) {
            longPolling.remove(pull);
        }
    }

    private static Command head(Pull pull, PullResult decision, long minOffset, long maxOffset) {
        return Command.response(decision.code(), decision.remark())
                .header(new PullReply(
                        MASTER, decision.nextOffset(), minOffset, maxOffset, pull.topicSysFlag(), pull.groupSysFlag()))
                .build();
    }
}
