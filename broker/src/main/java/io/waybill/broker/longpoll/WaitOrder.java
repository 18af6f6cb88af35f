/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.longpoll;

import io.waybill.platform.Duty;
import io.waybill.store.record.QueueKey;

/**
 * Which requests of one kind wait for a queue, and in which order they are served when something becomes visible there.
 * What pulls and pops do differently while they wait; {@link LongPolling} does the rest. Thread-safe; a request is
 * added once and removed any number of times.
 */
public interface WaitOrder<R extends HeldRequest> {
    /** @param number of its arrival, ascending */
    void add(R request, long number);

    void remove(R request, long number);

    /**
     * Has those that wait for a queue look at it, in the calling thread. Does not block.
     *
     * @param mostInline beyond it none of them does, since the thread that confirmed a message would be held up
     * @return null, or the queue when it was left to be served later
     */
    QueueKey serve(String topic, int queueId, int mostInline);

    /** How often something else is to be done at a time: for figures. */
    default int times() {
        return 0;
    }

    /** Does what else is due, in the thread of the duty; returns in how many nanoseconds the next is. */
    default long run() {
        return Duty.WHEN_WOKEN;
    }
}
