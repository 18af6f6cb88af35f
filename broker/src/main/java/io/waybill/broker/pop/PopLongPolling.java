/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import io.waybill.platform.DutyHandle;
import io.waybill.remoting.Connection;
import io.waybill.store.Store;
import io.waybill.store.record.PopKey;
import java.util.Collection;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Predicate;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * PopFeature that wait for a message, and the clock of invisibility.
 *
 * <p>What always holds: never more than {@code mostHeld} wait, none longer than its deadline or than its connection lives. The oldest of a group is
 * woken first, by the store in the moment a message became visible, by an acknowledgement that frees an ordered queue, or by this duty when an
 * invisibility ends; the next one only while there is still something to be had. Safe from any thread; nothing here waits for another thread.
 */
public final class PopLongPolling implements Duty {
    private static final Logger log = LoggerFactory.getLogger(PopLongPolling.class);
    /** Of so many groups pops are answered by the thread that confirmed; with more it is left to this duty. */
    private static final int INLINE_GROUPS = 32;

    /** What a pop that waits and its places in the tables take. */
    private static final int HELD_BYTES = 600;

    private static final long SWEEP_NANOS = TimeUnit.SECONDS.toNanos(30);

    /** Where a pop waits: its deadline, unique by number. */
    record Place(long nanos, long number) implements Comparable<Place> {
        @Override
        public int compareTo(Place other) {
            int byTime = Long.signum(nanos - other.nanos); // by difference: the monotonic clock may wrap
            return byTime != 0 ? byTime : Long.compare(number, other.number);
        }
    }

    /** When an invisibility ends, by {@link PopClock#nowMillis}, unique by number. */
    record End(long millis, long number) implements Comparable<End> {
        @Override
        public int compareTo(End other) {
            int byTime = Long.compare(millis, other.millis);
            return byTime != 0 ? byTime : Long.compare(number, other.number);
        }
    }

    private final Store store;
    private final Clock clock;
    private final PopClock popClock;
    private final PopQueues queues;
    private final int mostHeld;
    private final long maxHoldMillis;
    private final Predicate<PopKey> exists;
    /** By topic and group, in the order of their arrival. */
    private final Map<String, Map<String, ConcurrentSkipListMap<Long, Pop>>> topics = new ConcurrentHashMap<>();

    private final Map<Long, Set<Pop>> connections = new ConcurrentHashMap<>();
    private final ConcurrentSkipListMap<Place, Pop> deadlines = new ConcurrentSkipListMap<>();
    private final ConcurrentSkipListMap<End, PopQueue> ends = new ConcurrentSkipListMap<>();
    /** When those look again whose groups get no more for the moment. */
    private final ConcurrentSkipListMap<Place, Pop> throttled = new ConcurrentSkipListMap<>();

    private record Crowd(String topic, int queueId) {}

    /** Queues with so many waiting groups that waking them is left to the duty. */
    private final Set<Crowd> crowded = ConcurrentHashMap.newKeySet();

    /** What changed for the pops of a group, of a topic or of a group on one connection; the others are null, or -1. */
    private record Change(String group, String topic, long connectionId) {}

    /** Changes whose pops have to be looked at. */
    private final Set<Change> changes = ConcurrentHashMap.newKeySet();

    private final AtomicInteger held = new AtomicInteger();
    private final AtomicLong numbers = new AtomicLong();
    private long nextSweepNanos;

    private volatile PopService popService;
    private volatile DutyHandle self;
    private volatile boolean closing;

    PopLongPolling(
            Store store,
            Clock clock,
            PopClock popClock,
            PopQueues queues,
            int mostHeld,
            long maxHoldMillis,
            Predicate<PopKey> exists) {
        this.store = store;
        this.clock = clock;
        this.popClock = popClock;
        this.queues = queues;
        this.mostHeld = mostHeld;
        this.maxHoldMillis = maxHoldMillis;
        this.exists = exists;
        this.nextSweepNanos = clock.nanoTime() + SWEEP_NANOS;
    }

    /** Sets who looks for the pops; once, before the first request. */
    void lookBy(PopService looking) {
        this.popService = looking;
    }

    /** Sets the hold on this duty; once, before the first request. */
    public void startedAs(DutyHandle handle) {
        this.self = handle;
    }

    long deadline(long holdMillis) {
        return clock.nanoTime() + TimeUnit.MILLISECONDS.toNanos(Math.max(0, Math.min(holdMillis, maxHoldMillis)));
    }

    /** How many pops wait. */
    public int size() {
        return held.get();
    }

    /** At how many times this duty has something to do. */
    public int times() {
        return deadlines.size() + throttled.size() + ends.size();
    }

    boolean isClosing() {
        return closing;
    }

    /** How many wait for exactly this queue, or for any if it is -1. */
    int waitingFor(String group, String topic, int queueId) {
        int count = 0;
        for (Pop pop : group(group, topic).values()) {
            count += pop.wish().queueId() == queueId ? 1 : 0;
        }
        return count;
    }

    private ConcurrentSkipListMap<Long, Pop> group(String group, String topic) {
        return topics.getOrDefault(topic, Map.of()).getOrDefault(group, new ConcurrentSkipListMap<>());
    }

    /**
     * Lets a pop wait; by the thread that works on it, which looks once more after that.
     *
     * @return false when too many wait already
     */
    boolean hold(Pop pop) {
        if (held.incrementAndGet() > mostHeld
                || !pop.request().hold(HELD_BYTES + pop.wish().filter().weightBytes())) {
            held.decrementAndGet();
            return false;
        }
        Connection connection = pop.request().connection();
        Place place = new Place(pop.deadlineNanos(), numbers.getAndIncrement());
        pop.place(place);
        deadlines.put(place, pop);
        topics.compute(pop.wish().topic(), (topic, groups) -> {
            Map<String, ConcurrentSkipListMap<Long, Pop>> there = groups == null ? new ConcurrentHashMap<>() : groups;
            there.computeIfAbsent(pop.wish().group(), group -> new ConcurrentSkipListMap<>())
                    .put(place.number(), pop);
            return there;
        });
        connections.compute(connection.id(), (id, pops) -> {
            Set<Pop> there = pops == null ? ConcurrentHashMap.newKeySet(4) : pops;
            there.add(pop);
            return there;
        });
        if (!connection.isOpen()) {
            forget(pop); // it closed before it could be found here
        } else if (closing) {
            pop.note(Pop.EXPIRE);
        } else if (place.equals(firstKey())) {
            wakeDuty();
        }
        return true;
    }

    private void forget(Pop pop) {
        pop.answered(); // so that it takes nothing any more, whoever wakes it
        remove(pop);
    }

    private Place firstKey() {
        Map.Entry<Place, Pop> first = deadlines.firstEntry();
        return first == null ? null : first.getKey();
    }

    /** Takes a pop out; any number of times. */
    void remove(Pop pop) {
        Place place = pop.place();
        if (deadlines.remove(place) != null) {
            held.decrementAndGet();
        }
        topics.computeIfPresent(pop.wish().topic(), (topic, groups) -> {
            groups.computeIfPresent(pop.wish().group(), (group, pops) -> {
                pops.remove(place.number());
                return pops.isEmpty() ? null : pops;
            });
            return groups.isEmpty() ? null : groups;
        });
        connections.computeIfPresent(
                pop.request().connection().id(), (id, pops) -> pops.remove(pop) && pops.isEmpty() ? null : pops);
    }

    private void wakeDuty() {
        DutyHandle handle = self;
        if (handle != null) {
            handle.wake();
        }
    }

    /** Messages became visible in a queue. Called by the thread that applied them. */
    void wake(String topic, int queueId) {
        if (held.get() == 0) {
            return;
        }
        Set<String> groups = topics.getOrDefault(topic, Map.of()).keySet();
        if (groups.size() > INLINE_GROUPS && self != null) {
            if (crowded.add(new Crowd(topic, queueId))) {
                wakeDuty();
            }
            return;
        }
        for (String group : groups) {
            wake(group, topic, queueId);
        }
    }

    private void wakeCrowded() {
        for (Crowd queue : crowded) {
            crowded.remove(queue); // before looking: what comes from now on marks it again
            for (String group : topics.getOrDefault(queue.topic(), Map.of()).keySet()) {
                wake(group, queue.topic(), queue.queueId());
            }
        }
    }

    /** Something may be had in a queue by a group. */
    void wake(String group, String topic, int queueId) {
        if (held.get() == 0) {
            return;
        }
        for (Pop pop : group(group, topic).values()) {
            if (!pop.waitsFor(queueId)) {
                continue;
            }
            PopQueue queue = queues.of(group, topic, queueId);
            if (!queue.mayHave(store.range(topic, queueId).maxOffset(), popClock.nowMillis())) {
                return;
            }
            try {
                popService.wake(pop);
            } catch (RuntimeException e) {
                log.warn("A waiting pop of group {} for topic {} could not be answered", group, topic, e);
            }
        }
    }

    /**
     * Looks after the next end of an invisibility in a queue.
     *
     * @param behindMillis what ended until then was looked for already; from before the caller wrote anything, which takes time
     */
    void watch(PopQueue queue, long behindMillis) {
        End end = queue.watch(behindMillis, numbers.getAndIncrement(), ends);
        Map.Entry<End, PopQueue> first = end == null ? null : ends.firstEntry();
        if (first != null && first.getKey().equals(end)) {
            wakeDuty();
        }
    }

    /** Lets a waiting pop look again after a while: its group has used up what it may get. */
    void lookAgain(Pop pop, long waitNanos) {
        if (pop.looksAgain()) {
            return;
        }
        pop.looksAgain(true);
        Place place = new Place(clock.nanoTime() + waitNanos, numbers.getAndIncrement());
        throttled.put(place, pop);
        wakeDuty();
    }

    /** What a member wants changed: its waiting pops are decided anew. */
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
            Collection<Pop> waiting = change.connectionId() < 0
                    ? deadlines.values()
                    : connections.getOrDefault(change.connectionId(), Set.of());
            for (Pop pop : waiting) {
                boolean isMeant = change.topic() == null
                        ? pop.wish().group().equals(change.group())
                        : pop.wish().topic().equals(change.topic());
                if (isMeant) {
                    popService.wake(pop);
                }
            }
        }
    }

    /** Forgets the pops of a connection: nobody hears the answer. */
    public void closed(Connection connection) {
        Set<Pop> pops = connections.get(connection.id());
        if (pops != null) {
            pops.forEach(this::forget);
        }
    }

    /** Answers every waiting pop at once, and from now on every new one; for the end of the broker. */
    public void releaseAll() {
        closing = true;
        deadlines.values().forEach(popService::expire);
    }

    @Override
    public String roleName() {
        return "broker-pop";
    }

    @Override
    public long run() {
        wakeCrowded();
        wakeChanged();
        long now = clock.nanoTime();
        if (now - nextSweepNanos >= 0) {
            nextSweepNanos = now + SWEEP_NANOS;
            queues.sweep(exists);
        }
        return Math.min(Math.min(nextSweepNanos - now, wakeThrottled()), Math.min(expireWaits(), endInvisibilities()));
    }

    private long wakeThrottled() {
        while (true) {
            Map.Entry<Place, Pop> first = throttled.firstEntry();
            if (first == null) {
                return WHEN_WOKEN;
            }
            long left = first.getKey().nanos() - clock.nanoTime();
            if (left > 0) {
                return left;
            }
            throttled.remove(first.getKey());
            first.getValue().looksAgain(false); // before it looks: it may have to wait once more
            popService.wake(first.getValue());
        }
    }

    private long expireWaits() {
        while (true) {
            Map.Entry<Place, Pop> first = deadlines.firstEntry();
            if (first == null) {
                return WHEN_WOKEN;
            }
            long left = first.getKey().nanos() - clock.nanoTime();
            if (left > 0) {
                return left;
            }
            Pop pop = first.getValue();
            remove(pop);
            popService.expire(pop);
        }
    }

    private long endInvisibilities() {
        while (true) {
            Map.Entry<End, PopQueue> first = ends.firstEntry();
            if (first == null) {
                return WHEN_WOKEN;
            }
            long now = popClock.nowMillis();
            long left = first.getKey().millis() - now;
            if (left > 0) {
                return TimeUnit.MILLISECONDS.toNanos(left);
            }
            ends.remove(first.getKey());
            PopQueue queue = first.getValue();
            queue.reached(first.getKey());
            wake(queue.key.group(), queue.key.topic(), queue.key.queueId());
            watch(queue, now);
        }
    }
}
