/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.settings;

/**
 * @param timeoutMillis age of a half message at its first check
 * @param checkMillis time between the first two checks; it grows from check to check, up to {@value #MOST_GROWTH} times this
 * @param checkMax delivered checks after which a half message is given up
 */
public record TransactionSettings(long timeoutMillis, long checkMillis, int checkMax) {
    private static final int MOST_GROWTH = 10;

    /** Time from the check of this number to the next one. */
    public long intervalMillis(int checks) {
        return checkMillis * Math.min(MOST_GROWTH, 1L << Math.min(Math.max(checks, 1) - 1, 10));
    }

    public static TransactionSettings defaults() {
        return new TransactionSettings(6_000, 30_000, 15);
    }
}
