/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client.internal.runtime;

import io.waybill.platform.Platform;
import io.waybill.remoting.EventLoops;
import java.util.concurrent.Executor;

/**
 * All threads of all clients of the process: the event loops, one timer thread, a pool for the application's handlers and a small one for the
 * library's own blocking steps (rebalance, locks). Counted: the last client to leave ends them.
 */
public final class SharedThreads implements AutoCloseable {
    /** Handlers that run at the same time in the process. */
    public static final int MAX_LISTENER_THREADS = 64;

    private static final int MAX_CONTROL_THREADS = 4;

    private static SharedThreads instance; // guarded by the class
    private static int users; // guarded by the class

    final Platform platform;
    final EventLoops loops;
    final Timers timers;
    final Executor listeners;
    final Executor control;

    private SharedThreads() {
        platform = Platform.real();
        loops = EventLoops.shared();
        timers = Timers.start(platform.duties(), platform.clock());
        listeners = platform.duties().executor("waybill-listener", MAX_LISTENER_THREADS);
        control = platform.duties().executor("waybill-client-control", MAX_CONTROL_THREADS);
    }

    /** The event loops that all connections share. */
    public EventLoops loops() {
        return loops;
    }

    public static SharedThreads acquire() {
        synchronized (SharedThreads.class) {
            if (users++ == 0) {
                instance = new SharedThreads();
            }
            return instance;
        }
    }

    /** Gives one {@link #acquire} back. */
    @Override
    public void close() {
        synchronized (SharedThreads.class) {
            if (--users > 0) {
                return;
            }
            instance = null;
        }
        Runnable end = () -> {
            platform.duties().close();
            loops.close();
        };
        if (HandlerThread.isCurrent()) {
            // A pool cannot wait for the thread it is asked from.
            platform.duties().thread("waybill-client-close", end).start();
        } else {
            end.run();
        }
    }
}
