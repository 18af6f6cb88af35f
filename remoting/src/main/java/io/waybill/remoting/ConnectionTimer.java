/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

import io.netty.channel.EventLoop;
import io.waybill.platform.Clock;
import java.util.concurrent.Future;
import java.util.concurrent.TimeUnit;

/**
 * The one timer of a connection: at most one task is scheduled at a time, for the earliest moment that anybody asked for. Most calls are
 * answered before their deadline, so a later deadline does not touch it; when the task runs it finds the next one. Of one event loop.
 */
final class ConnectionTimer {
    private final EventLoop loop;
    private final Runnable task;
    private Future<?> scheduled; // null = none
    private long atNanos;

    ConnectionTimer(EventLoop loop, Runnable tick) {
        this.loop = loop;
        this.task = () -> {
            scheduled = null;
            tick.run();
        };
    }

    void setTo(long whenNanos, long nowNanos) {
        cancel();
        atNanos = whenNanos;
        scheduled = loop.schedule(task, Math.max(0, whenNanos - nowNanos), TimeUnit.NANOSECONDS);
    }

    /** Only when it is not set to an earlier moment already; asks the clock only then. */
    void setToEarlier(long whenNanos, Clock clock) {
        if (scheduled == null || whenNanos - atNanos < 0) {
            setTo(whenNanos, clock.nanoTime());
        }
    }

    void cancel() {
        if (scheduled != null) {
            scheduled.cancel(false);
            scheduled = null;
        }
    }
}
