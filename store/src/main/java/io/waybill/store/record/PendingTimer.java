/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/**
 * A message that waits for its due time.
 *
 * @param handle position of the embedded message when it was first stored; never changes
 * @param position where the embedded message stands now (differs from the handle after a carry-forward)
 * @param size bytes of the embedded message
 * @param frameDelta position minus the base of its frame
 * @param storeTimeMillis store time of the record at {@code position}
 */
public record PendingTimer(
        long handle,
        long position,
        int size,
        int frameDelta,
        long dueMillis,
        long storeTimeMillis,
        String topic,
        int queueId) {}
