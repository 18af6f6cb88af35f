/* SPDX-License-Identifier: Apache-2.0 */
/**
 * The records of the log and the values in them: what the log writes, what the views fold, and what both hand to the broker. Start reading with
 * {@link io.waybill.store.record.LogRecord}. Imports nothing of the store; {@code store.log} and {@code store.view} import this package.
 */
package io.waybill.store.record;
