/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/** What a change is judged by, as far as it is applied. Any thread; refused with {@link ViewsDamaged} while it is not known. */
public interface RecordedFacts {
    /** The offset that the next message of the queue gets. */
    long nextOffset(String topic, int queueId);

    /** The open transaction of a handle, or null. */
    PendingHalf half(long handle);

    /** How a transaction ended; null if it is open, never was, or the record is no longer in the log. */
    DecisionRecord decisionOf(long handle);

    /** The late decision of this kind on a transaction, or null. */
    DecisionConflict conflict(long handle, Decision late);

    /** How the message of a rolled back transaction was delivered after all, or null. */
    PublishRecord published(long handle);

    /** Where the message of a rolled back transaction stands; null if the log no longer keeps it. */
    RolledBack rolledBack(long handle);

    /** The waiting delayed message of a handle, or null. */
    PendingTimer due(long handle);

    /** The keys of a delayed message that waits; null if it does not. */
    String[] keysOfDue(long handle);

    /** Who holds a unique key; null if nobody does. Its time may be past. */
    UniqueKeyOwner holder(String topic, String key);

    /** The first settlement that covers some message of the range; null if none is settled. */
    Settlement settledOverlapping(Settlement range);

    /** The key time of the last record of a unique key; 0 if there is none. */
    long keyTimeMillis();
}
