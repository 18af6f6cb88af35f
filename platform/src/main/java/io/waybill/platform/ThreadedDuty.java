/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

import java.util.concurrent.CountDownLatch;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.locks.LockSupport;
import java.util.function.Consumer;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * A duty and its thread. {@code woken} is set before the thread is unparked and cleared before a run begins, so a wake
 * at any moment is followed by a run that starts after it.
 */
final class ThreadedDuty implements DutyHandle, Runnable {
    private static final Logger LOG = LoggerFactory.getLogger(Duty.class);
    private static final long PAUSE_AFTER_FAILURE_NANOS = TimeUnit.SECONDS.toNanos(1);

    private final Duty duty;
    private final Clock clock;
    private final Consumer<ThreadedDuty> ended;
    private final Thread thread;
    private final CountDownLatch end = new CountDownLatch(1);
    private volatile boolean woken;
    private volatile boolean closing;

    ThreadedDuty(Duty duty, Clock clock, Consumer<ThreadedDuty> ended) {
        this.duty = duty;
        this.clock = clock;
        this.ended = ended;
        this.thread = new Thread(this, duty.roleName());
        this.thread.setDaemon(true);
    }

    void start() {
        thread.start();
    }

    @Override
    public void run() {
        try {
            while (!closing) {
                woken = false;
                sleep(runOnce());
            }
        } finally {
            try {
                duty.close();
            } catch (RuntimeException e) {
                LOG.error("closing {} failed", duty.roleName(), e);
            }
            ended.accept(this);
            end.countDown();
        }
    }

    private long runOnce() {
        try {
            return duty.run();
        } catch (RuntimeException | Error e) {
            // An Error too: a duty that is silently gone is worse than one that fails every second.
            LOG.error("{} failed; it runs again in a second", duty.roleName(), e);
            return PAUSE_AFTER_FAILURE_NANOS;
        }
    }

    private void sleep(long nanos) {
        if (nanos <= 0) {
            return;
        }
        if (nanos == Duty.WHEN_WOKEN) {
            while (!woken && !closing) {
                LockSupport.park(this);
                clearInterrupt();
            }
            return;
        }
        long start = clock.nanoTime();
        long left = nanos;
        while (!woken && !closing && left > 0) {
            LockSupport.parkNanos(this, left);
            clearInterrupt();
            left = nanos - (clock.nanoTime() - start);
        }
    }

    /** A stray interrupt would turn every later park into a spin and close the next file channel. */
    private static void clearInterrupt() {
        if (Thread.interrupted()) {
            LOG.warn("ignored an interrupt of {}", Thread.currentThread().getName());
        }
    }

    @Override
    public void wake() {
        if (!woken) {
            woken = true;
            LockSupport.unpark(thread);
        }
    }

    @Override
    public void close() {
        closing = true;
        LockSupport.unpark(thread);
        if (Thread.currentThread() == thread) {
            return;
        }
        boolean interrupted = false;
        while (true) {
            try {
                end.await();
                break;
            } catch (InterruptedException e) {
                interrupted = true;
            }
        }
        if (interrupted) {
            Thread.currentThread().interrupt();
        }
    }

    @Override
    public String toString() {
        return duty.roleName();
    }
}
