/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.runtime;

import io.waybill.platform.Clock;
import java.util.concurrent.Executor;

/**
 * Time and threads as one client sees them.
 *
 * @param clientId the id under which the cluster knows the client
 * @param threads those of the process
 * @param timeouts how long things may take, and how often they are done
 */
public record ClientRuntime(String clientId, SharedThreads threads, ClientTimeouts timeouts) {
    public Clock clock() {
        return threads.platform.clock();
    }

    public Timers timers() {
        return threads.timers;
    }

    /** Runs the application's handlers. May be full: then it throws a {@link java.util.concurrent.RejectedExecutionException}. */
    public Executor listeners() {
        return threads.listeners;
    }

    /** Runs the library's own blocking steps. */
    public Executor control() {
        return threads.control;
    }

    /** A number from 0 to {@code bound - 1}, so that not everybody begins at the same queue. */
    public int random(int bound) {
        return threads.platform.random().nextInt(bound);
    }
}
