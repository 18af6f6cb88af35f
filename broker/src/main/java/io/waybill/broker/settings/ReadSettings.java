/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.broker.settings;

/**
 * How messages are pulled and popped.
 *
 * @param maxCount most messages in one pull reply
 * @param maxBytes most bytes in one pull reply; one message always fits
 * @param holdMaxMillis longest time an empty pull is held
 * @param maxHeld most pulls that wait for a message at one time
 * @param popByDefault whether groups nobody set a mode for pop
 * @param coldReadThreads threads that read messages which are not in memory
 */
public record ReadSettings(
        int maxCount, int maxBytes, long holdMaxMillis, int maxHeld, boolean popByDefault, int coldReadThreads) {}
