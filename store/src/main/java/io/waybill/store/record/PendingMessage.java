/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/**
 * A record with a message behind its fields that is not visible yet. Its position is that of the message. Restated, it moves to another position and
 * keeps its handle.
 */
public interface PendingMessage extends HeadedRecord {
    /** Of the message. */
    int size();

    /** The position minus the base of its frame. */
    int frameDelta();

    long storeTimeMillis();

    /**
     * The record with its message at a place.
     *
     * @param handleThere the place itself when the message is new
     */
    PendingMessage at(long handleThere, MessagePlace place);

    /** The bytes before the message. */
    default int bytesBefore() {
        return HEADER + fieldBytes();
    }
}
