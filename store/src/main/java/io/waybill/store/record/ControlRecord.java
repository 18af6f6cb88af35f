/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/** A record that is its fields. It is made without a place, and gets one when it is put into a frame ({@link #at}). */
public interface ControlRecord extends HeadedRecord {
    /**
     * The record as it stands in the log.
     *
     * @param atPosition where it stands
     * @param storeTimeMillis of its frame; a record that is rewritten keeps the time it has
     */
    ControlRecord at(long atPosition, long storeTimeMillis);

    default int size() {
        return HEADER + fieldBytes();
    }
}
