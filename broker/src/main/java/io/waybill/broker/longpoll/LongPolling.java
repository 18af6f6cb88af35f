/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.longpoll;

import io.waybill.broker.longpoll.HeldRequest.Deadline;
import io.waybill.broker.request.Wakeup;
import io.waybill.broker.settings.BrokerSettings;
import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import io.waybill.remoting.Connection;
import io.waybill.store.record.QueueKey;
import java.util.Collection;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The requests of one kind that wait for a message: pulls, or pops.
 *
 * <p>What always holds: never more than {@code maxHeldPulls} wait, and each is counted in its connection's budget (ADR
 * 0023); none of them is answered, and none waits longer than its deadline or than its connection lives. They are woken
 * by the store itself, in the moment a message became visible, in the order of their {@link WaitOrder}; with a crowd of
 * them that is left to this duty. One for which there is nothing stays. What decides about a request may change while
 * it waits: then it looks again, and decides anew. As a duty it answers those whose time is over, and sleeps exactly
 * until the next one. Safe from any thread; nothing here waits for another thread.
 */
public final class LongPolling<R extends HeldRequest> implements Duty {
    private static final Logger log = LoggerFactory.getLogger(LongPolling.class);

    /** Up to so many are served by the thread that confirmed; more are left to this duty. */
    private static final int INLINE_WAKES = 32;

    private final String kind;
    private final WaitOrder<R> order;
    private final Wakeup wakeup;
    private final Clock clock;
    private final long maxHoldMillis;
    private final int mostHeld;
    private final Map<Long, Set<R>> connections = new ConcurrentHashMap<>();
    private final ConcurrentSkipListMap<Deadline, R> deadlines = new ConcurrentSkipListMap<>();
    /**
     * When those look again whose groups get no more for the moment; each stands here until that time, answered or not.
     */
    private final ConcurrentSkipListMap<Deadline, R> throttled = new ConcurrentSkipListMap<>();

    private final AtomicInteger held = new AtomicInteger();
    private final AtomicLong numbers = new AtomicLong();
    /** Queues for which so many wait that serving them is left to the duty. */
    private final Set<QueueKey> crowded = ConcurrentHashMap.newKeySet();

    /** Changes whose requests have to look again. */
    private final Set<RuleChange> changes = ConcurrentHashMap.newKeySet();

    private volatile boolean closing;

    /**
     * @param kind of the requests, for the name of the duty: "pull"
     * @param wakeup of this duty
     */
    public LongPolling(String kind, WaitOrder<R> order, Wakeup wakeup, BrokerSettings settings, Clock clock) {
        this.kind = kind;
        this.order = order;
        this.wakeup = wakeup;
        this.clock = clock;
        this.maxHoldMillis = settings.reads().holdMaxMillis();
        this.mostHeld = settings.reads().maxHeld();
    }

    /** The end of a hold that begins now. */
    public long deadline(long holdMillis) {
        return clock.nanoTime() + TimeUnit.MILLISECONDS.toNanos(Math.max(0, Math.min(holdMillis, maxHoldMillis)));
    }

    /** The deadline, or the end of a wait that begins now and a little more, whichever is later. */
    public long noEarlier(long deadlineNanos, long waitNanos) {
        long end = clock.nanoTime() + 2 * waitNanos + TimeUnit.MILLISECONDS.toNanos(10);
        return end - deadlineNanos > 0 ? end : deadlineNanos;
    }

    /** How many wait. */
    public int size() {
        return held.get();
    }

    /** At how many times this duty has something to do. */
    public int times() {
        return deadlines.size() + throttled.size() + order.times();
    }

    /** True once the broker closes: nothing waits any more. */
    public boolean isClosing() {
        return closing;
    }

    // ---- waiting

    /**
     * Lets a request wait; by the thread that works on it, which looks once more after that, so that no message slips
     * in between.
     *
     * @return false when too many wait already, or its connection holds too much
     */
    public boolean hold(R request) {
        if (held.incrementAndGet() > mostHeld || !request.request().hold(request.heldBytes())) {
            held.decrementAndGet();
            return false;
        }
        Connection connection = request.request().connection();
        Deadline deadline = new Deadline(request.deadlineNanos(), numbers.getAndIncrement());
        request.heldUntil(deadline);
        deadlines.put(deadline, request);
        order.add(request, deadline.number());
        connections.compute(connection.id(), (id, there) -> {
            Set<R> requests = there == null ? ConcurrentHashMap.newKeySet(4) : there;
            requests.add(request);
            return requests;
        });
        if (!connection.isOpen()) {
            forget(request); // it closed before it could be found here
        } else if (closing) {
            request.note(HeldRequest.EXPIRE);
        } else if (isFirst(deadlines, deadline)) {
            wakeup.wake();
        }
        return true;
    }

    /**
     * Has a request that waits look again after so long, since its group gets no more for now; by the thread that works
     * on it.
     */
    public void lookAgain(R request, long afterNanos) {
        if (request.isThrottled()) {
            return;
        }
        request.throttled(true);
        Deadline time = new Deadline(clock.nanoTime() + afterNanos, numbers.getAndIncrement());
        throttled.put(time, request);
        if (isFirst(throttled, time)) {
            wakeup.wake();
        }
    }

    /** Ends a request: it is answered by the caller, and waits no more. By the thread that works on it. */
    public void end(R request) {
        request.answered();
        if (request.isHeld()) {
            remove(request);
        }
    }

    /** Refuses a request that is not answered, and ends it. By the thread that works on it. */
    public void refuse(R request, int code, String text) {
        if (!request.isAnswered()) {
            end(request);
            request.request().refuse(code, text);
        }
    }

    private void forget(R request) {
        request.answered(); // so that it takes nothing more, of messages or of its group's rate, whoever wakes it
        remove(request);
    }

    /** Takes a request out; any number of times. */
    private void remove(R request) {
        Deadline deadline = request.heldUntil();
        if (deadlines.remove(deadline) != null) {
            held.decrementAndGet();
        }
        // Also when its deadline was found first: it may not have stood in the other tables yet.
        order.remove(request, deadline.number());
        connections.computeIfPresent(
                request.request().connection().id(),
                (id, there) -> there.remove(request) && there.isEmpty() ? null : there);
    }

    private boolean isFirst(ConcurrentSkipListMap<Deadline, R> times, Deadline time) {
        Map.Entry<Deadline, R> first = times.firstEntry();
        return first != null && first.getKey().equals(time);
    }

    // ---- wake-ups

    /** Something became visible in a queue. Quick; called by the thread that applied it. */
    public void wake(String topic, int queueId) {
        if (held.get() == 0) {
            return;
        }
        QueueKey left = order.serve(topic, queueId, INLINE_WAKES);
        if (left != null && crowded.add(left)) {
            wakeup.wake();
        }
    }

    private void serveCrowded() {
        for (QueueKey queue : crowded) {
            crowded.remove(queue); // before looking: what comes from now on marks it again
            order.serve(queue.topic(), queue.queueId(), Integer.MAX_VALUE);
        }
    }

    /** Something changed that decides about requests: those it concerns are decided anew. */
    public void decideAnew(RuleChange change) {
        if (held.get() > 0) {
            changes.add(change);
            wakeup.wake();
        }
    }

    private void serveChanged() {
        for (RuleChange change : changes) {
            changes.remove(change); // before looking, as above
            Collection<R> waiting = change.isOfConnection()
                    ? connections.getOrDefault(change.connectionId(), Set.of())
                    : deadlines.values();
            for (R request : waiting) {
                if (change.concerns(request)) {
                    look(request);
                }
            }
        }
    }

    /** Has one look. What fails in it concerns no other one. */
    public static void look(HeldRequest request) {
        try {
            request.advance(HeldRequest.LOOK);
        } catch (RuntimeException e) {
            log.warn(
                    "A request of group {} that waits for messages of topic {} could not be answered",
                    request.group(),
                    request.topic(),
                    e);
        }
    }

    /** Forgets the requests of a connection: nobody hears the answer. */
    public void closed(Connection connection) {
        Set<R> requests = connections.get(connection.id());
        if (requests != null) {
            requests.forEach(this::forget);
        }
    }

    /** Answers all that wait at once, and from now on every new one; for the end of the broker. */
    public void releaseAll() {
        closing = true;
        deadlines.values().forEach(request -> request.advance(HeldRequest.EXPIRE));
    }

    // ---- the duty

    @Override
    public String roleName() {
        return "broker-" + kind + "-hold";
    }

    @Override
    public long run() {
        serveCrowded();
        serveChanged();
        return Math.min(Math.min(serveThrottled(), expire()), order.run());
    }

    private long serveThrottled() {
        while (true) {
            Map.Entry<Deadline, R> first = throttled.firstEntry();
            if (first == null) {
                return WHEN_WOKEN;
            }
            long left = first.getKey().nanos() - clock.nanoTime();
            if (left > 0) {
                return left;
            }
            throttled.remove(first.getKey());
            first.getValue().throttled(false); // before it looks: it may have to wait once more
            first.getValue().advance(HeldRequest.LOOK);
        }
    }

    private long expire() {
        while (true) {
            Map.Entry<Deadline, R> first = deadlines.firstEntry();
            if (first == null) {
                return WHEN_WOKEN;
            }
            long left = first.getKey().nanos() - clock.nanoTime();
            if (left > 0) {
                return left;
            }
            R request = first.getValue();
            remove(request);
            request.advance(HeldRequest.EXPIRE);
        }
    }
}
