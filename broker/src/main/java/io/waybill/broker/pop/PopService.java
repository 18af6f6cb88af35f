/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.delivery.DeliveryLog;
import io.waybill.broker.filter.Metered;
import io.waybill.broker.group.ClientChannelInfo;
import io.waybill.broker.group.ClientRegistry;
import io.waybill.broker.group.ConsumerGroup;
import io.waybill.broker.group.Subscription;
import io.waybill.broker.longpoll.RateLimits;
import io.waybill.broker.request.Outcomes;
import io.waybill.broker.request.Rules;
import io.waybill.broker.stats.Stats;
import io.waybill.broker.topic.Topics;
import io.waybill.protocol.Names;
import io.waybill.protocol.ResponseCode;
import io.waybill.protocol.frame.Command;
import io.waybill.protocol.header.NotificationReply;
import io.waybill.protocol.header.PopHandle;
import io.waybill.protocol.header.PopReply;
import io.waybill.protocol.message.StoredMessage;
import io.waybill.store.QueueRange;
import io.waybill.store.ReadResult;
import io.waybill.store.Store;
import java.nio.ByteBuffer;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Objects;
import java.util.Set;
import java.util.TreeSet;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Looks for messages for pops and answers them.
 *
 * <p>What is in memory is read by the calling thread, what is not by threads of its own; nobody waits for a thread that reads. A pop of any queue
 * goes round them from a drawn one on, until it has enough. It is answered at most once, whoever comes first: its own request, a wake-up or its
 * deadline. Messages never handed out before are sent as slices of the log, without a copy.
 */
final class PopService {
    private static final Logger log = LoggerFactory.getLogger(PopService.class);
    private static final Runnable NOTHING_HELD = () -> {};
    /** Reads of one queue in one turn, so that a filter which wants little does not hold a thread. */
    private static final int MOST_LOOKS = 4;
    /** Turns of one pop that change nothing since what it gets changed under them. */
    private static final int MOST_OUTDATED = 100;

    private final Store store;
    private final PopQueues queues;
    private final PopLongPolling waiting;
    private final ClientRegistry members;
    private final Topics topics;
    private final DeliveryLog deliveries;
    private final Stats stats;
    private final RateLimits limits;
    private final Rules rules;
    private final PopChecks checks;
    private final PopClock clock;
    private final Executor coldReads;
    private final Executor filters;

    PopService(
            Store store,
            PopQueues queues,
            PopLongPolling waiting,
            ClientRegistry members,
            Topics topics,
            DeliveryLog deliveries,
            Stats stats,
            RateLimits limits,
            Rules rules,
            PopChecks checks,
            PopClock clock,
            Executor coldReads,
            Executor filters) {
        this.store = store;
        this.queues = queues;
        this.waiting = waiting;
        this.members = members;
        this.topics = topics;
        this.deliveries = deliveries;
        this.stats = stats;
        this.limits = limits;
        this.rules = rules;
        this.checks = checks;
        this.clock = clock;
        this.coldReads = coldReads;
        this.filters = filters;
    }

    /** A new pop. When there is nothing to be had it waits for {@code holdMillis}; 0 = it does not wait. */
    void start(Pop pop, long holdMillis) {
        pop.deadlineNanos(waiting.deadline(holdMillis));
        advance(pop, holdMillis > 0 ? Pop.LOOK : Pop.LOOK | Pop.EXPIRE);
    }

    /** There may be something for a waiting pop. Does not block. */
    void wake(Pop pop) {
        advance(pop, Pop.LOOK);
    }

    /** The time of a waiting pop is over. */
    void expire(Pop pop) {
        advance(pop, Pop.EXPIRE);
    }

    private void advance(Pop pop, int reasons) {
        if (pop.begin(reasons)) {
            work(pop, false);
        }
    }

    private void work(Pop pop, boolean mayBlock) {
        do {
            int reasons = pop.takeReasons();
            if (!isServed(pop)) {
                continue; // it is answered
            }
            pop.startTurn(reasons, clock);
            int wanted = pop.wish().maxCount() - pop.count();
            boolean isTaking = pop.wish().kind() == Pop.Kind.TAKE;
            pop.grant(isTaking ? (int) limits.take(pop.wish().group(), wanted) : wanted);
            boolean isAway = !mayBlock && pop.wish().filter().isHeavy() && !waiting.isClosing();
            if (isAway || !turn(pop, mayBlock)) {
                away(pop);
                return;
            }
        } while (pop.goesOn());
    }

    /** Decides anew what the pop gets if something changed meanwhile; false when it is answered: refused, or to come again. */
    private boolean isServed(Pop pop) {
        long number = rules.number();
        if (pop.decidedAt() == number || pop.count() > 0 || pop.isAnswered()) {
            return true; // what it took already is its own
        }
        PopChecks.Checked checked;
        try {
            checked = checks.again(pop);
        } catch (RuntimeException e) {
            log.error(
                    "A waiting pop of group {} could not be looked at",
                    pop.wish().group(),
                    e);
            refuse(pop, ResponseCode.SYSTEM_ERROR, "the pop was not served; the broker's log says why");
            return false;
        }
        if (checked.isRefused()) {
            refuse(pop, checked.code(), checked.text());
            return false;
        }
        if (pop.wish().filter() != checked.filter()) {
            // Its client wants something else by now, and filters what it gets by what it wanted when it asked.
            end(pop);
            pop.answer(() -> sendEmpty(pop));
            return false;
        }
        pop.decided(checked, number);
        return true;
    }

    /** Goes on in a thread that nobody else waits for; the turn stays this pop's. */
    private void away(Pop pop) {
        try {
            Executor lane = pop.wish().filter().isHeavy() ? filters : coldReads;
            lane.execute(() -> {
                if (turn(pop, true)) {
                    if (pop.goesOn()) {
                        work(pop, true);
                    }
                } else {
                    away(pop);
                }
            });
        } catch (RejectedExecutionException e) {
            refuse(pop, ResponseCode.SYSTEM_BUSY, "[OVERLOAD] too many reads of old messages are waiting");
        }
    }

    /** False when the rest is for a thread that may wait for the disk. */
    private boolean turn(Pop pop, boolean mayBlock) {
        try {
            for (int queueId = pop.nextQueue(); queueId >= 0; queueId = pop.nextQueue()) {
                if (!pop.isFull() && !pop.isOutdated() && !lookAt(pop, queueId, mayBlock)) {
                    return false;
                }
                QueueRange range = store.range(pop.wish().topic(), queueId);
                pop.queueSeen(queues.of(pop.wish().group(), pop.wish().topic(), queueId)
                        .rest(range));
            }
            finish(pop);
        } catch (RuntimeException e) {
            if (!Outcomes.isRebuilding(e)) {
                log.error(
                        "A pop of group {} for topic {} failed",
                        pop.wish().group(),
                        pop.wish().topic(),
                        e);
            }
            refuse(pop, Outcomes.code(e), Outcomes.text(e, "the pop was not served; the broker's log says why"));
        }
        return true;
    }

    // ---- one queue

    private boolean lookAt(Pop pop, int queueId, boolean mayBlock) {
        PopQueue queue = queues.of(pop.wish().group(), pop.wish().topic(), queueId);
        if (!queue.enter(pop)) {
            pop.contended();
            return true;
        }
        List<Pop.Given> found = new ArrayList<>();
        boolean done;
        try {
            done = look(pop, queue, found, mayBlock);
        } finally {
            List<Pop> next = queue.exit();
            queue.drain();
            waiting.watch(queue, pop.nowMillis());
            handOver(next);
        }
        if (!found.isEmpty()) {
            pop.found(queueId, found);
            note(pop, queueId, found);
        }
        return done || !found.isEmpty(); // a queue has one place in the answer
    }

    /** In a thread of their own: this one might go from pop to pop for ever. */
    private void handOver(List<Pop> next) {
        for (Pop pop : next) {
            try {
                coldReads.execute(() -> advance(pop, Pop.LOOK));
            } catch (RejectedExecutionException e) {
                advance(pop, Pop.LOOK);
            }
        }
    }

    private boolean look(Pop pop, PopQueue queue, List<Pop.Given> found, boolean mayBlock) {
        Pop.Wish wish = pop.wish();
        boolean shared = isShared(wish);
        for (int looks = 0; !isEnough(pop, found); looks++) {
            if (looks == MOST_LOOKS && !mayBlock || looks > 0 && wish.filter().isHeavy() && !waiting.isClosing()) {
                return false; // and others of that thread have a turn
            }
            QueueRange range = store.range(wish.topic(), queue.key.queueId());
            PopQueue.Look look = queue.look(pop, range, shared, mayBlock);
            if (look.status() == PopQueue.Look.Status.COLD) {
                return false;
            }
            boolean moved = false;
            for (PopPlan.Run run : look.runs()) {
                if (isEnough(pop, found)) {
                    return true;
                }
                if (!mayBlock && !store.isHot(wish.topic(), queue.key.queueId(), run.from())) {
                    return false;
                }
                Step step = read(pop, queue, look, run, shared, found);
                moved |= step.moved();
                if (step.stopped()) {
                    return true;
                }
                if (wish.order() && step.end() < run.to()) {
                    break; // in order nothing behind what was not read
                }
            }
            if (!moved || wish.order() && !found.isEmpty() || wish.kind() != Pop.Kind.TAKE) {
                return true;
            }
        }
        return true;
    }

    private static boolean isEnough(Pop pop, List<Pop.Given> found) {
        if (pop.wish().kind() == Pop.Kind.NOTIFY && !found.isEmpty()) {
            return true;
        }
        return found.size() >= pop.roomForCount() || bytesOf(found) >= pop.roomForBytes();
    }

    private static int bytesOf(List<Pop.Given> found) {
        int bytes = 0;
        for (Pop.Given given : found) {
            bytes += given.message().remaining();
        }
        return bytes;
    }

    /** Whether others of the group may want what this client does not: then it is not finished by passing it over. */
    private boolean isShared(Pop.Wish wish) {
        ConsumerGroup group = wish.filter().isAll() ? null : members.consumerGroup(wish.group());
        Subscription subscription = group == null ? null : group.subscription(wish.topic());
        return subscription != null
                && (group.hasConflict(wish.topic())
                        || !Objects.equals(subscription.data().subString(), wish.expression()));
    }

    private boolean isWantedByAnyone(Pop.Wish wish, ByteBuffer buffer, int at) {
        ConsumerGroup group = members.consumerGroup(wish.group());
        for (ClientChannelInfo member : group == null ? List.<ClientChannelInfo>of() : group.members()) {
            Subscription own = group.subscriptionsOf(member).get(wish.topic());
            if (own != null && own.filter().matches(buffer, at)) {
                return true;
            }
        }
        return false;
    }

    /** @param end up to where the run was looked at */
    private record Step(long end, boolean moved, boolean stopped) {}

    private Step read(
            Pop pop, PopQueue queue, PopQueue.Look look, PopPlan.Run run, boolean shared, List<Pop.Given> found) {
        Pop.Wish wish = pop.wish();
        int queueId = queue.key.queueId();
        int room = pop.roomForBytes() - bytesOf(found);
        Metered metered = Metered.of(wish.filter(), !wish.filter().isHeavy());
        Set<Long> leftAlone = new HashSet<>();
        long fromNanos = stats.nanos();
        ReadResult read = store.read(
                wish.topic(),
                queueId,
                run.from(),
                run.to(),
                pop.roomForCount() - found.size(),
                room,
                shared ? null : metered,
                shared ? (buffer, at) -> sorted(wish, buffer, at, leftAlone) : metered);
        stats.read(fromNanos);
        if (rules.number() != pop.decidedAt()) {
            pop.outdated(); // what it read it may not be allowed, or may not want any more: it takes and passes nothing
            return new Step(run.from(), false, true);
        }
        if (read.status() == ReadResult.Status.DAMAGED) {
            pop.damaged();
        }
        long end = Math.min(run.to(), Math.max(run.from(), read.nextOffset()));
        boolean isFirst = pop.count() + found.size() == 0;
        List<PopQueue.Message> messages = messages(read.slices(), isFirst ? Integer.MAX_VALUE : room);
        if (messages.size() < read.count()) {
            end = messages.isEmpty()
                    ? run.from()
                    : messages.get(messages.size() - 1).offset() + 1;
        }
        List<PopPlan.Run> others = others(run.from(), end, messages, leftAlone);
        if (!leftAlone.isEmpty()) {
            pop.scannedTo(queueId, Math.max(pop.scannedTo(queueId), end));
        }
        PopQueue.Taken taken = queue.take(pop, look, new PopQueue.Read(messages, others));
        found.addAll(taken.given());
        for (int i = 0; i < taken.letters(); i++) {
            stats.deadLetter(wish.group(), wish.topic());
        }
        if (taken.letters() > 0) {
            // Only tools need the topic's settings; the letters themselves can be stored before they are.
            topics.ensure(Names.deadLetterTopic(wish.group()), 1, change -> {});
        }
        boolean stopped = taken.stopped() && wish.order() || read.status() == ReadResult.Status.DAMAGED;
        return new Step(end, taken.moved(), stopped);
    }

    private boolean sorted(Pop.Wish wish, ByteBuffer buffer, int at, Set<Long> leftAlone) {
        if (wish.filter().matches(buffer, at)) {
            return true;
        }
        if (isWantedByAnyone(wish, buffer, at)) {
            leftAlone.add(StoredMessage.queueOffset(buffer, at));
        }
        return false;
    }

    private static List<PopQueue.Message> messages(List<ByteBuffer> slices, int mostBytes) {
        List<PopQueue.Message> messages = new ArrayList<>();
        int bytes = 0;
        for (ByteBuffer slice : slices) {
            for (int at = slice.position(); at < slice.limit(); ) {
                int size = StoredMessage.totalSize(slice, at);
                bytes += size;
                if (bytes > mostBytes) {
                    return messages;
                }
                messages.add(new PopQueue.Message(StoredMessage.queueOffset(slice, at), slice.slice(at, size)));
                at += size;
            }
        }
        return messages;
    }

    /** What lies between the messages and is wanted by nobody, or is no more. */
    private static List<PopPlan.Run> others(long from, long to, List<PopQueue.Message> messages, Set<Long> leftAlone) {
        TreeSet<Long> stops = new TreeSet<>(leftAlone);
        messages.forEach(message -> stops.add(message.offset()));
        List<PopPlan.Run> others = new ArrayList<>();
        long at = from;
        for (long stop : stops.headSet(to)) {
            if (at < stop) {
                others.add(new PopPlan.Run(at, stop));
            }
            at = stop + 1;
        }
        if (at < to) {
            others.add(new PopPlan.Run(at, to));
        }
        return others;
    }

    private void note(Pop pop, int queueId, List<Pop.Given> found) {
        if (pop.wish().kind() != Pop.Kind.TAKE) {
            return;
        }
        long from = found.get(0).offset();
        long to = from;
        for (Pop.Given given : found) {
            if (given.offset() != to) {
                delivered(pop, queueId, from, to);
                from = given.offset();
            }
            to = given.offset() + 1;
        }
        delivered(pop, queueId, from, to);
    }

    private void delivered(Pop pop, int queueId, long from, long to) {
        deliveries.delivered(
                pop.wish().group(),
                pop.wish().topic(),
                queueId,
                from,
                to,
                pop.request().connection());
    }

    // ---- answers

    private void finish(Pop pop) {
        boolean isThrottled = pop.count() == 0 && pop.roomForCount() == 0;
        if (pop.wish().kind() == Pop.Kind.TAKE) {
            limits.giveBack(pop.wish().group(), pop.unused());
        }
        if (pop.count() > 0) {
            end(pop);
            pop.answer(() -> sendFound(pop));
        } else if (pop.isOutdated() && pop.outdatedTurns() <= MOST_OUTDATED) {
            pop.note(Pop.LOOK);
        } else if (pop.isExpired() || waiting.isClosing()) {
            if (!pop.isContended()) { // else whoever is there now lets it look once more
                end(pop);
                pop.answer(() -> sendEmpty(pop));
            }
        } else if (pop.place() != null || waiting.hold(pop)) {
            if (isThrottled) {
                waiting.lookAgain(pop, limits.waitNanos(pop.wish().group()));
            } else if (pop.isFirstWait()) {
                pop.note(Pop.LOOK); // looked at again behind its quarantining, so no message slips in between
            }
        } else {
            end(pop);
            send(pop, ResponseCode.POLLING_FULL, "too many pops are waiting for messages (maxHeldPulls)");
        }
    }

    private void end(Pop pop) {
        pop.answered();
        if (pop.place() != null) {
            waiting.remove(pop);
        }
    }

    private void refuse(Pop pop, int code, String text) {
        if (!pop.isAnswered()) {
            end(pop);
            pop.request().refuse(code, text);
        }
    }

    private void sendFound(Pop pop) {
        if (pop.wish().kind() == Pop.Kind.NOTIFY) {
            send(pop, ResponseCode.SUCCESS, null);
            return;
        }
        int bytes = pop.slices().stream().mapToInt(ByteBuffer::remaining).sum();
        stats.delivered(pop.wish().group(), pop.wish().topic(), pop.count(), bytes);
        pop.request().reply(head(pop, ResponseCode.SUCCESS, "FOUND"), pop.slices(), NOTHING_HELD);
    }

    private void sendEmpty(Pop pop) {
        if (pop.isDamaged()) {
            pop.request().refuse(ResponseCode.SYSTEM_ERROR, "the next message is damaged; the broker's log says where");
            return;
        }
        switch (pop.wish().kind()) {
            case TAKE -> send(pop, ResponseCode.POLLING_TIMEOUT, "NO_MESSAGE_IN_QUEUE");
            case PEEK -> send(pop, ResponseCode.PULL_NOT_FOUND, "NO_MESSAGE_IN_QUEUE");
            case NOTIFY -> send(pop, ResponseCode.SUCCESS, null);
        }
    }

    private static void send(Pop pop, int code, String remark) {
        if (pop.wish().kind() == Pop.Kind.NOTIFY) {
            boolean isFull = code == ResponseCode.POLLING_FULL;
            pop.request()
                    .reply(Command.response(ResponseCode.SUCCESS, remark)
                            .header(new NotificationReply(pop.count() > 0, isFull))
                            .build());
        } else {
            pop.request().reply(head(pop, code, remark));
        }
    }

    private static Command head(Pop pop, int code, String remark) {
        Pop.Wish wish = pop.wish();
        return Command.response(code, remark)
                .header(new PopReply(
                        pop.popMillis(),
                        wish.invisibleMillis(),
                        wish.order() ? PopHandle.ORDERED : 0,
                        pop.rest(),
                        pop.starts(),
                        pop.offsets(),
                        pop.orderCounts()))
                .build();
    }
}
