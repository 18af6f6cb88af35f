/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.longpoll.HeldRequest;
import io.waybill.broker.longpoll.LongPolling;
import io.waybill.broker.longpoll.RateLimits;
import io.waybill.broker.longpoll.ReadLanes;

/**
 * Looks for messages for pops, and answers them.
 *
 * <p>What is in memory is read by the calling thread, what is not goes to {@link ReadLanes}; nobody waits for a thread
 * that reads. A pop of any queue goes round them from a random one on, until it has enough. It is answered at most
 * once, whoever comes first: its own request, a wake-up or its deadline; see {@link HeldRequest}. First deliveries are
 * sent as slices of the log, without a copy.
 */
final class PopService {
    /** Rounds of one pop that change nothing since the rules changed under them. */
    private static final int MOST_OUTDATED = 100;

    private final PopChecks checks;
    private final RateLimits limits;
    private final PopClock clock;
    private final QueueScanner scanner;
    private final LongPolling<Pop> held;
    private final ReadLanes<Pop> lanes;
    private final PopReplies replies;

    PopService(
            PopChecks checks,
            RateLimits limits,
            PopClock clock,
            QueueScanner scanner,
            LongPolling<Pop> held,
            ReadLanes<Pop> lanes,
            PopReplies replies) {
        this.checks = checks;
        this.limits = limits;
        this.clock = clock;
        this.scanner = scanner;
        this.held = held;
        this.lanes = lanes;
        this.replies = replies;
    }

    /** A new pop. When there is nothing to be had it waits for {@code holdMillis}; 0 = it does not wait. */
    void start(Pop pop, long holdMillis) {
        scanner.prepare(pop);
        pop.deadlineNanos(held.deadline(holdMillis));
        pop.advance(holdMillis > 0 ? Pop.LOOK : Pop.LOOK | Pop.EXPIRE);
    }

    /** By the thread whose turn it is: as long as there are reasons to work on the pop. */
    void work(Pop pop, boolean mayBlock) {
        do {
            int reasons = pop.takeReasons();
            if (!isServed(pop)) {
                continue; // it is answered
            }
            pop.startTurn(reasons, clock);
            int wanted = pop.parameters().maxCount() - pop.count();
            pop.grant(pop.parameters().isLease() ? (int) limits.take(pop.group(), wanted) : wanted);
            boolean mustHop = !mayBlock && pop.terms().filter().isHeavy() && !held.isClosing();
            if (mustHop || !turn(pop, mayBlock)) {
                hop(pop);
                return;
            }
        } while (pop.goesOn());
    }

    /**
     * Decides the terms anew if something changed meanwhile; false when the pop is answered: refused, or to come again.
     */
    private boolean isServed(Pop pop) {
        long number = checks.number();
        if (pop.decidedAt() == number || pop.count() > 0 || pop.isAnswered()) {
            return true; // what it leased already is its own
        }
        PopTerms terms;
        try {
            terms = checks.again(pop);
        } catch (RuntimeException e) {
            lanes.failed(pop, e);
            return false;
        }
        if (terms.isRefused()) {
            held.refuse(pop, terms.refusal().code(), terms.refusal().text());
            return false;
        }
        if (pop.terms().filter() != terms.filter()) {
            // Its client requests something else by now, and filters what it gets by what it requested when it asked.
            held.end(pop);
            pop.answer(() -> replies.empty(pop));
            return false;
        }
        pop.decided(terms, number);
        return true;
    }

    /** Goes on in a thread that nobody else waits for; the turn stays this pop's. */
    private void hop(Pop pop) {
        lanes.goOn(pop, pop.terms().filter().isHeavy(), () -> {
            if (turn(pop, true)) {
                if (pop.goesOn()) {
                    work(pop, true);
                }
            } else {
                hop(pop);
            }
        });
    }

    /** False when the rest is for a thread that may wait for the disk. */
    private boolean turn(Pop pop, boolean mayBlock) {
        try {
            for (int queueId = pop.nextQueue(); queueId >= 0; queueId = pop.nextQueue()) {
                if (!pop.isFull() && !pop.isOutdated() && !scanner.scan(pop, queueId, mayBlock)) {
                    return false;
                }
                pop.queueSeen(scanner.rest(pop, queueId));
            }
            finish(pop);
        } catch (RuntimeException e) {
            lanes.failed(pop, e);
        }
        return true;
    }

    private void finish(Pop pop) {
        boolean isThrottled = pop.count() == 0 && pop.roomForCount() == 0;
        if (pop.parameters().isLease()) {
            limits.giveBack(pop.group(), pop.unused());
        }
        if (pop.count() > 0) {
            held.end(pop);
            pop.answer(() -> replies.found(pop));
        } else if (pop.isOutdated() && pop.outdatedTurns() <= MOST_OUTDATED) {
            pop.note(Pop.LOOK);
        } else if (pop.isExpired() || held.isClosing()) {
            if (!pop.isContended()) { // else whoever is there now lets it look once more
                held.end(pop);
                pop.answer(() -> replies.empty(pop));
            }
        } else if (pop.isHeld() || held.hold(pop)) {
            if (isThrottled) {
                held.lookAgain(pop, limits.waitNanos(pop.group()));
            } else if (pop.isFirstWait()) {
                pop.note(Pop.LOOK); // looked at again when it is held, so that no message slips in between
            }
        } else {
            held.end(pop);
            replies.tooManyHeld(pop);
        }
    }
}
