/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

/**
 * Counts since the store was opened, and what waits now.
 *
 * @param waiting changes that wait for the writer now
 * @param maxWaiting so many may wait before new ones are refused
 * @param diskBytes size of the file system that the store is on; -1 if it cannot be asked
 * @param usableDiskBytes what can still be written there; -1 if it cannot be asked
 */
public record LogStats(
        long frames,
        long records,
        long bytes,
        long forces,
        long coldReads,
        long checkpoints,
        long segmentsDropped,
        int waiting,
        int maxWaiting,
        long diskBytes,
        long usableDiskBytes) {}
