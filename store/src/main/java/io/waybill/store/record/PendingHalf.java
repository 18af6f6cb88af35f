/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/**
 * An open transaction.
 *
 * @param handle position of the embedded message when it was first stored; never changes
 * @param position where the embedded message stands now (differs from the handle after a carry-forward)
 * @param size bytes of the embedded message
 * @param frameDelta position minus the base of its frame
 * @param checks how many checks were delivered
 * @param nextCheckMillis when the next check is due
 * @param storeTimeMillis store time of the record at {@code position}
 * @param sender the client id of who sent it; empty if not known
 * @param waits whether the last look found nobody to ask
 */
public record PendingHalf(
        long handle,
        long position,
        int size,
        int frameDelta,
        int checks,
        long nextCheckMillis,
        long storeTimeMillis,
        String producerGroup,
        String sender,
        boolean waits) {}
