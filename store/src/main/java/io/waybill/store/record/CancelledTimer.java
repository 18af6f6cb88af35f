/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/**
 * A delayed message that was called back.
 *
 * @param by who did it, for people
 */
public record CancelledTimer(long handle, long atMillis, String by) {}
