/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/**
 * That the message of a transaction that was rolled back was delivered after all.
 *
 * @param position where the record stands in the log, with the visible (or delayed) copy behind it in the same frame
 * @param by who wanted it, and why, for people
 */
public record PublishRecord(long handle, long position, long atMillis, String by) {}
