/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.insight;

import io.waybill.broker.delivery.QueueOwner;
import io.waybill.store.record.PopState;

/**
 * How a group stands in one queue at one moment.
 *
 * <p>Everything below {@code start} is behind the group. From there on a message is acknowledged (pop), in flight or ready.
 *
 * @param min first offset the queue still has
 * @param max behind its last message
 * @param committed the group's offset; -1 for none
 * @param start where the group goes on
 * @param out who reads the queue by pulls; null when nobody is known
 * @param isHeld whether that client is still there
 * @param inFlightFrom what it holds: from here, inclusive
 * @param inFlightTo to here, exclusive
 * @param pop the state of a group that pops; null otherwise
 * @param nowMillis of this moment
 */
record GroupQueueSnapshot(
        String topic,
        int queueId,
        long min,
        long max,
        long committed,
        long start,
        QueueOwner out,
        boolean isHeld,
        long inFlightFrom,
        long inFlightTo,
        PopState pop,
        long nowMillis) {
    enum Place {
        /** Behind the group, or acknowledged. */
        PASSED,
        IN_FLIGHT,
        READY
    }

    Place placeOf(long offset) {
        if (offset < start || pop != null && pop.isAcked(offset)) {
            return Place.PASSED;
        }
        if (offset >= inFlightFrom && offset < inFlightTo) {
            return Place.IN_FLIGHT;
        }
        PopState.InFlight taken = pop == null ? null : pop.inFlight(offset);
        return taken != null && taken.deadlineMillis() > nowMillis ? Place.IN_FLIGHT : Place.READY;
    }

    /** Messages from start on, whatever the filter says. */
    long ahead() {
        return Math.max(0, max - start);
    }

    /** Of these, the ones that are in flight. */
    long inFlight() {
        long pulled = Math.max(0, inFlightTo - inFlightFrom);
        if (pop == null) {
            return pulled;
        }
        return pulled
                + pop.inFlight().values().stream()
                        .filter(taken -> taken.offset() < max
                                && (taken.offset() < inFlightFrom || taken.offset() >= inFlightTo)
                                && placeOf(taken.offset()) == Place.IN_FLIGHT)
                        .count();
    }

    /** Of these, the ones that are acknowledged. */
    long acknowledged() {
        long count = 0;
        if (pop != null) {
            for (long[] range : pop.ackedRanges()) {
                count += Math.max(0, Math.min(range[1], max) - Math.max(range[0], start));
            }
        }
        return count;
    }

    /** The first offset from start on that is in this place; -1 for none. The frontier bounds the walk. */
    long first(Place place) {
        long end = Math.min(max, pop == null ? inFlightTo : Math.max(inFlightTo, pop.frontier()));
        for (long offset = start; offset < end; offset++) {
            if (pop == null && offset == inFlightFrom && place != Place.IN_FLIGHT) {
                offset = inFlightTo - 1; // all the same up to there
            } else if (placeOf(offset) == place) {
                return offset;
            }
        }
        return place == Place.READY && Math.max(start, end) < max ? Math.max(start, end) : -1;
    }
}
