/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import io.waybill.platform.DutyHandle;
import io.waybill.remoting.Connection;
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
 * PullFeature that wait for a message, by queue, by deadline and by connection.
 *
 * <p>What always holds: never more than {@code mostHeld} wait; none of them is answered, and none waits longer than its
 * deadline or than its connection lives. A pull is woken by the store itself, in the moment a message became visible; if
 * the message is not wanted it stays. As a duty it answers the pulls whose time is over, and sleeps exactly until the next
 * one. Safe from any thread; nothing here waits for another thread.
 */
public final class PullLongPolling implements Duty {
    private static final Logger log = LoggerFactory.getLogger(PullLongPolling.class);

    /** Up to so many pulls of a queue are answered by the thread that confirmed; more are left to this duty. */
    private static final int INLINE_WAKES = 32;

    /** One that waits for less is not ended for another member's pull. */
    private static final long YOUNG_NANOS = TimeUnit.SECONDS.toNanos(2);

    /** What a pull that waits and its places in the tables take. */
    private static final int HELD_BYTES = 250;

    private record Queue(String topic, int queueId) {}

    /** Where a pull waits: its deadline, unique by number. */
    record Place(long nanos, long number) implements Comparable<Place> {
        @Override
        public int compareTo(Place other) {
            // By difference: the monotonic clock may wrap.
            int byTime = Long.signum(nanos - other.nanos);
            return byTime != 0 ? byTime : Long.compare(number, other.number);
        }
    }

    private final Clock clock;
    private final long maxHoldMillis;
    private final int mostHeld;
    private final Map<Queue, Set<Pull>> queues = new ConcurrentHashMap<>();
    private final Map<Long, Set<Pull>> connections = new ConcurrentHashMap<>();
    private final ConcurrentSkipListMap<Place, Pull> deadlines = new ConcurrentSkipListMap<>();
    /** When to look again for pulls that wait for the rate of their group; each stands here until that time, answered or not. */
    private final ConcurrentSkipListMap<Place, Pull> looks = new ConcurrentSkipListMap<>();

    private final AtomicInteger held = new AtomicInteger();
    private final AtomicLong numbers = new AtomicLong();
    /** Queues with so many waiting pulls that waking them is left to the duty. */
    private final Set<Queue> crowded = ConcurrentHashMap.newKeySet();

    /** What changed for the pulls of a group, of a topic or of a group on one connection; the others are null, or -1. */
    private record Change(String group, String topic, long connectionId) {}

    /** Changes whose pulls have to be looked at. */
    private final Set<Change> changes = ConcurrentHashMap.newKeySet();

    private volatile PullService pullService;
    private volatile DutyHandle self;
    private volatile boolean closing;

    PullLongPolling(Clock clock, long maxHoldMillis, int mostHeld) {
        this.clock = clock;
        this.maxHoldMillis = maxHoldMillis;
        this.mostHeld = mostHeld;
    }

    /** Sets who reads for the pulls; once, before the first request. */
    void readBy(PullService reader) {
        this.pullService = reader;
    }

    /** Sets the hold on this duty; once, before the first request. */
    public void startedAs(DutyHandle handle) {
        this.self = handle;
    }

    /** The end of a hold that begins now. */
    long deadline(long holdMillis) {
        return clock.nanoTime() + TimeUnit.MILLISECONDS.toNanos(Math.max(0, Math.min(holdMillis, maxHoldMillis)));
    }

    /** The deadline, or the end of a wait that begins now and a little more, whichever is later. */
    long noEarlier(long deadlineNanos, long waitNanos) {
        long end = clock.nanoTime() + 2 * waitNanos + TimeUnit.MILLISECONDS.toNanos(10);
        return end - deadlineNanos > 0 ? end : deadlineNanos;
    }

    /** How many pulls wait. */
    public int size() {
        return held.get();
    }

    /** True once the broker closes: nothing waits any more. */
    boolean isClosing() {
        return closing;
    }

    /**
     * Lets a pull wait; by the thread that works on it, which looks at its queue once more after that.
     *
     * @return false when too many wait already
     */
    boolean hold(Pull pull) {
        if (held.incrementAndGet() > mostHeld || !pull.request().hold(HELD_BYTES + pull.filterBytes())) {
            held.decrementAndGet();
            return false;
        }
        Connection connection = pull.request().connection();
        Place place = new Place(pull.deadlineNanos(), numbers.getAndIncrement());
        pull.place(place);
        pull.heldNanos(clock.nanoTime());
        deadlines.put(place, pull);
        add(queues, queueOf(pull), pull);
        add(connections, connection.id(), pull);
        if (!connection.isOpen()) {
            forget(pull); // it closed before it could be found here
        } else if (closing) {
            pull.note(Pull.EXPIRE);
        } else if (isFirst(place)) {
            wakeDuty();
        }
        return true;
    }

    /** Has a waiting pull look again after so long; by the thread that works on it. */
    void lookAgain(Pull pull, long afterNanos) {
        long now = clock.nanoTime();
        if (pull.isThrottledUntil(now)) {
            return;
        }
        Place place = new Place(now + afterNanos, numbers.getAndIncrement());
        pull.throttledUntil(place.nanos());
        looks.put(place, pull);
        Map.Entry<Place, Pull> first = looks.firstEntry();
        if (first != null && first.getKey().equals(place)) {
            wakeDuty();
        }
    }

    /** Takes a pull out; any number of times. */
    void remove(Pull pull) {
        if (deadlines.remove(pull.place()) != null) {
            held.decrementAndGet();
        }
        // Also when its deadline was found first: it may not have stood in the other tables yet.
        remove(queues, queueOf(pull), pull);
        remove(connections, pull.request().connection().id(), pull);
    }

    private void forget(Pull pull) {
        pull.answered(); // so that it uses nothing of its group's rate any more, whoever wakes it
        remove(pull);
    }

    private static Queue queueOf(Pull pull) {
        return new Queue(pull.topic(), pull.queueId());
    }

    private static <K> void add(Map<K, Set<Pull>> table, K key, Pull pull) {
        table.compute(key, (same, there) -> {
            Set<Pull> pulls = there == null ? ConcurrentHashMap.newKeySet(4) : there;
            pulls.add(pull);
            return pulls;
        });
    }

    private static <K> void remove(Map<K, Set<Pull>> table, K key, Pull pull) {
        table.computeIfPresent(key, (same, there) -> there.remove(pull) && there.isEmpty() ? null : there);
    }

    private boolean isFirst(Place place) {
        Map.Entry<Place, Pull> first = deadlines.firstEntry();
        return first != null && first.getKey().equals(place);
    }

    private void wakeDuty() {
        DutyHandle handle = self;
        if (handle != null) {
            handle.wake();
        }
    }

    /** Something became visible in a queue. Quick; called by the thread that confirmed. */
    public void wake(String topic, int queueId) {
        if (held.get() == 0) {
            return;
        }
        Queue queue = new Queue(topic, queueId);
        Set<Pull> waiting = queues.get(queue);
        if (waiting == null) {
            return;
        }
        if (waiting.size() <= INLINE_WAKES || self == null) {
            wakeAll(waiting);
        } else if (crowded.add(queue)) {
            wakeDuty();
        }
    }

    private void wakeAll(Set<Pull> pulls) {
        for (Pull pull : pulls) {
            try {
                pullService.wake(pull);
            } catch (RuntimeException e) {
                log.warn("A waiting pull of topic {} could not be answered", pull.topic(), e);
            }
        }
    }

    private void wakeCrowded() {
        for (Queue queue : crowded) {
            crowded.remove(queue); // before looking: what comes from now on marks it again
            Set<Pull> waiting = queues.get(queue);
            if (waiting != null) {
                wakeAll(waiting);
            }
        }
    }

    /** What a member wants changed: its waiting pulls are decided anew. */
    public void wishChanged(String group, Connection connection) {
        changed(new Change(group, null, connection.id()));
    }

    /** The settings of a group changed. */
    public void groupChanged(String group) {
        changed(new Change(group, null, -1));
    }

    /** The settings of a topic changed, or it is no more. */
    public void topicChanged(String topic) {
        changed(new Change(null, topic, -1));
    }

    private void changed(Change change) {
        if (held.get() > 0) {
            changes.add(change);
            if (self == null) {
                wakeChanged();
            } else {
                wakeDuty();
            }
        }
    }

    private void wakeChanged() {
        for (Change change : changes) {
            changes.remove(change);
            if (change.topic() != null) {
                queues.forEach((queue, pulls) -> {
                    if (queue.topic().equals(change.topic())) {
                        wakeAll(pulls);
                    }
                });
                continue;
            }
            Collection<Pull> waiting = change.connectionId() < 0
                    ? deadlines.values()
                    : connections.getOrDefault(change.connectionId(), Set.of());
            for (Pull pull : waiting) {
                if (pull.group().equals(change.group())) {
                    wakeAll(Set.of(pull));
                }
            }
        }
    }

    /** The group's offset in a queue was reset: its waiting pulls are told. */
    public void reset(String group, String topic, int queueId) {
        Set<Pull> waiting = queues.get(new Queue(topic, queueId));
        if (waiting == null) {
            return;
        }
        for (Pull pull : waiting) {
            if (pull.group().equals(group)) {
                pullService.reset(pull);
            }
        }
    }

    /**
     * Another member of the group reads the queue now: pulls from before are answered. Not one that has only just come: two members that both read the
     * queue for good, such as processes with one client id, would end each other's pulls without a pause.
     */
    void taken(String group, String topic, int queueId, Connection by) {
        Set<Pull> waiting = queues.get(new Queue(topic, queueId));
        if (waiting == null) {
            return;
        }
        long now = clock.nanoTime();
        for (Pull pull : waiting) {
            if (pull.group().equals(group)
                    && pull.request().connection().id() != by.id()
                    && now - pull.heldNanos() >= YOUNG_NANOS) {
                pullService.expire(pull);
            }
        }
    }

    /** Forgets the pulls of a connection: nobody hears the answer. */
    public void closed(Connection connection) {
        Set<Pull> waiting = connections.get(connection.id());
        if (waiting != null) {
            waiting.forEach(this::forget);
        }
    }

    /** Answers every waiting pull at once, and from now on every new one; for the end of the broker. */
    public void releaseAll() {
        closing = true;
        for (Pull pull : deadlines.values()) {
            pullService.expire(pull);
        }
    }

    @Override
    public String roleName() {
        return "broker-pull-hold";
    }

    @Override
    public long run() {
        wakeCrowded();
        wakeChanged();
        long untilLook = lookDue();
        while (true) {
            Map.Entry<Place, Pull> first = deadlines.firstEntry();
            if (first == null) {
                return untilLook;
            }
            long left = first.getKey().nanos() - clock.nanoTime();
            if (left > 0) {
                return untilLook == WHEN_WOKEN ? left : Math.min(left, untilLook);
            }
            Pull pull = first.getValue();
            remove(pull);
            pullService.expire(pull);
        }
    }

    private long lookDue() {
        while (true) {
            Map.Entry<Place, Pull> first = looks.firstEntry();
            if (first == null) {
                return WHEN_WOKEN;
            }
            long left = first.getKey().nanos() - clock.nanoTime();
            if (left > 0) {
                return left;
            }
            looks.remove(first.getKey());
            pullService.wake(first.getValue());
        }
    }
}
