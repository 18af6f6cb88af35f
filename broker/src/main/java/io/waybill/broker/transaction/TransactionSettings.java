/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.transaction;

/**
 * @param timeoutMillis age of a half message at its first check
 * @param checkMillis time between two checks
 * @param checkMax delivered checks after which a half message is given up
 */
public record TransactionSettings(long timeoutMillis, long checkMillis, int checkMax) {
    public static TransactionSettings defaults() {
        return new TransactionSettings(6_000, 30_000, 15);
    }
}
