/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

/**
 * One ConsumeQueue as of now or later. Offsets min (inclusive) to max (exclusive) are dense; positions and store times
 * never fall. For use within one call from any thread; ask {@link ConsumeQueues#view} again for the next (a kept view may stop growing).
 */
public interface QueueView {
    /** First offset that is shown and whose message the log still holds; equal to max if there is none. */
    long min();

    /** The same as if nothing were hidden: before {@link #min} stand the messages of a deleted topic. */
    long firstKept();

    /** The next offset: one past the last applied message. */
    long max();

    /**
     * Visits entries from an offset up to (exclusive) an offset, both clipped to [min, max).
     *
     * @return the offset behind the last visited entry; {@code from} clipped if there was none
     */
    long visit(long from, long to, QueueVisitor visitor);

    /** Position of the message at an offset, or -1 outside [min, max). */
    long positionOf(long offset);

    /** Store time of the message at an offset, or -1 outside [min, max). */
    long storeTimeOf(long offset);

    /** Whether the entry at an offset is in memory (no backend read). */
    boolean isInMemory(long offset);

    /** Search by store time; see {@link Boundary} for what is returned when nothing fits. */
    long offsetByTime(long timeMillis, Boundary boundary);
}
