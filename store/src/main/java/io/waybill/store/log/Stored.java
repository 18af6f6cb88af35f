/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.log;

/**
 * The change is confirmed and readable.
 *
 * @param position of the stored message, or of the record for a change without one
 * @param queueOffset of the message; -1 if the change made nothing visible. For a batch: of the first, the others follow
 * @param storeTimeMillis of the frame
 * @param size of the stored message in bytes, or of the record. For a batch: of the first. The messages of a batch stand
 *     back to back, so the next one's position is this one's plus its size
 * @param handle of the half or delayed message that the change made or settled; 0 if none
 */
public record Stored(long position, long queueOffset, long storeTimeMillis, int size, long handle) implements Outcome {}
