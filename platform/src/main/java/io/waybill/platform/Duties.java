/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.platform;

import java.util.concurrent.Executor;

/**
 * Where threads come from. Real: named daemon threads that are never interrupted (an interrupt would close the file
 * channel it meets). Simulated: nothing runs until the test steps it, in an order that a seed decides.
 */
public interface Duties extends AutoCloseable {

    /** Starts a duty; its first run happens soon after. */
    DutyHandle start(Duty duty);

    /**
     * A bounded pool for work that may block (cold reads, listeners). Its threads end when idle.
     *
     * <p>More than {@value #MAX_WAITING_TASKS} waiting tasks, or any after {@link #close()}, are refused with
     * {@link java.util.concurrent.RejectedExecutionException}. A task that throws is logged.
     */
    Executor executor(String name, int maxThreads);

    /** A daemon thread, not started, for the few places that need one of their own. */
    Thread thread(String name, Runnable body);

    /** Closes every duty, the last started first, then ends the pools after what they are running. Idempotent. */
    @Override
    void close();

    /** Tasks that may wait for a thread of one pool. */
    int MAX_WAITING_TASKS = 100_000;

    /** Threads of this machine. */
    static Duties real() {
        return new ThreadedDuties(Clock.system());
    }
}
