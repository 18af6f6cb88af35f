/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The records of the log, a file for each kind, and the values in them: what the log writes, what the views fold, and what both hand to the broker.
 * Everything of a kind stands in its file: drawing, size, write and read (ADR 0028); what a view makes of it stands in {@code store.view}.
 *
 * <p>Start reading with {@link io.waybill.store.record.LogRecord} and {@link io.waybill.store.record.RecordKind}. Imports nothing of the store, and of the
 * protocol the layout of stored messages; {@code store.log} and {@code store.view} import this package and not each other.
 */
package io.waybill.store.record;
