/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The CommitLog: it writes, forces, recovers and drops, and knows no view. Everything else is a fold of it, which it calls
 * through {@link io.waybill.store.record.FoldedLog}.
 *
 * <p>Start reading with {@link io.waybill.store.log.CommitLog}, whose comment shows who hands what to whom: Writer (one per
 * tenure: judges and builds), Carrier and its local implementation Flusher, LogTail (the only physical append), Applier,
 * Recovery, Retention. Imports {@code store.record} of the store, the message layout and the platform.
 */
package io.waybill.store.log;
