/* SPDX-License-Identifier: Apache-2.0 */
package io.waybill.store.view;

/**
 * How far the views cover the log.
 *
 * @param position the first log position that is not yet applied; 0 if the views are empty
 * @param frameIndex index given with the last applied frame
 * @param epoch epoch given with the last applied frame
 * @param storeTimeMillis highest store time applied
 * @param oldestPosition the position last given to trimBefore
 */
public record Checkpoint(long position, long frameIndex, long epoch, long storeTimeMillis, long oldestPosition) {
    /** Nothing applied. */
    public static final Checkpoint EMPTY = new Checkpoint(0, 0, 0, 0, 0);
}
