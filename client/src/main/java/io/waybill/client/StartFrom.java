/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.client;

import java.time.Instant;

/**
 * Where a group without progress begins. A group that has committed progress goes on there, whatever is said here.
 *
 * @param policy first, last, or a time
 * @param time the time, only with {@link Policy#TIME}
 */
public record StartFrom(Policy policy, Instant time) {
    /** The oldest message that is still kept. */
    public static final StartFrom FIRST = new StartFrom(Policy.FIRST, null);
    /** Only what is sent from now on. */
    public static final StartFrom LAST = new StartFrom(Policy.LAST, null);

    /** Kinds of beginnings. */
    public enum Policy {
        /** See {@link StartFrom#FIRST}. */
        FIRST,
        /** See {@link StartFrom#LAST}. */
        LAST,
        /** See {@link StartFrom#at}. */
        TIME
    }

    /** In each queue the first message that was stored at this time or later. */
    public static StartFrom at(Instant time) {
        return new StartFrom(Policy.TIME, time);
    }
}
