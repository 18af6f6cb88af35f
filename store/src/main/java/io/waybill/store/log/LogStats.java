/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

/** Counts since the store was opened. */
public record LogStats(
        long frames, long records, long bytes, long forces, long coldReads, long checkpoints, long segmentsDropped) {}
