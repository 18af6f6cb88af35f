/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.record;

/**
 * Where the half message of a transaction that was rolled back still stands in the log.
 *
 * @param checks how many checks were delivered
 */
public record RolledBack(long handle, long position, int size, int frameDelta, int checks, String producerGroup) {}
