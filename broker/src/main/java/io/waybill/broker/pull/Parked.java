/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pull;

import io.waybill.platform.Clock;
import io.waybill.platform.Duty;
import io.waybill.platform.DutyHandle;
import io.waybill.store.QueueRange;
import io.waybill.store.Store;
import java.util.Map;
import java.util.Set;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * Pulls that wait for a message, by queue.
 *
 * <p>A pull is parked first and the queue looked at again after that, so no message slips in between. It is woken by the
 * store itself, in the moment a message became visible; if the message is not wanted it stays. As a duty it answers the
 * pulls whose time is over, and sleeps exactly until the next one. A pull whose connection closed is dropped when its
 * queue wakes or its time is over. Safe from any thread.
 */
public final class Parked implements Duty {
    private static final Logger log = LoggerFactory.getLogger(Parked.class);

    /** Up to so many pulls of a queue are answered by the thread that confirmed; more are handed over. */
    private static final int INLINE_WAKES = 32;

    private record Queue(String topic, int queueId) {}

    private record Deadline(long nanos, long number) implements Comparable<Deadline> {
        @Override
        public int compareTo(Deadline other) {
            // By difference: the monotonic clock may wrap.
            int byTime = Long.signum(nanos - other.nanos);
            return byTime != 0 ? byTime : Long.compare(number, other.number);
        }
    }

    private final Store store;
    private final Clock clock;
    private final Executor workers;
    private final long maxHoldMillis;
    private final Map<Queue, Map<Pull, Deadline>> queues = new ConcurrentHashMap<>();
    private final ConcurrentSkipListMap<Deadline, Pull> deadlines = new ConcurrentSkipListMap<>();
    private final AtomicLong numbers = new AtomicLong();

    private volatile Reading reading;
    private volatile DutyHandle self;

    Parked(Store store, Clock clock, Executor workers, long maxHoldMillis) {
        this.store = store;
        this.clock = clock;
        this.workers = workers;
        this.maxHoldMillis = maxHoldMillis;
    }

    /** Sets who reads for the pulls; once, before the first request. */
    void readBy(Reading reader) {
        this.reading = reader;
    }

    /** Sets the hold on this duty; once, before the first request. */
    public void startedAs(DutyHandle handle) {
        this.self = handle;
    }

    /** The end of a hold that begins now. */
    long deadline(long holdMillis) {
        return clock.nanoTime() + TimeUnit.MILLISECONDS.toNanos(Math.max(0, Math.min(holdMillis, maxHoldMillis)));
    }

    /** How many pulls wait. */
    public int size() {
        return deadlines.size();
    }

    /** Lets a pull wait. It may be answered before this returns. */
    void park(Pull pull) {
        Deadline deadline = new Deadline(pull.deadlineNanos(), numbers.getAndIncrement());
        // First the deadline, then the queue: whoever finds the pull by its queue also finds the deadline to remove.
        deadlines.put(deadline, pull);
        queues.compute(new Queue(pull.topic(), pull.queueId()), (queue, waiting) -> {
            Map<Pull, Deadline> pulls = waiting == null ? new ConcurrentHashMap<>() : waiting;
            pulls.put(pull, deadline);
            return pulls;
        });
        DutyHandle handle = self;
        if (handle != null && deadline.equals(firstDeadline())) {
            handle.wake();
        }
        boolean missed;
        synchronized (pull) {
            if (pull.isAnswered()) {
                remove(pull);
                return;
            }
            QueueRange range = store.range(pull.topic(), pull.queueId());
            missed = range.maxOffset() > pull.scannedTo() || range.minOffset() > pull.scannedTo();
        }
        if (missed) {
            reading.wake(pull);
        }
    }

    private Deadline firstDeadline() {
        Map.Entry<Deadline, Pull> first = deadlines.firstEntry();
        return first == null ? null : first.getKey();
    }

    void remove(Pull pull) {
        queues.computeIfPresent(new Queue(pull.topic(), pull.queueId()), (queue, waiting) -> {
            Deadline deadline = waiting.remove(pull);
            if (deadline != null) {
                deadlines.remove(deadline);
            }
            return waiting.isEmpty() ? null : waiting;
        });
    }

    /** Something became visible in a queue. Quick; called by the thread that confirmed. */
    public void wake(String topic, int queueId) {
        Map<Pull, Deadline> waiting = queues.get(new Queue(topic, queueId));
        if (waiting == null) {
            return;
        }
        if (waiting.size() <= INLINE_WAKES) {
            wakeAll(waiting.keySet());
            return;
        }
        try {
            workers.execute(() -> wakeAll(waiting.keySet()));
        } catch (RejectedExecutionException e) {
            log.warn("Waiting pulls of topic {} are answered late: too much work is waiting", topic);
        }
    }

    private void wakeAll(Set<Pull> pulls) {
        for (Pull pull : pulls) {
            try {
                if (pull.request().connection().isOpen()) {
                    reading.wake(pull);
                } else {
                    remove(pull);
                }
            } catch (RuntimeException e) {
                log.warn("A waiting pull of topic {} could not be answered", pull.topic(), e);
            }
        }
    }

    /** The group's offset in a queue was reset: its waiting pulls are told. */
    public void reset(String group, String topic, int queueId) {
        Map<Pull, Deadline> waiting = queues.get(new Queue(topic, queueId));
        if (waiting == null) {
            return;
        }
        for (Pull pull : waiting.keySet()) {
            if (pull.group().equals(group)) {
                reading.reset(pull);
            }
        }
    }

    /** Answers every waiting pull at once; for the end of the broker. */
    public void releaseAll() {
        for (Pull pull : deadlines.values()) {
            remove(pull);
            reading.expire(pull);
        }
    }

    @Override
    public String roleName() {
        return "broker-parked";
    }

    @Override
    public long run() {
        while (true) {
            Map.Entry<Deadline, Pull> first = deadlines.firstEntry();
            if (first == null) {
                return WHEN_WOKEN;
            }
            long left = first.getKey().nanos() - clock.nanoTime();
            if (left > 0) {
                return left;
            }
            Pull pull = first.getValue();
            remove(pull);
            deadlines.remove(first.getKey());
            if (pull.request().connection().isOpen()) {
                reading.expire(pull);
            }
        }
    }
}
