/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.runtime;

import io.waybill.platform.Clock;
import java.util.concurrent.CompletableFuture;

/** Counts what is under way, so that a close can wait for it; refuses new work after the close began. */
public final class PendingCalls {
    private final String owner;
    private int count; // guarded by this
    private boolean closed; // guarded by this
    private Runnable afterLast; // guarded by this; null unless something waits for the last one to end

    public PendingCalls(String owner) {
        this.owner = owner;
    }

    /** @throws io.waybill.client.WaybillException of kind CLOSED after {@link #close} */
    public void begin() {
        if (!tryBegin()) {
            throw ClientExceptions.closed(owner);
        }
    }

    /** Like {@link #begin}, for a caller whom nobody waits for: false after {@link #close}. */
    public synchronized boolean tryBegin() {
        if (closed) {
            return false;
        }
        count++;
        return true;
    }

    public void end() {
        Runnable step = null;
        synchronized (this) {
            if (--count == 0) {
                notifyAll();
                step = afterLast;
                afterLast = null;
            }
        }
        if (step != null) {
            step.run();
        }
    }

    /** After {@link #close}: whether nothing is under way any more. If something is, the step is run when the last of it ends. */
    public synchronized boolean isOver(Runnable step) {
        afterLast = count == 0 ? null : step;
        return count == 0;
    }

    /** Counts the future out when it ends. */
    public <T> CompletableFuture<T> until(CompletableFuture<T> future) {
        return future.whenComplete((value, failure) -> end());
    }

    /** Lets nothing new begin and waits for what is under way. True for the first caller only. */
    public boolean close(long waitMillis, Clock clock) {
        synchronized (this) {
            if (closed) {
                return false;
            }
            closed = true;
            long end = clock.nanoTime() + waitMillis * 1_000_000;
            while (count > 0) {
                long left = (end - clock.nanoTime()) / 1_000_000;
                if (left <= 0) {
                    break;
                }
                try {
                    wait(left);
                } catch (InterruptedException e) {
                    Thread.currentThread().interrupt();
                    break;
                }
            }
            return true;
        }
    }
}
