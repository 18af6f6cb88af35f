/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

import java.util.ArrayDeque;
import java.util.Deque;
import java.util.concurrent.Executor;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.RejectedExecutionException;
import java.util.concurrent.ThreadPoolExecutor;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicInteger;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/** One named daemon thread per duty. Nothing here interrupts: an interrupt closes the file channel it meets. */
final class ThreadedDuties implements Duties {
    private static final Logger LOG = LoggerFactory.getLogger(Duties.class);
    private static final long POOL_IDLE_SECONDS = 30;
    private static final long POOL_END_SECONDS = 5;

    private final Clock clock;
    private final Deque<AutoCloseable> started = new ArrayDeque<>(); // guarded by this
    private boolean closed; // guarded by this

    ThreadedDuties(Clock clock) {
        this.clock = clock;
    }

    @Override
    public synchronized DutyHandle start(Duty duty) {
        refuseIfClosed();
        ThreadedDuty handle = new ThreadedDuty(duty, clock, this::forget);
        started.push(handle);
        handle.start();
        return handle;
    }

    @Override
    public synchronized Executor executor(String name, int maxThreads) {
        refuseIfClosed();
        AtomicInteger ordinal = new AtomicInteger();
        ThreadPoolExecutor pool = new ThreadPoolExecutor(
                maxThreads,
                maxThreads,
                POOL_IDLE_SECONDS,
                TimeUnit.SECONDS,
                new LinkedBlockingQueue<>(MAX_WAITING_TASKS),
                body -> thread(name + "-" + ordinal.incrementAndGet(), body));
        pool.allowCoreThreadTimeOut(true);
        started.push(() -> end(name, pool));
        return task -> pool.execute(() -> {
            try {
                task.run();
            } catch (RuntimeException e) {
                LOG.error("a task of {} failed", name, e);
            }
        });
    }

    private static void end(String name, ThreadPoolExecutor pool) {
        pool.shutdown();
        try {
            if (!pool.awaitTermination(POOL_END_SECONDS, TimeUnit.SECONDS)) {
                LOG.warn(
                        "{} still runs {} tasks after {} s; leaving them",
                        name,
                        pool.getActiveCount(),
                        POOL_END_SECONDS);
            }
        } catch (InterruptedException e) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public Thread thread(String name, Runnable body) {
        Thread thread = new Thread(body, name);
        thread.setDaemon(true);
        return thread;
    }

    private synchronized void forget(ThreadedDuty duty) {
        started.remove(duty);
    }

    private void refuseIfClosed() {
        if (closed) {
            throw new RejectedExecutionException("these duties are closed");
        }
    }

    @Override
    public void close() {
        while (true) {
            AutoCloseable next;
            synchronized (this) {
                closed = true;
                next = started.poll();
            }
            if (next == null) {
                return;
            }
            try {
                next.close();
            } catch (Exception e) {
                LOG.error("closing {} failed", next, e);
            }
        }
    }
}
