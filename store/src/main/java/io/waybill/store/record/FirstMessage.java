/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/**
 * The message that holds a unique key.
 *
 * @param position of the stored message when it was stored; for a half or delayed message its handle
 * @param queueOffset -1 for a half or delayed message
 */
public record FirstMessage(long position, long queueOffset, int queueId, long storeTimeMillis) {}
