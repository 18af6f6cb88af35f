/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.settings;

/**
 * @param levels the delay levels of property DELAY
 * @param maxDelayMillis the farthest due time from now that a timer property may ask for
 * @param recallEnabled whether delayed messages may be recalled
 */
public record TimerSettings(DelayLevels levels, long maxDelayMillis, boolean recallEnabled) {
    public static TimerSettings defaults() {
        return new TimerSettings(DelayLevels.defaults(), 10L * 365 * 86_400_000L, true);
    }
}
