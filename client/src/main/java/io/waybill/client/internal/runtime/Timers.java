/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.runtime;

import io.waybill.platform.Clock;
import io.waybill.platform.Duties;
import io.waybill.platform.Duty;
import io.waybill.platform.DutyHandle;
import java.util.PriorityQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.TimeUnit;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The one thread of the process that waits for times to come. Its tasks must not block: they start a call or hand work to a pool. A task that throws
 * is logged and stops nothing.
 */
public final class Timers implements Duty {
    private static final Logger LOG = LoggerFactory.getLogger(Timers.class);

    private final Clock clock;
    private final PriorityQueue<Timer> queue = new PriorityQueue<>(); // guarded by this
    private long ordinals; // guarded by this
    private volatile DutyHandle handle;

    private Timers(Clock clock) {
        this.clock = clock;
    }

    /** Its tasks run as a duty of these. */
    public static Timers start(Duties duties, Clock clock) {
        Timers timers = new Timers(clock);
        timers.handle = duties.start(timers);
        return timers;
    }

    @Override
    public String roleName() {
        return "waybill-client-timers";
    }

    /** Runs the task once, so much later. */
    public Timer after(long millis, Runnable task) {
        return add(new Timer(task, 0), TimeUnit.MILLISECONDS.toNanos(millis));
    }

    /** Runs the task again and again, the first time one period from now. */
    public Timer every(long millis, Runnable task) {
        long period = TimeUnit.MILLISECONDS.toNanos(millis);
        return add(new Timer(task, period), period);
    }

    /** Completes so much later, on the timer thread. */
    public CompletableFuture<Void> delay(long nanos) {
        CompletableFuture<Void> done = new CompletableFuture<>();
        add(new Timer(() -> done.complete(null), 0), nanos);
        return done;
    }

    private Timer add(Timer timer, long delayNanos) {
        boolean first;
        synchronized (this) {
            timer.dueNanos = clock.nanoTime() + delayNanos;
            timer.ordinal = ordinals++;
            queue.add(timer);
            first = queue.peek() == timer;
        }
        DutyHandle waker = handle;
        if (first && waker != null) {
            waker.wake();
        }
        return timer;
    }

    @Override
    public long run() {
        while (true) {
            Timer due;
            synchronized (this) {
                due = queue.peek();
                if (due == null) {
                    return WHEN_WOKEN;
                }
                long wait = due.dueNanos - clock.nanoTime();
                if (wait > 0) {
                    return wait;
                }
                queue.poll();
            }
            if (due.cancelled) {
                continue;
            }
            try {
                due.task.run();
            } catch (RuntimeException e) {
                LOG.error("a timed task failed", e);
            }
            if (due.periodNanos > 0 && !due.cancelled) {
                add(due, due.periodNanos);
            }
        }
    }

    /** One thing to do at a time. */
    public static final class Timer implements Comparable<Timer> {
        private final Runnable task;
        private final long periodNanos;
        private long dueNanos;
        private long ordinal;
        private volatile boolean cancelled;

        private Timer(Runnable task, long periodNanos) {
            this.task = task;
            this.periodNanos = periodNanos;
        }

        /** It does not begin again; one run may be under way. */
        public void cancel() {
            cancelled = true;
        }

        @Override
        public int compareTo(Timer other) {
            long byTime = dueNanos - other.dueNanos;
            return byTime != 0 ? Long.signum(byTime) : Long.compare(ordinal, other.ordinal);
        }
    }
}
