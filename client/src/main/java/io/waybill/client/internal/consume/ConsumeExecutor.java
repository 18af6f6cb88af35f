/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.consume;

import io.waybill.client.internal.runtime.HandlerThread;
import io.waybill.client.internal.runtime.Timers;
import io.waybill.platform.Clock;
import java.util.ArrayDeque;
import java.util.concurrent.Executor;
import java.util.concurrent.RejectedExecutionException;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * One consumer's share of the listener pool: at most {@code limit} of its steps run at the same time, in the order in which they came. A worker goes
 * back to the end of the pool's queue after a few steps, so a busy consumer does not starve the others.
 */
public final class ConsumeExecutor {
    private static final Logger LOG = LoggerFactory.getLogger(ConsumeExecutor.class);
    private static final int STEPS_PER_TURN = 32;

    private final Executor pool;
    private final int limit;
    private final Timers timers;
    private final ArrayDeque<Runnable> ready = new ArrayDeque<>(); // guarded by this
    private int active; // guarded by this
    private boolean paused; // guarded by this
    private boolean closed; // guarded by this

    public ConsumeExecutor(Executor pool, int limit, Timers timers) {
        this.pool = pool;
        this.limit = limit;
        this.timers = timers;
    }

    /** Takes a step to run; dropped after {@link #close}. */
    public void submit(Runnable step) {
        synchronized (this) {
            if (closed) {
                return;
            }
            ready.add(step);
        }
        kick();
    }

    public void pause() {
        synchronized (this) {
            paused = true;
        }
    }

    public void resume() {
        synchronized (this) {
            paused = false;
        }
        for (int i = 0; i < limit && kick(); i++) {}
    }

    /** Starts one more worker if one is allowed and needed. */
    private boolean kick() {
        synchronized (this) {
            if (paused || closed || active >= limit || ready.isEmpty()) {
                return false;
            }
            active++;
        }
        return execute();
    }

    private boolean execute() {
        try {
            pool.execute(this::turn);
            return true;
        } catch (RejectedExecutionException e) {
            synchronized (this) {
                active--;
                notifyAll();
            }
            LOG.warn("the listener pool refuses work; trying again in 100 ms");
            timers.after(100, this::kick);
            return false;
        }
    }

    private void turn() {
        for (int i = 0; i < STEPS_PER_TURN; i++) {
            Runnable step;
            synchronized (this) {
                step = paused || closed ? null : ready.poll();
                if (step == null) {
                    active--;
                    notifyAll();
                    return;
                }
            }
            try {
                HandlerThread.run(step);
            } catch (RuntimeException e) {
                LOG.error("a step of a consumer failed", e);
            }
        }
        execute();
    }

    /** Lets nothing new begin and waits for what runs; false if something still runs afterwards. */
    public boolean close(long waitMillis, Clock clock) {
        synchronized (this) {
            closed = true;
            ready.clear();
            if (HandlerThread.isCurrent()) {
                return false; // the caller itself still runs
            }
            long end = clock.nanoTime() + waitMillis * 1_000_000;
            boolean interrupted = false;
            while (active > 0) {
                long left = (end - clock.nanoTime()) / 1_000_000;
                if (left <= 0 || interrupted) {
                    break;
                }
                try {
                    wait(left);
                } catch (InterruptedException e) {
                    interrupted = true;
                }
            }
            if (interrupted) {
                Thread.currentThread().interrupt();
            }
            return active == 0;
        }
    }
}
