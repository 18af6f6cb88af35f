/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform.simulated;

import io.waybill.platform.Duties;
import io.waybill.platform.Duty;
import io.waybill.platform.DutyHandle;
import io.waybill.platform.RandomSource;
import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.TimeUnit;

/**
 * Threads without threads. Nothing runs until a test steps, and then in the caller's thread, one duty or task at a time:
 * what is due, the earliest first; of several due at the same time the one that became due first, or, with a random source,
 * any of them as its seed decides. An exception of a duty or task reaches the test that stepped.
 *
 * <p>A thread from {@link #thread} does not become a thread: starting it queues its body as one task.
 *
 * <p>Waking and submitting are safe from any thread; stepping is for one at a time.
 */
public final class SimulatedDuties implements Duties {
    /** {@link #runUntilIdle} gives up after so many steps: something always has work. */
    private static final int MAX_STEPS = 10_000_000;

    private final SimulatedClock clock;
    private final RandomSource random; // null = strictly in order
    private final List<Work> works = new ArrayList<>(); // guarded by this; in the order in which they became due
    private long ordinals; // guarded by this
    private boolean closed; // guarded by this
    private long steps;

    /** Runs what is due in the order in which it became due. */
    public SimulatedDuties(SimulatedClock clock) {
        this(clock, null);
    }

    /** Runs what is due at the same time in an order drawn from the source. */
    public SimulatedDuties(SimulatedClock clock, RandomSource random) {
        this.clock = clock;
        this.random = random;
    }

    @Override
    public DutyHandle start(Duty duty) {
        SteppedDuty stepped = new SteppedDuty(duty);
        add(stepped);
        return stepped;
    }

    @Override
    public Executor executor(String name, int maxThreads) {
        return task -> add(new Task(name, task));
    }

    @Override
    public Thread thread(String name, Runnable body) {
        return new Thread(body, name) {
            @Override
            public void start() {
                add(new Task(getName(), body));
            }
        };
    }

    private synchronized void add(Work work) {
        if (closed) {
            throw new RejectedExecutionException("these duties are closed");
        }
        work.dueNanos = clock.nanoTime();
        work.ordinal = ordinals++;
        works.add(work);
    }

    /**
     * Runs one duty or task that is due now.
     *
     * @return false if nothing is due
     */
    public boolean step() {
        Work work = next();
        if (work == null) {
            return false;
        }
        steps++;
        work.run();
        return true;
    }

    /**
     * Steps until nothing is due at the present time.
     *
     * @return how many steps it took
     */
    public int runUntilIdle() {
        int count = 0;
        while (step()) {
            if (++count > MAX_STEPS) {
                throw new AssertionError("still not idle after " + MAX_STEPS + " steps: " + this);
            }
        }
        return count;
    }

    /** Lets so much time pass, stopping at every time at which something is due and running it there until idle. */
    public void advance(long millis) {
        long endNanos = clock.nanoTime() + TimeUnit.MILLISECONDS.toNanos(millis);
        runUntilIdle();
        while (true) {
            long waitNanos = nanosToNext();
            if (waitNanos > endNanos - clock.nanoTime()) {
                break;
            }
            clock.advanceNanos(waitNanos);
            runUntilIdle();
        }
        clock.advanceNanos(endNanos - clock.nanoTime());
        runUntilIdle();
    }

    /** Nanoseconds until the next duty is due: 0 = now, Long.MAX_VALUE = none before something wakes one. */
    public synchronized long nanosToNext() {
        long now = clock.nanoTime();
        long least = Long.MAX_VALUE;
        for (Work work : works) {
            if (work.dueNanos != Long.MAX_VALUE) {
                least = Math.min(least, Math.max(0, work.dueNanos - now));
            }
        }
        return least;
    }

    /** Duties and tasks run so far. */
    public long steps() {
        return steps;
    }

    private synchronized Work next() {
        long now = clock.nanoTime();
        List<Work> due = new ArrayList<>();
        Work first = null;
        for (Work work : works) {
            if (work.dueNanos == Long.MAX_VALUE || work.dueNanos > now) {
                continue;
            }
            due.add(work);
            if (first == null
                    || work.dueNanos < first.dueNanos
                    || work.dueNanos == first.dueNanos && work.ordinal < first.ordinal) {
                first = work;
            }
        }
        if (first == null) {
            return null;
        }
        Work chosen = random == null ? first : due.get(random.nextInt(due.size()));
        if (chosen instanceof Task) {
            works.remove(chosen);
        } else {
            chosen.dueNanos = Long.MAX_VALUE; // until run() says otherwise or somebody wakes it
        }
        return chosen;
    }

    /** Closes the duties, the last started first; tasks that did not run are dropped. */
    @Override
    public void close() {
        List<Work> left;
        synchronized (this) {
            closed = true;
            left = new ArrayList<>(works);
            works.clear();
        }
        for (int i = left.size() - 1; i >= 0; i--) {
            if (left.get(i) instanceof SteppedDuty duty) {
                duty.close();
            }
        }
    }

    @Override
    public synchronized String toString() {
        return "at " + clock.nanoTime() + " ns: " + works;
    }

    /** Something that wants to run at a time. */
    private abstract static class Work {
        long dueNanos;
        long ordinal;

        abstract void run();
    }

    private static final class Task extends Work {
        private final String name;
        private final Runnable body;

        Task(String name, Runnable body) {
            this.name = name;
            this.body = body;
        }

        @Override
        void run() {
            body.run();
        }

        @Override
        public String toString() {
            return "task of " + name + " due " + dueNanos;
        }
    }

    private final class SteppedDuty extends Work implements DutyHandle {
        private final Duty duty;
        private boolean running;
        private boolean ended;

        SteppedDuty(Duty duty) {
            this.duty = duty;
        }

        @Override
        void run() {
            if (ended) {
                return;
            }
            running = true;
            long wait;
            try {
                wait = duty.run();
            } finally {
                running = false;
                if (ended) {
                    duty.close(); // closed from inside: now that its last run is over
                }
            }
            if (wait != Duty.WHEN_WOKEN && !ended) {
                long now = clock.nanoTime();
                dueBy(now > Long.MAX_VALUE - 1 - Math.max(0, wait) ? Long.MAX_VALUE - 1 : now + Math.max(0, wait));
            }
        }

        @Override
        public void wake() {
            dueBy(clock.nanoTime());
        }

        private void dueBy(long nanos) {
            synchronized (SimulatedDuties.this) {
                if (nanos < dueNanos) {
                    dueNanos = nanos;
                    ordinal = ordinals++;
                }
            }
        }

        @Override
        public void close() {
            synchronized (SimulatedDuties.this) {
                if (ended) {
                    return;
                }
                ended = true;
                works.remove(this);
            }
            if (!running) {
                duty.close();
            }
        }

        @Override
        public String toString() {
            return duty.roleName() + (dueNanos == Long.MAX_VALUE ? " when woken" : " due " + dueNanos);
        }
    }
}
