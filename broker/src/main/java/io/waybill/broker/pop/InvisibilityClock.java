/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.pop;

import io.waybill.broker.request.Wakeup;
import io.waybill.platform.Duty;
import java.util.Map;
import java.util.concurrent.ConcurrentSkipListMap;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.atomic.AtomicLong;
import java.util.function.Consumer;

/**
 * When invisibilities end: of each queue that has leased something, the next time somebody has to look after.
 * Thread-safe.
 */
final class InvisibilityClock {
    private final PopClock clock;
    private final Wakeup wakeup;
    private final AtomicLong numbers = new AtomicLong();
    private final ConcurrentSkipListMap<InvisibilityEnd, PopQueue> ends = new ConcurrentSkipListMap<>();

    /** @param wakeup of the duty that calls {@link #run} */
    InvisibilityClock(PopClock clock, Wakeup wakeup) {
        this.clock = clock;
        this.wakeup = wakeup;
    }

    /**
     * Looks after the next end of an invisibility in a queue.
     *
     * @param behindMillis what ended until then was looked after already; from before the caller wrote anything, which
     *     takes time
     */
    void watch(PopQueue queue, long behindMillis) {
        InvisibilityEnd end = queue.watch(behindMillis, numbers.getAndIncrement(), ends);
        Map.Entry<InvisibilityEnd, PopQueue> first = end == null ? null : ends.firstEntry();
        if (first != null && first.getKey().equals(end)) {
            wakeup.wake();
        }
    }

    /** How many ends are watched. */
    int size() {
        return ends.size();
    }

    /**
     * Does this for each queue in which an invisibility has ended; returns in how many nanoseconds the next one ends.
     * By one thread.
     */
    long run(Consumer<PopQueue> ended) {
        while (true) {
            Map.Entry<InvisibilityEnd, PopQueue> first = ends.firstEntry();
            if (first == null) {
                return Duty.WHEN_WOKEN;
            }
            long now = clock.nowMillis();
            long left = first.getKey().millis() - now;
            if (left > 0) {
                return TimeUnit.MILLISECONDS.toNanos(left);
            }
            ends.remove(first.getKey());
            PopQueue queue = first.getValue();
            queue.reached(first.getKey());
            ended.accept(queue);
            watch(queue, now);
        }
    }
}
