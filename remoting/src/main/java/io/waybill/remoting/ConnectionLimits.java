/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.remoting;

/** What one connection may use; see the settings of server and client. */
record ConnectionLimits(
        int maxFrameBytes, long maxInFlightBytes, long maxUnsentBytes, long idleMillis, int maxPendingCalls) {
    private static final int HIGH_WATER_MARK = 256 * 1024;

    /** Unsent bytes from which a connection stops reading: the peer is to take its replies first. */
    int highWaterMark() {
        return (int) Math.max(1, Math.min(HIGH_WATER_MARK, maxUnsentBytes / 2));
    }

    /** Unsent bytes down to which it then waits. */
    int lowWaterMark() {
        return highWaterMark() / 2;
    }
}
