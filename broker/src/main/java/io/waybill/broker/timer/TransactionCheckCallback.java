/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.timer;

import java.util.List;

/** The transaction side of the due index. Called on the timer dispatcher's thread only. */
public interface TransactionCheckCallback {
    /**
     * Asks about one half message, or gives it up. Never throws.
     *
     * @param done to be told exactly once, from any thread, after the store has answered
     */
    void run(long handle, TimerCompletion done);

    /**
     * The wall clock was set back: a check that is now further away than its own interval becomes due after that interval. Reads the disk.
     *
     * @param done to be told exactly once, from any thread; false asks for the same again
     */
    void clockSetBack(TimerCompletion done);

    /**
     * Takes up the next half messages that an earlier run or tenure left open, a few at a time.
     *
     * @return whether there are more
     * @throws io.waybill.store.record.ViewsDamaged when they cannot be read now: to be asked again
     */
    boolean takeUpNext();

    /** Handles to be asked about now although their time in the index is later; empty most of the time. */
    List<Long> takeOverdue();
}
