/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.broker.filter.Filter;
import io.waybill.broker.filter.Metered;
import io.waybill.broker.group.ClientChannelInfo;
import io.waybill.broker.longpoll.HeldRequest;
import io.waybill.broker.longpoll.LongPolling;
import io.waybill.broker.longpoll.RateLimits;
import io.waybill.broker.longpoll.ReadLanes;
import io.waybill.broker.offset.Offsets;
import io.waybill.broker.pull.DeliveryInterceptor.MessageRouter;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.QueueRange;
import io.waybill.store.QueueStore;
import io.waybill.store.ReadResult;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.List;

/**
 * Reads for pulls.
 *
 * <p>What is in memory is read by the calling thread; what is not goes to {@link ReadLanes}, so that a consumer of old
 * messages never holds up an event loop or the thread that confirms. Neither ever waits for a thread that is reading:
 * see {@link HeldRequest}. Messages are sent as slices of the log, without a copy. What a pull may have is decided by
 * the rules in force when it is answered, however long it waited. A pull is answered at most once, whoever comes first:
 * its own request, a wake-up, its deadline or a reset.
 */
final class PullService {
    /** Reads of one turn while the rules change under it. */
    private static final int MOST_LOOKS = 8;

    private static final String TOO_MANY = "[OVERLOAD] too many pulls are waiting for messages (maxHeldPulls)";

    private final QueueStore queues;
    private final Offsets offsets;
    private final PullChecks checks;
    private final RateLimits limits;
    private final DeliveryInterceptors interceptors;
    private final LongPolling<Pull> held;
    private final ReadLanes<Pull> lanes;
    private final PullAnswers answers;

    PullService(
            QueueStore queues,
            Offsets offsets,
            PullChecks checks,
            RateLimits limits,
            DeliveryInterceptors interceptors,
            LongPolling<Pull> held,
            ReadLanes<Pull> lanes,
            PullAnswers answers) {
        this.queues = queues;
        this.offsets = offsets;
        this.checks = checks;
        this.limits = limits;
        this.interceptors = interceptors;
        this.held = held;
        this.lanes = lanes;
        this.answers = answers;
    }

    /** A new pull. When nothing is there yet it waits for {@code holdMillis}; 0 = it does not wait. */
    void start(Pull pull, long holdMillis) {
        pull.deadlineNanos(held.deadline(holdMillis));
        pull.advance(holdMillis > 0 ? Pull.FIRST : Pull.FIRST | Pull.EXPIRE);
    }

    /** Ends a pull from when its client requested something else. */
    void comeAgain(Pull pull) {
        answers.comeAgain(pull);
    }

    /** By the thread whose turn it is: as long as there are reasons to work on the pull. */
    void work(Pull pull) {
        do {
            int reasons = pull.takeReasons();
            if (pull.terms().filter().isHeavy() && !held.isClosing()) {
                hop(pull, reasons, true);
                return;
            }
            if (!queues.isHot(pull.topic(), pull.queueId(), pull.scannedTo())) {
                hop(pull, reasons, false);
                return;
            }
            if (!turn(pull, reasons, true)) {
                return;
            }
        } while (pull.goesOn());
    }

    /** Goes on in a thread that nobody else waits for; the turn stays this pull's. */
    private void hop(Pull pull, int reasons, boolean isHeavy) {
        lanes.goOn(pull, isHeavy, () -> {
            if (turn(pull, reasons, false)) {
                resume(pull);
            }
        });
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
            lanes.failed(pull, e);
        }
        return true;
    }

    private boolean answerReset(Pull pull) {
        long reset = offsets.takeReset(pull.group(), pull.topic(), pull.queueId());
        if (reset < 0
                && pull.subscribedGroup() != null
                && pull.subscribedGroup().isBroadcasting()) {
            ClientChannelInfo member =
                    pull.subscribedGroup().memberOn(pull.request().connection());
            String client = member == null ? null : member.clientId();
            reset = offsets.broadcastResets().take(pull.group(), pull.topic(), pull.queueId(), client);
        }
        if (reset < 0) {
            return false;
        }
        answers.answer(pull, PullResult.reset(reset));
        return true;
    }

    private boolean read(Pull pull, int reasons, boolean isInline) {
        for (int looks = 0; looks < MOST_LOOKS; looks++) {
            long number = checks.number();
            if (pull.decidedAt() != number && !decideAgain(pull, number)) {
                return true;
            }
            MessageRouter router = interceptors.router(pull);
            Filter filter = router == null ? pull.terms().filter() : router.filter();
            if (isInline && filter.isHeavy() && !held.isClosing()) {
                hop(pull, reasons, true);
                return false;
            }
            int granted = (int) limits.take(pull.group(), pull.maxCount());
            if (granted == 0) {
                throttle(pull, reasons);
                return true;
            }
            Metered metered = Metered.of(filter, isInline);
            ReadResult read = queues.readQueue(
                    pull.topic(), pull.queueId(), pull.scannedTo(), granted, pull.maxBytes(), metered, metered);
            boolean isDecided = checks.number() == number;
            limits.giveBack(pull.group(), isDecided ? granted - read.count() : granted);
            if (isDecided) {
                if (isInline
                        && metered != null
                        && metered.isSpent()
                        && read.status() == ReadResult.Status.NO_MATCH
                        && !held.isClosing()) {
                    pull.scannedTo(read.nextOffset());
                    hop(pull, reasons, true);
                    return false;
                }
                if (router != null && read.status() == ReadResult.Status.FOUND) {
                    return route(pull, reasons, read, router);
                }
                conclude(pull, reasons, read);
                return true;
            }
        }
        answers.comeAgain(pull); // something changes all the time
        return true;
    }

    /** Something changed since it was decided what the pull gets. False when the turn ends here. */
    private boolean decideAgain(Pull pull, long number) {
        PullTerms terms = checks.again(pull);
        if (terms.isRefused()) {
            held.refuse(pull, terms.refusal().code(), terms.refusal().text());
            return false;
        }
        Filter before = pull.terms().heartbeatFilter();
        if (terms.isOutdated() || before != null && before != terms.heartbeatFilter()) {
            answers.comeAgain(pull);
            return false;
        }
        pull.decided(terms, number);
        return true;
    }

    // ---- messages that are not for this client (ADR 0015, 0016)

    /** Gives the client its messages after those that are not for it are kept elsewhere. */
    private boolean route(Pull pull, int reasons, ReadResult read, MessageRouter router) {
        List<ByteBuffer> delivered = new ArrayList<>();
        List<ByteBuffer> rerouted = new ArrayList<>();
        long bytes = 0;
        for (ByteBuffer slice : read.slices()) {
            for (int at = slice.position(); at < slice.limit(); ) {
                ByteBuffer message = slice.slice(at, StoredMessage.totalSize(slice, at));
                at += message.limit();
                DeliveryInterceptor.Verdict verdict = router.verdict(message, 0);
                if (verdict == DeliveryInterceptor.Verdict.DELIVER) {
                    delivered.add(message);
                    bytes += message.limit();
                } else if (verdict == DeliveryInterceptor.Verdict.REROUTE) {
                    rerouted.add(message);
                }
            }
        }
        ReadResult mine = delivered.size() == read.count()
                ? read
                : new ReadResult(
                        delivered.isEmpty() ? ReadResult.Status.NO_MATCH : ReadResult.Status.FOUND,
                        read.nextOffset(),
                        read.minOffset(),
                        read.maxOffset(),
                        delivered,
                        delivered.size(),
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

    private void reroute(Pull pull, int reasons, MessageRouter router, List<ByteBuffer> rerouted, ReadResult mine) {
        // Not by the thread that confirms, which may be the one that woke this pull: storing is a change of its own.
        boolean goesOn = lanes.goOn(pull, false, () -> {
            try {
                router.reroute(rerouted, refusal -> rerouted(pull, reasons, mine, refusal));
            } catch (RuntimeException e) {
                lanes.failed(pull, e);
                resume(pull);
            }
        });
        if (!goesOn) {
            resume(pull);
        }
    }

    private void rerouted(Pull pull, int reasons, ReadResult mine, String refusal) {
        try {
            if (refusal == null) {
                conclude(pull, reasons, mine);
            } else {
                held.refuse(
                        pull,
                        ResponseCode.SYSTEM_ERROR,
                        "messages that are not for this member could not be kept elsewhere: " + refusal);
            }
        } catch (RuntimeException e) {
            lanes.failed(pull, e);
        }
        resume(pull);
    }

    // ---- the end of a turn

    private void conclude(Pull pull, int reasons, ReadResult read) {
        PullResult result = PullResult.of(pull.scannedTo(), read);
        boolean waits = (reasons & Pull.EXPIRE) == 0 && !held.isClosing();
        if (waits && (result.isNothingYet() || pull.isHeld() && read.status() == ReadResult.Status.NO_MATCH)) {
            stay(pull, result.nextOffset());
            return;
        }
        if (result.isNothingYet() && pull.scannedTo() > pull.offset()) {
            // What came while it waited did not match: the client goes on behind it.
            result = PullResult.noMatch(pull.scannedTo());
        }
        answers.answer(pull, result, read);
    }

    private void stay(Pull pull, long scannedTo) {
        boolean wasHeld = pull.isHeld();
        boolean moved = scannedTo != pull.scannedTo();
        pull.scannedTo(scannedTo);
        if (!wasHeld && !held.hold(pull)) {
            held.refuse(pull, ResponseCode.SYSTEM_BUSY, TOO_MANY);
            return;
        }
        // Held first and looked at again after that, so no message slips in between, and no change of the rules: who
        // notified what waits of that may not have found it yet.
        boolean rulesChanged = !wasHeld && pull.decidedAt() != checks.number();
        if (rulesChanged || (!wasHeld || moved) && hasMore(pull)) {
            pull.note(Pull.LOOK);
        }
    }

    private boolean hasMore(Pull pull) {
        QueueRange range = queues.offsetRange(pull.topic(), pull.queueId());
        return range.maxOffset() > pull.scannedTo() || range.minOffset() > pull.scannedTo();
    }

    /**
     * The group has had what it may get for now: the pull waits, also one that did not ask to, or its client would come
     * again at once.
     */
    private void throttle(Pull pull, int reasons) {
        boolean isOver = (reasons & Pull.EXPIRE) != 0 && pull.isHeld();
        if (isOver || held.isClosing()) {
            answers.answer(
                    pull,
                    pull.scannedTo() > pull.offset()
                            ? PullResult.noMatch(pull.scannedTo())
                            : PullResult.rateLimited(pull.offset()));
            return;
        }
        long waitNanos = limits.waitNanos(pull.group());
        if (!pull.isHeld()) {
            pull.deadlineNanos(held.noEarlier(pull.deadlineNanos(), waitNanos));
            if (!held.hold(pull)) {
                held.refuse(pull, ResponseCode.SYSTEM_BUSY, TOO_MANY);
                return;
            }
        }
        held.lookAgain(pull, waitNanos);
    }
}
