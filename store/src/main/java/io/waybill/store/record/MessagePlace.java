/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/**
 * Where a stored message stands.
 *
 * @param size its bytes
 * @param frameDelta position minus the base of its frame
 * @param storeTimeMillis the time in the message
 */
public record MessagePlace(long position, int size, int frameDelta, long storeTimeMillis) {}
